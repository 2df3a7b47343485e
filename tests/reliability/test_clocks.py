"""T1: the clock of a machine that sends is a day off and jumps in the middle of a lease. What is promised by time
(leases, next tries, giving up) is kept by the database's clock.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from config import ROOT
from extensions import db, ring
from mail import outbox
from models.words import EventKind, Status
from tests.crew import Crew, Nursery
from tests.need import need
from tests.reliability.deeds import ask, come_true, copies, kinds, state
from tests.smtp_server import SmtpServer

LEASE = 3.0


class Clock:
    """The clock of one worker, moved by a file; the time that passes is true (monotonic)."""

    def __init__(self, path: Path) -> None:
        need("faketime")
        self.path = path
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        self.settings = {
            "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
        self.jump("+0")

    def jump(self, by: str) -> None:
        """Be off by `+1d`, `-1d` … from now on."""
        half = self.path.with_suffix(".new")
        half.write_text(by)
        half.rename(self.path)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def worker(app: Flask, nursery: Nursery, server: SmtpServer, clock: Clock) -> Iterator[subprocess.Popen[bytes]]:
    """`worker.py send` by that clock; the test's own process and the database keep the true one."""
    env = Crew(nursery, app, server.port, SILLAGE_LEASE=str(LEASE), SMTP_DATA_TIMEOUT="30").environment | clock.settings
    process = subprocess.Popen([sys.executable, "worker.py", "send"], cwd=ROOT, env=env, start_new_session=True)
    yield process
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)


def seconds_until(column: str, email_id: int) -> float:
    """How far off that moment of an e-mail in the queue is, by the database's clock."""
    query = f"SELECT extract(epoch FROM {column} - now())::float FROM outbox_entry WHERE email_id = :id"
    found = float(db.session.scalar(text(query), {"id": email_id}))
    db.session.rollback()
    return found


def test_t1_a_clock_that_is_a_day_off_and_jumps_in_a_lease(cassiopee, clock, worker, server):
    for day, number in (("+1d", 1), ("-1d", 2)):
        server.script.stop_at = "dot"
        (held,) = ask(cassiopee, f"zoe{number}@client.example")
        ring("drain", "send")
        come_true(server.stopped.is_set, 90, meanwhile=None)
        assert 0 < seconds_until("lease_until", held.id) < LEASE + 1
        clock.jump(day)  # in the lease
        until = time.monotonic() + 1.3 * LEASE
        while time.monotonic() < until:
            assert seconds_until("lease_until", held.id) < LEASE + 1
            assert outbox.reap() == 0, "its lease was lost though it lives"
            time.sleep(0.1)
        server.script.go.set()
        come_true(lambda email=held: state(email)[0] is Status.SENT)  # type: ignore[misc]
        _it_keeps_its_times(cassiopee, server)
        server.script.go.clear()
        server.stopped.clear()
    assert set(copies(server).values()) == {1} and len(copies(server)) == 4


def _it_keeps_its_times(house, server: SmtpServer) -> None:
    number = len(server.taken)
    (grey, tired) = ask(house, f"grey1.{number}@client.example", f"temp.{number}@client.example")
    # asked for long ago: by a clock a day ahead its two days would be over
    db.session.execute(
        text("UPDATE outbox_entry SET give_up_at = now() + interval '20 hours' WHERE email_id = :id"), {"id": tired.id}
    )
    db.session.commit()
    ring("drain", "send")
    come_true(lambda: kinds(grey)[-1] is EventKind.DEFERRED and len(kinds(tired)) > 1)
    assert 50 < seconds_until("next_attempt_at", grey.id) < 61, "no early resend, no late one"
    assert state(tired)[0] is Status.REQUESTED and 50 < seconds_until("next_attempt_at", tired.id) < 61
    db.session.execute(
        text("UPDATE outbox_entry SET next_attempt_at = now() WHERE email_id = :id"), {"id": grey.id}
    )
    db.session.commit()
    ring("drain", "send")
    come_true(lambda: state(grey)[0] is Status.SENT)
