"""One e-mail: its row, what happened to it, its family of resends, and its frozen parts, each read when asked for.

`about` is one statement (of the body, the head that tells its shape); `frozen` gives the stored bytes, `attachment` one
part's blob. All are scoped: another organisation's e-mail is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import aliased

from extensions import db
from history import spells
from history.rows import COLUMNS, Row, by_public_id
from models import Address, Attachment, Blob, Contact, DeliveryEvent, Email, EmailContent, Sender, User
from models.words import EventKind, Mark, Reason, Status

# A page of events; what repeats more often (an image loaded again and again) is cut, the oldest kept.
MOST_EVENTS = 200
MOST_KIN = 100  # e-mails of one chain of resends
_HEAD = 262_144  # bytes


class Event(NamedTuple):
    """One thing that happened. `data` may hold the author of a correction, the next attempt …"""

    kind: EventKind
    source: str
    occurred_at: datetime
    reason: Reason | None
    attempt: int | None
    smtp_code: int | None
    enhanced_code: str | None
    diagnostic: str | None
    remote_host: str | None
    data: dict[str, Any]
    inbound_id: int | None = None  # the raw message it came from

    @property
    def server_words(self) -> str:
        """The server's reply as it was, empty where there is none."""
        said = self.diagnostic or ""
        codes = [str(code) for code in (self.smtp_code, self.enhanced_code) if code]
        return " ".join([*(code for code in codes if code not in said[:20]), said]).strip()


class Relative(NamedTuple):
    """An e-mail of the same family: what this one repeats, or what repeats it. `depth` counts resends from the first;
    `own_copy`: somebody sent it to themselves."""

    public_id: str
    address: str
    status: Status
    created_at: datetime
    own_copy: bool = False
    depth: int = 0


class Treated(NamedTuple):
    """That a person has dealt with a failure; `at` is None where it failed again since. Nothing of it is a fact."""

    at: datetime | None
    by: str
    note: str


@dataclass(frozen=True)
class Detail:
    """What the expanded row and the e-mail's own page show, the body aside."""

    row: Row
    events: list[Event]
    resend_of: Relative | None
    resends: list[Relative]
    family: list[Relative]  # the whole of it, this e-mail among them, the first one first; empty where it is alone
    sender_name: str
    reply_to: str
    default_sender: bool
    size: int | None  # bytes of the whole message
    sha256: str | None
    erased_at: datetime | None = None  # its words and files are kept no more; by a rule of so many years
    erased_years: int | None = None
    treated: Treated | None = None
    phone: str = ""  # the contact's
    quarantine: spells.Spell | None = None
    head: bytes = b""  # the first quarter of a megabyte of the stored message, attachments aside; empty where erased


class File(NamedTuple):
    """An attachment's name and blob; `media_type` is sniffed. Since `erased_at` nobody is given its bytes."""

    filename: str
    sha256: str
    size: int
    media_type: str
    erased_at: datetime | None = None


class Frozen(NamedTuple):
    """The stored message: mail.mime joins and shows it. Since `erased_at` there is nothing of it."""

    id: int
    public_id: str
    subject: str
    created_at: datetime
    skeleton: bytes
    cuts: list[Any]
    size: int
    erased_at: datetime | None = None


def about(organisation_id: int, public_id: str, head: bool = True) -> Detail | None:
    """All about one e-mail in one statement; None where the organisation has no such e-mail. Without `head`, nothing of
    the body: for whoever shows no letter."""
    start = func.substr(EmailContent.skeleton, 1, _HEAD) if head else null()
    extra = [
        _events().label("events"), _family(Email.resend_of_id, upwards=True).label("resend_of"),
        _family(Email.id, upwards=False).label("resends"), _CHAIN.label("family"), Sender.name.label("sender_name"),
        Sender.reply_to, Sender.is_default, EmailContent.size, EmailContent.sha256, EmailContent.erased_at,
        EmailContent.erased_years, start, Email.treated_at, Email.treated_note,
        select(User.name).where(User.id == Email.treated_by_id).correlate(Email).scalar_subquery(),
        Contact.phone, spells.last(),
    ]  # fmt: skip
    statement = by_public_id(organisation_id, [public_id]).add_columns(*extra)
    statement = statement.outerjoin(EmailContent, EmailContent.email_id == Email.id)
    found = db.session.execute(statement).one_or_none()
    if found is None:
        return None
    row, more = Row(*found[: len(COLUMNS)]), found[len(COLUMNS) :]
    events, above, below, chain, sender_name, reply_to, is_default, *content, at, note, by, phone, spell = more
    size, sha256, erased_at, erased_years, start = content
    parents, family = list(_relatives(above)), list(_relatives(chain))
    return Detail(
        row=row, events=[_event(parts) for parts in events or ()], resend_of=parents[0] if parents else None,
        resends=list(_relatives(below)), family=family if len(family) > 1 else [], sender_name=sender_name,
        reply_to=reply_to, default_sender=is_default, size=size, sha256=sha256,
        erased_at=erased_at, erased_years=erased_years,
        treated=Treated(at, by or "", note) if at or by or note else None,
        phone=phone or "", quarantine=spells.of(spell),
        head=b"" if erased_at else bytes(start or b""),
    )  # fmt: skip


