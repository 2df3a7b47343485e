"""Pace and fairness with a real drain and a real server: what it takes, in which order, over how many lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from extensions import db
from mail import accounts, claims
from mail.drain import drain
from mail.lines import Lane
from mail.manners import MOMENT
from mail.pace import Pace
from models.words import EventKind, QueueState, Reason, Status
from tests.mail.queue_rows import queue
from tests.mail.test_accounts import account
from tests.mail.test_pace import later, state
from tests.mail.test_sending import ask, entry, kinds, make_due
from tests.mail.test_sending import state as status
from tests.smtp_server import SmtpServer


@pytest.fixture
def server(app) -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        yield server
    app.extensions["tracked_mail"].port = 1


@contextmanager
def working(app, workers: int = 1) -> Iterator[None]:
    """So many workers drain until the end of the block."""
    over = threading.Event()
    threads = [threading.Thread(target=_drain, args=(app, over)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def _drain(app, over: threading.Event) -> None:
    with app.app_context():
        while not over.is_set():
            drain(over.is_set)


def until(true: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def recipients(server: SmtpServer) -> list[str]:
    return [taken.recipient for taken in server.taken]


def test_a_throttled_domain_rests_while_the_others_go_on(cassiopee, server):
    emails = ask(
        cassiopee, "throttle@slow.example", *[f"p{n}@slow.example" for n in range(12)],
        *[f"q{n}@other.example" for n in range(12)],
    )  # fmt: skip
    drain()
    assert status(emails[0]) == (Status.REQUESTED, Reason.THROTTLED)
    assert kinds(emails[0]) == [EventKind.REQUESTED, EventKind.DEFERRED]
    assert {status(email)[0] for email in emails[13:]} == {Status.SENT}
    waiting = [email for email in emails[1:13] if status(email)[0] is Status.REQUESTED]
    assert len(waiting) >= 4  # all but what was on the other lines
    for email in waiting:
        assert kinds(email) == [EventKind.REQUESTED] and entry(email).attempt_count == 0
    assert state("slow.example").slowed_at is not None
    db.session.delete(entry(emails[0]))  # it would be refused again, and slow its domain again
    make_due()
    before = len(server.taken)
    drain()
    assert len(server.taken) == before  # its moment is not over
    later(MOMENT)
    drain()
    assert before < len(server.taken) <= before + 3  # slot by slot: no burst


def test_a_server_that_takes_few_connections_is_not_pressed(cassiopee, server):
    server.script.refuse_over = 1
    server.script.delay = 0.01
    first = ask(cassiopee, *[f"p{n}@client.example" for n in range(30)])
    while {status(email)[0] for email in first} != {Status.SENT}:
        drain()
    assert all(kinds(email) == [EventKind.REQUESTED, EventKind.ACCEPTED] for email in first)
    assert state().slowed_lines == 1 and "too many connections" in state().words
    later(MOMENT + 1)
    before = server.connections
    second = ask(cassiopee, *[f"p{n}@client.example" for n in range(30)])
    drain()
    assert {status(email)[0] for email in second} == {Status.SENT}
    assert server.connections - before == 1


def test_workers_share_the_connections_of_an_account(cassiopee, app, server):
    app.extensions["sillage"] = replace(kept := app.extensions["sillage"], mail_connections=2)
    server.script.delay = 0.02
    most = 0
    try:
        emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(60)])
        with working(app, 3):

            def sent() -> bool:
                nonlocal most
                most = max(most, server.open_now)
                return len(server.taken) == len(emails)

            until(sent)
    finally:
        app.extensions["sillage"] = kept
    assert 1 <= most <= 2


def test_a_single_email_takes_the_next_slot_of_a_limited_account(cassiopee, boreale, app, server):
    app.extensions["sillage"] = replace(kept := app.extensions["sillage"], mail_per_minute=1200)
    try:
        Pace("first").beat({})
        ask(cassiopee, *[f"p{n}@bulk.example" for n in range(120)])
        with working(app):
            until(lambda: len(server.taken) >= 5)
            ask(boreale, "q@client.example")
            ask(cassiopee, "zoe@client.example")
            before = len(server.taken)
            until(lambda: {"q@client.example", "zoe@client.example"} <= set(recipients(server)))
            places = [recipients(server).index(one) - before for one in ("q@client.example", "zoe@client.example")]
    finally:
        app.extensions["sillage"] = kept
    assert max(places) <= 30


def test_a_single_email_passes_a_mailing_on_a_slow_server(cassiopee, boreale, app, server):
    """The mailing holds every line, and as much of it is at hand; the single e-mail is among the first to get one that
    is free again."""
    lines = app.extensions["sillage"].drain_connections
    server.script.delay, go = 0.5, threading.Event()
    ask(cassiopee, *[f"p{n}@bulk.example" for n in range(20 * lines)])
    with working(app):
        try:
            until(lambda: len(server.taken) >= 3 * lines)
            server.script.hold = go
            until(lambda: server.holding == lines)
            (single,) = ask(cassiopee, "q@client.example")
            until(lambda: (found := entry(single)) is not None and found.state is not QueueState.WAITING)  # it is known
            before = len(server.taken)
        finally:
            go.set()
        until(lambda: "q@client.example" in recipients(server))
    place = recipients(server).index("q@client.example") - before
    assert place < 3 * lines  # what was under way, what was said behind that, and no more than another turn


def test_single_emails_get_the_next_free_line(cassiopee):
    queue(cassiopee, 3)
    bulk = claims.claim("w", 3)
    singles = ask(cassiopee, "zoe@client.example", "abel@client.example")
    lane = Lane(accounts.house())
    for job in [*bulk, *claims.claim("w", 3)]:
        lane.add(job)
    assert [job.email_id for job in lane.ready] == [*(one.id for one in singles), *(job.email_id for job in bulk)]


def test_a_mailing_over_one_account_never_delays_another_account(cassiopee, boreale, app, server):
    """The house's server stands still; the other organisation's account goes on."""
    app.extensions["sillage"] = replace(kept := app.extensions["sillage"], smtp_timeout=60.0)
    with SmtpServer() as own:
        row = account(boreale, host="127.0.0.1", port=own.port, security="none", auth="none", secret=b"")
        boreale.sender.account_id = row.id
        db.session.commit()
        server.script.mute = True
        ask(cassiopee, *[f"p{n}@bulk.example" for n in range(60)])
        with working(app):
            emails = ask(boreale, *[f"q{n}@client.example" for n in range(20)])
            until(lambda: len(own.taken) == len(emails), 50)  # the other server's minute is not over
    app.extensions["sillage"] = kept
    db.session.execute(text("SELECT 1"))
