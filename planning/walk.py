"""Planning's clock walks ahead for a demonstration, stopping at each plan's moment so that everything leaves in turn.

A jump over a session's start would only make its convocations late. The real clock, and what waits in the outbox, are
left alone; in production nothing moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from extensions import db
from models import OutboxEntry, PlannedEmail, PlanState
from planning import clock, plans

_STEP = timedelta(minutes=30)  # past what is held back, by quiet hours for one
_MOST_WAIT = 20.0


@dataclass(frozen=True)
class Passed:
    """What became of one plan on the way."""

    at: datetime
    label: str
    recipient: str
    state: PlanState


def ahead(by: timedelta, patience: float = _MOST_WAIT) -> Iterator[Passed]:
    """Move the clock ahead, minute of plan by minute of plan, and send what comes due; yields what became of each.

    Waits up to `patience` seconds for the workers to take each lot. Raises Permanent in production.
    """
    target = clock.now() + by
    clock.move(clock.ahead())  # refused in production before anything leaves
    known: set[int] = set()
    moment = clock.now()
    while True:
        due = _next(moment)
        if due is None or max(due, moment) > target:
            break
        moment = max(due, moment)
        _be(moment)
        waiting = _waiting(moment)
        plans.send_due(seconds=600)
        yield from _passed(waiting, moment, known)
        _let_leave(patience)
        if _waiting(moment):
            moment += _STEP
    _be(target)
    plans.send_due(seconds=600)


def _be(moment: datetime) -> None:
    clock.move(max(timedelta(), moment - (clock.now() - clock.ahead())))


def _next(moment: datetime) -> datetime | None:
    """The next due moment of all plans; now, for those that are late."""
    query = select(func.min(PlannedEmail.due_at)).where(PlannedEmail.state == PlanState.PLANNED)
    due = db.session.scalar(query)
    return max(due, moment) if due is not None else None


def _waiting(moment: datetime) -> list[int]:
    query = select(PlannedEmail.id).where(PlannedEmail.state == PlanState.PLANNED, PlannedEmail.due_at <= moment)
    return list(db.session.scalars(query.order_by(PlannedEmail.due_at, PlannedEmail.id)))


def _passed(ids: list[int], moment: datetime, known: set[int]) -> Iterator[Passed]:
    db.session.expire_all()
    query = select(PlannedEmail).where(PlannedEmail.id.in_(ids), PlannedEmail.state != PlanState.PLANNED)
    for plan in db.session.scalars(query.order_by(PlannedEmail.due_at, PlannedEmail.id)):
        if plan.id not in known:
            known.add(plan.id)
            yield Passed(moment, plan.rule.label, plan.contact.name, plan.state)


def _let_leave(patience: float) -> None:
    """Give the workers a moment to take what is due in the outbox."""
    until = time.monotonic() + patience
    query = select(OutboxEntry.email_id).where(
        OutboxEntry.attempt_count == 0, OutboxEntry.next_attempt_at <= func.clock_timestamp()
    )
    while time.monotonic() < until:
        db.session.rollback()  # to see what others have committed
        if db.session.scalar(query.limit(1)) is None:
            return
        time.sleep(0.2)
