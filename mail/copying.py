"""A stored message again, byte for byte: only To, Message-ID, Date and the open pixel's token differ, and what a person
puts above it.

Works on the bytes that mail.mime froze; nothing is rendered. Who gets the copy, and why, is mail.resend's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from sqlalchemy import select

from errors import UserMistake
from extensions import db
from mail import headers, links, mime, tokens
from mail.compose import Draft, File
from mail.own_address import ALL, LEAVE
from mail.preface import Preface, language_of
from mail.providers import marking
from models import Attachment, Email, EmailContent, Sender
from models.words import N_

# Quoted-printable writes no "=_", so the first boundary after a part is its end.
_END = rb"(.*?)(\r\n--=_sillage|\Z)"
_HTML_PART = re.compile(
    rb"(Content-Type: text/html[^\r\n]*\r\nContent-Transfer-Encoding: quoted-printable\r\n(?:[^\r\n]+\r\n)*\r\n)"
    + _END,
    re.DOTALL,
)
_TEXT_PART = re.compile(
    rb"((?:\A|\r\n)Content-Type: text/plain[^\r\n]*\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    rb"(?:[^\r\n]+\r\n)*\r\n)" + _END,
    re.DOTALL,
)
_UNSUBSCRIBE = re.compile(rb"(?im)^List-Unsubscribe: <[!-~]{1,500}>")
# What a provider's events lead back by: the first letter's own.
_MARKS = re.compile(rb"(?im)^(?:" + "|".join(sorted(marking.NAMES)).encode() + rb"):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_PIXEL = re.compile(r'<img src="[^"<>]*/t/o/[a-z2-7]{20,80}\.gif" width="1" height="1" alt="" style="border:0">')


def copied(
    skeleton: bytes, cuts: list[list[Any]], draft: Draft, *, message_id: str, pixel_url: str | None, date: datetime,
    preface: Preface | None = None, read_blob: mime.ReadBlob | None = None, extra: Iterable[tuple[str, str]] = (),
) -> mime.Frozen:  # fmt: skip
    """The bytes of a stored message for draft.recipient, with another Message-ID, Date, open pixel and provider's mark.

    Raises UserMistake where a preface has no place in it (a message that this house did not write).
    """
    to, smtputf8 = headers.wire_address(draft.recipient)
    new = {
        b"Message-ID": headers.message_id_header(message_id),
        b"Date": format_datetime(date.astimezone(UTC)),
        b"To": headers.mailbox(draft.name, to),
    }
    made = _with_pixel(_with_preface(skeleton, preface) if preface else skeleton, pixel_url)
    made = _with_own_addresses(made, message_id, pixel_url is not None)
    head, blank, body = made.partition(b"\r\n\r\n")
    for name, value in new.items():
        line = name + b": " + value.encode()
        found = re.search(rb"(?im)^" + name + rb":[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", head)
        head = head[: found.start()] + line + head[found.end() :] if found else line + b"\r\n" + head
    head = _MARKS.sub(b"", head + b"\r\n").removesuffix(b"\r\n")
    head += b"".join(f"\r\n{name}: {value}".encode() for name, value in extra)
    made = head + blank + body
    shift = len(made) - len(skeleton)  # all that changed stands before the first attachment
    moved = [[offset + shift, sha256] for offset, sha256 in cuts]
    return mime.sealed(made, moved, smtputf8, **({"read_blob": read_blob} if read_blob else {}))


def copier(
    content_of: Callable[[Draft], EmailContent], preface: Preface | None = None
) -> Callable[..., mime.Frozen]:  # fmt: skip
    """The `freeze` of mail.post that copies what `content_of` says a draft repeats."""

    def freeze(
        draft: Draft, _sender: Sender, *, message_id: str, pixel_url: str | None, date: datetime,
        extra: Iterable[tuple[str, str]] = (), **_: Any,
    ) -> mime.Frozen:  # fmt: skip
        kept = content_of(draft)
        return copied(
            kept.skeleton, kept.cuts, draft, message_id=message_id, pixel_url=pixel_url, date=date, preface=preface,
            extra=extra,
        )  # fmt: skip

    return freeze


def draft_of(email: Email, content: EmailContent, recipient: str, name: str, files: Iterable[File]) -> Draft:
    """What mail.post is asked for a copy. Openings can be measured only where the first letter carried a pixel: its
    bytes are not added to."""
    html = html_of(content.skeleton) if measured(content.skeleton) else ""
    return Draft(
        recipient, name, email.contact_id, email.training_session_id, email.type, email.subject, html, "",
        tuple(files), email.opportunity_id,
    )  # fmt: skip


def files_of(email_ids: Iterable[int]) -> dict[int, list[File]]:
    """The attachments of each of those e-mails, in one statement."""
    found: dict[int, list[File]] = {}
    query = select(Attachment).where(Attachment.email_id.in_(list(email_ids))).order_by(Attachment.position)
    for row in db.session.scalars(query):
        file = File(row.filename, row.sha256, row.blob.size, row.blob.media_type)
        found.setdefault(row.email_id, []).append(file)
    return found


def measured(skeleton: bytes) -> bool:
    """Whether the message carries an open pixel."""
    return bool(_PIXEL.search(html_of(skeleton)))


def html_of(skeleton: bytes) -> str:
    """The message's HTML, the open pixel in it; empty where it has none."""
    part = _HTML_PART.search(skeleton)
    return mime.from_quoted_printable(part[2]) if part else ""


