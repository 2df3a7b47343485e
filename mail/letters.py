"""What a person types becomes a letter: safe HTML in the house's table layout, and its plain text.

The typed text knows paragraphs, lists (- or 1.), **bold**, [words](address) and addresses that become links; all else
is text. HTML that a person wrote is made safe by mail.html_body. Merge tags pass through untouched: they are filled per
recipient, escaped, by mail.merge_tags.
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
from mail import html_body
from mail.held_tags import CLOSE, OPEN, hold, out_of_comments, released, tag_of
from mail.look import Look
from mail.words_of_html import words_of

_FOLDER = Path(__file__).resolve().parent.parent / "templates" / "letters"
_BULLET = re.compile(r"[-*•]\s+(.*)")
_NUMBER = re.compile(r"\d{1,3}[.)]\s+(.*)")
_BOLD = re.compile(r"\*\*(?=\S)(.{1,500}?)(?<=\S)\*\*")
# [words](address), its address written or a merge tag; the words hold no bracket
_NAMED_LINK = re.compile(
    rf"\[(?P<label>[^\[\]\n]{{1,200}})\]\((?P<target>https?://[^\s<>\"()]{{1,2000}}|{OPEN}\d+{CLOSE})\)", re.IGNORECASE
)
_ALONE = re.compile(_NAMED_LINK.pattern, re.IGNORECASE)  # a paragraph that is one link is drawn as a button
_LINK_TAG = re.compile(r"\{\{\s*([a-z]{1,40}\.lien)\s*\}\}")
_LINK = re.compile(
    rf"{_NAMED_LINK.pattern}|(?P<held>{OPEN}\d+{CLOSE})|"
    r"(?P<url>https?://[^\s<>\"]{1,2000})|(?P<address>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
    re.IGNORECASE,
)
_HOUSE_LOOK = Look()
_OWN_TAG = "espace.lien"
# at the foot of every letter about a session, in the letter's language
_OWN_PAGE = {
    "fr": "Retrouver tous vos e-mails et documents de cette session",
    "en": "Find all your e-mails and documents of this session",
}
# … and of every letter of a type that people may leave
_LEAVE = {"fr": "Ne plus recevoir ce type d'e-mails", "en": "Stop receiving this kind of e-mail"}
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False, keep_at_rules=True)


@dataclass(frozen=True)
class Words:
    """A letter as typed: the subject and the message, with their merge tags. `text` is the plain-text part where a
    person wrote their own (empty: made from the message); `html` says that the message is HTML."""

    subject: str
    message: str
    text: str = ""
    html: bool = False


@lru_cache(maxsize=32)
def default(kind: str, language: str) -> Words:
    """The letter that a form opens with, for a kind of e-mail (an EmailType's value) in French or English."""
    source = (_FOLDER / f"{kind}.{language}.txt").read_text("utf-8")
    subject, _, message = source.partition("\n\n")
    subject = subject.removeprefix("Subject:").strip()
    if language == "fr":
        subject, message = _french(subject), _french(message)
    return Words(subject, message.strip() + "\n")


def _french(text: str) -> str:
    """French typography everywhere but in merge tags."""
    held: list[str] = []
    return released(french(hold(text, held)), held)


def page(
    words: Words, language: str, look: Look = _HOUSE_LOOK, own_page: bool = False, leave: str = ""
) -> str:  # fmt: skip
    """The whole HTML of a letter, CSS inlined, its merge tags (and the layout's own) still to be filled. `own_page`
    puts the address of the recipient's own page at its foot, where they have one and the words do not give it; `leave`
    that address, where its type can be left."""
    held: list[str] = []
    body = html_body.safe(words.message, held) if words.html else _blocks(hold(words.message, held), held)

    def tag(source: str) -> str:
        """A merge tag of the layout, kept from Jinja and the inliner alike."""
        return hold(source, held)

    document = render_template(
        "letters/layout.html", body=Markup(body), tag=tag, letter_language=language, look=look,
        own_page=_OWN_PAGE[language] if own_page and _OWN_TAG not in words.message else "",
        leave=leave, leave_words=french(_LEAVE[language]) if language == "fr" else _LEAVE[language],
    )  # fmt: skip
    return released(_INLINER.inline(document), held)


def plain(words: Words, language: str = "fr", own_page: bool = False, leave: str = "") -> str:
    """The plain-text part: the person's own, else what was typed without its marks, or the words of the HTML; at its
    foot what page() puts there."""
    text, colon = _plain(words, language), " : " if language == "fr" else ": "
    if own_page and _OWN_TAG not in text:
        label = f"{_OWN_PAGE[language]}{colon}"
        text = f'{text}{{% if {_OWN_TAG} != "" %}}\n{label}{{{{ {_OWN_TAG} }}}}\n{{% endif %}}'
    return f"{text}\n{_LEAVE[language]}{colon}{leave}\n" if leave else text


def _plain(words: Words, language: str) -> str:
    if words.text.strip():
        return _lines(words.text)
    held: list[str] = []
    if words.html:
        return released(words_of(out_of_comments(html_body.safe(words.message, held))), held)

    def told(match: re.Match[str]) -> str:
        said = f"{match[1]}{' : ' if language == 'fr' else ': '}{match[2]}"
        return _unless_blank(said, match[2], held)

    text = _NAMED_LINK.sub(told, hold(_lines(words.message), held))
    return released("\n".join(_BOLD.sub(r"\1", line) for line in text.split("\n")), held)


def _lines(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _unless_blank(said: str, target: str, held: list[str]) -> str:
    """What is said of an address; nothing where the tag that gives it is blank."""
    tag = _LINK_TAG.fullmatch(tag_of(target, held))
    if not tag:
        return said
    held += [f'{{% if {tag[1]} != "" %}}', "{% endif %}"]
    return f"{OPEN}{len(held) - 2}{CLOSE}{said}{OPEN}{len(held) - 1}{CLOSE}"


def _blocks(text: str, held: list[str]) -> str:
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
            (items if item else lines).append(_inline(item[1] if item else line, held))
        alone = lines[0] if len(lines) == 1 and not items else ""
        out += (
            [f'<p class="action">{alone}</p>']
            if _ALONE.fullmatch(block.strip()) and alone
            else _flushed(lines, items, kind)
        )
    return "\n".join(out)


def _flushed(lines: list[str], items: list[str], kind: str) -> list[str]:
    if items:
        return [f"<{kind}>" + "".join(f"<li>{item}</li>" for item in items) + f"</{kind}>"]
    return ["<p>" + "<br>\n".join(lines) + "</p>"] if lines else []


def _inline(line: str, held: list[str]) -> str:
    """One line: escaped, bold, links."""
    out: list[str] = []
    done = 0
    for match in _LINK.finditer(line):
        start, written, said = match.start(), match[0], match[0]
        if match["label"]:
            said = _anchor(match["target"], match["label"], held)
        elif match["held"]:
            said = _anchor(written, written, held) if _LINK_TAG.fullmatch(tag_of(written, held)) else written
        else:
            written = written.rstrip(".,;:!?'»")
            if written.endswith(")") and "(" not in written:
                written = written[:-1]
            said = _anchor(written if match["url"] else f"mailto:{written}", written, held)
        out += [str(escape(line[done:start])), said]
        done = start + len(written)
    out.append(str(escape(line[done:])))
    return _BOLD.sub(r"<strong>\1</strong>", "".join(out))


def _anchor(href: str, label: str, held: list[str]) -> str:
    return _unless_blank(str(Markup('<a href="{}">{}</a>').format(href, label)), href, held)
