"""D1-D4: workers killed (kill -9) at an exact place of the dialogue. What was surely not taken leaves once; what nobody
can know is said to be unknown and never repeated."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from extensions import db, ring, settings
from mail import mailbox
from models import Email
from models.words import EventKind, Status
from places import started
from tests.crew import Crew, Nursery
from tests.mail.test_inbound import drop, report
from tests.reliability.deeds import ask, come_true, copies, kinds, none_waits, state, statuses
from tests.smtp_server import SmtpServer


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def crew(app: Flask, nursery: Nursery, server: SmtpServer) -> Iterator[Crew]:
    with Crew(nursery, app, server.port) as crew:
        yield crew


def stopped_at(crew: Crew, server: SmtpServer, house, place: str, *recipients: str):
    """(the e-mails, the worker that sends them), where the first of them has come to that place of the dialogue."""
    server.script.stop_at = place
    emails = ask(house, *(recipients or ["zoe@client.example"]))
    worker = crew.start("send")
    come_true(server.stopped.is_set, 60)
    return emails, worker


@pytest.mark.parametrize(
    ("place", "which"), [("accept", "horse"), ("greeting", "horse"), ("rcpt", "horse"), ("rcpt", "both")]
)
def test_d1_killed_before_the_dot_it_is_queued_and_leaves_once(cassiopee, crew, server, place, which):
    (email,), worker = stopped_at(crew, server, cassiopee, place)
    worker.kill(which)
    server.script.go.set()
    come_true(lambda: kinds(email)[-1] is EventKind.RELEASED)
    assert state(email)[0] is Status.REQUESTED
    if which == "both":
        crew.start("send")
    come_true(none_waits)
    assert state(email)[0] is Status.SENT
    seen = kinds(email)  # on a very busy machine a lease may run out once more before its line is open
    assert seen[0] is EventKind.REQUESTED and seen.count(EventKind.ACCEPTED) == 1
    assert set(seen) == {EventKind.REQUESTED, EventKind.RELEASED, EventKind.ACCEPTED}
    assert copies(server) == {"zoe@client.example": 1}


@pytest.mark.parametrize("place", ["dot", "taken"])
def test_d2_killed_between_the_dot_and_the_reply_it_is_unknown_until_a_report_comes(cassiopee, crew, server, place):
    """`dot`: the server has not taken it and never will; `taken`: it has. Nobody here can tell one from the other."""
    (email,), worker = stopped_at(crew, server, cassiopee, place)
    worker.kill("horse")
    if place == "taken":
        server.script.go.set()
    come_true(lambda: state(email)[0] is Status.UNCERTAIN)
    (other,) = ask(cassiopee, "other@client.example")
    come_true(none_waits)
    assert state(other)[0] is Status.SENT and state(email)[0] is Status.UNCERTAIN
    assert copies(server)["zoe@client.example"] == (place == "taken")  # never a second copy
    _a_report_comes(email, delivered=place == "taken")


def _a_report_comes(email: Email, delivered: bool) -> None:
    """The doubt ends by evidence: a report of the recipient's server about this very attempt."""
    action, status = ("delivered", "2.0.0") if delivered else ("failed", "5.1.1")
    path = drop(report(email, verp=True, action=action, status=status))
    assert mailbox.poll() == 1 and not path.exists()
    assert state(email)[0] is (Status.DELIVERED if delivered else Status.FAILED)


def test_d3_killed_after_the_250_before_its_commit_it_is_unknown_and_not_queued(cassiopee, crew, server):
    server.script.stop_at = "taken"
    (email,) = ask(cassiopee, "zoe@client.example")
    worker = crew.start("send")
    come_true(server.stopped.is_set, 60)
    engine = create_engine(settings().database_url)
    with engine.connect() as locked:
        # The settlement that records the 250 has to wait for this row: that is where the worker dies.
        locked.execute(text("SELECT 1 FROM email WHERE id = :id FOR UPDATE"), {"id": email.id})
        server.script.go.set()
        waits = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        come_true(lambda: bool(db.session.execute(text(waits)).all()), meanwhile=None)
        worker.kill()
        # PostgreSQL would end the dead worker's statement once the row is free: the wire broke before it arrived.
        db.session.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({waits}) AS waiting"))
        db.session.rollback()
    engine.dispose()
    crew.start("send")
    come_true(lambda: state(email)[0] is Status.UNCERTAIN)
    come_true(none_waits)
    assert kinds(email)[-1] is EventKind.OUTCOME_UNKNOWN and EventKind.ACCEPTED not in kinds(email)
    assert copies(server) == {"zoe@client.example": 1}


def test_d4_without_its_parent_a_horse_ends_its_line_and_takes_nothing_new(cassiopee, crew, server):
    """RQ's horse is in a process group of its own and outlives its parent: it must not become a second worker."""
    server.script.stop_at = "dot"
    emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(8)])
    # a second line would be opened beside one that waits long for its reply
    worker = crew.start("send", DRAIN_CONNECTIONS="1", SILLAGE_LEASE="20", SMTP_DATA_TIMEOUT="60")
    come_true(server.stopped.is_set, 60)
    worker.kill("parent")
    server.script.go.set()
    come_true(lambda: statuses()[Status.SENT] > 0)
    time.sleep(1.0)
    assert statuses()[Status.SENT] <= 2  # what was on the line, and what was announced with its dot
    crew.start("send")
    come_true(none_waits)
    assert statuses() == {Status.SENT: len(emails)}
    assert set(copies(server).values()) == {1} and len(copies(server)) == len(emails)


# A worker whose horse's first line comes only once the worker is dead.
_LATE = """
import os, time, worker
class Late(worker.HouseWorker):
    def main_work_horse(self, *job):
        while os.getppid() == self.pid:
            time.sleep(0.01)
        super().main_work_horse(*job)
worker.HouseWorker, worker.app = Late, worker.create_app()
worker.main(["send"])
"""


def test_d4_a_horse_born_an_orphan_takes_nothing(cassiopee, crew, server):
    """Whoever asks for its parent too late is told who took it in, and would never see itself as an orphan."""
    emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(8)])
    worker = crew.start("-c", _LATE)
    come_true(lambda: worker.horse() is not None, 60, meanwhile=None)
    horse = worker.horse()
    worker.kill("parent")
    come_true(lambda: started(horse) is None, 60, meanwhile=None)
    assert statuses() == {Status.REQUESTED: len(emails)} and server.connections == 0
    crew.start("send")
    ring("drain", "send")
    come_true(none_waits)
    assert statuses() == {Status.SENT: len(emails)}


@pytest.mark.parametrize("which", ["parent", "horse", "both"])
def test_d4_whoever_dies_in_the_middle_of_many_none_is_lost_or_doubled(cassiopee, crew, server, which):
    emails, worker = stopped_at(crew, server, cassiopee, "dot", *[f"p{n}@client.example" for n in range(40)])
    worker.kill(which)
    server.script.go.set()
    crew.start("send")
    ring("drain", "send")
    come_true(none_waits)
    found = [state(email)[0] for email in emails]
    lines = settings().drain_connections
    assert found.count(Status.UNCERTAIN) <= (0 if which == "parent" else lines)
    assert found.count(Status.SENT) + found.count(Status.UNCERTAIN) == len(emails)
    taken = copies(server)
    assert set(taken.values()) == {1}
    assert all(taken[f"p{n}@client.example"] for n in range(40) if found[n] is Status.SENT)
