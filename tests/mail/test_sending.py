"""The outbox and its drain against a scriptable server: every row of the local protocol."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select, text

from extensions import db
from mail import outbox, post, tokens
from mail.compose import Draft
from mail.drain import drain
from models import DeliveryEvent, Email, OutboxEntry
from models.words import EventKind, QueueState, Reason, ReturnPath, Status
from tests.smtp_server import Script, SmtpServer


@pytest.fixture
def server(app: Flask):
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        yield server
    app.extensions["tracked_mail"].port = 1


def draft(recipient: str, **kwargs) -> Draft:
    values = {"name": "", "contact_id": None, "training_session_id": None, "type": "free", "subject": "Bonjour",
              "html": "<p>Bonjour</p>", "text": "Bonjour\n.point\n", "files": ()}  # fmt: skip
    return Draft(recipient=recipient, **(values | kwargs))


def ask(house, *recipients: str, key: str | None = None, words: str = "", **kwargs) -> list[Email]:
    extra = {"text": words, "html": ""} if words else {}
    emails = post(
        [draft(r, **extra) for r in recipients], organisation=house.organisation, sender=house.sender, by=house.staff,
        request_key=key or str(uuid.uuid4()), **kwargs,
    )  # fmt: skip
    db.session.commit()
    return emails


def state(email: Email) -> tuple[Status, Reason | None]:
    db.session.expire_all()
    return email.status, email.reason


def kinds(email: Email) -> list[EventKind]:
    query = select(DeliveryEvent.kind).where(DeliveryEvent.email_id == email.id).order_by(DeliveryEvent.id)
    return list(db.session.scalars(query))


def make_due() -> None:
    db.session.execute(text("UPDATE outbox_entry SET next_attempt_at = now() WHERE state = 'waiting'"))
    db.session.commit()


def entry(email: Email) -> OutboxEntry | None:
    db.session.expire_all()
    return db.session.get(OutboxEntry, email.id)


def test_an_email_leaves_once_with_its_keys(cassiopee, server):
    (email,) = ask(cassiopee, "zoe@client.example")
    assert state(email) == (Status.REQUESTED, None)
    assert drain() == 1
    assert state(email) == (Status.SENT, None)
    assert entry(email) is None
    (taken,) = server.taken
    assert taken.recipient == "zoe@client.example"
    local = taken.mail_from.split("@")[0]
    assert local.startswith("retours+") and tokens.read("verp", local.split("+")[1]) == email.id
    assert tokens.read("mid", taken.message_id[1:].split("@")[0]) == email.id
    assert f"ENVID={tokens.token('envid', email.id)}" in taken.options
    assert "NOTIFY=SUCCESS,FAILURE,DELAY" in taken.options
    assert b"\r\n.point\r\n" in taken.body
    event = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "accepted")).one()
    assert (event.smtp_code, event.enhanced_code, event.remote_host) == (250, "2.0.0", "127.0.0.1")
    assert "queued as Q1" in event.diagnostic
    assert email.sent_at == event.occurred_at
    assert drain() == 0 and len(server.taken) == 1


def test_the_same_press_twice_sends_once(cassiopee, server):
    first = ask(cassiopee, "a@client.example", key="k")
    second = ask(cassiopee, "a@client.example", key="k")
    assert [e.id for e in first] == [e.id for e in second]
    drain()
    assert len(server.taken) == 1


def test_senders_are_asked_anew_while_their_emails_are_at_hand(cassiopee, server, monkeypatch):
    monkeypatch.setattr("mail.drain._KNOWN", 0.0)
    ask(cassiopee, *(f"p{n}@client.example" for n in range(60)))
    assert drain() == 60
    assert len(server.taken) == 60


def test_the_return_path_follows_the_sender(cassiopee, server):
    cassiopee.sender.return_path = ReturnPath.OWN
    db.session.commit()
    ask(cassiopee, "a@client.example")
    drain()
    assert server.taken[0].mail_from == "formation@cassiopee.example"


@pytest.mark.parametrize(
    ("recipient", "status", "reason"),
    [
        ("perm@client.example", Status.FAILED, Reason.USER_UNKNOWN),
        ("data5@client.example", Status.UNDELIVERABLE, Reason.SPAM),
        ("multi-line@client.example", Status.UNDELIVERABLE, None),
        ("drop-dot@client.example", Status.UNCERTAIN, None),
        ("lose-dot@client.example", Status.UNCERTAIN, None),
        ("stall-data@client.example", Status.UNCERTAIN, None),
        ("drop-250@client.example", Status.SENT, None),
        ("slow@client.example", Status.SENT, None),
        ("drop-rcpt@client.example", Status.REQUESTED, Reason.UNREACHABLE),
        ("drop-body@client.example", Status.REQUESTED, Reason.UNREACHABLE),
        ("temp@client.example", Status.REQUESTED, None),
        ("quota@client.example", Status.REQUESTED, Reason.MAILBOX_FULL),
        ("throttle@client.example", Status.REQUESTED, Reason.THROTTLED),
        ("grey1@client.example", Status.REQUESTED, Reason.GREYLISTED),
    ],
)
def test_each_behaviour_gives_its_status_and_the_others_go_on(cassiopee, server, recipient, status, reason):
    long = "drop-body" in recipient  # more than the sockets' buffers hold, so that the dot is still to come
    # the last at another domain: what asks to slow down holds up its own for a moment
    (first,), (last,) = ask(cassiopee, "first@client.example"), ask(cassiopee, "last@other.example")
    emails = [first, *ask(cassiopee, recipient, words="mot " * 3_000_000 * long), last]
    drain()
    seen = [state(email) for email in emails]
    assert seen[0][0] is Status.SENT and seen[2][0] is Status.SENT
    assert seen[1][0] is status
    if reason is not None:
        assert seen[1][1] is reason
    waiting = entry(emails[1])
    if status is Status.REQUESTED:
        assert waiting.state is QueueState.WAITING and waiting.attempt_count == 1
        assert waiting.next_attempt_at > emails[1].created_at
        assert kinds(emails[1]) == [EventKind.REQUESTED, EventKind.DEFERRED]
    else:
        assert waiting is None
    drain()
    make_due()
    assert [t.recipient for t in server.taken].count("first@client.example") == 1
    assert [t.recipient for t in server.taken].count(recipient) <= 1


def test_greylisting_is_got_over(cassiopee, server):
    (email,) = ask(cassiopee, "grey2@client.example")
    for _ in range(3):
        make_due()
        drain()
    assert state(email)[0] is Status.SENT
    assert kinds(email) == [EventKind.REQUESTED, EventKind.DEFERRED, EventKind.DEFERRED, EventKind.ACCEPTED]
    assert len(server.taken) == 1


def test_tries_are_used_up_after_two_days(cassiopee, server):
    (email,) = ask(cassiopee, "temp@client.example")
    db.session.execute(text("UPDATE outbox_entry SET give_up_at = now()"))
    db.session.commit()
    drain()
    assert state(email) == (Status.UNDELIVERABLE, Reason.EXPIRED)
    assert entry(email) is None


def test_a_full_box_for_two_days_says_so(cassiopee, server):
    (email,) = ask(cassiopee, "quota@client.example")
    db.session.execute(text("UPDATE outbox_entry SET give_up_at = now()"))
    db.session.commit()
    drain()
    assert state(email) == (Status.UNDELIVERABLE, Reason.MAILBOX_FULL)


def test_a_refused_sender_stops_its_queue_once(cassiopee, boreale, server):
    server.script.mail_refused = "550 5.7.1 sender address rejected: not owned by user"
    emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(5)])
    drain()
    states = [state(email)[0] for email in emails]
    assert states.count(Status.FAILED) >= 1 and states.count(Status.REQUESTED) >= 1
    db.session.refresh(cassiopee.sender)
    assert "not owned by user" in cassiopee.sender.paused_why
    server.script.mail_refused = ""
    make_due()
    drain()
    assert server.taken == []
    (theirs,) = ask(boreale, "q@client.example")
    drain()
    assert state(theirs)[0] is Status.SENT
    outbox.resume(cassiopee.sender)
    db.session.commit()
    drain()
    assert {state(e)[0] for e in emails} == {Status.FAILED, Status.SENT}


def test_a_server_that_is_down_leaves_everything_waiting(cassiopee, app):
    emails = ask(cassiopee, "a@client.example", "b@client.example")
    drain()
    assert [state(e)[0] for e in emails] == [Status.REQUESTED] * 2
    assert sorted(entry(e).attempt_count for e in emails) == [0, 1]


def test_a_mute_server_lets_the_worker_go(cassiopee, server):
    server.script.mute = True
    (email,) = ask(cassiopee, "a@client.example")
    drain()
    assert state(email) == (Status.REQUESTED, Reason.UNREACHABLE)


@pytest.mark.parametrize("extensions", [(), ("SIZE 1000000",), ("PIPELINING",), ("DSN",)])
def test_servers_with_few_extensions_are_served(cassiopee, server, extensions):
    server.script = Script(extensions=extensions)
    emails = ask(cassiopee, "a@client.example", "perm@client.example", "data5@x.example", "b@client.example")
    drain()
    assert [state(e)[0] for e in emails] == [Status.SENT, Status.FAILED, Status.UNDELIVERABLE, Status.SENT]
    assert sorted(t.recipient for t in server.taken) == ["a@client.example", "b@client.example"]


def test_too_many_connections_do_not_defer_what_others_can_carry(cassiopee, server):
    server.script.refuse_over = 1
    emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(30)])
    drain()
    assert {state(e)[0] for e in emails} == {Status.SENT}


def test_a_hanging_line_does_not_stop_the_others(cassiopee, server, app):
    server.script.stop_at_dot = threading.Event()
    stop = server.script.stop_at_dot
    emails = ask(cassiopee, "hang@client.example")
    worker = threading.Thread(target=_in_context, args=(app, drain), daemon=True)
    worker.start()
    assert server.waiting.wait(60)
    deadline = time.monotonic() + 60
    emails += ask(cassiopee, "quick@client.example")
    while state(emails[1])[0] is not Status.SENT and time.monotonic() < deadline:
        db.session.rollback()
        time.sleep(0.02)
    assert state(emails[1])[0] is Status.SENT
    assert state(emails[0])[0] is Status.REQUESTED
    db.session.rollback()
    stop.set()
    worker.join(60)
    assert state(emails[0])[0] is Status.SENT


@pytest.mark.parametrize("extensions", [Script().extensions, ("8BITMIME",)])
def test_a_line_that_rested_after_a_refusal_serves_the_next(cassiopee, server, app, monkeypatch, extensions):
    """The refused recipient's envelope is still open on the server: MAIL anew would be a bad sequence of commands."""
    server.script.extensions = extensions
    monkeypatch.setitem(app.extensions, "sillage", replace(app.extensions["sillage"], drain_linger=60))
    over = threading.Event()
    worker = threading.Thread(target=_in_context, args=(app, lambda: drain(over.is_set)), daemon=True)
    worker.start()
    for recipient, status in (("perm@client.example", Status.FAILED), ("zoe@client.example", Status.SENT)):
        (email,) = ask(cassiopee, recipient)
        deadline = time.monotonic() + 60
        while state(email)[0] is Status.REQUESTED and time.monotonic() < deadline:
            db.session.rollback()
            time.sleep(0.02)
        assert state(email)[0] is status
    over.set()
    worker.join(60)
    assert server.connections == 1 and cassiopee.sender.paused_at is None


