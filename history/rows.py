"""Row: one e-mail as lists show it, read by Core and without its body; Page and Count.

What a row needs is COLUMNS, joined in one statement by `with_everything`. A body is not among them and cannot be
reached from a row: it is history.detail's.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, case, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from history.chips import Shown, chips, is_final
from models import Address, Attachment, Blob, Contact, Email, OutboxEntry, Sender, TrainingSession, User
from models.words import ContactKind, EmailType, QueueState, Reason, Status

# A change this soon after the sending is the sending itself.
_AT_ONCE = timedelta(minutes=2)


_STATUS = {word.value: word for word in Status}
_REASON, _KIND, _STATE = (
    {None: None} | {word.value: word for word in words} for words in (Reason, ContactKind, QueueState)
)


class FileName(NamedTuple):
    """An attachment's name in a list; its bytes are at /emails/E-…/attachments/position."""

    position: int
    filename: str
    size: int
    media_type: str


@dataclass(slots=True)
class Row:
    """One e-mail in a list. The order of the fields is COLUMNS' order."""

    id: int
    public_id: str
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    type: str
    subject: str
    status: Status
    reason: Reason | None
    marks: int
    open_measured: bool
    is_resend: bool
    attachment_count: int
    attachments: Any  # [FileName]
    address: str
    recipient_name: str
    contact_id: str | None
    contact_name: str | None
    contact_kind: ContactKind | None
    session_id: str | None
    session_title: str | None
    requested_by: str | None
    sender_address: str
    sender_paused: bool
    queue_state: QueueState | None
    attempt_count: int | None
    next_attempt_at: datetime | None
    now: datetime

    def __post_init__(self) -> None:
        # The driver gives words as text.
        self.status = _STATUS[self.status]
        self.reason, self.contact_kind = _REASON[self.reason], _KIND[self.contact_kind]
        self.queue_state = _STATE[self.queue_state]
        self.attachments = [FileName(*parts) for parts in self.attachments] if self.attachments else []

    @property
    def type_label(self) -> str:
        """The type's French label (a message id), or a program's own word."""
        return EmailType(self.type).label if self.type in EmailType._value2member_map_ else self.type

    @property
    def recipient(self) -> str:
        """The person's name, else the address."""
        return self.recipient_name or self.contact_name or self.address

    @property
    def changed_later(self) -> bool:
        """Whether something happened well after it left (or was asked for): worth a date of its own."""
        return self.updated_at - (self.sent_at or self.created_at) > _AT_ONCE

    @property
    def chips(self) -> list[Shown]:
        return chips(self, self.now)

    @property
    def final(self) -> bool:
        """Whether nothing more is expected (STATUSES.md)."""
        return is_final(self, self.now)

    @property
    def version(self) -> str:
        """Changes whenever what a row shows may change by itself; so a page knows which rows are stale."""
        words = f"{self.status} {self.reason} {self.queue_state} {self.marks:d} {self.sender_paused} {self.final}"
        moments = f"{self.attempt_count} {self.next_attempt_at} {self.sent_at}"
        return f"{zlib.crc32(f'{words} {moments}'.encode()):08x}"


@dataclass(frozen=True)
class Count:
    """How many e-mails answer a filter: exactly `value`, or more than that when `exact` is False."""

    value: int
    exact: bool = True


@dataclass(frozen=True)
class Page:
    """One page: its rows, the cursors of its neighbours ('' for none), and the count of all pages."""

    rows: list[Row]
    previous: str
    next: str
    count: Count


def _attachments(email: FromClause) -> ColumnElement[Any]:
    """[[position, filename, size, media type], …] of one e-mail; not even looked for where there are none."""
    listed = (
        select(
            func.jsonb_agg(
                aggregate_order_by(
                    func.jsonb_build_array(Attachment.position, Attachment.filename, Blob.size, Blob.media_type),
                    Attachment.position,
                ),
                type_=JSONB,
            )
        )
        .select_from(Attachment)
        .join(Blob, Blob.sha256 == Attachment.sha256)
        .where(Attachment.email_id == Email.id)
        .correlate(email)
        .scalar_subquery()
    )
    return case((Email.attachment_count > literal_column("0"), listed))


COLUMNS: tuple[ColumnElement[Any], ...] = (
    Email.id, Email.public_id, Email.created_at, Email.updated_at, Email.sent_at, Email.type, Email.subject,
    Email.status, Email.reason, Email.marks, Email.open_measured,
    Email.resend_of_id.is_not(None).label("is_resend"),
    Email.attachment_count, _attachments(Email.__table__).label("attachments"),
    Address.address, Address.name.label("recipient_name"),
    Contact.public_id.label("contact_id"), Contact.name.label("contact_name"), Contact.kind.label("contact_kind"),
    TrainingSession.public_id.label("session_id"), TrainingSession.title.label("session_title"),
    User.name.label("requested_by"),
    Sender.address.label("sender_address"), Sender.paused_at.is_not(None).label("sender_paused"),
    OutboxEntry.state.label("queue_state"), OutboxEntry.attempt_count, OutboxEntry.next_attempt_at,
    func.now().label("now"),
)  # fmt: skip


def with_everything(start: FromClause, on: ColumnElement[bool]) -> FromClause:
    """`start` joined to its e-mail by `on`, and the e-mail to all that COLUMNS names."""
    return everything_of(start.join(Email, on))


def everything_of(emails: FromClause) -> FromClause:
    """E-mails joined to all that lists and exports show of them."""
    return (
        emails.join(Address, Address.id == Email.address_id)
        .join(Sender, Sender.id == Email.sender_id)
        .outerjoin(Contact, Contact.id == Email.contact_id)
        .outerjoin(TrainingSession, TrainingSession.id == Email.training_session_id)
        .outerjoin(User, User.id == Email.requested_by_id)
        .outerjoin(OutboxEntry, OutboxEntry.email_id == Email.id)
    )


def by_public_id(organisation_id: int, public_ids: list[str]) -> Select[Any]:
    """The rows of those e-mails of that organisation; foreign and unknown ids give none."""
    return (
        select(*COLUMNS)
        .select_from(everything_of(Email.__table__))
        .where(Email.public_id.in_(public_ids), Email.organisation_id == organisation_id)
    )


def item(row: Row) -> dict[str, Any]:
    """An e-mail as programs are told of it: an item of GET /emails, and the data of a webhook."""
    return {
        "id": row.public_id, "recipient": row.address, "name": row.recipient_name, "subject": row.subject,
        "type": row.type, "status": row.status, "reason": row.reason, "chips": [shown.chip for shown in row.chips],
        "final": row.final, "created_at": row.created_at, "updated_at": row.updated_at, "sent_at": row.sent_at,
        "next_attempt_at": row.next_attempt_at, "attempt_count": row.attempt_count, "contact": row.contact_id,
        "contact_name": row.contact_name, "session": row.session_id, "session_title": row.session_title,
        "attachment_count": row.attachment_count, "attachments": [file._asdict() for file in row.attachments],
        "sender": row.sender_address, "requested_by": row.requested_by, "is_resend": row.is_resend,
    }  # fmt: skip
