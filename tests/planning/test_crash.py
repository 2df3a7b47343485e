"""A worker killed while plans become e-mails: none is lost, none goes twice."""

from __future__ import annotations

import random
import time
from datetime import timedelta

from sqlalchemy import func, select

from extensions import db
from local.processes import wait_until
from models import Email, Mailing, OutboxEntry, PlanState, Rule
from planning import clock, plans
from tests.crew import Crew
from tests.planning.making import be, coming, learner, make_session, planned, switch_on

PEOPLE, KILLS = 12, 6
_PROGRAM = """
from app import create_app
from planning import plans
app = create_app()
with app.app_context():
    print("ready", flush=True)
    plans.send_due()
"""


def test_workers_killed_between_the_email_and_its_plan(app, cassiopee, nursery):
    people = [learner(cassiopee, f"P{number}") for number in range(PEOPLE)]
    session = make_session(cassiopee, [coming(20)], people)
    switch_on(session, Rule.CONVOCATION)
    try:
        be(planned(session)[0].due_at)
        chance = random.Random(4)
        with Crew(nursery, app, port=1) as crew:
            for begun in range(KILLS):
                worker = crew.start("-c", _PROGRAM)
                assert wait_until(lambda begun=begun: crew.said().count("ready") > begun, 60), crew.said()
                time.sleep(chance.uniform(0.05, 0.5))
                worker.kill()
        plans.send_due(seconds=120)
    finally:
        clock.move(timedelta())
    made = planned(session)
    assert [plan.state for plan in made] == [PlanState.SENT] * PEOPLE
    assert len({plan.email_id for plan in made}) == PEOPLE
    for model in (Email, Mailing, OutboxEntry):
        assert db.session.scalar(select(func.count()).select_from(model)) == PEOPLE
