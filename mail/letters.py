"""What a person types becomes a letter: safe HTML in the house's table layout, and its plain text.

The typed text knows paragraphs, lists (- or 1.), **bold** and addresses that become links; all else is text. Merge
tags pass through untouched: they are filled per recipient, escaped, by mail.merge_tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import css_inline
from flask import render_template
from markupsafe import Markup, escape

from i18n import french
from mail.merge_tags import LIQUID

_FOLDER = Path(__file__).resolve().parent.parent / "templates" / "letters"
_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: stands for a merge tag while the text becomes HTML
_HELD = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_BULLET = re.compile(r"[-*•]\s+(.*)")
_NUMBER = re.compile(r"\d{1,3}[.)]\s+(.*)")
_BOLD = re.compile(r"\*\*(?=\S)(.{1,500}?)(?<=\S)\*\*")
_LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"]{1,2000})|(?P<address>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})", re.IGNORECASE
)
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True)


@dataclass(frozen=True)
class Words:
    """A letter as typed: the subject and the message, with their merge tags."""

    subject: str
    message: str


@lru_cache(maxsize=32)
def default(kind: str, language: str) -> Words:
    """The letter that a form opens with, for a kind of e-mail (an EmailType's value) in French or English."""
    source = (_FOLDER / f"{kind}.{language}.txt").read_text("utf-8")
    subject, _, message = source.partition("\n\n")
    subject = subject.removeprefix("Subject:").strip()
    if language == "fr":
        subject, message = french(subject), french(message)
    return Words(subject, message.strip() + "\n")


def page(message: str, language: str) -> str:
    """The whole HTML of a letter, CSS inlined, its merge tags (and the layout's own) still to be filled."""
    held: list[str] = []
    body = Markup(_blocks(_hold(message, held)))

    def tag(source: str) -> str:
        """A merge tag of the layout, kept from Jinja and the inliner alike."""
        return _hold(source, held)

    document = render_template("letters/layout.html", body=body, tag=tag, letter_language=language)
    return _HELD.sub(lambda match: held[int(match[1])], _INLINER.inline(document))


def plain(message: str) -> str:
    """The plain-text part: what was typed, without the marks of bold."""
    lines = message.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    return "\n".join(_BOLD.sub(r"\1", line.rstrip()) for line in lines) + "\n"


def _hold(text: str, held: list[str]) -> str:
    def keep(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"{_OPEN}{len(held) - 1}{_CLOSE}"

    return LIQUID.sub(keep, text.replace(_OPEN, "").replace(_CLOSE, ""))


def _blocks(text: str) -> str:
    """Paragraphs and lists."""
    out: list[str] = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines: list[str] = []
        items: list[str] = []
        kind = ""
        for line in filter(None, (line.strip() for line in block.split("\n"))):
            bullet, number = _BULLET.fullmatch(line), _NUMBER.fullmatch(line)
            found = "ul" if bullet else "ol" if number else ""
            if found != kind:
                out += _flushed(lines, items, kind)
                lines, items, kind = [], [], found
            item = bullet or number
            (items if item else lines).append(_inline(item[1] if item else line))
        out += _flushed(lines, items, kind)
    return "\n".join(out)


def _flushed(lines: list[str], items: list[str], kind: str) -> list[str]:
    if items:
        return [f"<{kind}>" + "".join(f"<li>{item}</li>" for item in items) + f"</{kind}>"]
    return ["<p>" + "<br>\n".join(lines) + "</p>"] if lines else []


def _inline(line: str) -> str:
    """One line: escaped, bold, links."""
    out: list[str] = []
    done = 0
    for match in _LINK.finditer(line):
        address = match[0].rstrip(".,;:!?'»")
        if address.endswith(")") and "(" not in address:
            address = address[:-1]
        href = address if match["url"] else f"mailto:{address}"
        out += [str(escape(line[done : match.start()])), str(Markup('<a href="{}">{}</a>').format(href, address))]
        done = match.start() + len(address)
    out.append(str(escape(line[done:])))
    return _BOLD.sub(r"<strong>\1</strong>", "".join(out))
