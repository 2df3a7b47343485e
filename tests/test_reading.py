"""A request that only read keeps what its connection has prepared; what a GET wrote uncommitted is rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text, update

from blueprints import reading
from extensions import db
from models import Organisation
from tests.client import Browser
from tests.conftest import House


def driver() -> Any:
    return db.session.connection().connection.dbapi_connection


def test_pages_of_the_history_are_planned_once(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff)
    db.session.remove()
    with db.engine.connect(), db.engine.connect():
        pass  # two wait in the pool: the one that was used last is taken again
    client.get("/emails")
    process = driver().info.backend_pid
    client.get("/emails?status=error")
    assert driver().info.backend_pid == process
    found = db.session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    assert len([statement for statement in found if "MATERIALIZED" in statement]) >= 2
    assert not [statement for statement in found if 'FROM "user"' in statement], "planned for its values"


def test_a_server_that_dies_after_the_answer_was_made_spoils_it_not(
    client: Browser, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_raw: Any) -> None:
        raise psycopg.OperationalError("the connection is lost")

    client.sign_in(cassiopee.staff)
    db.session.remove()
    monkeypatch.setattr(reading, "commit", gone)
    client.get("/emails", status=200)


def by_flush(house_id: int) -> None:
    db.session.get_one(Organisation, house_id).name = "Written by a GET"
    db.session.flush()


def by_statement(house_id: int) -> None:
    db.session.get_one(Organisation, house_id)
    at_once(house_id)


def at_once(house_id: int) -> None:
    """Nothing was asked before, so the transaction begins with it."""
    db.session.execute(update(Organisation).where(Organisation.id == house_id).values(name="Written by a GET"))


def after_a_commit(house_id: int) -> None:
    db.session.get_one(Organisation, house_id)
    db.session.commit()
    at_once(house_id)


def by_text(_house_id: int) -> None:
    db.session.execute(text("WITH one AS (UPDATE organisation SET name = 'Written by a GET') SELECT 1"))


@pytest.mark.parametrize("write", [by_flush, by_statement, at_once, after_a_commit, by_text])
def test_what_a_get_wrote_and_did_not_commit_is_not_kept(
    app: Flask, cassiopee: House, write: Callable[[int], None]
) -> None:
    house_id = cassiopee.organisation.id
    db.session.remove()
    with app.test_request_context("/"):
        write(house_id)
    db.session.remove()
    assert db.session.get_one(Organisation, house_id).name == "Atelier Cassiopée"
