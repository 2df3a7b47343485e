"""P2: somebody else takes the rows that we write, in another order: PostgreSQL ends one of the two, and that is us.

Each deadlock is made step by step, so that ours is the last to wait and the one that finds it: rows of e-mails are held
one by one, who waits for whom is asked of PostgreSQL, and no wait is without its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from flask import Flask
from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import OperationalError

from extensions import db
from mail.drain import Drain
from mail.providers import ledger
from models.provider import Heard
from models.words import EventKind, Status
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.test_told import about, account, outcomes, post_email, status, tell
from tests.mail.test_lines import quick  # noqa: F401 (a fixture)
from tests.reliability.deeds import ask, come_true, copies, kinds, none_waits, statuses
from tests.smtp_server import SmtpServer

_NEVER = "SET deadlock_timeout = '1h'"  # whoever waits for us looks for a deadlock, we do not
_LOCK = text("SELECT FROM email WHERE id = :id FOR UPDATE")
_BOUNDED = "SET lock_timeout = '60s'"


class Rows:
    """E-mails' rows, each held by a connection of its own."""

    def __init__(self, ids: list[int], stack: ExitStack) -> None:
        self.held: dict[int, Connection] = {}
        self.pids: dict[int, int] = {}
        for id in ids:
            connection = stack.enter_context(db.engine.connect())
            stack.callback(connection.invalidate)  # its settings leave with it
            for setting in (_NEVER, _BOUNDED):
                connection.execute(text(setting))
            self.pids[id] = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            connection.execute(_LOCK, {"id": id})
            self.held[id] = connection

    def waited_for(self) -> int | None:
        """The e-mail whose row somebody else waits for, if any does."""
        asked = text(
            "SELECT pid, pg_blocking_pids(pid) AS behind FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> ALL (:ours)"
        )
        rows = db.session.execute(asked, {"ours": list(self.pids.values())}).all()
        db.session.rollback()
        return next((id for id, pid in self.pids.items() for row in rows if pid in row.behind), None)

    def let_go(self, id: int) -> None:
        self.held[id].rollback()


def _finds_a_deadlock(rows: Rows, wanted: Callable[[int], tuple[TextClause, dict[str, int]]]) -> None:
    """Whoever we test waits for the first of two rows and needs the other next. The other's holder now wants what that
    one has, or is about to get (`wanted`, of the first e-mail), and the first row is let go of: the circle is closed
    by whoever we test."""
    come_true(lambda: rows.waited_for() is not None, meanwhile=None)
    first = rows.waited_for()
    assert first is not None
    (second,) = set(rows.held) - {first}
    failed: list[Exception] = []

    def want() -> None:
        try:
            rows.held[second].execute(*wanted(first))
        except OperationalError as error:  # not one of ours to find
            failed.append(error)

    thread = threading.Thread(target=want)
    thread.start()
    mine = text("SELECT wait_event_type FROM pg_stat_activity WHERE pid = :pid")
    come_true(lambda: db.session.scalar(mine, {"pid": rows.pids[second]}) == "Lock", meanwhile=None)
    rows.let_go(first)
    thread.join(90)
    assert not thread.is_alive() and failed == []
    rows.let_go(second)


def test_p2_a_settlement_that_ends_in_a_deadlock_is_written_again(
    app: Flask, cassiopee: House, server: SmtpServer, quick: Callable[..., None], caplog: pytest.LogCaptureFixture  # noqa: F811
) -> None:  # fmt: skip
    """Two e-mails settled by one statement, somebody between them: it gives way, and is written again as it is."""
    quick(smtp_timeout=120.0, smtp_data_timeout=120.0, drain_linger=120.0, drain_time=300.0, lease=120.0)
    over = threading.Event()
    drains: list[Drain] = []

    def work() -> None:
        with app.app_context():
            drains.append(Drain(app.extensions["tracked_mail"], over.is_set))
            drains[0].run()

    first, others = threading.Event(), threading.Event()
    server.script.stop_at_dot = first
    worker = threading.Thread(target=work)
    worker.start()
    try:
        # each on a line of its own
        emails = ask(cassiopee, "p0@client.example")
        come_true(server.waiting.is_set, meanwhile=None)
        server.script.hold = others
        for n in (1, 2):
            emails += ask(cassiopee, f"p{n}@client.example")
            come_true(lambda n=n: server.holding == n, meanwhile=None)  # type: ignore[misc]
        ids = [email.id for email in emails]
        db.session.rollback()
        with ExitStack() as stack:
            rows = Rows(ids, stack)
            first.set()
            come_true(lambda: rows.waited_for() == ids[0], meanwhile=None)
            others.set()  # while the first one's settlement waits for its row, the two gather for the next
            come_true(lambda: len(drains[0].settlement.done) == 2, meanwhile=None)
            rows.held.pop(ids[0]).rollback()
            del rows.pids[ids[0]]
            _finds_a_deadlock(rows, lambda first: (_LOCK, {"id": first}))
        come_true(none_waits, meanwhile=None)
    finally:
        over.set()
        first.set()
        others.set()
        worker.join(90)
    assert not worker.is_alive()
    assert "deadlock detected" in caplog.text
    assert statuses() == {Status.SENT: 3} and set(copies(server).values()) == {1}
    assert all(kinds(email) == [EventKind.REQUESTED, EventKind.ACCEPTED] for email in emails)


def test_p2_a_deadlock_leaves_a_providers_calls_to_be_read_again(app: Flask, cassiopee: House) -> None:
    made = account(cassiopee, "brevo")
    emails = [post_email(cassiopee), post_email(cassiopee)]
    for email in emails:
        tell(app, made, about(email, documented.PAYLOADS["brevo"][1]))
    db.session.rollback()
    caught: list[OperationalError] = []

    def read() -> None:
        with app.app_context():
            try:
                ledger.apply()
            except OperationalError as error:
                caught.append(error)

    with ExitStack() as stack:
        rows = Rows([email.id for email in emails], stack)
        reader = threading.Thread(target=read)
        reader.start()
        _finds_a_deadlock(rows, lambda _: (text("SELECT FROM provider_call FOR UPDATE"), {}))
        reader.join(90)
        assert not reader.is_alive()
    assert [type(error.orig) for error in caught] == [DeadlockDetected]
    assert outcomes() == [] and ledger.due()
    ledger.apply()
    assert outcomes() == [Heard.APPLIED] * 2 and {status(email)[0] for email in emails} == {Status.DELIVERED}
