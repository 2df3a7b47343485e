"""A year of sessions with a moved clock: what leaves, and when, against a plain list made by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from documents import evaluations
from extensions import db
from models import Email, EvaluationMoment, PlannedEmail, PlanState, Rule
from planning import clock, plans
from tests.planning.making import be, learner, make_session, switch_on
from tests.planning.test_rules import NEW_YORK, PARIS, by_hand

# (rule, days from the first day, days from the last day, hour), written down a second time on purpose
WRITTEN_DOWN = [
    ("convocation", -7, None, time(9)), ("convocation_reminder", -1, None, time(9)),
    ("evaluation_pre", -10, None, time(9)), ("evaluation_hot", None, 0, time(17)),
    ("evaluation_hot_reminder", None, 3, time(9)), ("certificate", None, 1, time(9)),
    ("evaluation_cold", None, 30, time(9)), ("evaluation_cold_reminder", None, 37, time(9)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _the_real_clock(app: Flask):
    yield
    clock.move(timedelta())


def expected(first: date, last: date, zone: ZoneInfo, answers: bool) -> list[tuple[datetime, str]]:
    """What leaves for one person, by hand: reminders only to who does not answer."""
    found = []
    for rule, before, after, hour in WRITTEN_DOWN:
        if answers and rule.endswith("_reminder") and rule.startswith("evaluation"):
            continue
        day = first + timedelta(days=before) if before is not None else last + timedelta(days=after or 0)
        found.append((by_hand(day, hour, zone), rule))
    return found


@pytest.mark.parametrize("zone", [PARIS, NEW_YORK])
def test_everything_that_leaves_in_a_year_leaves_at_its_minute(cassiopee, zone):
    cassiopee.organisation.timezone = str(zone)
    db.session.commit()
    wanted: list[tuple[datetime, str, int]] = []
    # Both changes of hour fall between a session and what is sent about it; some sessions hold the change itself.
    starts = [date(2027, 1, 20) + timedelta(days=37 * number) for number in range(8)]
    starts += [date(2027, 3, 13), date(2027, 3, 27), date(2027, 10, 30), date(2027, 11, 6)]
    for number, first in enumerate(starts):
        last = first + timedelta(days=number % 3)
        person = learner(cassiopee, f"P{number}")
        days = sorted({first, last})
        session = make_session(cassiopee, days, [person], title=f"Session {number}")
        switch_on(session, *Rule)
        wanted += [(at, rule, person.id) for at, rule in expected(first, last, zone, answers=number % 2 == 0)]
    seen: list[tuple[datetime, str, int]] = []
    known: set[int] = set()
    for at in sorted({at for at, _, _ in wanted}):
        be(at - timedelta(minutes=1))
        assert plans.send_due() == 0, at
        be(at)
        assert plans.send_due(seconds=600) == sum(1 for one in wanted if one[0] == at), at
        query = select(PlannedEmail).where(PlannedEmail.state == PlanState.SENT, PlannedEmail.id.not_in(known))
        for plan in db.session.scalars(query):
            known.add(plan.id)
            seen.append((at, plan.rule.value, plan.contact_id))
            _answer(plan)
        db.session.commit()
    assert sorted(seen) == sorted(wanted)
    be(datetime(2028, 6, 1, tzinfo=UTC))
    assert plans.send_due() == 0
    assert len(list(db.session.scalars(select(Email.id)))) == len(wanted)


def _answer(plan: PlannedEmail) -> None:
    """People of even number fill in what they are asked."""
    moments = {Rule.EVALUATION_HOT: EvaluationMoment.HOT, Rule.EVALUATION_COLD: EvaluationMoment.COLD}
    number = int(plan.contact.first_name.removeprefix("P"))
    if plan.rule in moments and number % 2 == 0:
        asked = evaluations.ensure(plan.training_session, plan.contact, moments[plan.rule])
        assert evaluations.answer(asked, 4)
