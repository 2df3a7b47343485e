"""Send an e-mail again: a new one that points to the old, with the very bytes of the first time.

Only To, Message-ID, Date and the open pixel's token differ; subject, bodies and attachments are copied, not rendered.
The old e-mail keeps its status and gets the fact `resent`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select

from errors import Permanent, UserMistake
from extensions import db
from mail import headers, mime, outbox
from mail.compose import Draft, File
from mail.fold import Fact
from mail.tracking import record
from models import Address, Attachment, Email, EmailContent, Organisation, Sender, User
from models.words import N_, EventKind, Status

# STATUSES.md: sent and delivered are final once 72 hours old; the three others at once.
SETTLED_AFTER = timedelta(hours=72)
_FINAL = (Status.OPENED, Status.UNDELIVERABLE, Status.FAILED)
_SETTLING = (Status.SENT, Status.DELIVERED)
_HTML_PART = re.compile(
    rb"(Content-Type: text/html[^\r\n]*\r\nContent-Transfer-Encoding: quoted-printable\r\n(?:[^\r\n]+\r\n)*\r\n)"
    rb"(.*?)(\r\n--=_sillage)",
    re.DOTALL,
)
_PIXEL = re.compile(r'<img src="[^"<>]*/t/o/[a-z2-7]{20,80}\.gif" width="1" height="1" alt="" style="border:0">')


def resendable(email: Email, now: datetime | None = None) -> bool:
    """Whether nothing more can become of this e-mail by itself, so that sending it again doubles nothing."""
    if email.status in _SETTLING:
        return (email.sent_at or email.created_at) <= (now or datetime.now(UTC)) - SETTLED_AFTER
    return email.status in _FINAL


def resend(email: Email, to: str | None = None, *, by: User | None, request_key: str) -> Email:
    """Ask for the same e-mail again, to the corrected address `to` or the same one, in the caller's transaction.

    The same `request_key` again gives the same new e-mail. Raises UserMistake for an address that is none, or while
    the first may still arrive; Permanent where its bytes are gone.
    """
    if not resendable(email):
        raise UserMistake(N_("Cet e-mail est encore en route : il ne peut pas être renvoyé."))
    content = db.session.get(EmailContent, email.id)
    if content is None:
        raise Permanent(f"the bytes of {email.public_id} are gone")
    address = db.session.get_one(Address, email.address_id)
    draft = _draft(email, content, corrected(to) if to and to.strip() else address.address, address.name)
    new = outbox.post(
        [draft], organisation=db.session.get_one(Organisation, email.organisation_id),
        sender=db.session.get_one(Sender, email.sender_id), by=by, request_key=request_key, bulk=False,
        resend_of=email, freeze=_copier(content),
    )[0]  # fmt: skip
    if new.resend_of_id != email.id:
        raise UserMistake(N_("Cette demande a déjà servi : rechargez la page."))
    said = {"by": by.name if by else None, "email": new.public_id, "to": draft.recipient}
    record([Fact(email.id, EventKind.RESENT, "user", new.public_id, new.created_at, data=said)])
    return new


def corrected(address: str) -> str:
    """The address a person typed, as it will be written to. Raises UserMistake (field `to`)."""
    try:
        found = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True, test_environment=True)
        headers.wire_address(found.normalized)
    except (EmailNotValidError, UserMistake) as error:
        raise UserMistake(N_("Cette adresse e-mail n'est pas valide."), "to") from error
    return found.normalized


def _draft(email: Email, content: EmailContent, recipient: str, name: str) -> Draft:
    query = select(Attachment).where(Attachment.email_id == email.id).order_by(Attachment.position)
    files = tuple(
        File(row.filename, row.sha256, row.blob.size, row.blob.media_type) for row in db.session.scalars(query)
    )  # fmt: skip
    html, _ = _html(content.skeleton)
    # Openings can be measured only where the first letter carried a pixel: its bytes are not added to.
    return Draft(recipient, name, email.contact_id, email.training_session_id, email.type, email.subject,
                 html if _PIXEL.search(html) else "", "", files, email.opportunity_id)  # fmt: skip


def _copier(content: EmailContent) -> Callable[..., mime.Frozen]:
    def freeze(
        draft: Draft, sender: Sender, *, message_id: str, pixel_url: str | None, date: datetime, **_: Any
    ) -> mime.Frozen:
        return copied(content.skeleton, content.cuts, draft, message_id=message_id, pixel_url=pixel_url, date=date)

    return freeze


def copied(
    skeleton: bytes, cuts: list[list[Any]], draft: Draft, *, message_id: str, pixel_url: str | None, date: datetime,
    read_blob: mime.ReadBlob | None = None,
) -> mime.Frozen:  # fmt: skip
    """The bytes of a stored message for draft.recipient, with another Message-ID, Date and open pixel."""
    to, smtputf8 = headers.wire_address(draft.recipient)
    new = {
        b"Message-ID": headers.message_id_header(message_id),
        b"Date": format_datetime(date.astimezone(UTC)),
        b"To": headers.mailbox(draft.name, to),
    }
    head, blank, body = skeleton.partition(b"\r\n\r\n")
    for name, value in new.items():
        line = name + b": " + value.encode()
        found = re.search(rb"(?im)^" + name + rb":[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", head)
        head = head[: found.start()] + line + head[found.end() :] if found else line + b"\r\n" + head
    made = head + blank + _with_pixel(body, pixel_url)
    shift = len(made) - len(skeleton)  # all that changed stands before the first attachment
    moved = [[offset + shift, sha256] for offset, sha256 in cuts]
    return mime.sealed(made, moved, smtputf8, **({"read_blob": read_blob} if read_blob else {}))


def _html(skeleton: bytes) -> tuple[str, re.Match[bytes] | None]:
    part = _HTML_PART.search(skeleton)
    return (mime.from_quoted_printable(part[2]), part) if part else ("", None)


def _with_pixel(body: bytes, pixel_url: str | None) -> bytes:
    html, part = _html(body)
    if part is None or not _PIXEL.search(html):
        return body
    tag = mime.pixel(pixel_url) if pixel_url else ""
    changed = mime.quoted_printable(_PIXEL.sub(lambda _: tag, html))
    return body[: part.start(2)] + changed + body[part.end(2) :]
