"""mail.look: colours that can be read, logos that mail programs draw, letters that carry them."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

import mail
from documents import blobs
from errors import UserMistake
from extensions import db
from mail import look, mime
from mail.compose import Writing
from mail.letters import Words
from models import Contact, EmailContent, Organisation
from models.words import ContactKind
from tests.client import Browser
from tests.conftest import House


def png(width: int = 120, height: int = 40) -> bytes:
    """A whole PNG of one grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))  # fmt: skip


JPEG = (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + b"\xff\xdb\x00\x04\x00\x00"
        + b"\xff\xc0\x00\x0b\x08\x00\x20\x00\x60\x01\x01\x11\x00" + b"\xff\xd9")  # fmt: skip


def test_measures_are_read_from_the_bytes() -> None:
    assert look.measured(png(300, 90)) == ("image/png", 300, 90)
    assert look.measured(JPEG) == ("image/jpeg", 96, 32)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "PNG ou JPEG"), (b"GIF89a" + b"\0" * 60, "PNG ou JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG ou JPEG"), (b"\xff\xd8\xff" + b"\xff" * 50, "PNG ou JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x00" + b"\xff\xe0\x00\x00" * 9, "PNG ou JPEG"), (b"", "PNG ou JPEG"),
        (png(2001, 1), "2001 × 1 pixels"), (png(0, 10), "0 × 10 pixels"), (b"\x89PNG" + b"\0" * 200_000, "200 ko"),
    ],
)  # fmt: skip
def test_what_is_no_logo_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(UserMistake, match=says) as caught:
        look.measured(data)
    assert caught.value.field == "logo"


@given(st.binary(max_size=400).map(lambda tail: b"\xff\xd8\xff" + tail))
def test_any_bytes_are_measured_or_refused(data: bytes) -> None:
    with suppress(UserMistake):
        assert look.measured(data)[0] == "image/jpeg"


@given(st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}"))
def test_every_colour_has_a_readable_shade_for_each_ground(colour: str) -> None:
    assert look.contrast(look.by_day(colour), look.LIGHT) >= look.READABLE
    assert look.contrast(look.by_night(colour), look.DARK) >= look.READABLE
    if look.contrast(colour, look.LIGHT) >= look.READABLE:
        assert look.by_day(colour) == colour
    assert look.contrast(look.Look(colour).on_accent, colour) >= 3


def test_a_letter_carries_the_logo_and_the_history_shows_it(client: Browser, cassiopee: House) -> None:
    organisation = cassiopee.organisation
    organisation.accent, organisation.logo_sha256 = "#7a1f4e", blobs.store(png(400, 80), "logo.png").sha256
    learner = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER, name="Léa", last_name="Léa",
                      email="lea@example.org")  # fmt: skip
    db.session.add(learner)
    db.session.commit()
    draft = Writing("free", {"fr": Words("Objet", "Bonjour https://a.example")}, organisation).draft(learner)
    assert draft.logo is not None and (draft.logo.width, draft.logo.height) == (200, 40)
    assert f'src="cid:{draft.logo.cid}"' in draft.html and "color: #7a1f4e" in draft.html
    assert "data:image/png;base64," in draft.shown and "cid:" not in draft.shown
    (email,) = mail.post([draft], organisation=organisation, sender=cassiopee.sender, by=None, request_key="k")
    db.session.commit()
    assert email.attachment_count == 0
    content = db.session.get_one(EmailContent, email.id)
    assert list(mime.images(content.skeleton, content.cuts)) == [draft.logo.cid]
    response = client.sign_in(cassiopee.staff).get(f"/emails/{email.public_id}/body")
    (shown,) = client.html.xpath("//img/@src")
    assert shown.startswith("data:image/png;base64,") and "img-src data:" in response.headers["Content-Security-Policy"]


def test_a_logo_whose_bytes_are_gone_stops_no_letter(migrated_app: Flask) -> None:
    with migrated_app.app_context():
        assert look.of(Organisation(name="A", logo_sha256="0" * 64)).logo is None
        assert look.of(Organisation(name="A", accent="red; } body {")).accent == look.DEFAULT_ACCENT