def _in_context(app, call):
    with app.app_context():
        call()


def _let_leases_end():
    db.session.execute(text("UPDATE outbox_entry SET lease_until = now() - interval '1 second'"))
    db.session.commit()


def test_a_lease_that_ran_out_before_the_mark_is_free_again(cassiopee, server):
    (email,) = ask(cassiopee, "a@client.example")
    (claimed,) = outbox.claim("dead worker", 10)
    assert claimed.email_id == email.id
    assert outbox.claim("another", 10) == []
    assert outbox.reap() == 0
    _let_leases_end()
    assert outbox.reap() == 1
    assert kinds(email) == [EventKind.REQUESTED, EventKind.RELEASED]
    drain()
    assert state(email)[0] is Status.SENT and len(server.taken) == 1


def test_a_lease_that_ran_out_after_the_mark_is_uncertain_and_never_sent_again(cassiopee, server):
    (email,) = ask(cassiopee, "a@client.example")
    outbox.claim("dead worker", 10)
    granted = outbox.settle("dead worker", outbox.Settlement(begun=[email.id]))
    assert granted == {email.id}
    _let_leases_end()
    assert outbox.reap() == 1
    assert state(email)[0] is Status.UNCERTAIN
    make_due()
    drain()
    assert server.taken == [] and entry(email) is None