def text_of(skeleton: bytes) -> str:
    """The message's plain text."""
    part = _TEXT_PART.search(skeleton)
    return mime.from_quoted_printable(part[2]) if part else ""


def unmarked(html: str) -> str:
    """The letter without what names one e-mail: no open pixel, its links as written, the place of a receipt kept."""
    return with_places(links.unwrapped(_PIXEL.sub("", html)))


def with_places(words: str) -> str:
    """Words of an earlier e-mail with the places kept for a new e-mail's own addresses."""
    for address in ALL:
        words = address.moved(words, None)
    return words


def _with_preface(skeleton: bytes, preface: Preface) -> bytes:
    part = _TEXT_PART.search(skeleton)
    if part is None:
        raise UserMistake(N_("On ne peut rien ajouter à cet e-mail : renvoyez-le tel quel."), "preface")
    html = html_of(skeleton)
    text = preface.above_text(mime.from_quoted_printable(part[2]), language_of(html))
    made = skeleton[: part.start(2)] + mime.quoted_printable(text) + skeleton[part.end(2) :]
    return _with_html(made, preface.above_html(html)) if html else made


def _with_pixel(skeleton: bytes, pixel_url: str | None) -> bytes:
    html = html_of(skeleton)
    if not _PIXEL.search(html):
        return skeleton
    tag = mime.pixel(pixel_url) if pixel_url else ""
    return _with_html(skeleton, _PIXEL.sub(lambda _: tag, html))


def _with_own_addresses(skeleton: bytes, message_id: str, measured: bool) -> bytes:
    """Where the first letter held addresses of its own (to confirm it, to leave its type) or links that say they were
    followed, the copy has its own; its Message-ID says whose."""
    html, text = html_of(skeleton), text_of(skeleton)
    head = skeleton.partition(b"\r\n\r\n")[0].decode("ascii", "replace")
    if not (any(address.stands_in(html + text + head) for address in ALL) or links.rewrites(html)):
        return skeleton
    email_id = tokens.read("mid", message_id.strip("<>").partition("@")[0])
    if email_id is None:
        return skeleton
    new_html, new_text = links.readdressed(html, email_id if measured else None), text
    for address in ALL:
        new_html, new_text = address.moved(new_html, email_id), address.moved(new_text, email_id)
    skeleton = _UNSUBSCRIBE.sub(lambda found: LEAVE.moved(found[0].decode(), email_id).encode(), skeleton, count=1)
    if new_text != text:
        part = _TEXT_PART.search(skeleton)
        assert part is not None
        skeleton = skeleton[: part.start(2)] + mime.quoted_printable(new_text) + skeleton[part.end(2) :]
    return _with_html(skeleton, new_html) if new_html != html else skeleton


def _with_html(skeleton: bytes, html: str) -> bytes:
    part = _HTML_PART.search(skeleton)
    assert part is not None
    return skeleton[: part.start(2)] + mime.quoted_printable(html) + skeleton[part.end(2) :]