def rows_of(organisation_id: int, public_ids: list[str]) -> list[Row]:
    """The rows of those e-mails, for live rows."""
    return [Row(*r) for r in db.session.execute(by_public_id(organisation_id, public_ids))]


def frozen(organisation_id: int, public_id: str) -> Frozen | None:
    """The stored bytes of one e-mail."""
    statement = (
        select(
            Email.id, Email.public_id, Email.subject, Email.created_at,
            EmailContent.skeleton, EmailContent.cuts, EmailContent.size,
            EmailContent.erased_at,
        )
        .join(EmailContent, EmailContent.email_id == Email.id)
        .where(Email.public_id == public_id, Email.organisation_id == organisation_id)
    )  # fmt: skip
    found = db.session.execute(statement).one_or_none()
    return Frozen(*found) if found else None


def attachment(organisation_id: int, public_id: str, position: int) -> File | None:
    """One attachment of one e-mail, by its position from 1."""
    statement = (
        select(Attachment.filename, Blob.sha256, Blob.size, Blob.media_type, EmailContent.erased_at)
        .join(Email, Email.id == Attachment.email_id)
        .join(Blob, Blob.sha256 == Attachment.sha256)
        .outerjoin(EmailContent, EmailContent.email_id == Email.id)
        .where(
            Email.public_id == public_id, Email.organisation_id == organisation_id, Attachment.position == position
        )
    )  # fmt: skip
    found = db.session.execute(statement).one_or_none()
    return File(*found) if found else None


def fingerprints(email_id: int) -> dict[int, str]:
    """The sha256 of each attachment, by its position: what is left of an erased one."""
    rows = db.session.execute(select(Attachment.position, Attachment.sha256).where(Attachment.email_id == email_id))
    return {row.position: row.sha256 for row in rows}


def _events() -> ColumnElement[Any]:
    e = DeliveryEvent
    first: Select[Any] = (
        select(e).where(e.email_id == Email.id).order_by(e.occurred_at, e.id).limit(MOST_EVENTS).correlate(Email)
    )
    c = first.subquery("happened").c
    listed = func.jsonb_build_array(
        c.kind, c.source, c.occurred_at, c.reason, c.attempt, c.smtp_code, c.enhanced_code, c.diagnostic,
        c.remote_host, c.data, c.inbound_message_id,
    )  # fmt: skip
    return select(func.jsonb_agg(aggregate_order_by(listed, c.occurred_at, c.id), type_=JSONB)).scalar_subquery()


def _event(parts: list[Any]) -> Event:
    kind, source, occurred_at, reason, *rest, data, inbound_id = parts
    return Event(
        EventKind(kind), source, datetime.fromisoformat(occurred_at), Reason(reason) if reason else None, *rest,
        data=data or {}, inbound_id=inbound_id,
    )  # fmt: skip


# The first e-mail of the chain, then all that repeats it, and what repeats that: a few index look-ups each.
_CHAIN = literal_column(
    f"""(
  WITH RECURSIVE above AS (
    SELECT email.id, email.resend_of_id AS up
    UNION SELECT e.id, e.resend_of_id FROM email AS e JOIN above ON e.id = above.up
  ), below AS (
    SELECT id, 0 AS depth FROM above WHERE up IS NULL
    UNION SELECT e.id, below.depth + 1 FROM email AS e JOIN below ON e.resend_of_id = below.id WHERE depth < {MOST_KIN}
  ), kin AS (SELECT id, depth FROM below ORDER BY id LIMIT {MOST_KIN})
  SELECT jsonb_agg(jsonb_build_array(e.public_id, a.address, e.status, e.created_at,
                                     (e.marks & {Mark.OWN_COPY.value}) <> 0, kin.depth) ORDER BY e.id)
  FROM kin JOIN email AS e ON e.id = kin.id JOIN address AS a ON a.id = e.address_id
)""",
    JSONB,
)


def _family(key: Any, upwards: bool) -> ColumnElement[Any]:
    """[[public id, address, status, created at, own copy], …] of the e-mail this one repeats, or of its resends."""
    other, whose = aliased(Email), aliased(Address)
    own_copy = other.marks.op("&")(Mark.OWN_COPY.value) != 0
    listed = func.jsonb_build_array(other.public_id, whose.address, other.status, other.created_at, own_copy)
    return (
        select(func.jsonb_agg(aggregate_order_by(listed, other.id), type_=JSONB))
        .select_from(other)
        .join(whose, whose.id == other.address_id)
        .where((other.id if upwards else other.resend_of_id) == key, other.organisation_id == Email.organisation_id)
        .correlate(Email)
        .scalar_subquery()
    )


def _relatives(parts: list[list[Any]] | None) -> Iterator[Relative]:
    for public_id, address, status, created_at, *more in parts or ():
        yield Relative(public_id, address, Status(status), datetime.fromisoformat(created_at), *more)
