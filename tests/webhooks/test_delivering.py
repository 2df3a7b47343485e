"""From the row to the receiver: what is sent, when it is tried again, who is switched off, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from config import ROOT
from errors import UserMistake
from extensions import db, queue
from models import Email, WebhookDelivery, WebhookEndpoint, WebhookTry
from models.webhook import DeliveryState, OffReason, Trouble
from models.words import EventKind, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.program import Program
from tests.webhooks.conftest import due, make
from tests.webhooks.receiver import Receiver
from tests.webhooks.test_announcing import ask, fact, news
from tests.webhooks.test_signing import verify
from webhooks import deliver, endpoints, ledger, prune, signing, sweep, switching


def deliveries(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    db.session.rollback()
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id).order_by(WebhookDelivery.id)
    return list(db.session.scalars(query))


def tries(delivery: WebhookDelivery) -> list[WebhookTry]:
    return endpoints.tries_of(delivery)


def test_the_message_says_what_the_api_says(
    loopback: Flask, endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    (email,) = ask(cassiopee, "zoe@client.example")
    assert deliver() == 1
    (received,) = receiver.received
    body = json.loads(received.body)
    item = Program(loopback, cassiopee.admin).get("/emails")["items"][0]
    assert list(body) == ["type", "timestamp", "data"]
    assert body["type"] == "email.requested"
    assert datetime.fromisoformat(body["timestamp"]) == email.created_at
    assert body["data"] == item and list(body["data"]) == list(item)
    assert body["data"]["status"] == "requested" and body["data"]["id"] == email.public_id
    headers = received.headers
    assert headers["content-type"] == "application/json" and headers["user-agent"].startswith("Sillage")
    assert headers["webhook-id"].startswith("msg_") and abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert verify(endpoint.shown_secret, headers, received.body)  # type: ignore[attr-defined]
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.try_count, delivery.last_code) == (DeliveryState.DELIVERED, 1, 200)
    assert delivery.payload == received.body.decode() and delivery.finished_at is not None
    (tried,) = tries(delivery)
    assert (tried.number, tried.code, tried.trouble, tried.answer) == (1, 200, None, "answer 200 é")
    assert deliver() == 0 and len(receiver.received) == 1


def test_late_news_still_says_the_status_it_is_about(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:  # fmt: skip
    (email,) = ask(cassiopee, "zoe@client.example")
    news(email, fact(email, EventKind.ACCEPTED, 1))
    news(email, fact(email, EventKind.BOUNCED, 2, Reason.MAILBOX_FULL, "dsn"))
    assert deliver() == 3
    said = [json.loads(one.body) for one in receiver.received]  # in any order
    assert {(body["type"], body["data"]["status"], body["data"]["reason"]) for body in said} == {
        ("email.requested", "requested", None), ("email.sent", "sent", None),
        ("email.undeliverable", "undeliverable", "mailbox_full"),
    }  # fmt: skip
    assert db.session.get_one(Email, email.id).status is Status.UNDELIVERABLE


def test_the_same_bytes_and_id_at_each_try_until_it_is_taken(
    loopback: Flask, cassiopee: House, receiver: Receiver
) -> None:  # fmt: skip
    endpoint = make(cassiopee, receiver.url("fail2"))
    (email,) = ask(cassiopee, "zoe@client.example")
    assert deliver() == 1
    news(email, fact(email, EventKind.ACCEPTED, 1))  # the e-mail moves on, the message does not
    for _n in range(3):
        due()
        deliver()
    first = [one for one in receiver.received if one.body == receiver.received[0].body]
    assert len(first) == 3
    assert len({one.headers["webhook-id"] for one in first}) == 1
    delivery = deliveries(endpoint)[0]
    assert [(one.number, one.code, one.trouble) for one in tries(delivery)] == [
        (1, 500, Trouble.ANSWER), (2, 500, Trouble.ANSWER), (3, 204, None),
    ]  # fmt: skip
    assert delivery.state is DeliveryState.DELIVERED
    db.session.refresh(endpoint)
    assert (endpoint.failing_since, endpoint.failure_count, endpoint.rest_until) == (None, 0, None)


def test_tries_are_made_when_the_list_says_and_then_it_is_given_up(
    loopback: Flask, cassiopee: House, receiver: Receiver
) -> None:  # fmt: skip
    endpoint = make(cassiopee, receiver.url("500"))
    ask(cassiopee, "zoe@client.example")
    waits = []
    for _n in range(20):
        if not deliver():
            break
        (delivery,) = deliveries(endpoint)
        if delivery.state is DeliveryState.WAITING:
            waits.append(round((delivery.next_attempt_at - datetime.now(UTC)).total_seconds()))
        assert deliver() == 0  # not before its time
        due()
    expected = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert all(abs(wait - planned) <= 3 for wait, planned in zip(waits, expected, strict=True)), waits
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.try_count, len(receiver.received)) == (DeliveryState.FAILED, 10, 10)
    db.session.refresh(endpoint)
    assert endpoint.off_at is None  # ten failures, but not for five days


def test_retry_after_is_heeded_within_reason(loopback: Flask, cassiopee: House, receiver: Receiver) -> None:
    endpoint = make(cassiopee, receiver.url("busy"))
    ask(cassiopee, "zoe@client.example")
    deliver()
    (delivery,) = deliveries(endpoint)
    assert 115 < (delivery.next_attempt_at - datetime.now(UTC)).total_seconds() < 125
    db.session.refresh(endpoint)
    assert endpoint.rest_until is not None and 115 < (endpoint.rest_until - datetime.now(UTC)).total_seconds() < 125
    assert ledger.delay_after(1, 0) == 5 and ledger.delay_after(1, 1e9) == 86400
    assert ledger.delay_after(2, 1) == 300 and ledger.delay_after(10, 60) is None


def test_a_receiver_that_is_gone_is_switched_off_at_once_and_the_admins_told(
    loopback: Flask, cassiopee: House, receiver: Receiver
) -> None:  # fmt: skip
    endpoint = make(cassiopee, receiver.url("gone"))
    cassiopee.admin.language = "en"
    ask(cassiopee, "zoe@client.example", "yves@client.example")
    deliver()
    db.session.refresh(endpoint)
    assert (endpoint.off_why, endpoint.off_at is not None) == (OffReason.GONE, True)
    assert {one.state for one in deliveries(endpoint)} == {DeliveryState.FAILED}
    letter = db.session.scalars(select(Email).where(Email.type == "alert")).one()
    assert letter.subject == "A webhook answered that its address no longer exists"
    page = Browser(loopback).sign_in(cassiopee.staff)
    page.get(f"/emails/{letter.public_id}/body")
    assert "Admin Atelier Cassiopée" in page.text() and endpoint.url in page.text()
    assert f"http://localhost/settings/webhooks/{endpoint.public_id}" in page.text()
    # nothing more is told, and nobody written to twice
    ask(cassiopee, "xav@client.example")
    assert len(deliveries(endpoint)) == 2 and deliver() == 0
    assert not switching.switch_off(endpoint.id, OffReason.GONE)
    assert db.session.query(Email).filter(Email.type == "alert").count() == 1


@pytest.mark.parametrize(("days", "count", "off"), [(5.01, 9, True), (4.9, 50, False), (30, 3, False)])
def test_five_days_of_nothing_but_failures_switch_it_off(
    loopback: Flask, cassiopee: House, receiver: Receiver, days: float, count: int, off: bool
) -> None:
    endpoint = make(cassiopee, receiver.url("500"))
    ask(cassiopee, "zoe@client.example")
    endpoint.failing_since, endpoint.failure_count = datetime.now(UTC) - timedelta(days=days), count
    db.session.commit()
    deliver()
    db.session.refresh(endpoint)
    assert (endpoint.off_why is OffReason.FAILING) is off
    letters = db.session.scalars(select(Email.subject).where(Email.type == "alert")).all()
    assert letters == (["Un webhook ne répond plus depuis cinq jours"] if off else [])


def test_a_success_ends_the_row_of_failures(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    endpoint.failing_since, endpoint.failure_count = datetime.now(UTC) - timedelta(days=30), 500
    ask(cassiopee, "zoe@client.example")
    db.session.commit()
    deliver()
    db.session.refresh(endpoint)
    assert (endpoint.failing_since, endpoint.failure_count, endpoint.off_at) == (None, 0, None)


def test_a_slow_or_dead_receiver_does_not_hold_up_the_others_nor_the_queue(
    loopback: Flask, endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    patience = 10
    patient = replace(loopback.extensions["sillage"], webhook_timeout=patience)
    loopback.extensions["sillage"] = patient  # the fixture puts the settings back
    hangs = make(cassiopee, receiver.url("hang"))
    ask(cassiopee, *(f"p{n}@client.example" for n in range(30)))
    swept: list[float] = []
    began = time.monotonic()
    deliver(lambda: swept.append(time.monotonic()), seconds=5)
    assert all(one.state is DeliveryState.DELIVERED for one in deliveries(endpoint))
    arrived = [one.at - began for one in receiver.received if one.path == "/ok"]
    assert len(arrived) == 30 and max(arrived) < patience  # all of them while the other was waited for
    gaps = [later - earlier for earlier, later in zip(swept, swept[1:], strict=False)]
    assert max(gaps) < patience  # never as long as a receiver may take
    # four at once at first, then one at a time and rested
    assert ledger.AT_ONCE == 4 and sum(one.path == "/hang" for one in receiver.received) == 4
    db.session.refresh(hangs)
    assert hangs.failure_count == 4 and hangs.last_trouble is Trouble.TIMEOUT and hangs.rest_until is not None


def test_it_stops_when_asked_and_when_its_time_is_over(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    ask(cassiopee, *(f"p{n}@client.example" for n in range(20)))
    assert deliver(stopped=lambda: True) == 0
    assert deliver(seconds=0) == 0
    assert deliver() == 20


def test_paused_news_waits_and_leaves_when_resumed(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    endpoints.pause(endpoint)
    ask(cassiopee, "zoe@client.example")
    assert deliver() == 0
    endpoints.try_out(endpoint)
    db.session.commit()
    assert deliver() == 1  # a person's test heeds no pause
    assert json.loads(receiver.received[0].body)["type"] == "webhook.test"
    endpoints.resume(endpoint)
    db.session.commit()
    assert deliver() == 1


def test_a_test_is_tried_once(loopback: Flask, cassiopee: House, receiver: Receiver) -> None:
    endpoint = make(cassiopee, receiver.url("500"))
    delivery = endpoints.try_out(endpoint)
    db.session.commit()
    deliver()
    due()
    assert deliver() == 0
    db.session.refresh(delivery)
    assert (delivery.state, delivery.try_count) == (DeliveryState.FAILED, 1)


def test_sent_again_has_the_same_id_and_a_new_list_of_delays(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    ask(cassiopee, "zoe@client.example")
    deliver()
    (delivery,) = deliveries(endpoint)
    assert endpoints.send_again(endpoint, delivery)
    endpoint.url = receiver.url("500")
    db.session.commit()
    deliver()
    db.session.refresh(delivery)
    assert (delivery.state, delivery.try_count) == (DeliveryState.WAITING, 2)
    assert (delivery.next_attempt_at - datetime.now(UTC)).total_seconds() < 6
    one, two = receiver.received
    assert one.headers["webhook-id"] == two.headers["webhook-id"] and one.body == two.body


def test_all_that_was_given_up_can_be_sent_again(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    ask(cassiopee, *(f"p{n}@client.example" for n in range(6)))
    switching.switch_off(endpoint.id, OffReason.FAILING)
    db.session.expire_all()
    assert endpoints.failed_count(endpoint) == 6 and deliver() == 0
    endpoints.resume(endpoint)
    assert endpoints.send_failed_again(endpoint) == 6
    db.session.commit()
    assert deliver() == 6 and endpoints.failed_count(endpoint) == 0


def test_renewed_secrets_sign_together_for_a_day(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    new = endpoints.renew_secret(endpoint)
    old = endpoint.shown_secret  # type: ignore[attr-defined]
    ask(cassiopee, "zoe@client.example")
    deliver()
    (first,) = receiver.received
    assert verify(old, first.headers, first.body) and verify(new, first.headers, first.body)
    endpoint.old_secret_until = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
    ask(cassiopee, "zoe@client.example")
    deliver()
    second = receiver.received[1]
    assert verify(new, second.headers, second.body) and not verify(old, second.headers, second.body)


def test_a_secret_that_cannot_be_read_and_an_address_that_is_no_longer_allowed_are_said(
    endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    endpoint.secret = "nonsense"
    other = make(cassiopee, receiver.url("ok"))
    other.url = "http://10.0.0.1/"
    ask(cassiopee, "zoe@client.example")
    deliver()
    assert [one.last_trouble for one in (*deliveries(endpoint), *deliveries(other))] == [
        Trouble.SECRET, Trouble.PRIVATE
    ]  # fmt: skip
    assert receiver.connections == 0


def test_two_workers_send_each_once(
    loopback: Flask, endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver
) -> None:
    ask(cassiopee, *(f"p{n}@client.example" for n in range(40)))

    def work() -> None:
        with loopback.app_context():
            deliver()
            db.session.remove()

    crew = [threading.Thread(target=work) for _n in range(3)]
    for one in crew:
        one.start()
    for one in crew:
        one.join(60)
    assert len(receiver.received) == 40
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 40


def test_a_lost_lease_moves_nothing_but_its_try_is_told(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    ask(cassiopee, "zoe@client.example")
    (held,) = ledger.claim("dead", 5, 60)
    assert ledger.claim("other", 5, 60) == []
    due()
    (again,) = ledger.claim("other", 5, 60)
    assert (again.id, again.number) == (held.id, 2)
    ledger.settle("dead", held, ledger.lost(held), datetime.now(UTC))
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.owner, delivery.last_trouble) == (DeliveryState.WAITING, "other", None)
    assert [one.number for one in tries(delivery)] == [1]


def test_claims_and_settlements_are_few_statements(
    endpoint: WebhookEndpoint, cassiopee: House, statements: list[str]
) -> None:
    ask(cassiopee, *(f"p{n}@client.example" for n in range(8)))
    del statements[:]
    claimed = ledger.claim("me", 8, 60)
    assert len(claimed) == 4 and len(statements) == 3  # claim, the e-mails, their payloads
    del statements[:]
    for one in claimed:
        ledger.settle("me", one, ledger.lost(one), datetime.now(UTC))
    assert len(statements) == 4
    due()
    del statements[:]
    assert len(ledger.claim("me", 8, 60)) == 1 and len(statements) == 1  # payloads are made once; one while it fails


def test_old_deliveries_are_forgotten(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    ask(cassiopee, *(f"p{n}@client.example" for n in range(6)))
    ages = [("delivered", 31), ("delivered", 29), ("failed", 31), ("failed", 91), ("waiting", 31), ("waiting", 1)]
    for delivery, (state, age) in zip(deliveries(endpoint), ages, strict=True):
        db.session.execute(
            text("UPDATE webhook_delivery SET state = :state, created_at = now() - make_interval(days => :age), "
                 "finished_at = CASE WHEN :state <> 'waiting' THEN now() - make_interval(days => :age) END "
                 "WHERE id = :id"),
            {"state": state, "age": age, "id": delivery.id},
        )  # fmt: skip
    db.session.commit()
    assert prune() == 2
    assert [one.state.value for one in deliveries(endpoint)] == ["delivered", "failed", "failed", "waiting"]


def test_a_killed_worker_loses_nothing_and_redis_is_not_needed(
    loopback: Flask, cassiopee: House, receiver: Receiver
) -> None:
    """kill -9 in the middle of the calls; no ring is left; the rows alone bring every message."""
    config = loopback.extensions["sillage"]
    make(cassiopee, receiver.url("slow"))
    ask(cassiopee, *(f"p{n}@client.example" for n in range(12)))
    loopback.extensions["redis"].flushall()
    program = "from app import create_app\nimport jobs\nwith create_app().app_context():\n    jobs.deliver_webhooks()\n"
    environment = os.environ | {
        "DATABASE_URL": loopback.config["SQLALCHEMY_DATABASE_URI"], "REDIS_URL": config.redis_url,
        "SECRET_KEY": config.secret_key, "SILLAGE_DATA": str(config.data), "SILLAGE_ENV": "test",
        "SILLAGE_LEASE": "1", "WEBHOOK_LOOPBACK": "true", "WEBHOOK_TIMEOUT": "2",
    }  # fmt: skip
    for _n in range(2):
        worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, start_new_session=True)
        known = len(receiver.received)
        try:
            for _wait in range(1200):  # a busy machine takes its time to start a process
                if len(receiver.received) > known:
                    break
                time.sleep(0.05)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        assert len(receiver.received) > known
    for _n in range(60):
        deliver()
        left = db.session.scalar(text("SELECT count(*) FROM webhook_delivery WHERE state = 'waiting'"))
        db.session.rollback()
        if not left:
            break
        time.sleep(0.25)
    messages = {one.headers["webhook-id"] for one in receiver.received}
    assert len(messages) == 12 and not left
    assert len(receiver.received) <= 12 + 2 * ledger.AT_ONCE  # again at most what was on its way
    assert signing.PREFIX not in str([one.headers for one in receiver.received])


def test_the_sweep_rings_only_for_what_is_due(endpoint: WebhookEndpoint, cassiopee: House, receiver: Receiver) -> None:
    line = queue("work")
    line.empty()
    sweep()
    assert line.count == 0  # nobody was told anything yet
    ask(cassiopee, "zoe@client.example")
    line.empty()  # the ring was lost
    sweep()
    assert line.count == 1 and line.jobs[0].func_name == "jobs.deliver_webhooks"
    line.empty()
    endpoints.pause(endpoint)
    db.session.commit()
    line.empty()
    sweep()
    assert line.count == 0
    endpoints.try_out(endpoint)
    db.session.commit()
    line.empty()
    sweep()
    assert line.count == 1
    assert deliver() == 1 and len(receiver.received) == 1


def test_twenty_endpoints_are_enough(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    for _n in range(endpoints.MOST_ENDPOINTS - 1):
        make(cassiopee, endpoint.url)
    with pytest.raises(UserMistake):
        make(cassiopee, endpoint.url)
