"""The text part of a message that came as HTML alone: its words, tables laid out, the addresses of its links.

Any HTML gives some text: what the layout engine cannot take is stripped of its tags instead.
"""

from __future__ import annotations

import html
import re

import nh3
from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from documents.html_limits import too_heavy

# Above this, or nested deeper, the layout of tables is not worth its time: tags are stripped.
_LAID_OUT = 150_000
_DEEPEST = 200
# No style and no sizes: a margin of a thousand million lines is one word of CSS.
_ATTRIBUTES = {"a": {"href"}}
_ANY_TAG = re.compile(r"<[^<>]*>")
_BLANKS = re.compile(r"\n{3,}")


def words_of(source: str) -> str:
    """The text of an HTML document or fragment, never empty-handed: at least one line end."""
    try:
        text = html.unescape(_ANY_TAG.sub(" ", source)) if too_heavy(source) else _text(source)
    except (ValueError, RecursionError, AssertionError, IndexError, AttributeError):
        text = _stripped(source)
    lines = (line if line.strip(" \t") else "" for line in text.split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip() + "\n"


def _text(source: str) -> str:
    safe = nh3.clean(source, attributes=_ATTRIBUTES, link_rel=None) if len(source) <= _LAID_OUT else ""
    return get_text(safe, ParserConfig(display_links=True)) if safe and _shallow(safe) else _stripped(source)


def _shallow(source: str) -> bool:
    depth = 0
    for match in re.finditer(r"<(/?)(table|div|ul|ol|blockquote|td|span|b|i|a)\b", source, re.IGNORECASE):
        depth += -1 if match[1] else 1
        if depth > _DEEPEST:
            return False
    return True


def _stripped(source: str) -> str:
    return html.unescape(nh3.clean(source, tags=set()))
