"""PURE. How many pixels an image says it has, from its first bytes, without drawing it.

An image of a few bytes can ask for gigabytes when it is drawn: what says more than MOST_PIXELS, or says nothing that we
can read, is offered as a file and not shown.
"""

from __future__ import annotations

import struct

HEAD = 256 * 1024  # enough for the measures, after the largest usual preview that a camera puts before them
MOST_PIXELS = 50_000_000
_LONGEST_SIDE = 20_000
# start of frame markers of JPEG, which give height and width
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


def sides(head: bytes, media_type: str) -> tuple[int, int] | None:
    """(width, height) in pixels as the first bytes of a PNG, JPEG, GIF or WebP say; None where they do not."""
    readers = {"image/png": _of_png, "image/jpeg": _of_jpeg, "image/gif": _of_gif, "image/webp": _of_webp}
    reader = readers.get(media_type)
    try:
        return reader(head) if reader else None
    except struct.error:  # it ends before its measures
        return None


def drawable(head: bytes, media_type: str) -> bool:
    """Whether a browser may be asked to draw it."""
    found = sides(head, media_type)
    if found is None:
        return False
    width, height = found
    return 0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE and width * height <= MOST_PIXELS


def _of_png(head: bytes) -> tuple[int, int] | None:
    if len(head) < 45 or head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _of_gif(head: bytes) -> tuple[int, int] | None:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _of_webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L" and head[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<I", head, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _of_jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None
