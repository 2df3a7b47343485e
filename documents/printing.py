"""typst turns data into a tagged PDF: the house's one way to print.

What is said goes to typst as data (JSON), so nothing a person typed is read as markup; the organisation's logo and
colour come beside it. PDF/UA-1, or a plain tagged PDF where a character has no glyph here.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

from documents import blobs
from errors import Permanent
from models import Organisation

MEDIA_TYPE = "application/pdf"
_FOLDER = Path(__file__).with_name("typst")
_ACCENT = "#1f4e79"
# What typst draws, by the bytes' own type: no SVG, whose text may name what this machine has.
_DRAWN = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
# Characters that no font draws and a PDF may not hold; names keep everything else.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_compiling = threading.Lock()
_fonts: list[typst.Fonts] = []


@dataclass(frozen=True)
class Look:
    """An organisation's colour (#rrggbb) and logo, as documents show them."""

    accent: str = _ACCENT
    logo: bytes = b""
    logo_type: str = ""

    @classmethod
    def of(cls, organisation: Organisation) -> Look:
        """The look kept by the organisation; without a logo where its bytes are gone or of a kind not drawn here."""
        accent = organisation.accent if re.fullmatch(r"#[0-9a-fA-F]{6}", organisation.accent or "") else _ACCENT
        stored = blobs.describe(organisation.logo_sha256) if organisation.logo_sha256 else None
        if stored is None or stored.media_type not in _DRAWN:
            return cls(accent)
        try:
            return cls(accent, blobs.read(stored.sha256), _DRAWN[stored.media_type])
        except Permanent:
            return cls(accent)


@lru_cache(maxsize=16)
def _source(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def pdf(template: str, said: dict[str, Any], look: Look, day: date) -> bytes:
    """The PDF of `template` (a file of documents/typst) saying `said`. The same words and look on the same day give
    the same bytes."""
    stamp = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with _compiling:  # typst's cache serves one compilation at a time best
        for shown in (look, Look(look.accent)) if look.logo else (look,):
            for standards in (["ua-1"], []):
                # A character that no font here draws may not stand in PDF/UA: a plain tagged PDF is better than none;
                # nor may a logo that cannot be read keep a document from being made.
                try:
                    return _compile(template, said, shown, stamp, standards)
                except typst.TypstError as error:
                    last = error
        raise Permanent(f"typst cannot print {template}: {last}")


def _compile(template: str, said: dict[str, Any], look: Look, stamp: datetime, standards: list[str]) -> bytes:
    if not _fonts:  # typst brings Libertinus; the machine's fonts serve other scripts where it has them
        _fonts.append(typst.Fonts(include_system_fonts=True))
    logo = f"logo.{look.logo_type}" if look.logo else ""
    files = {"main.typ": _source(template), "page.typ": _source("page.typ")}  # texts only: an image comes from disk
    data = said | {"look": {"accent": look.accent, "logo": logo}}
    with tempfile.TemporaryDirectory() as root:
        if logo:
            Path(root, logo).write_bytes(look.logo)
        return bytes(typst.compile(
            files, root=root, font_paths=_fonts[0], format="pdf", pdf_standards=standards,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)}, timestamp=stamp,
        ))  # type: ignore[call-overload]  # fmt: skip


def printable(value: Any) -> Any:
    """The same, without characters that cannot be drawn."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value.encode("utf-8", "replace").decode())
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value


def facts_sha256(said: dict[str, Any]) -> str:
    """The digest of what a document says, whatever the day it is dated: equal digests, equal words."""
    told = {key: value for key, value in said.items() if key not in ("dated", "look")}
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
