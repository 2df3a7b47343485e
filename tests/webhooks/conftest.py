"""A house that may send webhooks to this machine, a receiver, and an endpoint made as an admin makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import event, text

from extensions import db
from models import WebhookEndpoint
from models.webhook import TYPES
from tests.conftest import House
from tests.webhooks.receiver import Receiver
from webhooks import endpoints


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def loopback(app: Flask) -> Iterator[Flask]:
    """The app with receivers on this machine allowed, and a second and a half for each call."""
    before = app.extensions["sillage"]
    app.extensions["sillage"] = replace(before, webhook_loopback=True, webhook_timeout=1.5)
    yield app
    app.extensions["sillage"] = before


@pytest.fixture
def endpoint(loopback: Flask, cassiopee: House, receiver: Receiver) -> WebhookEndpoint:
    """An endpoint of Atelier Cassiopée that wants to hear everything."""
    return make(cassiopee, receiver.url("ok"))


def make(house: House, url: str, types: list[str] | None = None) -> WebhookEndpoint:
    made, secret = endpoints.create(house.admin, url, "Tableau de bord", list(TYPES) if types is None else types)
    db.session.commit()
    made.shown_secret = secret  # type: ignore[attr-defined]
    return made


def due() -> None:
    """Let everything that waits be due, and every endpoint rested."""
    db.session.rollback()
    db.session.execute(text("UPDATE webhook_delivery SET next_attempt_at = now() WHERE state = 'waiting'"))
    db.session.execute(text("UPDATE webhook_endpoint SET rest_until = NULL"))
    db.session.commit()


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_):  # type: ignore[no-untyped-def]
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)
