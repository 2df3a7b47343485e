"""How an opened e-mail's letter stands on the page before its frame has loaded: how tall, and whether it wants pictures
that are elsewhere.

A sandboxed frame cannot tell its height, so it is guessed from what the letter shows, in steps of a line and a half: a
letter of three lines does not stand in a white field, and nothing moves when it has come. A phone breaks other lines,
so it has a step of its own. What is guessed wrong scrolls.
"""

from __future__ import annotations

import re
from html import unescape
from math import ceil
from typing import NamedTuple

import nh3

from documents.html_limits import too_heavy
from mail import mime
from webhooks import pictures

STEPS = 20  # 96 px and 32 a step (grid.css)
_LEAST, _STEP = 96, 32
_READ = 200_000  # letters of a body: what is longer is as tall as can be
# Each bounded, for a hostile body would have them look at the same letters again and again.
_PICTURE = re.compile(r"<img\b[^>]{0,1000}?\ssrc\s*=\s*[\"']?\s*((?:https?:)?//[^\"'\s>]{1,2000})", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b[^>]{0,200}", re.IGNORECASE)
_WITHIN = re.compile(r"\ssrc\s*=\s*[\"']?\s*(?:cid|data):", re.IGNORECASE)
_HEIGHT = re.compile(r"\sheight\s*=\s*[\"']?([0-9]{1,3})\b", re.IGNORECASE)
_BUTTON = re.compile(r"display:\s?inline-block", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\n]+")
_PARAGRAPH = re.compile(r"</(?:p|h[1-6]|ul|ol|table|blockquote|pre)\b", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|hr|/div|/tr|/li)\b", re.IGNORECASE)


class Setting(NamedTuple):
    """What a body stands in, in pixels: around it, a line, the space after a paragraph; letters of a line, on a screen
    and on a phone."""

    around: int
    line: float
    gap: float
    wide: int
    slim: int


_TEXT = Setting(32, 19.5, 0, 69, 41)  # fixed pitch
_PLAIN = Setting(53, 21, 14, 82, 45)  # with the line of the open pixel
_FRAMED = Setting(168, 24.5, 15, 57, 30)  # as the organisation's look has it
_SHOWN_PICTURE = 60  # without its height
_PRESSED = 44  # a button, beyond its line


class Shape(NamedTuple):
    """The steps from 1 (two lines) to STEPS on a screen and on a phone; `remote`: it shows pictures that lie on others'
    servers."""

    wide: int = 9
    slim: int = 12
    remote: bool = False


def shape(head: bytes) -> Shape:
    """The shape of a stored message, by its head (history.detail)."""
    if not head:
        return Shape()
    said = mime.shown(head)
    return of(said.html or "", said.text or "")


def of(html: str, text: str) -> Shape:
    """The same of a body as HTML, and of its plain text."""
    elsewhere = _PICTURE.findall(html[:_READ])
    remote = any(not pictures.ours(url) for url in elsewhere)
    if len(html or text) > _READ or too_heavy(html):
        return Shape(STEPS, STEPS, remote)
    if not html:
        lines = text.strip().splitlines()
        return Shape(*_steps(_TEXT, lines, 0), remote)
    setting = _FRAMED if "<table" in html.lower() else _PLAIN
    more = _PRESSED * len(_BUTTON.findall(html))
    for image in _IMAGE.findall(html):
        if _WITHIN.search(image):
            told = _HEIGHT.search(image)
            more += int(told[1]) if told else _SHOWN_PICTURE
    return Shape(*_steps(setting, _words(html), more), remote)


def _steps(setting: Setting, lines: list[str], more: float) -> tuple[int, int]:
    more += setting.around + setting.gap * sum(line.endswith("\f") for line in lines)
    wide, slim = (sum(max(1, ceil(len(line) / most)) for line in lines) for most in (setting.wide, setting.slim))
    return _step(more + setting.line * wide), _step(more + setting.line * slim)


def _step(high: float) -> int:
    return min(max(ceil((high - _LEAST) / _STEP), 1), STEPS)


def _words(html: str) -> list[str]:
    """The lines that it shows; one that ends a paragraph ends by a form feed."""
    marked = _BREAK.sub(lambda found: "\v" + found[0], _BLANKS.sub(" ", html))
    marked = _PARAGRAPH.sub(lambda found: "\f" + found[0], marked)
    told = nh3.clean(marked, tags=set(), clean_content_tags={"script", "style", "title", "noscript", "template"})
    return [line.strip(" \v") for line in unescape(told).splitlines(keepends=True) if line.strip()]
