"""What will leave today by itself, for the dashboard: plans by session and rule, and e-mails put off to an hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from extensions import db
from models import Organisation, OutboxEntry, PlannedEmail, PlanState, Rule, TrainingSession
from planning import clock


@dataclass(frozen=True)
class Lot:
    """The e-mails that one rule sends about one session; `at` is when the first leaves."""

    public_id: str
    title: str
    rule: Rule
    count: int
    at: datetime


@dataclass(frozen=True)
class Agenda:
    """The rest of the organisation's day: plans, and how many e-mails written by hand wait for an hour of it."""

    lots: tuple[Lot, ...]
    put_off: int

    @property
    def count(self) -> int:
        return sum(lot.count for lot in self.lots) + self.put_off


def today(organisation: Organisation, now: datetime | None = None, most: int = 50) -> Agenda:
    """What leaves before the organisation's midnight: two statements."""
    now = now or datetime.now(UTC) + clock.ahead()
    zone = ZoneInfo(organisation.timezone)
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    first = func.min(PlannedEmail.due_at)
    plans = (
        select(TrainingSession.public_id, TrainingSession.title, PlannedEmail.rule, func.count(), first)
        .join(TrainingSession, TrainingSession.id == PlannedEmail.training_session_id)
        .where(
            PlannedEmail.organisation_id == organisation.id, PlannedEmail.state == PlanState.PLANNED,
            PlannedEmail.due_at < midnight,
        )
        .group_by(TrainingSession.id, PlannedEmail.rule)
        .order_by(first, TrainingSession.id)
        .limit(most)
    )  # fmt: skip
    put_off = select(func.count()).select_from(OutboxEntry).where(
        OutboxEntry.organisation_id == organisation.id, OutboxEntry.attempt_count == 0,
        OutboxEntry.next_attempt_at > now, OutboxEntry.next_attempt_at < midnight,
    )  # fmt: skip
    lots = tuple(Lot(*row) for row in db.session.execute(plans))
    return Agenda(lots, db.session.scalar(put_off) or 0)
