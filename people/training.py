"""Training sessions: the list with search, saving with their modules, and who takes part.

Modules are typed as days and hours of the organisation's zone and kept in UTC; a session's dates follow from them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from extensions import db
from models import Contact, Enrolment, Module, Organisation, TrainingSession
from models.words import ContactKind, SessionState
from people.pages import Page, browse, matches

PERIODS = ("upcoming", "past", "all")
_NO_DATE = date(9999, 12, 31)


@dataclass(frozen=True)
class ModuleRow:
    """One module as typed: its id when it exists already, hours local to the organisation."""

    day: date
    starts: time
    ends: time
    title: str = ""
    place: str = ""
    id: int | None = None


def today(organisation: Organisation) -> date:
    """The day it is at the organisation's."""
    return datetime.now(ZoneInfo(organisation.timezone)).date()


def listed(
    organisation: Organisation, *, words: str = "", state: SessionState | None = None, period: str = "upcoming",
    cursor: str | None = None,
) -> Page:  # fmt: skip
    """A page of (training session, number of learners). Upcoming and running by date, past and all newest first.

    Sessions without a date are upcoming, and come last there.
    """
    query = select(TrainingSession, _learners().label("learners")).where(
        TrainingSession.organisation_id == organisation.id
    )
    if words.strip():
        columns = (TrainingSession.title, TrainingSession.reference, TrainingSession.place)
        query = query.where(*matches(words, *columns))
    if state is not None:
        query = query.where(TrainingSession.state == state)
    ends = func.coalesce(TrainingSession.ends_on, _NO_DATE)
    if period == "upcoming":
        query = query.where(ends >= today(organisation))
    elif period == "past":
        query = query.where(ends < today(organisation))
    starts = func.coalesce(TrainingSession.starts_on, _NO_DATE)
    return browse(query, (starts, TrainingSession.id), cursor, descending=period != "upcoming")


def _learners() -> Any:
    return (
        select(func.count())
        .select_from(Enrolment)
        .join(Contact, Contact.id == Enrolment.contact_id)
        .where(Enrolment.training_session_id == TrainingSession.id, Contact.kind == ContactKind.LEARNER)
        .scalar_subquery()
    )


def hold(training_session: TrainingSession) -> None:
    """Keep the session to ourselves until the transaction ends, as others have left it: the same form sent twice at
    once makes its modules once."""
    db.session.refresh(training_session, with_for_update={"key_share": True})
    db.session.expire(training_session, ["modules", "enrolments"])


def save(
    training_session: TrainingSession, organisation: Organisation, rows: Sequence[ModuleRow], **values: Any
) -> TrainingSession:
    """Set the columns given and make the modules those of `rows` (known ids are kept); the caller commits."""
    zone = ZoneInfo(organisation.timezone)
    training_session.organisation_id = organisation.id
    for name, value in values.items():
        setattr(training_session, name, value.strip() if isinstance(value, str) else value)
    kept = {module.id: module for module in training_session.modules}
    modules = []
    for row in rows:
        module = kept.get(row.id) if row.id is not None else None
        module = module or Module(organisation_id=organisation.id)
        module.title, module.place = row.title.strip(), row.place.strip()
        module.starts_at = datetime.combine(row.day, row.starts, zone).astimezone(UTC)
        module.ends_at = datetime.combine(row.day, row.ends, zone).astimezone(UTC)
        modules.append(module)
    gone = set(kept) - {row.id for row in rows}
    for enrolment in training_session.enrolments if gone else ():
        if gone & {*enrolment.module_ids}:
            enrolment.module_ids = [id for id in enrolment.module_ids if id not in gone]
    training_session.modules = sorted(modules, key=lambda module: module.starts_at)
    training_session.starts_on = min((row.day for row in rows), default=None)
    training_session.ends_on = max((row.day for row in rows), default=None)
    db.session.add(training_session)
    return training_session


def rows_of(training_session: TrainingSession, organisation: Organisation) -> list[ModuleRow]:
    """The modules as they would be typed."""
    zone = ZoneInfo(organisation.timezone)
    rows = []
    for module in training_session.modules:
        starts, ends = module.starts_at.astimezone(zone), module.ends_at.astimezone(zone)
        rows.append(ModuleRow(starts.date(), starts.time(), ends.time(), module.title, module.place, module.id))
    return rows


def participants(
    training_session: TrainingSession, follows: dict[int, set[int]] | None = None
) -> dict[ContactKind, list[Contact]]:
    """Who takes part, by kind and name, with their companies. `follows` is filled with the module ids, by the
    contact's id, of each who does not follow all."""
    query = (
        select(Contact, Enrolment.module_ids)
        .join(Enrolment, Enrolment.contact_id == Contact.id)
        .where(Enrolment.training_session_id == training_session.id)
        .options(joinedload(Contact.company))
        .order_by(Contact.sort_name, Contact.id)
    )
    found: dict[ContactKind, list[Contact]] = {kind: [] for kind in ContactKind}
    for contact, module_ids in db.session.execute(query):
        found[contact.kind].append(contact)
        if follows is not None and module_ids:
            follows[contact.id] = {*module_ids}
    return found


def enrol(training_session: TrainingSession, contacts: Sequence[Contact]) -> int:
    """Enrol these contacts of the same organisation; how many are new. The caller commits."""
    db.session.flush()
    rows = [
        {
            "organisation_id": training_session.organisation_id,
            "training_session_id": training_session.id,
            "contact_id": contact.id,
        }
        for contact in contacts
        if contact.organisation_id == training_session.organisation_id
    ]
    count = 0
    for start in range(0, len(rows), 5000):
        some = insert(Enrolment).values(rows[start : start + 5000]).on_conflict_do_nothing()
        count += len(db.session.execute(some.returning(Enrolment.id)).all())
    return count


def follow(training_session: TrainingSession, contact: Contact, module_ids: Collection[int]) -> bool:
    """Let a participant follow those modules of the session; all of them is kept as "all", whatever is added later.

    False where the person takes no part, or none of the modules is the session's. The caller commits.
    """
    query = select(Enrolment).where(
        Enrolment.training_session_id == training_session.id, Enrolment.contact_id == contact.id
    )
    enrolment = db.session.scalar(query)
    chosen = [module.id for module in training_session.modules if module.id in module_ids]
    if enrolment is None or not chosen:
        return False
    enrolment.module_ids = chosen if len(chosen) < len(training_session.modules) else []
    return True


def withdraw(training_session: TrainingSession, contact: Contact) -> bool:
    """End a contact's part in the session; its e-mails stay in the history. The caller commits."""
    query = select(Enrolment).where(
        Enrolment.training_session_id == training_session.id, Enrolment.contact_id == contact.id
    )
    enrolment = db.session.scalar(query)
    if enrolment is not None:
        db.session.delete(enrolment)
    return enrolment is not None
