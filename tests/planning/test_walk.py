"""The demonstration's clock: everything leaves in turn on the way, and nothing moves in production."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from errors import Permanent
from extensions import db
from models import Email, PlanState, Rule
from planning import clock, walk
from tests.planning.making import coming, learner, make_session, planned, switch_on


@pytest.fixture(autouse=True)
def _the_real_clock(app: Flask):
    yield
    clock.move(timedelta())


def test_sixty_days_send_all_that_a_session_plans_in_turn(cassiopee):
    session = make_session(cassiopee, [coming(12)], [learner(cassiopee, "Léa"), learner(cassiopee, "Noé")])
    switch_on(session, *Rule)
    passed = list(walk.ahead(timedelta(days=60), patience=0))
    assert {one.state for one in passed} == {PlanState.SENT} and len(passed) == 16
    assert [one.at for one in passed] == sorted(one.at for one in passed)
    assert [plan.state for plan in planned(session)] == [PlanState.SENT] * 16
    assert db.session.scalar(select(func.count()).select_from(Email)) == 16
    assert clock.ahead() > timedelta(days=59)
    assert list(walk.ahead(timedelta(days=1), patience=0)) == []


def test_the_clock_does_not_move_in_production(app, cassiopee):
    kept = app.extensions["sillage"]
    clock.move(timedelta(days=3))
    app.extensions["sillage"] = replace(kept, env="production")
    try:
        assert clock.ahead() == timedelta()
        with pytest.raises(Permanent):
            list(walk.ahead(timedelta(days=1)))
        said = app.test_cli_runner().invoke(args=["clock", "--reset"])
        assert said.exit_code == 1 and "production" in said.output
    finally:
        app.extensions["sillage"] = kept


def test_the_command_says_what_left_and_where_the_clock_stands(app, cassiopee):
    session = make_session(cassiopee, [coming(12)], [learner(cassiopee, "Léa")])
    switch_on(session, Rule.CONVOCATION)
    said = app.test_cli_runner().invoke(args=["clock", "--days", "10"]).output.splitlines()
    assert "Convocation → Léa Test : Parti" in said[0] and len(said) == 2
    assert app.test_cli_runner().invoke(args=["clock", "--reset"]).output.rstrip().endswith("(heure réelle)")
