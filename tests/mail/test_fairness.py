"""One organisation's fifty thousand never keep another's convocation waiting, nor its own, whatever limits it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from extensions import db
from mail import claims
from mail.drain import drain
from mail.pace import Pace
from models import Sender
from tests.mail.queue_rows import queue
from tests.mail.test_accounts import account
from tests.mail.test_pace import later, limit
from tests.mail.test_sending import ask
from tests.smtp_server import SmtpServer

MANY = 50_000
SETTLE = text("DELETE FROM outbox_entry WHERE state <> 'waiting'")


def take(number: int, **kwargs) -> list[claims.Claimed]:
    """What a worker claims; its sending is done at once."""
    found = claims.claim("w", number, **kwargs)
    db.session.execute(SETTLE)
    db.session.commit()
    return found


@pytest.fixture
def slots(app):
    """The house's account, by which both houses send, has 60 messages a minute; `slots()` lets the next slot come and
    gives what took it."""
    config = app.extensions["sillage"]
    app.extensions["sillage"] = replace(config, mail_per_minute=60)
    Pace("w").beat({})

    def next_slot() -> list[claims.Claimed]:
        db.session.execute(text("UPDATE pace SET next_at = now()"))
        db.session.commit()
        return take(20)

    yield next_slot
    app.extensions["sillage"] = config


def test_single_emails_pass_fifty_thousand_of_anybody(cassiopee, boreale):
    queue(cassiopee, MANY, age=3600)
    (theirs,) = ask(boreale, "q@client.example")
    (ours,) = ask(cassiopee, "zoe@client.example")
    assert {job.email_id for job in take(2)} == {theirs.id, ours.id}
    assert len(take(50)) == 50
    assert take(50, urgent=True) == []


def test_two_mailings_share_though_one_began_long_before(cassiopee, boreale):
    queue(cassiopee, MANY, age=3600)
    queue(boreale, 100, age=1)
    found = take(50)
    assert sum(job.organisation_id == boreale.id for job in found) == 25


def test_an_organisation_with_many_senders_has_one_turn(cassiopee, boreale):
    for n in range(4):
        sender = Sender(organisation_id=cassiopee.id, name="S", address=f"s{n}@cassiopee.example")
        db.session.add(sender)
        db.session.flush()
        queue(cassiopee, 100, sender=sender, age=3600)
    queue(boreale, 100, age=1)
    assert sum(job.organisation_id == boreale.id for job in take(50)) == 25


def test_a_limited_account_gives_its_next_slot_to_single_emails(cassiopee, boreale, slots):
    queue(cassiopee, MANY, age=3600)
    assert [job.priority for job in slots()] == [1]
    (theirs,) = ask(boreale, "q@client.example")
    assert [job.email_id for job in slots()] == [theirs.id]
    (ours,) = ask(cassiopee, "zoe@client.example")
    assert [job.email_id for job in slots()] == [ours.id]
    assert [job.priority for job in slots()] == [1]


def test_a_limited_account_serves_organisations_in_turn(cassiopee, boreale, slots):
    queue(cassiopee, MANY, age=3600)
    queue(boreale, 20, age=1)
    served = [job.organisation_id for _ in range(8) for job in slots()]
    assert len(served) == 8 and all(one != other for one, other in zip(served, served[1:], strict=False))


def test_a_flood_of_single_emails_takes_every_other_slot_at_most(cassiopee, boreale, slots):
    queue(cassiopee, MANY, priority=0, age=3600)
    slots()
    (theirs,) = ask(boreale, "q@client.example")
    assert theirs.id in [job.email_id for _ in range(2) for job in slots()]


def test_a_limited_domain_keeps_nobody_else_waiting(cassiopee, boreale):
    limit("slow.example", per_minute=1)  # no second slot comes while the test runs
    queue(cassiopee, MANY, domains=("slow.example",), age=3600)
    queue(cassiopee, 40, domains=("quick.example",), age=1)
    (theirs,) = ask(boreale, "q@client.example")
    assert theirs.id in [job.email_id for job in take(20)]
    found = [job.domain for _ in range(12) for job in take(20)]
    assert found.count("quick.example") == 40 and found.count("slow.example") <= 1
    (urgent,) = ask(boreale, "q@slow.example")
    db.session.execute(text("UPDATE pace SET next_at = now()"))
    db.session.commit()
    assert [job.email_id for job in take(20)] == [urgent.id]  # set apart when it is met, and served at once
    later(60)
    assert {job.priority for job in take(20)} == {1}


def test_an_account_that_is_full_or_paused_keeps_nobody_else_waiting(cassiopee, boreale):
    own = account(cassiopee).id
    cassiopee.sender.account_id = own
    queue(cassiopee, 100, age=3600)
    queue(boreale, 100, age=1)
    (urgent,) = ask(cassiopee, "zoe@client.example")
    assert {job.organisation_id for job in take(20, full=[own])} == {boreale.id}
    found = take(20, busy=[own])
    assert found[0].email_id == urgent.id and {job.organisation_id for job in found[1:]} == {boreale.id}
    cassiopee.sender.account_id = None
    db.session.execute(text("UPDATE sender SET paused_at = now() WHERE id = :id"), {"id": cassiopee.sender.id})
    db.session.commit()
    assert {job.organisation_id for job in take(20)} == {boreale.id}


def blocks(**values) -> int:
    """Blocks that a claim touches which finds nothing."""
    nobody = {"resting": [], "full": [], "busy": [], "urgent": False}
    values = {"owner": "w", "lease": 30, "house": None, "seed": 1, "limit": 50} | nobody | values
    with claims.engine().connect() as connection:
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claims._CLAIM}", values).one()
    (plan,) = json.loads(plan) if isinstance(plan, str) else plan
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


@pytest.mark.parametrize("what", ["limited domain", "limited account", "paused sender", "planned for later"])
def test_fifty_thousand_that_may_not_leave_are_not_walked_over(cassiopee, boreale, what):
    if what == "limited domain":
        limit("bulk.example", per_minute=6)
    elif what == "limited account":
        limit("", per_minute=None)
    elif what == "paused sender":
        db.session.execute(text("UPDATE sender SET paused_at = now() WHERE id = :id"), {"id": cassiopee.sender.id})
    queue(cassiopee, MANY, age=-3600 if what == "planned for later" else 60)
    if what == "limited domain":
        for _ in range(20):  # three looks of two thousand each
            take(50)
        assert not db.session.scalar(text("SELECT EXISTS (SELECT FROM outbox_entry WHERE lane = '')"))
    db.session.execute(text("ANALYZE outbox_entry"))
    db.session.execute(text("UPDATE pace SET next_at = now() + interval '1 hour'"))
    db.session.commit()
    assert claims.claim("w", 50) == []
    # its look at each queue; a walk over the entries would be tens of thousands
    assert blocks(house=6 if what == "limited account" else None) < 200


def test_interactive_emails_pass_a_mailing_on_a_slow_server(cassiopee, boreale, app):
    """One worker, one line, a server that takes its time: the single e-mail is among the next few."""
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        server.script.delay = 0.1
        ask(cassiopee, *[f"p{n}@bulk.example" for n in range(60)])
        over = threading.Event()
        worker = threading.Thread(target=_drain, args=(app, over.is_set))
        worker.start()
        _until(lambda: len(server.taken) >= 6)
        before = len(server.taken)
        ask(boreale, "q@client.example")
        _until(lambda: any(taken.recipient == "q@client.example" for taken in server.taken))
        waited = [taken.recipient for taken in server.taken].index("q@client.example") - before
        over.set()
        worker.join(60)
        app.extensions["tracked_mail"].port = 1
    assert waited <= 25  # a second's worth at hand, and what was on the lines


def _drain(app, stopping) -> None:
    """As the worker that its ring wakes again: here a drain ends after five seconds."""
    with app.app_context():
        while not stopping():
            drain(stopping)


def _until(true, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
