"""Who has which of the e-mails a session requires: the matrix of one session, and the sessions at risk.

Three statements whatever the numbers of people, types and sessions: the sessions with what they require, their
learners with the first and last module each follows, and the newest e-mail, plan or answer of each. planning.cells
says what a cell makes of it; sending to those who miss something is left to the page and the outbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from extensions import db
from models import Automation, Organisation, PlanState, Programme, Rule, TrainingSession, TrainingType
from models.words import EmailType, Reason, SessionState, Status
from planning import clock
from planning.cells import (
    REQUIRABLE,
    SAME_AS,
    SILENT,
    Cell,
    CellState,
    Planned,
    Sent,
    before_start,
    cell,
    ordered,
)
from planning.cells import needed_at as needed_by

AT_RISK_DAYS = 7
MOST_SESSIONS = 200
WARNED_DAYS = 2  # people are called, not written to


@dataclass(frozen=True)
class Person:
    """A learner as the matrix shows one. `first` and `last` are the start and end of what they follow."""

    id: int
    public_id: str
    name: str
    email: str
    phone: str
    company: str
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Row:
    """One learner and their cells, by type."""

    person: Person
    cells: dict[EmailType, Cell]

    @property
    def missing(self) -> list[Cell]:
        return [cell for cell in self.cells.values() if cell.state.missing]


@dataclass(frozen=True)
class Column:
    """One required type, and how many people stand where."""

    type: EmailType
    counts: dict[CellState, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def missing(self) -> int:
        return sum(number for state, number in self.counts.items() if state.missing)


@dataclass(frozen=True)
class Matrix:
    """One session's required e-mails: its learners by name, its types in the order of a session's life."""

    session_id: int
    public_id: str
    title: str
    state: SessionState
    starts_on: date | None
    types: tuple[EmailType, ...]
    type_name: str  # of the training type whose set this is; empty: the organisation's own
    rows: tuple[Row, ...] = field(repr=False)
    now: datetime

    @cached_property
    def columns(self) -> list[Column]:
        return [
            Column(type, {s: sum(row.cells[type].state is s for row in self.rows) for s in CellState})
            for type in self.types
        ]

    @cached_property
    def counts(self) -> dict[CellState, int]:
        """How many cells stand where, over all types."""
        return {state: sum(column.counts[state] for column in self.columns) for state in CellState}

    @property
    def missing(self) -> list[Row]:
        """Who misses something."""
        return [row for row in self.rows if row.missing]

    @property
    def missing_count(self) -> int:
        return sum(number for state, number in self.counts.items() if state.missing)

    @property
    def moving(self) -> bool:
        """Whether a cell may change by itself soon."""
        return any(cell.moving for row in self.rows for cell in row.cells.values())

    def warned(self, zone: str) -> bool:
        """Whether it is about to start with something missing."""
        left = self.days_left(zone)
        return bool(self.missing_count) and left is not None and 0 <= left <= WARNED_DAYS

    def days_left(self, zone: str) -> int | None:
        """Local days until it starts: 0 today, negative once begun."""
        return (self.starts_on - self.now.astimezone(ZoneInfo(zone)).date()).days if self.starts_on else None


def matrix(training_session: TrainingSession, organisation: Organisation, now: datetime | None = None) -> Matrix:
    """The matrix of one session of that organisation."""
    return _read(organisation, [training_session.id], now or _now())[0]


def about_to_start(
    training_session: TrainingSession, organisation: Organisation, now: datetime | None = None
) -> Matrix | None:
    """The matrix of a session that starts within two days with something missing; None (and mostly nothing read)
    for any other."""
    now = now or _now()
    starts = training_session.starts_on
    if starts is None or training_session.state is not SessionState.PLANNED:
        return None
    if not 0 <= (starts - now.astimezone(ZoneInfo(organisation.timezone)).date()).days <= WARNED_DAYS:
        return None
    found = matrix(training_session, organisation, now)
    return found if found.warned(organisation.timezone) else None


def at_risk(
    organisation: Organisation, now: datetime | None = None, days: int = AT_RISK_DAYS, most: int = MOST_SESSIONS
) -> list[Matrix]:
    """The planned sessions that start within `days` local days (today among them) where someone misses something,
    the soonest first, of a day those with the most missing."""
    now = now or _now()
    today = now.astimezone(ZoneInfo(organisation.timezone)).date()
    soon = (
        select(TrainingSession.id)
        .where(
            TrainingSession.organisation_id == organisation.id,
            TrainingSession.state == SessionState.PLANNED,
            TrainingSession.starts_on.between(today, today + timedelta(days=days)),
        )
        .order_by(TrainingSession.starts_on, TrainingSession.id)
        .limit(most)
    )
    found = [one for one in _read(organisation, list(db.session.scalars(soon)), now) if one.missing_count]
    return sorted(found, key=lambda one: (one.starts_on or date.max, -one.missing_count, one.session_id))


def of_soon(
    organisation: Organisation, sessions: Iterable[TrainingSession], now: datetime | None = None
) -> dict[int, Matrix]:
    """By id, the matrices of those of these sessions that are planned, start within AT_RISK_DAYS and have learners."""
    now = now or _now()
    today = now.astimezone(ZoneInfo(organisation.timezone)).date()
    soon = [
        one.id for one in sessions
        if one.state is SessionState.PLANNED and one.starts_on
        and today <= one.starts_on <= today + timedelta(days=AT_RISK_DAYS)
    ]  # fmt: skip
    return {one.session_id: one for one in _read(organisation, soon, now) if one.rows} if soon else {}


def _now() -> datetime:
    """The moment it is for plans: a demonstration may have moved its clock."""
    return datetime.now(UTC) + clock.ahead()


@dataclass
class _Frame:
    """One session with what it requires and from when."""

    row: Any
    types: list[EmailType]
    timing: dict[Rule, tuple[int, Any]]  # rule → (days, hour)


def _read(organisation: Organisation, ids: Sequence[int], now: datetime) -> list[Matrix]:
    frames = _frames(organisation, ids)
    types = sorted({type for frame in frames.values() for type in frame.types})
    people = _people(organisation.id, list(frames))
    sent, planned, answered = _evidence(organisation.id, list(frames), types)
    made = []
    for session_id, frame in frames.items():
        running = frame.row.state in (SessionState.PLANNED, SessionState.FINISHED)
        rows = []
        for person in people.get(session_id, ()):
            cells = {}
            for type in frame.types:
                rule, key = REQUIRABLE[type], (session_id, person.id, type)
                needed = needed_by(rule, *frame.timing[rule], person.first, person.last, organisation.timezone)
                cells[type] = cell(
                    type, now, sent=sent.get(key), planned=planned.get(key), needed=needed, answered=key in answered,
                    running=running,
                )  # fmt: skip
            rows.append(Row(person, cells))
        about = frame.row
        made.append(Matrix(
            session_id, about.public_id, about.title, about.state, about.starts_on, tuple(frame.types),
            about.type_name or "", tuple(rows), now,
        ))  # fmt: skip
    return made


def _frames(organisation: Organisation, ids: Sequence[int]) -> dict[int, _Frame]:
    """The sessions in the order of `ids`, each with its required types and when each rule counts from: as set for the
    session, else by the organisation, else by the house."""
    if not ids:
        return {}
    settings = (
        select(
            db.func.jsonb_agg(
                db.func.jsonb_build_array(
                    Automation.training_session_id.is_not(None), Automation.rule, Automation.days,
                    db.cast(Automation.at, db.Text),
                )
            )
        )
        .where(
            Automation.organisation_id == organisation.id,
            (Automation.training_session_id == TrainingSession.id) | Automation.training_session_id.is_(None),
        )
        .correlate(TrainingSession)
        .scalar_subquery()
    )  # fmt: skip
    query = (
        select(
            TrainingSession.id, TrainingSession.public_id, TrainingSession.title, TrainingSession.state,
            TrainingSession.starts_on, TrainingType.name.label("type_name"), TrainingType.required,
            settings.label("settings"),
        )
        .outerjoin(Programme, Programme.id == TrainingSession.programme_id)
        .outerjoin(TrainingType, TrainingType.id == Programme.training_type_id)
        .where(TrainingSession.organisation_id == organisation.id, TrainingSession.id.in_(ids))
    )  # fmt: skip
    found = {row.id: _frame(row, organisation) for row in db.session.execute(query)}
    return {session_id: found[session_id] for session_id in ids if session_id in found}


def _frame(row: Any, organisation: Organisation) -> _Frame:
    timing: dict[Rule, tuple[int, Any]] = {rule: (rule.days, rule.at) for rule in Rule}
    for _own, rule, days, at in sorted(row.settings or (), key=lambda one: one[0]):  # the session's own after
        timing[Rule(rule)] = (days, datetime.strptime(at[:5], "%H:%M").time())
    required = row.required if row.type_name is not None else organisation.required
    return _Frame(row, ordered(required), timing)


_PEOPLE = """
SELECT enrolment.training_session_id, contact.id, contact.public_id, contact.name, contact.email, contact.phone,
       coalesce(company.name, '') AS company, follows.first, follows.last
