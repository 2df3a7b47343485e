"""How an organisation's letters look: its colour, made readable on both grounds, and its logo.

A logo is a PNG or a JPEG (mail programs draw no SVG), read for its measures, sent inside the e-mail and shown by its
Content-ID. Documents use the same colour and logo.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache

from documents import blobs, pictures
from errors import Permanent, UserMistake
from models import Organisation
from models.words import N_

DEFAULT_ACCENT = "#0f6e84"
# The letter's grounds, by day and by night (templates/letters/layout.html).
LIGHT, DARK = "#ffffff", "#1d232b"
READABLE = 4.5  # contrast of text, WCAG 2.2 1.4.3
LARGEST_LOGO = 200_000  # bytes: it travels with every e-mail
_WIDEST, _HIGHEST = 200, 56  # how it is drawn, in CSS pixels
_MOST_PIXELS = 2000
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Logo:
    """A stored logo: `width` and `height` as it is drawn, in CSS pixels."""

    sha256: str
    size: int
    media_type: str
    width: int
    height: int

    @property
    def filename(self) -> str:
        return "logo.png" if self.media_type == "image/png" else "logo.jpg"

    @property
    def cid(self) -> str:
        """Its Content-ID in a letter, without the angle brackets."""
        return f"{self.sha256[:32]}@logo.sillage"

    def as_data(self) -> str:
        """Its bytes as a data: address, for pages."""
        return data_address(self.sha256, self.media_type)


@dataclass(frozen=True)
class Look:
    """What a letter's layout needs."""

    accent: str = DEFAULT_ACCENT
    logo: Logo | None = None

    @property
    def accent_by_night(self) -> str:
        return by_night(self.accent)

    @property
    def on_accent(self) -> str:
        """The colour of words on a ground of the accent: white, unless it is too light for that."""
        return LIGHT if contrast(LIGHT, self.accent) >= READABLE else "#1c2430"


def of(organisation: Organisation) -> Look:
    """The organisation's look. A logo whose bytes are gone is none: letters leave all the same."""
    accent = (organisation.accent or "").lower()
    logo = None
    if organisation.logo_sha256:
        try:
            logo = _logo(organisation.logo_sha256)
        except (Permanent, UserMistake):
            logo = None
    return Look(accent if _COLOUR.fullmatch(accent) else DEFAULT_ACCENT, logo)


@lru_cache(maxsize=64)
def _logo(sha256: str) -> Logo:
    data = blobs.read(sha256)
    media_type, width, height = measured(data)
    scale = min(1.0, _WIDEST / width, _HIGHEST / height)
    return Logo(sha256, len(data), media_type, max(1, round(width * scale)), max(1, round(height * scale)))


def measured(data: bytes) -> tuple[str, int, int]:
    """(media type, width, height in pixels) of an image that may be a logo. Raises UserMistake (field `logo`)."""
    if len(data) > LARGEST_LOGO:
        raise UserMistake(N_("Ce logo est trop lourd : %(limit)s ko au plus."), "logo", limit=LARGEST_LOGO // 1000)
    media_type = blobs.sniff(data[:8192])
    sides = pictures.sides(data, media_type) if media_type in ("image/png", "image/jpeg") else None
    if sides is None:
        raise UserMistake(N_("Le logo doit être une image PNG ou JPEG."), "logo")
    if not all(1 <= side <= _MOST_PIXELS for side in sides):
        message = N_("Ce logo mesure %(width)s × %(height)s pixels : %(most)s au plus de chaque côté.")
        raise UserMistake(message, "logo", width=sides[0], height=sides[1], most=_MOST_PIXELS)
    return media_type, *sides


def data_address(sha256: str, media_type: str) -> str:
    """A blob as a data: address. Raises Permanent where its bytes are gone."""
    return f"data:{media_type};base64,{base64.b64encode(blobs.read(sha256)).decode()}"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two #rrggbb colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def by_day(accent: str) -> str:
    """The nearest darker shade that can be read on white."""
    return _towards(accent, "#000000", LIGHT)


def by_night(accent: str) -> str:
    """The nearest lighter shade that can be read on the night's ground."""
    return _towards(accent, "#ffffff", DARK)


def _towards(accent: str, end: str, ground: str) -> str:
    for step in range(101):
        mixed = (round(a + (b - a) * step / 100) for a, b in zip(_channels(accent), _channels(end), strict=True))
        shade = "#" + "".join(f"{channel:02x}" for channel in mixed)
        if contrast(shade, ground) >= READABLE:
            return shade
    return end
