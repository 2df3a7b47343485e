"""What will leave about a session, and what became of what was planned: rules' plans and e-mails put off to a moment.

Both kinds stand in one list, by their moment, in keyset pages; three statements a page, whatever the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Subquery, cast, extract, func, literal, select, union_all
from sqlalchemy.orm import joinedload

from extensions import db
from models import Address, Email, OutboxEntry, PlannedEmail, PlanState, TrainingSession, User
from models.words import QueueState
from people.pages import Page, browse
from planning import plans, sentences

# Still to leave, or waiting for a person; the other states are past.
COMING = (PlanState.PLANNED, PlanState.NOT_PREPARED)
_PAST = tuple(state for state in PlanState if state not in COMING)
# A first try that is due this far ahead was put off on purpose (as the chip "programmé" says).
_AHEAD_MINUTES = 2


@dataclass(frozen=True)
class Line:
    """One line of the list: a plan, or an e-mail put off (`by`: who wrote it). `why` are sentences."""

    at: datetime
    id: str
    type: str
    recipient: str
    address: str
    contact: str | None
    why: list[str]
    plan: PlannedEmail | None = None
    email: Email | None = None
    by: str | None = None
    may_leave: bool = False
    may_cancel: bool = False


def page(
    training_session: TrainingSession, now: datetime, *, past: bool = False, cursor: str | None = None
) -> tuple[Page, list[Line]]:
    """A page of what is to come (soonest first), or of what is past (newest first), and its lines."""
    found = _keys(training_session.id, past)
    query = select(found.c.row_id, found.c.is_email)
    listed = browse(query, (found.c.at, found.c.key), cursor, descending=past)
    ids: dict[bool, list[int]] = {True: [], False: []}
    for row in listed.rows:
        ids[row.is_email].append(row.row_id)
    made = {(False, plan.id): _of_plan(plan, training_session, now) for plan in _plans(ids[False])}
    made |= {(True, email.id): _of_email(email, *rest) for email, *rest in _emails(ids[True])}
    return listed, [made[row.is_email, row.row_id] for row in listed.rows if (row.is_email, row.row_id) in made]


def counts(training_session: TrainingSession) -> tuple[int, int]:
    """(how many are to come, how many are past)."""
    coming, past = (select(func.count()).select_from(_keys(training_session.id, past)) for past in (False, True))
    return tuple(db.session.execute(select(coming.scalar_subquery(), past.scalar_subquery())).one())  # type: ignore


def _keys(session_id: int, past: bool) -> Subquery:
    planned = select(
        _micros(PlannedEmail.due_at).label("at"), (PlannedEmail.id * 2).label("key"),
        PlannedEmail.id.label("row_id"), literal(False).label("is_email"),
    )  # fmt: skip
    planned = planned.where(PlannedEmail.training_session_id == session_id)
    planned = planned.where(PlannedEmail.state.in_(_PAST if past else COMING))
    if past:
        return planned.subquery()
    put_off = (
        select(_micros(OutboxEntry.next_attempt_at), Email.id * 2 + 1, Email.id, literal(True))
        .join(Email, Email.id == OutboxEntry.email_id)
        .where(
            Email.training_session_id == session_id, OutboxEntry.state == QueueState.WAITING,
            OutboxEntry.attempt_count == 0,
            OutboxEntry.next_attempt_at > func.now() + func.make_interval(0, 0, 0, 0, 0, _AHEAD_MINUTES),
        )
    )  # fmt: skip
    return union_all(planned, put_off).subquery()


def _micros(moment: Any) -> Any:
    """A moment as a whole number, for the keyset."""
    return cast(extract("epoch", moment) * 1_000_000, BigInteger)


def _plans(ids: Sequence[int]) -> Sequence[PlannedEmail]:
    if not ids:
        return []
    query = select(PlannedEmail).where(PlannedEmail.id.in_(ids))
    return list(db.session.scalars(query.options(joinedload(PlannedEmail.contact), joinedload(PlannedEmail.email))))


def _emails(ids: Sequence[int]) -> list[Any]:
    if not ids:
        return []
    query = (
        select(Email, Address.name, Address.address, User.name, OutboxEntry.next_attempt_at)
        .join(Address, Address.id == Email.address_id)
        .join(OutboxEntry, OutboxEntry.email_id == Email.id)
        .outerjoin(User, User.id == Email.requested_by_id)
    )
    return list(db.session.execute(query.where(Email.id.in_(ids))))


def _of_plan(plan: PlannedEmail, training_session: TrainingSession, now: datetime) -> Line:
    return Line(
        at=plan.due_at, id=plan.public_id, type=plan.rule.label, recipient=plan.contact.name,
        address=plan.contact.email, contact=plan.contact.public_id, why=sentences.of_plan(plan), plan=plan,
        email=plan.email, may_leave=plans.may_leave(plan, training_session.state, now),
        may_cancel=plan.state in COMING,
    )  # fmt: skip


def _of_email(email: Email, name: str, address: str, by: str | None, at: datetime) -> Line:
    return Line(
        at=at, id=email.public_id, type=email.type, recipient=name or address, address=address if name else "",
        contact=None, why=[], email=email, by=by, may_leave=True, may_cancel=True,
    )  # fmt: skip
