"""documents.blobs: bytes kept once, named by their sha256, their type read from the bytes."""

from __future__ import annotations

import hashlib
import io
import os
import re

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from documents import blobs
from errors import Permanent, UserMistake
from extensions import db
from extensions import settings as config
from models import Blob

KINDS = [
    (b"%PDF-1.7\n%\xe2\xe3", "devis.pdf", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n" + bytes(20), "logo.png", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "photo.jpg", "image/jpeg"),
    (b"GIF89a" + bytes(10), "g.gif", "image/gif"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "w.webp", "image/webp"),
    (b"Bonjour, \xc3\xa9t\xc3\xa9\n", "note.txt", "text/plain"),
    (b"nom;ville\n\xe9", "latin1.csv", "application/octet-stream"),
    (b"<html><script>alert(1)</script>", "devis.pdf", "text/html"),
    (b'<svg xmlns="http://www.w3.org/2000/svg">', "logo.png", "image/svg+xml"),
    (bytes(100), "zero.pdf", None),
    (b"<!-- %PDF-1.7 --><script>", "devis.pdf", None),
]


@pytest.mark.parametrize(("head", "name", "expected"), KINDS)
def test_the_type_is_what_the_bytes_say(head: bytes, name: str, expected: str | None) -> None:
    found = blobs.sniff(head, name)
    assert found == expected if expected else found not in blobs.SHOWN_IN_PLACE


def test_a_name_only_chooses_among_what_the_bytes_may_be() -> None:
    office = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + bytes(40)
    assert blobs.sniff(office, "plan.docx").endswith("wordprocessingml.document")
    assert blobs.sniff(office, "plan.xlsx").endswith("spreadsheetml.sheet")
    assert blobs.sniff(office, "plan.pdf") != "application/pdf"


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(KINDS), cut=st.integers(0, 8), tail=st.binary(max_size=200), name=st.text(max_size=20))
def test_no_bytes_break_the_sniffing(kind: tuple[bytes, str, str | None], cut: int, tail: bytes, name: str) -> None:
    found = blobs.sniff(kind[0][:cut] + tail, name)
    assert re.fullmatch(r"[a-z]+/[a-z0-9][a-z0-9.+-]*", found)


def test_a_text_cut_in_the_middle_of_a_character_is_still_text() -> None:
    assert blobs.sniff("é".encode() * 5000, "a.txt") == "text/plain"
    assert blobs.sniff(("a" + "é" * 5000).encode()[:8192], "a.txt") == "text/plain"


def test_stored_once_read_back_whole(app: Flask) -> None:
    data = os.urandom(3_000_000)
    first = blobs.store(io.BytesIO(data), "a.bin")
    again = blobs.store(data, "b.bin")
    db.session.commit()
    assert first == again == blobs.describe(first.sha256)
    assert first.sha256 == hashlib.sha256(data).hexdigest() and first.size == len(data)
    assert blobs.read(first.sha256) == data == b"".join(blobs.open(first.sha256))
    assert db.session.scalar(select(func.count()).select_from(Blob)) == 1
    path = config().blob_folder / first.sha256[:2] / first.sha256[2:4] / first.sha256
    assert path.read_bytes() == data


def test_a_torn_file_is_written_again(app: Flask) -> None:
    stored = blobs.store(b"%PDF-1.7 whole", "a.pdf")
    path = config().blob_folder / stored.sha256[:2] / stored.sha256[2:4] / stored.sha256
    path.write_bytes(b"%PDF")
    assert blobs.store(b"%PDF-1.7 whole", "a.pdf") == stored and path.read_bytes() == b"%PDF-1.7 whole"


def test_too_big_and_empty_are_the_users_mistakes(app: Flask) -> None:
    with pytest.raises(UserMistake, match="trop gros"):
        blobs.store(io.BytesIO(bytes(2_000_001)), "gros.bin", limit=2_000_000)
    with pytest.raises(UserMistake, match="vide"):
        blobs.store(b"", "vide.txt")
    assert db.session.scalar(select(func.count()).select_from(Blob)) == 0


def test_gone_bytes_are_permanent_and_no_name_leads_out(app: Flask) -> None:
    with pytest.raises(Permanent):
        blobs.read("0" * 64)
    for name in ("../" * 20 + "etc/passwd", "", "A" * 64, "0" * 63):
        assert blobs.describe(name) is None
        with pytest.raises(ValueError):
            blobs.read(name)