def test_a_mark_is_refused_to_whoever_lost_the_lease(cassiopee, server):
    (email,) = ask(cassiopee, "a@client.example")
    outbox.claim("slow worker", 10)
    _let_leases_end()
    assert outbox.settle("slow worker", outbox.Settlement(begun=[email.id])) == set()
    outbox.reap()
    outbox.claim("quick worker", 10)
    assert outbox.settle("slow worker", outbox.Settlement(begun=[email.id], done=[email.id])) == set()
    assert entry(email).owner == "quick worker"


def test_claims_serve_all_senders_in_turn_and_single_emails_first(cassiopee, boreale, app):
    ask(cassiopee, *[f"bulk{n}@client.example" for n in range(60)])
    ask(boreale, *[f"other{n}@client.example" for n in range(60)])
    (urgent,) = ask(cassiopee, "urgent@client.example")
    claimed = outbox.claim("w", 11)
    assert claimed[0].email_id == urgent.id
    assert sum(c.organisation_id == boreale.id for c in claimed) == 5


def test_workers_at_once_share_without_sending_twice(cassiopee, server, app):
    emails = ask(cassiopee, *[f"p{n}@client.example" for n in range(120)])
    workers = [threading.Thread(target=_in_context, args=(app, drain)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(server.taken) == 120 == len({t.recipient for t in server.taken})
    assert {state(e)[0] for e in emails} == {Status.SENT}


def test_the_database_keeps_no_connection_while_the_wire_waits(cassiopee, server, app):
    server.script.stop_at_dot = threading.Event()
    stop = server.script.stop_at_dot
    ask(cassiopee, "hang@client.example")
    db.session.rollback()
    worker = threading.Thread(target=_in_context, args=(app, drain))
    worker.start()
    assert server.waiting.wait(60)
    busy = [db.engine.pool.checkedout() for _ in range(20) if not time.sleep(0.01)]
    assert min(busy) == 0
    stop.set()
    worker.join(60)
