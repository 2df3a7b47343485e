"""Loads the table of servers' words (server_words.txt) and finds them in folded text.

The order of the table's sections matters: mail.reasons takes the first reason with a phrase in the text. Plain
searches only, no regular expression: the time is linear in the text. What a reason means is models.words' business.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from models.words import Reason

REACH = 90  # characters that ` .. ` may span
_PLAIN = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " "})
_LETTERS = str.maketrans(
    {"ß": "ss", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ı": "i"}
)  # no accents to Unicode


def fold(text: str) -> str:
    """`text` in lower case, without accents, with single spaces and plain apostrophes."""
    text = text.translate(_PLAIN).lower()
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).translate(
            _LETTERS
        )
    return " ".join(text.split())


class Phrases:
    """A set of phrases; `found_in(folded text)` is true when one of them is there."""

    def __init__(self, phrases: list[str]) -> None:
        self.plain = tuple(p for p in phrases if " .. " not in p)
        self.spanning = tuple(tuple(p.split(" .. ")) for p in phrases if " .. " in p)

    def found_in(self, text: str) -> bool:
        return any(phrase in text for phrase in self.plain) or any(_spans(p, text) for p in self.spanning)

    def which(self, text: str) -> str | None:
        """The phrase found (for tests and for explaining), None without one."""
        for phrase in self.plain:
            if phrase in text:
                return phrase
        return next((" .. ".join(parts) for parts in self.spanning if _spans(parts, text)), None)


def _spans(parts: tuple[str, ...], text: str) -> bool:
    at = text.find(parts[0])
    while at >= 0:
        end = at + len(parts[0])
        for part in parts[1:]:
            found = text.find(part, end, end + REACH)
            if found < 0:
                break
            end = found + len(part)
        else:
            return True
        at = text.find(parts[0], at + 1)
    return False


def load_sections(path: Path) -> list[tuple[str, list[str]]]:
    """The sections of a table of words in order: (name, folded phrases). A name may come twice."""
    sections: list[tuple[str, list[str]]] = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            sections.append((line.strip("[]"), []))
        elif line and not line.startswith("#"):
            sections[-1][1].extend(fold(phrase) for phrase in line.split(" | "))
    return sections


WORDS: tuple[tuple[Reason, Phrases], ...] = tuple(
    (Reason(name), Phrases(phrases)) for name, phrases in load_sections(Path(__file__).with_suffix(".txt"))
)
