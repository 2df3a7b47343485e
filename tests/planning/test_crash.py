"""A worker killed while plans become e-mails: none is lost, none goes twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta

from flask import Flask
from sqlalchemy import func, select

from config import ROOT
from extensions import db
from models import Email, Mailing, OutboxEntry, PlanState, Rule
from planning import clock, plans
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


def _worker(app: Flask) -> subprocess.Popen[bytes]:
    config = app.extensions["sillage"]
    environment = os.environ | {
        "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"], "REDIS_URL": config.redis_url, "MAIL_PORT": "1",
        "MAIL_SERVER": "127.0.0.1", "SECRET_KEY": config.secret_key, "SILLAGE_DATA": str(config.data),
        "SILLAGE_ENV": "test",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_workers_killed_between_the_email_and_its_plan(app, cassiopee):
    people = [learner(cassiopee, f"P{number}") for number in range(PEOPLE)]
    session = make_session(cassiopee, [coming(20)], people)
    switch_on(session, Rule.CONVOCATION)
    try:
        be(planned(session)[0].due_at)
        chance = random.Random(4)
        for _ in range(KILLS):
            worker = _worker(app)
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.05, 0.5))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            worker.stdout.close()
        plans.send_due(seconds=120)
    finally:
        clock.move(timedelta())
    made = planned(session)
    assert [plan.state for plan in made] == [PlanState.SENT] * PEOPLE
    assert len({plan.email_id for plan in made}) == PEOPLE
    for model in (Email, Mailing, OutboxEntry):
        assert db.session.scalar(select(func.count()).select_from(model)) == PEOPLE
