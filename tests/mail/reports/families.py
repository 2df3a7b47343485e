"""Reads families/*.txt: messages of kinds that the readers were not made from, with what must be read in them.

A case is `@@ name`, then `@@ kind address=action … dead=yes|no` (dead unsaid: either is right), then the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).with_name("families")


@dataclass(frozen=True)
class Case:
    """A message and what it says; `dead` None where a careful reader may leave it open."""

    name: str
    kind: str
    actions: dict[str, str]
    dead: bool | None
    raw: bytes

    def __str__(self) -> str:
        return self.name


def load(family: str) -> list[Case]:
    """The cases of families/`family`.txt, in order."""
    text = _FOLDER.joinpath(f"{family}.txt").read_text("utf-8")
    chunks = [chunk.partition("\n") for chunk in text.split("\n@@ ")[1:]]
    cases = []
    for (name, *_), (expected, _, raw) in zip(chunks[::2], chunks[1::2], strict=True):
        kind, *rest = expected.split()
        said = dict(word.rsplit("=", 1) for word in rest)
        dead = {"yes": True, "no": False}.get(said.pop("dead", ""))
        cases.append(Case(name, kind, said, dead, raw.rstrip("\n").encode() + b"\n"))
    return cases
