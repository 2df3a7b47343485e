"""T1: the worker, or its whole machine, stands still for a while (SIGSTOP, a sleeping laptop). What was answered
meanwhile is heard, though every deadline has passed and the lease has run out.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flask import Flask

from mail import accounts
from mail.conversation import Conversation, Envelope, Outcome, Wait
from mail.lines import Lane, Lines, Manners
from models.words import EventKind, Status
from tests.crew import Crew, Nursery
from tests.mail.test_transport import envelope
from tests.reliability.deeds import ask, come_true, copies, kinds, none_waits, statuses
from tests.smtp_server import SmtpServer

PATIENCE = 4.0  # of the worker with the reply to a whole message


def test_t1_what_was_answered_while_the_worker_stood_still_is_heard(cassiopee, app, nursery: Nursery, server) -> None:
    server.script.stop_at = "dot"
    with Crew(nursery, app, server.port, DRAIN_CONNECTIONS="1", SMTP_DATA_TIMEOUT=f"{PATIENCE:.0f}") as crew:
        emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(3)])
        worker = crew.start("send")
        come_true(server.stopped.is_set, 60, meanwhile=None)
        horse = worker.horse()
        assert horse is not None
        os.kill(horse, signal.SIGSTOP)
        stopped = time.monotonic()
        server.script.go.set()
        come_true(lambda: len(server.taken) == 1, meanwhile=None)
        come_true(lambda: statuses()[Status.UNCERTAIN] == 1)  # its lease has run out: nobody else can know
        time.sleep(max(0.0, stopped + PATIENCE + 0.5 - time.monotonic()))
        os.kill(horse, signal.SIGCONT)
        come_true(none_waits)
        come_true(lambda: statuses() == {Status.SENT: 3})
    assert set(copies(server).values()) == {1}
    first = next(email for email in emails if EventKind.OUTCOME_UNKNOWN in kinds(email))
    assert kinds(first)[-1] is EventKind.ACCEPTED


class Told:
    """Lines to the house's account with one e-mail to say, moved by hand to where its dot's reply is awaited."""

    def __init__(self, app: Flask) -> None:
        self.outcomes: list[Outcome] = []
        self.waiting = [envelope(1)]
        self.lines = Lines(
            app.extensions["tracked_mail"], Manners(30.0, 1.0, 1), self.take, lambda _, outcome: self.told(outcome),
            lambda _, error: pytest.fail(str(error)), lambda _: 1, lambda _: None,
        )  # fmt: skip
        self.lines.lane(accounts.house()).add(self.waiting[0].job)
        self.talk = self._dotted()

    def take(self, lane: Lane) -> Envelope | None:
        lane.ready.clear()
        return self.waiting.pop() if self.waiting else None

    def told(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def _dotted(self) -> Conversation:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            self.lines.work(time.monotonic())
            self.lines.turn(0.05)
            marked, self.lines.marking = list(self.lines.marking.items()), {}
            self.lines.grant(marked, {1})
            for talk in self.lines.lanes[None].talks:
                if talk.waits is Wait.FINAL_REPLY:
                    return talk
        raise AssertionError("its dot has not left")


@pytest.fixture
def told(app: Flask, server: SmtpServer) -> Iterator[Told]:
    server.script.stop_at = "dot"
    told = Told(app)
    yield told
    told.lines.end()


def test_t1_no_server_is_late_with_what_has_arrived(told: Told, server: SmtpServer) -> None:
    server.script.go.set()
    sock = told.talk.line.sock
    sock.setblocking(True)
    sock.settimeout(30)
    assert sock.recv(3, socket.MSG_PEEK) == b"250"  # it is there, and nobody has read it
    sock.setblocking(False)
    told.lines.expire(time.monotonic() + 1.5)
    assert [outcome.kind for outcome in told.outcomes] == ["accepted"]


def test_t1_no_server_is_late_for_the_time_in_which_nobody_listened(told: Told) -> None:
    now = time.monotonic()
    told.lines.expire(now + 3600)
    assert told.outcomes == [] and not told.talk.over
    told.lines.expire(now + 3601.5)
    assert [outcome.kind for outcome in told.outcomes] == ["unknown"]


def test_more_lines_come_with_the_look_that_tells_which_domains_hold_them_up(told: Told, monkeypatch) -> None:
    """Between the two, a line that came early was given to the very domain that holds the others up."""
    lane, deadline = told.lines.lanes[None], told.lines.lanes[None].talks[told.talk]
    told.lines.expire(deadline - 0.9)
    monkeypatch.setattr("mail.lines.time", SimpleNamespace(monotonic=lambda: deadline - 0.1))
    assert (told.lines.room(lane), lane.stuck) == (0, frozenset())
    told.lines.expire(deadline - 0.1)
    assert (told.lines.room(lane), lane.stuck) == (1, {envelope(1).job.domain})
