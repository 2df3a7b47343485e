"""How an opened e-mail's letter stands on the page before its frame has loaded: how tall, and whether it wants pictures
that are elsewhere.

A sandboxed frame cannot tell its height, so it is guessed from the words, in a few steps: a letter of three lines does
not stand in a white field, and nothing moves when it has come. What is guessed wrong scrolls, or is pulled taller.
"""

from __future__ import annotations

import re
from math import ceil
from typing import NamedTuple

import nh3

from documents.html_limits import too_heavy
from mail import mime
from webhooks import pictures

_TALLEST = 5
# Lines of some 80 letters that each step has room for.
_ROOM = (6, 11, 16, 23)
_LETTERS = 80
_HOUSE = 6  # what the organisation's look sets around the words
_READ = 200_000  # letters of a body: what is longer is as tall as can be
# Each bounded, for a hostile body would have them look at the same letters again and again.
_PICTURE = re.compile(r"<img\b[^>]{0,1000}?\ssrc\s*=\s*[\"']?\s*((?:https?:)?//[^\"'\s>]{1,2000})", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6]|/table)\b", re.IGNORECASE)


class Shape(NamedTuple):
    """`step` from 1 (a few lines) to 5; `remote`: it shows pictures that lie on others' servers."""

    step: int = 3
    remote: bool = False


def shape(head: bytes) -> Shape:
    """The shape of a stored message, by its head (history.detail)."""
    if not head:
        return Shape()
    said = mime.shown(head)
    return of(said.html or "", said.text or "")


def of(html: str, text: str) -> Shape:
    """The same of a body as HTML, and of its plain text."""
    if len(html) > _READ or len(text) > _READ:
        return Shape(_TALLEST, bool(_PICTURE.search(html[:_READ])))
    words = text if text.strip() or not html else _words(html)
    # Blank lines count: they are the space between paragraphs.
    lines = sum(max(1, ceil(len(line) / _LETTERS)) for line in words.strip().splitlines())
    elsewhere = _PICTURE.findall(html)
    remote = sum(not pictures.ours(url) for url in elsewhere)
    lines += 3 * (len(_IMAGE.findall(html)) - (len(elsewhere) - remote))  # the pixel takes no room
    lines += _HOUSE if "<table" in html.lower() else 0
    step = next((place for place, room in enumerate(_ROOM, 1) if lines <= room), _TALLEST)
    return Shape(step, remote > 0)


def _words(html: str) -> str:
    if too_heavy(html):
        return ".\n" * (_ROOM[-1] + 1)
    broken = _BREAK.sub(lambda found: "\n" + found[0], html)
    return nh3.clean(broken, tags=set(), clean_content_tags={"script", "style", "title", "noscript", "template"})
