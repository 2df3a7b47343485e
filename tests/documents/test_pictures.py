"""documents.pictures: how large an image says it is, and what is too large to be drawn."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents import pictures


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + bytes(40)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(10)


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + before + b"\xff" + frame


def riff(kind: bytes, data: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(data) + 12) + b"WEBP" + kind + struct.pack("<I", len(data)) + data


def webp(width: int, height: int) -> bytes:
    return riff(b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def webp_lossless(width: int, height: int) -> bytes:
    return riff(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(8))


def webp_lossy(width: int, height: int) -> bytes:
    return riff(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width | 1 << 14, height) + bytes(8))


MAKERS = [
    ("image/png", png), ("image/gif", gif), ("image/jpeg", jpeg), ("image/webp", webp), ("image/webp", webp_lossless),
    ("image/webp", webp_lossy),
]  # fmt: skip


@pytest.mark.parametrize(("media_type", "make"), MAKERS)
def test_sides_are_read(media_type: str, make: object) -> None:
    for width, height in ((1, 1), (640, 480), (9000, 1), (4000, 3000), (16383, 12)):
        assert pictures.sides(make(width, height), media_type) == (width, height)  # type: ignore[operator]


def test_a_jpegs_frame_is_found_after_its_preview() -> None:
    preview = b"\xff\xe1" + struct.pack(">H", 65_000) + bytes(64_998)
    assert pictures.sides(jpeg(4000, 3000, preview * 3), "image/jpeg") == (4000, 3000)


@pytest.mark.parametrize(("head", "media_type", "expected"), [
    (png(8000, 6000), "image/png", True),
    (png(8000, 6251), "image/png", False),
    (png(20_001, 1), "image/png", False),
    (png(0, 10), "image/png", False),
    (png(2**32 - 1, 2**32 - 1), "image/png", False),
    (jpeg(65_535, 65_535), "image/jpeg", False),
    (gif(65_535, 65_535), "image/gif", False),
    (webp(16_384, 16_384), "image/webp", False),
    (b"\x89PNG\r\n\x1a\n" + bytes(60), "image/png", False),
    (b"\xff\xd8\xff", "image/jpeg", False),
    (png(10, 10), "image/svg+xml", False),
])  # fmt: skip
def test_what_may_be_drawn(head: bytes, media_type: str, expected: bool) -> None:
    assert pictures.drawable(head, media_type) is expected


@settings(max_examples=300, deadline=None)
@given(maker=st.sampled_from(MAKERS), cut=st.integers(0, 40), tail=st.binary(max_size=200))
def test_no_bytes_break_the_reading(maker: tuple[str, object], cut: int, tail: bytes) -> None:
    media_type, make = maker
    found = pictures.sides(make(30, 20)[:cut] + tail, media_type)  # type: ignore[operator]
    assert found is None or len(found) == 2
