"""The grammar of the search box: a text cut into parts, each a word, or an operator's name and its value.

A value with blanks stands in quotes: "…" (a doubled one is a quote), «…» or “…”. Blanks after the colon do not count,
nor before it where the name is an operator's: `objet : facture` is `objet:facture`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from history.search_words import operator_of

_NAME = re.compile(r"(-?[^\W\d_][\w'’-]{0,24})(\s{0,2}):")
_QUOTES = {'"': '"', "«": "»", "“": "”"}


@dataclass(frozen=True)
class Part:
    """A piece of the text: `name` as typed (empty for a plain word), `value` without its quotes, `source` as typed.
    `open`: the quote that began it never ended."""

    name: str
    value: str
    source: str
    quoted: bool = False
    open: bool = False


def parts(text: str) -> Iterator[Part]:
    """The parts of a text in order."""
    at = _past_blanks(text, 0)
    while at < len(text):
        start, name = at, ""
        found = _NAME.match(text, at)
        if found and _is_name(found[1], found[2], text, found.end()):
            name, at = found[1], found.end()
            after = _past_blanks(text, at)
            if not _begins_operator(text, after):
                at = after
        value, at, in_quotes, is_open = _value(text, at)
        yield Part(name, value, " ".join(text[start:at].split()), in_quotes, is_open)
        at = _past_blanks(text, at)


def quoted(value: str) -> str:
    """A value as it is written: in quotes where it would be read otherwise."""
    plain = value and value[0] not in _QUOTES and '"' not in value and not any(c.isspace() for c in value)
    return value if plain and not _NAME.match(value) else '"' + value.replace('"', '""') + '"'


def _is_name(name: str, blanks: str, text: str, end: int) -> bool:
    """Whether what stands before a colon names an operator: known ones do; others where a value follows at once."""
    if operator_of(name):
        return True
    at_once = end < len(text) and not text[end].isspace()
    return not blanks and at_once and not text.startswith("//", end)


def _begins_operator(text: str, at: int) -> bool:
    found = _NAME.match(text, at)
    return bool(found and _is_name(found[1], found[2], text, found.end()))


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _value(text: str, at: int) -> tuple[str, int, bool, bool]:
    """(value, where it ends, whether it stood in quotes, whether they never closed)."""
    close = _QUOTES.get(text[at]) if at < len(text) else None
    if close is None:
        end = at
        while end < len(text) and not text[end].isspace():
            end += 1
        return text[at:end], end, False, False
    value, end = "", at + 1
    while end < len(text):
        if text[end] == close:
            if close != '"' or text[end + 1 : end + 2] != '"':
                return " ".join(value.split()), end + 1, True, False
            end += 1
        value += text[end]
        end += 1
    return " ".join(value.split()), end, True, True
