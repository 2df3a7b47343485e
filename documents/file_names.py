"""PURE. Names that a file may bear on anybody's machine: no way out of a folder, no device, no trick of the eye.

What a file was called stays its name on screen and in RFC 6266's header; these are for the members of an archive, which
whoever opens it writes to a disk: Windows, macOS and Linux each have rules, and a member must obey all of them.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 120  # bytes of a name in UTF-8; with a folder before it, below the 255 and 260 of file systems
_SLASHES = re.compile(r"[/\\\u2044\u2215\u29f5\u29f8\uff0f\uff3c]+")
# What Windows forbids in a name, besides slashes.
_FORBIDDEN = re.compile(r'[<>:"|?*]+')
# Control, format (also what turns the direction of writing), surrogate, private and unassigned characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_DEVICES = frozenset({
    "con", "prn", "aux", "nul", "conin$", "conout$",
    *(f"{device}{number}" for device in ("com", "lpt") for number in "0123456789\u00b9\u00b2\u00b3"),
})  # fmt: skip


def safe(name: str, otherwise: str = "piece") -> str:
    """`name` as one component of a path on any system, at most LONGEST bytes, its extension kept. `otherwise` (plain
    ASCII) where nothing is left of it."""
    text = unicodedata.normalize("NFC", name)
    text = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text)
    text = _FORBIDDEN.sub("_", _SLASHES.sub("_", text))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\.{2,}", ".", text).strip(" ._") or otherwise
    stem, dot, extension = text.rpartition(".")
    if not dot or len(extension.encode()) > 20:
        stem, dot, extension = text, "", ""
    if stem.split(".")[0].strip().lower() in _DEVICES:
        stem = f"_{stem}"
    return _cut(stem, LONGEST - len((dot + extension).encode())) + dot + extension


def readable(name: str, instead: str = "\ufffd") -> str:
    """The name as people may read it: what cannot be seen, and what turns the direction of writing so that .exe reads
    as .pdf, stands as `instead`."""
    return "".join(instead if unicodedata.category(c) in _UNSEEN else c for c in name)


def _cut(text: str, most: int) -> str:
    """The beginning of `text` within `most` bytes, no character cut in two."""
    return text.encode()[:most].decode(errors="ignore").rstrip(" .") or "_"


class Unique:
    """Names no two of which are the same to a file system that minds neither case nor composition."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        """`name`, or `name (2)` before its extension where it is taken; safe names stay safe."""
        tried, key = name, _key(name)
        while _key(tried) in self._taken:
            number = self._taken[key] = self._taken[key] + 1
            stem, dot, extension = name.rpartition(".")
            stem, after = (stem, dot + extension) if stem else (name, "")
            mark = f" ({number}){after}"
            tried = _cut(stem, LONGEST - len(mark.encode())) + mark
        self._taken[_key(tried)] = 1
        return tried


def _key(name: str) -> str:
    return unicodedata.normalize("NFKD", name).casefold()