FROM enrolment
JOIN contact ON contact.id = enrolment.contact_id AND contact.kind = 'learner'
LEFT JOIN contact AS company ON company.id = contact.company_id
CROSS JOIN LATERAL (
  SELECT coalesce(min(starts_at) FILTER (WHERE id = ANY (enrolment.module_ids)), min(starts_at)) AS first,
         coalesce(max(ends_at) FILTER (WHERE id = ANY (enrolment.module_ids)), max(ends_at)) AS last
  FROM module WHERE module.training_session_id = enrolment.training_session_id
) AS follows
WHERE enrolment.training_session_id = ANY (:sessions) AND enrolment.organisation_id = :organisation
ORDER BY contact.sort_name, contact.id
"""


def _people(organisation_id: int, ids: list[int]) -> dict[int, list[Person]]:
    found: dict[int, list[Person]] = {}
    if ids:
        for session_id, *row in db.session.execute(text(_PEOPLE), {"sessions": ids, "organisation": organisation_id}):
            found.setdefault(session_id, []).append(Person(*row))
    return found


# The newest e-mail, by session, person and type; the plans; the answered evaluations: one reading.
_EVIDENCE = """
(SELECT DISTINCT ON (training_session_id, contact_id, kind)
        'sent' AS what, training_session_id, contact_id,
        CASE WHEN type = ANY (:older) THEN (:same ::jsonb) ->> type ELSE type END AS kind,
        public_id, status AS state, reason, coalesce(sent_at, created_at) AS at
 FROM email
 WHERE training_session_id = ANY (:sessions) AND organisation_id = :organisation AND contact_id IS NOT NULL
   AND type = ANY (:types ::text[] || :older ::text[]) AND (reason IS NULL OR reason <> ALL (:silent))
 ORDER BY training_session_id, contact_id, kind, email.created_at DESC, email.id DESC)
