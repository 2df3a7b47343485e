"""What is written for webhooks when an e-mail changes status: once each, in its transaction, nothing for others."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta

from flask import Flask, current_app
from sqlalchemy import func, select, text

from extensions import db
from mail import post, record
from mail.compose import Draft
from mail.fold import Fact
from models import Email, WebhookDelivery, WebhookEndpoint
from models.words import EventKind, Reason
from tests.conftest import House
from tests.webhooks.conftest import make
from webhooks import endpoints

NOW = datetime.now(UTC)
_keys = (f"key {n}" for n in itertools.count())


def ask(house: House, *recipients: str) -> list[Email]:
    drafts = [Draft(one, "", None, None, "free", "Bonjour", "", "Bonjour\n") for one in recipients]
    emails = post(drafts, organisation=house.organisation, sender=house.sender, by=None, request_key=next(_keys))
    db.session.commit()
    return emails


def fact(email: Email, kind: EventKind, seconds: float = 0, reason: Reason | None = None, source: str = "smtp") -> Fact:
    return Fact(email.id, kind, source, f"{kind.value} {seconds}", NOW + timedelta(seconds=seconds), reason)


def told(endpoint: WebhookEndpoint) -> list[str]:
    db.session.rollback()
    query = select(WebhookDelivery.type).where(WebhookDelivery.endpoint_id == endpoint.id)
    return [type_.removeprefix("email.") for type_ in db.session.scalars(query.order_by(WebhookDelivery.id))]


def news(email: Email, *facts: Fact) -> None:
    record(facts)
    db.session.commit()


def test_each_change_is_told_once_with_its_moment_and_reason(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    (email,) = ask(cassiopee, "a@client.example")
    assert told(endpoint) == ["requested"]
    news(email, fact(email, EventKind.DEFERRED, 1, Reason.GREYLISTED))
    assert told(endpoint) == ["requested"]  # still requested
    news(email, fact(email, EventKind.ACCEPTED, 2))
    news(email, fact(email, EventKind.ACCEPTED, 2))  # the same again
    news(email, fact(email, EventKind.RELAYED, 3))  # still sent
    news(email, fact(email, EventKind.COPY_FAILED, 3))  # a mark alone
    news(email, fact(email, EventKind.OUTCOME_UNKNOWN, 4))  # a lesser fact
    assert told(endpoint) == ["requested", "sent"]
    news(email, fact(email, EventKind.BOUNCED, 5, Reason.USER_UNKNOWN, "dsn"))
    assert told(endpoint) == ["requested", "sent", "failed"]
    last = db.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id.desc()).limit(1)).one()
    assert (last.reason, last.occurred_at, last.email_id) == (
        Reason.USER_UNKNOWN, NOW + timedelta(seconds=5), email.id
    )  # fmt: skip
    assert (last.organisation_id, last.try_count, last.payload) == (cassiopee.id, 0, None)


def test_a_status_that_comes_back_is_told_again(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    (email,) = ask(cassiopee, "a@client.example")
    news(email, fact(email, EventKind.REFUSED, 1, Reason.SPAM))
    news(email, fact(email, EventKind.RELAYED, 2, source="dsn"))
    news(email, fact(email, EventKind.BOUNCED, 3, Reason.SPAM, "dsn"))
    assert told(endpoint) == ["requested", "undeliverable", "sent", "undeliverable"]


def test_several_changes_in_one_batch_are_the_last_one(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    one, two = ask(cassiopee, "a@client.example", "b@client.example")
    news(one, fact(one, EventKind.DELIVERED, 2), fact(one, EventKind.ACCEPTED, 1), fact(two, EventKind.OPENED, 1))
    assert sorted(told(endpoint)) == ["delivered", "opened", "requested", "requested"]


def test_only_the_types_asked_for_by_endpoints_that_are_on(
    endpoint: WebhookEndpoint, cassiopee: House, boreale: House
) -> None:  # fmt: skip
    sent_only = make(cassiopee, endpoint.url, ["email.sent"])
    paused, off = make(cassiopee, endpoint.url), make(cassiopee, endpoint.url)
    endpoints.pause(paused)
    off.off_at = func.now()
    db.session.commit()
    stranger = make(boreale, endpoint.url)
    (email,) = ask(cassiopee, "a@client.example")
    news(email, fact(email, EventKind.ACCEPTED, 1))
    assert told(endpoint) == told(paused) == ["requested", "sent"]
    assert told(sent_only) == ["sent"]
    assert told(off) == told(stranger) == []
    news(email, fact(email, EventKind.DELIVERED, 2))
    assert told(sent_only) == ["sent"]


def test_what_is_rolled_back_was_never_told(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    (email,) = ask(cassiopee, "a@client.example")
    record([fact(email, EventKind.ACCEPTED, 1)])
    db.session.rollback()
    assert told(endpoint) == ["requested"]


def test_two_reports_at_once_tell_the_change_exactly(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    """Undeliverable, then at the same moment relayed and bounced: the second waits for the first and knows it."""
    (email,) = ask(cassiopee, "a@client.example")
    news(email, fact(email, EventKind.REFUSED, 1, Reason.SPAM))
    with db.engine.connect() as first:
        record([fact(email, EventKind.RELAYED, 2, source="dsn")], first)

        house = current_app._get_current_object()  # type: ignore[attr-defined]
        bounced = fact(email, EventKind.BOUNCED, 3, Reason.SPAM, "dsn")

        def run() -> None:
            with house.app_context(), db.engine.begin() as second:
                record([bounced], second)

        thread = threading.Thread(target=run)
        thread.start()
        for _n in range(200):  # until it waits for the row
            waiting = first.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
            if waiting:
                break
        assert waiting
        first.commit()
        thread.join(60)
    assert told(endpoint) == ["requested", "undeliverable", "sent", "undeliverable"]


def test_nobody_listening_costs_no_statement_and_writes_no_row(
    loopback: Flask, cassiopee: House, statements: list[str]
) -> None:
    ask(cassiopee, "a@client.example")
    without = len(statements)
    receiver_elsewhere = make(cassiopee, "http://127.0.0.1:1/", ["email.opened"])
    del statements[:]
    (email,) = ask(cassiopee, "b@client.example")
    assert len(statements) == without  # somebody listens, but not to this
    accepted = fact(email, EventKind.ACCEPTED, 1)
    del statements[:]
    news(email, accepted)
    assert len(statements) == 1
    assert told(receiver_elsewhere) == []
    hears = make(cassiopee, "http://127.0.0.1:1/", ["email.requested"])
    del statements[:]
    ask(cassiopee, *(f"p{n}@client.example" for n in range(60)))
    assert len(statements) == without + 1  # one more for the whole mailing
    assert told(hears) == ["requested"] * 60


def test_an_email_that_is_deleted_takes_its_news_along(endpoint: WebhookEndpoint, cassiopee: House) -> None:
    (email,) = ask(cassiopee, "a@client.example")
    db.session.execute(text("DELETE FROM email WHERE id = :id"), {"id": email.id})
    db.session.commit()
    assert told(endpoint) == []
