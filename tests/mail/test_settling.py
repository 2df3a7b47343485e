"""Settling: the lean statement says what tracking.RECORD says, arrays hold any words, and what an e-mail costs."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from extensions import db
from mail import outbox
from mail.drain import drain
from mail.fold import Fact
from mail.settling import Ledger, Settlement, Unsettled, array, settle
from mail.tracking import record
from models.words import EventKind, Reason
from tests.mail.test_fold import MOMENT, facts_of, new_email
from tests.mail.test_sending import ask, server  # noqa: F401 (a fixture)
from tests.smtp_server import SmtpServer

ACCEPTED = st.builds(
    Fact,
    st.just(0),
    st.just(EventKind.ACCEPTED),
    st.just("smtp"),
    st.sampled_from(["a", "b", "B", "é", "z"]),
    st.integers(0, 3).map(lambda n: MOMENT + timedelta(minutes=n)),
    attempt=st.sampled_from([1, 2]),
    smtp_code=st.just(250),
    enhanced_code=st.sampled_from([None, "2.0.0"]),
    diagnostic=st.sampled_from(["2.0.0 queued as {1,\"2\"}", "\\ \x00 é\nfin", "NULL", None, ""]),
    remote_host=st.sampled_from(["127.0.0.1", None]),
)
_ROW = text(
    "SELECT status, reason, marks, sent_at, status_rank, status_occurred_at, status_source, status_event_id, "
    "treated_at, (SELECT array_agg(ROW(kind, source, source_event_id, occurred_at, reason, attempt, smtp_code, "
    "enhanced_code, diagnostic, remote_host, data)::text ORDER BY id) FROM delivery_event WHERE email_id = email.id), "
    "(SELECT array_agg(ROW(type, reason, occurred_at)::text ORDER BY id) FROM webhook_delivery "
    "WHERE email_id = email.id) FROM email WHERE id = :id"
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(facts_of(0), max_size=4), accepted=st.lists(ACCEPTED, min_size=1, max_size=3),
    listened=st.booleans(), treated=st.none() | st.integers(0, 3),
)  # fmt: skip
def test_the_lean_statement_says_what_the_whole_one_says(cassiopee, before, accepted, listened, treated) -> None:
    db.session.execute(text("DELETE FROM webhook_endpoint"))
    if listened:
        db.session.execute(
            text("INSERT INTO webhook_endpoint (organisation_id, public_id, url, types, secret) VALUES "
                 "(:o, 'W-1', 'https://x.example', '{email.sent,email.failed,email.opened}', '-')"),
            {"o": cassiopee.id},
        )  # fmt: skip
    twins = [new_email(cassiopee), new_email(cassiopee)]
    for email_id in twins:
        record([replace(fact, email_id=email_id) for fact in before])
        if treated is not None:
            db.session.execute(
                text("UPDATE email SET treated_at = :at WHERE id = :id"),
                {"id": email_id, "at": MOMENT + timedelta(minutes=treated)},
            )
    db.session.commit()
    for fact in [*accepted, accepted[0]]:
        lean = Settlement(facts=[replace(fact, email_id=twins[0])])
        assert lean.plain
        settle("nobody", lean)
        record([replace(fact, email_id=twins[1])])
        db.session.commit()
    rows = [tuple(db.session.execute(_ROW, {"id": email_id}).one()) for email_id in twins]
    db.session.rollback()
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    "fact",
    [
        Fact(1, EventKind.ACCEPTED, "smtp", "a", MOMENT, Reason.SPAM),
        Fact(1, EventKind.ACCEPTED, "webhook:brevo", "a", MOMENT),
        Fact(1, EventKind.ACCEPTED, "smtp", "a", MOMENT, data={}),
        Fact(1, EventKind.DEFERRED, "smtp", "a", MOMENT),
        Fact(1, EventKind.ACCEPTED, "smtp", "a", MOMENT, inbound_message_id=1),
    ],
)
def test_only_plain_acceptances_take_the_lean_way(fact) -> None:
    plain = Fact(2, EventKind.ACCEPTED, "smtp", "a", MOMENT)
    assert Settlement(facts=[plain]).plain and Settlement().plain
    assert not Settlement(facts=[plain, fact]).plain
    assert not Settlement(facts=[plain, replace(plain, source_event_id="b")]).plain


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text(max_size=20), max_size=5))
@example(["NULL", "null", "", '"', "\\", "{}", "a,b", " ", "\x00", "\ud800", "\r\n"])
def test_an_array_holds_any_words(app, words) -> None:
    said = array(words).decode()
    found = db.session.execute(text("SELECT CAST(:said AS text[])"), {"said": said}).scalar_one()
    kept = [word and word.replace("\x00", "\ufffd").encode("utf-8", "replace").decode() for word in words]
    assert found == kept


def test_a_ledger_begins_anew_after_its_connection_was_cut(cassiopee) -> None:
    ids = [email.id for email in ask(cassiopee, "a@client.example", "b@client.example")]
    outbox.claim("w", 10)
    ledger = Ledger("w")
    try:
        assert _wait(ledger, Settlement(begun=ids[:1])) == set(ids[:1])
        db.session.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                 "AND pid <> pg_backend_pid()")
        )  # fmt: skip
        db.session.commit()
        with pytest.raises(Unsettled):
            _wait(ledger, Settlement(begun=ids[1:]))
        assert not ledger.busy
        assert _wait(ledger, Settlement(begun=ids)) == set(ids)
    finally:
        ledger.close()
        app_engine_forgets()


def app_engine_forgets() -> None:
    """The pools' connections were cut as well."""
    from flask import current_app

    db.session.rollback()
    db.engine.dispose()
    if "outbox_engine" in current_app.extensions:
        current_app.extensions["outbox_engine"].dispose()


def _wait(ledger: Ledger, settlement: Settlement) -> set[int]:
    from select import select

    ledger.begin(settlement)
    while (granted := ledger.pump()) is None:
        select([ledger.sock], [], [], 10)
    return granted


# --- what an e-mail costs ---


@contextlib.contextmanager
def heard(app, postgres) -> Iterator[list[str]]:
    """The first word of every statement that the tests' server was asked for within the block, by new connections."""
    name = db.engine.url.database
    said: list[str] = []
    db.session.execute(text(f"ALTER DATABASE {name} SET log_statement = 'all'"))
    db.session.commit()
    app_engine_forgets()
    start = postgres.log.stat().st_size
    try:
        yield said
    finally:
        said += re.findall(r"LOG:  (?:statement|execute [^:]*):\s+(\w+)", postgres.log.read_bytes()[start:].decode())
        db.session.execute(text(f"ALTER DATABASE {name} RESET log_statement"))
        db.session.commit()
        app_engine_forgets()


def test_what_an_email_costs(cassiopee, server: SmtpServer, app, postgres) -> None:  # noqa: F811
    """At most 3 statements and 1 commit an e-mail, each statement of the drain being one; 8 lines, 1 connection to the
    database of the settlement's, 1 of the claims'."""
    with heard(app, postgres) as alone:  # what a drain costs that finds nothing
        drain()
    ask(cassiopee, *[f"p{n}@client{n}.example" for n in range(200)], key=str(uuid.uuid4()))
    db.session.rollback()
    with heard(app, postgres) as said:
        drain()
    assert len(server.taken) == 200
    assert server.connections <= 8 + 2  # two of the eight were worn after 100 messages, at most
    assert (len(said) - len(alone)) / 200 <= 1
    assert said.count("WITH") / 200 <= 1  # claims and settlements, each a commit
