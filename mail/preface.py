"""What a resend says above the first letter: a person's words, and where to download what is no longer attached.

It stands in a box of its own in both parts, so that nobody takes it for words of the first letter; the rest is not
touched. Cutting the parts out of a message and putting them back is mail.copying's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from errors import UserMistake
from i18n import french
from mail.headers import one_line
from models.words import N_

LONGEST = 2000
_WORDS = {
    "fr": ("%(name)s vous écrit :", "Les pièces jointes sont à télécharger sur votre page :", "Ouvrir ma page"),
    "en": ("%(name)s writes:", "The attachments are on your page, to download:", "Open my page"),
}
_BODY = re.compile(r"<body\b[^<>]{0,2000}>", re.IGNORECASE)
_LANGUAGE = re.compile(r"<html\b[^<>]{0,500}?\blang=[\"']?(fr|en)\b", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE = "-" * 40
_FACE = "font-family:'Segoe UI',Helvetica,Arial,sans-serif"
_BOX = Markup(
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" '
    'style="width:100%;background-color:#f3f5f8"><tr><td align="center" style="padding:24px 12px 8px 12px">'
    '<table role="presentation" width="600" cellpadding="0" cellspacing="0" '
    'style="width:100%;max-width:600px;background-color:#fffaeb;border:1px solid #e3d3a1">'
    '<tr><td style="padding:14px 20px 4px 20px;color:#1c2430;font-size:15px;line-height:1.5;' + _FACE + '">'
)  # fmt: skip
_END = Markup("</td></tr></table></td></tr></table>")
_QUIET = Markup('<p style="margin:0 0 6px 0;font-size:13px;color:#5b6472">{}</p>')
_PARAGRAPH = Markup('<p style="margin:0 0 10px 0">{}</p>')
_LINK = Markup(
    '<p style="margin:4px 0 14px 0"><a href="{}" style="display:inline-block;padding:9px 16px;background-color:#0f6e84;'
    'color:#ffffff;border-radius:6px;font-weight:600;text-decoration:none">{}</a></p>'
)  # fmt: skip


@dataclass(frozen=True)
class Preface:
    """What stands above: `said` by `author`, and the page (`link`) where the `files` (names) are."""

    said: str = ""
    author: str = ""
    link: str = ""
    files: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.said or self.link)

    def html(self, language: str) -> str:
        """The box, as HTML."""
        writes, download, open_page = _worded(language)
        parts: list[Markup] = []
        if self.said:
            parts.append(_QUIET.format(writes % {"name": self.author}))
            parts += [_PARAGRAPH.format(_lines(block)) for block in re.split(r"\n[ \t]*\n", self.said)]
        if self.link:
            parts.append(_QUIET.format(download))
            parts += [_PARAGRAPH.format(Markup("<br>").join(self.files)), _LINK.format(self.link, open_page)]
        return f"{_BOX}{Markup().join(parts)}{_END}"

    def text(self, language: str) -> str:
        """The same as plain text, with a line under it."""
        writes, download, _open = _worded(language)
        parts = [f"{writes % {'name': self.author}}\n{self.said}"] if self.said else []
        if self.link:
            parts.append("\n".join([download, *self.files, self.link]))
        return "\n\n".join(parts) + f"\n\n{_LINE}\n\n"

    def above_html(self, html: str) -> str:
        """A letter's HTML with the box above it, in the letter's language."""
        box, body = self.html(language_of(html)), _BODY.search(html)
        return html[: body.end()] + box + html[body.end() :] if body else box + html

    def above_text(self, text: str, language: str) -> str:
        """A letter's plain text with the same above it."""
        return self.text(language) + text


def of(said: str, author: str) -> Preface:
    """A person's words as they may stand in a letter. Raises UserMistake (field `preface`)."""
    clean = said.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > LONGEST:
        raise UserMistake(N_("%(most)s caractères au plus."), "preface", most=LONGEST)
    if _CONTROL.search(clean):
        message = N_("Un caractère invisible n'est pas permis ici : retapez ce texte.")
        raise UserMistake(message, "preface")
    return Preface(clean, one_line(author))


def language_of(html: str) -> str:
    """The language that a letter's HTML says it is in, French where it says none of ours."""
    found = _LANGUAGE.search(html)
    return found[1].lower() if found else "fr"


def _worded(language: str) -> tuple[str, ...]:
    words = _WORDS.get(language, _WORDS["fr"])
    return tuple(map(french, words)) if words is _WORDS["fr"] else words


def _lines(block: str) -> Markup:
    return Markup("<br>\n").join(escape(line) for line in block.strip().split("\n"))
