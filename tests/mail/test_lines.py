"""Lines by account: kept, worn, refused; a dead, mute or stalled one keeps no other e-mail waiting."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import text

from extensions import db
from mail.drain import drain
from models import Auth, Security, Sender, SmtpAccount
from models.words import Reason, Status
from tests.auth_server import AuthServer
from tests.mail.test_sending import ask, entry, server, state  # noqa: F401 (a fixture)
from tests.smtp_server import Script, SmtpServer


def account(house, port: int, **columns) -> SmtpAccount:
    """An account of the house's own, which its sender leaves by."""
    made = SmtpAccount(
        organisation_id=house.id, name=f"port {port}", host="127.0.0.1", port=port, security=Security.NONE,
        **{"auth": Auth.NONE, **columns},
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    house.sender.account_id = made.id
    db.session.commit()
    return made


@pytest.fixture
def quick(app):
    """Settings that a test may change for its own duration."""
    before = app.extensions["sillage"]
    mail = app.extensions["tracked_mail"]

    def change(**values) -> None:
        app.extensions["sillage"] = mail.config = replace(app.extensions["sillage"], **values)

    yield change
    app.extensions["sillage"] = mail.config = before


def test_each_sender_leaves_by_its_account(cassiopee, boreale, server):  # noqa: F811
    with SmtpServer() as theirs:
        account(boreale, theirs.port)
        ask(cassiopee, "a@client.example")
        ask(boreale, "b@client.example")
        assert drain() == 2
        assert [t.recipient for t in server.taken] == ["a@client.example"]
        assert [t.recipient for t in theirs.taken] == ["b@client.example"]


@pytest.mark.parametrize("how", ["dead", "mute"])
def test_an_account_that_cannot_be_reached_keeps_no_other_waiting(cassiopee, boreale, server, quick, how):  # noqa: F811
    quick(smtp_timeout=5.0)
    with socket.socket() as closed, SmtpServer(Script(mute=True)) as mute:
        closed.bind(("127.0.0.1", 0))
        account(boreale, mute.port if how == "mute" else closed.getsockname()[1])
        lost = ask(boreale, "b@client.example", "c@client.example")
        emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(20)])
        drain()
        assert {state(email)[0] for email in emails} == {Status.SENT}
        assert {state(email)[0] for email in lost} == {Status.REQUESTED}
        if how == "mute":
            assert _moments(emails, "accepted")[-1] < _moments(lost, "deferred")[0]
        assert sorted(entry(email).attempt_count for email in lost) == [0, 1]


def test_a_refused_password_stops_every_sender_of_the_account_and_nobody_else(cassiopee, boreale, server):  # noqa: F811
    with AuthServer(users={}) as theirs:
        of_account = account(boreale, theirs.port, auth=Auth.PASSWORD, username="zoe", secret=_sealed())
        second = Sender(organisation_id=boreale.id, name="B", address="b@boreale.example", account_id=of_account.id)
        quiet = Sender(organisation_id=boreale.id, name="C", address="c@boreale.example", account_id=of_account.id)
        db.session.add_all([second, quiet])
        db.session.commit()
        emails = ask(boreale, "p@client.example")
        boreale.sender, first = second, boreale.sender
        emails += ask(boreale, "q@client.example")
        (mine,) = ask(cassiopee, "r@client.example")
        drain()
        assert state(mine)[0] is Status.SENT
        assert {state(email)[0] for email in emails} == {Status.REQUESTED}
        assert [entry(email).attempt_count for email in emails] == [0, 0]
        assert "535" in first.paused_why and first.paused_why == second.paused_why
        assert quiet.paused_at is None and cassiopee.sender.paused_at is None


def _sealed() -> bytes:
    from mail import accounts

    return accounts.seal("secret")


def test_a_line_is_left_after_its_share_of_messages(cassiopee, server, app):  # noqa: F811
    with SmtpServer() as theirs:
        account(cassiopee, theirs.port, messages_per_connection=5, connections=1)
        emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(12)])
        drain()
        assert {state(email)[0] for email in emails} == {Status.SENT}
        assert theirs.connections == 3


def test_stalled_recipients_leave_lines_to_the_others(cassiopee, server, quick):  # noqa: F811
    """Four lines, a dozen e-mails whose dot is never answered: the others leave before the first is given up, and the
    domain gets no further line than those it had while nobody could know, twice the allowance at most."""
    quick(drain_connections=4, smtp_data_timeout=6.0, drain_time=20.0)
    stalled = ask(cassiopee, *["stall-data@slow.example"] * 12)
    others = ask(cassiopee, *[f"p{n}@client.example" for n in range(5)])
    drain()
    assert {state(email)[0] for email in others} == {Status.SENT}
    assert _moments(others, "accepted")[-1] < _moments(stalled, "outcome_unknown")[0]
    told = [state(email)[0] for email in stalled]
    assert told.count(Status.UNCERTAIN) <= 8
    assert set(told) == {Status.UNCERTAIN, Status.REQUESTED}


def _moments(emails, kind: str) -> list[datetime]:
    """When that happened to any of them, the first first."""
    told = text("SELECT occurred_at FROM delivery_event WHERE email_id = ANY(:ids) AND kind = :kind ORDER BY 1")
    return list(db.session.scalars(told, {"ids": [email.id for email in emails], "kind": kind}))


def test_an_address_the_server_cannot_be_told_is_refused_with_a_reason(cassiopee, server):  # noqa: F811
    emails = ask(cassiopee, "zoé@client.example", "a@client.example")
    drain()
    assert state(emails[0]) == (Status.FAILED, Reason.ADDRESS_SYNTAX) and state(emails[1])[0] is Status.SENT
    assert "SMTPUTF8" in db.session.scalars(
        text("SELECT diagnostic FROM delivery_event WHERE reason = 'address_syntax'")
    ).one()  # fmt: skip
    assert entry(emails[0]) is None and len(server.taken) == 1
    server.script = Script(extensions=("SMTPUTF8", "8BITMIME"))
    (again,) = ask(cassiopee, "zoé@client.example")
    drain()
    assert state(again)[0] is Status.SENT
