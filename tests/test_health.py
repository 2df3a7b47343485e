"""/healthz and /readyz: what the machinery asks."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from rq import Worker
from sqlalchemy import text

from extensions import QUEUES, db, queue, workers_alive
from tests.client import Browser
from tests.crew import Crew, Nursery


def register(app: Flask, name: str, queue_name: str, *, age: float = 0, pid: int | None = None) -> Worker:
    """A worker as RQ registers it, heard `age` seconds ago."""
    worker = Worker([queue(queue_name)], name=name, connection=app.extensions["redis"], serializer="json")
    worker.register_birth()
    heard = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    app.extensions["redis"].hset(worker.key, mapping={"last_heartbeat": heard, "pid": pid or os.getpid()})
    return worker


def test_healthz(client: Browser) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_ready_with_a_worker_for_each_queue(app: Flask, client: Browser) -> None:
    for name in QUEUES:
        register(app, f"w-{name}", name)
    answer = client.get("/readyz").json
    assert answer == {
        "status": "ready",
        "checks": {"database": True, "redis": True, "workers": {"send": True, "inbound": True, "work": True}},
    }


def test_not_ready_without_workers(client: Browser) -> None:
    answer = client.get("/readyz", status=503).json
    assert answer["checks"]["workers"] == {"send": False, "inbound": False, "work": False}


@pytest.mark.parametrize(("age", "pid"), [(600, None), (0, 2**22 + 1)])
def test_a_silent_or_killed_worker_does_not_count(app: Flask, age: float, pid: int | None) -> None:
    register(app, "w", "send", age=age, pid=pid)
    assert workers_alive()["send"] is False


def test_a_worker_of_another_machine_counts_while_heard(app: Flask) -> None:
    worker = register(app, "w", "send", pid=2**22 + 1)
    app.extensions["redis"].hset(worker.key, "hostname", f"not-{socket.gethostname()}")
    assert workers_alive()["send"] is True


def test_not_ready_before_the_newest_migration(app: Flask, client: Browser) -> None:
    for name in QUEUES:
        register(app, f"w-{name}", name)
    version = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    try:
        db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        db.session.commit()
        assert client.get("/readyz", status=503).json["checks"]["database"] is False
    finally:
        db.session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
        db.session.commit()


def test_a_real_idle_worker_is_heard_often_enough(app: Flask, nursery: Nursery) -> None:
    with Crew(nursery, app, port=1) as crew:
        process = crew.start("send")
        until = time.monotonic() + 60
        while not workers_alive()["send"]:
            assert process.alive, crew.said()
            assert time.monotonic() < until, "not heard"
            time.sleep(0.2)
        (worker,) = Worker.all(queue=queue("send"))
        # RQ listens until 15 s before the key would expire (60 s are added to it), then is heard again
        assert app.extensions["redis"].ttl(worker.key) - 60 - 15 <= 45
    assert workers_alive()["send"] is False


def test_pages_travel_small(client, cassiopee):
    client.sign_in(cassiopee.staff)
    whole = client.client.get("/sessions")
    small = client.client.get("/sessions", headers={"Accept-Encoding": "br, gzip"})
    assert small.headers["Content-Encoding"] == "br"
    assert len(small.data) < len(whole.data) / 2
    assert {"Accept-Encoding", "HX-Request"} <= {word.strip() for word in small.headers["Vary"].split(",")}