UNION ALL
SELECT 'planned', training_session_id, contact_id, rule, public_id, state, NULL, due_at
FROM planned_email
WHERE training_session_id = ANY (:sessions) AND organisation_id = :organisation AND rule = ANY (:rules)
UNION ALL
SELECT 'answered', training_session_id, contact_id, 'evaluation_' || moment, public_id, NULL, NULL, answered_at
FROM evaluation
WHERE training_session_id = ANY (:sessions) AND organisation_id = :organisation AND answered_at IS NOT NULL
"""
_Key = tuple[int, int, EmailType]


def _evidence(
    organisation_id: int, ids: list[int], types: Sequence[EmailType]
) -> tuple[dict[_Key, Sent], dict[_Key, Planned], set[_Key]]:
    sent: dict[_Key, Sent] = {}
    planned: dict[_Key, Planned] = {}
    answered: set[_Key] = set()
    if not ids or not types:
        return sent, planned, answered
    own = {rule.value: rule.type for rule in Rule if rule.type in types and REQUIRABLE[rule.type] is rule}
    values = {
        "sessions": ids, "organisation": organisation_id, "types": [type.value for type in types],
        "older": list(SAME_AS), "same": json.dumps({old: new.value for old, new in SAME_AS.items()}),
        "silent": [reason.value for reason in SILENT], "rules": list(own),
    }  # fmt: skip
    for what, session_id, contact_id, kind, public_id, state, reason, at in db.session.execute(text(_EVIDENCE), values):
        key = (session_id, contact_id, own[kind] if what == "planned" else EmailType(kind))
        if what == "sent":
            sent[key] = Sent(public_id, Status(state), Reason(reason) if reason else None, at)
        elif what == "planned":
            planned[key] = Planned(public_id, PlanState(state), at)
        else:
            answered.add(key)
    return sent, planned, answered


__all__ = ["AT_RISK_DAYS", "CellState", "Column", "Matrix", "Person", "Row", "at_risk", "before_start", "matrix"]
