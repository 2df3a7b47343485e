"""Reading the audit log: filters, keyset pages newest first, what its ids stand for, and the rows of an export.

An organisation reads its own lines alone. What a line says in words is people.audit_words'; writing is people.audit's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)

from extensions import db
from models import (
    Address,
    AuditAction,
    AuditEntry,
    BillingSource,
    BusinessEvent,
    Channel,
    Contact,
    Email,
    Export,
    Opportunity,
    Organisation,
    Programme,
    ResendRow,
    ResendRun,
    Segment,
    Template,
    TrainingSession,
    User,
    WebhookEndpoint,
)
from people.pages import Page, browse, matches

API = "api"  # who: any program
MOST_NAMED = 200
MOST_COUNTED = 10_000
_BATCH = 2000
_EXACT = re.compile(r"[A-Z]{1,2}-[0-9a-z]{4,24}|sil_\S*|\S*@\S+")
# A public id's first letters → the tables that may hold it: what to call it by, and its kind (the page knows where
# each kind is shown).
_NAMED: dict[str, tuple[tuple[str, Any, Any], ...]] = {
    "C": (("contact", Contact, Contact.name),),
    "S": (("session", TrainingSession, TrainingSession.title),),
    "O": (("opportunity", Opportunity, Opportunity.title),),
    "G": (("segment", Segment, Segment.name), ("programme", Programme, Programme.title)),
    "T": (("template", Template, Template.name),),
    "W": (("webhook", WebhookEndpoint, WebhookEndpoint.description),),
    "B": (("billing", BillingSource, BillingSource.name),),
    "V": (("event", BusinessEvent, BusinessEvent.type),),
    "X": (("export", Export, Export.filename),),
    "N": (("resends", ResendRun, literal("")),),
}


class Named(NamedTuple):
    """What an id of the log stands for."""

    kind: str
    name: str


@dataclass(frozen=True)
class Filter:
    """What is asked for; empty means all. Days are the organisation's, both included.

    `who` is a user's id, or API for programs; `action` an AuditAction's value or an AuditGroup's; `subject` an id, an
    address, a key's prefix, or words of a contact's name or a session's title.
    """

    who: str = ""
    action: str = ""
    subject: str = ""
    first: date | None = None
    last: date | None = None

    @property
    def narrows(self) -> bool:
        return bool(self.who or self.action or self.subject or self.first or self.last)


def page(organisation: Organisation, asked: Filter, cursor: str | None) -> Page:
    """A page of lines, the newest first."""
    query = select(AuditEntry).where(*_conditions(organisation, asked))
    return browse(query, (AuditEntry.at, AuditEntry.id), cursor, descending=True)


def rows(organisation: Organisation, asked: Filter) -> Iterator[Any]:
    """Every line that answers, the newest first, as plain rows with AuditEntry's columns; a batch at a time."""
    query = select(*AuditEntry.__table__.c).where(*_conditions(organisation, asked))
    query = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(_BATCH)
    after: tuple[datetime, int] | None = None
    while True:
        further = query if after is None else query.where(tuple_(AuditEntry.at, AuditEntry.id) < after)
        found = db.session.execute(further).all()
        yield from found
        if len(found) < _BATCH:
            return
        after = (found[-1].at, found[-1].id)


def people(organisation: Organisation) -> list[User]:
    """Who may stand in the log: the users, closed accounts too, by name."""
    query = select(User).where(User.organisation_id == organisation.id).order_by(User.name, User.id)
    return list(db.session.scalars(query.limit(500)))


def _conditions(organisation: Organisation, asked: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [AuditEntry.organisation_id == organisation.id]
    if asked.who == API:
        found.append(AuditEntry.channel == Channel.API)
    elif asked.who:
        found.append(AuditEntry.user_id == int(asked.who))
    actions = [one for one in AuditAction if asked.action in (one.value, one.group.value)]
    if actions:
        found.append(AuditEntry.action.in_(actions))
    if asked.subject:
        found.append(_about(organisation, asked.subject))
    zone = ZoneInfo(organisation.timezone)
    if asked.first:
        found.append(AuditEntry.at >= _midnight(asked.first, zone))
    if asked.last:
        found.append(AuditEntry.at < _midnight(asked.last + timedelta(days=1), zone))
    return found


def _about(organisation: Organisation, typed: str) -> ColumnElement[bool]:
    """Lines about that id or address; about what bears such a name for other words, or is called just so."""
    found = _runs(organisation.id, typed) if _EXACT.fullmatch(typed) else _called(organisation.id, typed)
    ids = [typed, *found]
    also: ColumnElement[bool] = AuditEntry.also.bool_op("&&")(cast(ids, ARRAY(Text)))
    # said as the partial indexes say it
    return or_(
        AuditEntry.subject.in_(ids) & (AuditEntry.subject != literal_column("''")),
        also & (AuditEntry.also != literal_column("'{}'")),
    )


def _runs(organisation_id: int, public_id: str) -> list[str]:
    """The ids of the resends in number that this e-mail went with."""
    query = (
        select(ResendRun.public_id)
        .join(ResendRow, ResendRow.run_id == ResendRun.id)
        .join(Email, Email.id == ResendRow.email_id)
        .where(Email.organisation_id == organisation_id, Email.public_id == public_id, ResendRow.chosen)
    )
    return list(db.session.scalars(query.limit(MOST_NAMED)))


def _called(organisation_id: int, words: str) -> list[str]:
    """The ids of contacts and sessions whose names hold these words."""
    people = select(Contact.public_id).where(
        Contact.organisation_id == organisation_id, *matches(words, Contact.name)
    )  # fmt: skip
    sessions = select(TrainingSession.public_id).where(
        TrainingSession.organisation_id == organisation_id,
        *matches(words, TrainingSession.title, TrainingSession.reference),
    )
    query = union_all(people.limit(MOST_NAMED).subquery().select(), sessions.limit(MOST_NAMED).subquery().select())
    return list(db.session.scalars(query))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def named(organisation: Organisation, ids: Iterable[str]) -> dict[str, Named]:
    """What these ids are called now, in one statement; those that are gone, or never were ids, are left out."""
    wanted: dict[str, list[str]] = {}
    for one in dict.fromkeys(ids):
        wanted.setdefault(one.partition("-")[0], []).append(one)
    parts: list[Select[Any]] = [
        select(literal(kind).label("kind"), model.public_id.label("id"), label.label("name")).where(
            model.organisation_id == organisation.id, model.public_id.in_(some)
        )
        for prefix, some in wanted.items()
        for kind, model, label in _NAMED.get(prefix, ())
    ]
    if "E" in wanted:
        parts.append(
            select(literal("email").label("kind"), Email.public_id.label("id"), Address.address.label("name"))
            .join(Address, Address.id == Email.address_id)
            .where(Email.organisation_id == organisation.id, Email.public_id.in_(wanted["E"]))
        )
    if not parts:
        return {}
    found = db.session.execute(union_all(*parts)).all()
    return {row.id: Named(row.kind, row.name) for row in found}


def count(organisation: Organisation, asked: Filter) -> int:
    """How many lines answer, at most MOST_COUNTED + 1."""
    some = select(AuditEntry.id).where(*_conditions(organisation, asked)).limit(MOST_COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0
