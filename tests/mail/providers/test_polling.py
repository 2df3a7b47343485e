"""Asking providers: pages, cursors, what a webhook told already, what goes wrong. Their API is a server of our own."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from errors import Permanent
from extensions import db
from mail import tokens
from mail.providers import accounts, door, ledger, poller
from models import Email, ProviderAccount, ProviderEvent
from models.provider import Heard, Via
from models.words import Reason, Status
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.test_told import about, account, post_email, status, tell

PROJECT = "11111111-2222-3333-4444-555555555555"


class Api:
    """What a provider's API would answer: `pages` by path, or a status."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: list[Any] = []
        self.port = 0

    def ask(self, host: str, path: str, headers: dict[str, str]) -> bytes:
        """The poller's way out, to this server instead of `host`."""
        self.asked.append((host + path, headers))
        return door.ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), path, headers)


@contextmanager
def serving(api: Api) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = api.answers.pop(0) if api.answers else {}
            code, said = answer if isinstance(answer, tuple) else (200, answer)
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(code)
            if code == 429:
                self.send_header("Retry-After", "900")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    with serving(made):
        yield made


def polled(house: House, provider: str, where: str = "") -> ProviderAccount:
    made = account(house, provider)
    made.secret = replace(accounts.keys_of(made), api="api-key-of-ours", where=where).sealed()
    made.polled = True
    db.session.commit()
    return made


def brevo_event(email: Email, name: str, moment: datetime, **more: Any) -> dict[str, Any]:
    message_id = f"<{tokens.token('mid', email.id)}@cassiopee.example>"
    return {"email": documented.WHO, "date": moment.isoformat(), "messageId": message_id, "event": name, **more}


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(ProviderEvent)) or 0


def test_what_no_webhook_told_is_asked_for_and_counts_once_with_what_one_told(
    app: Flask, cassiopee: House, api: Api
) -> None:
    email, made = post_email(cassiopee), polled(cassiopee, "brevo")
    moment = datetime.now(UTC).replace(microsecond=0)
    told = about(email, documented.PAYLOADS["brevo"][1]) | {"ts_epoch": int(moment.timestamp() * 1000)}
    tell(app, made, told)
    ledger.apply()
    api.answers = [{"events": [brevo_event(email, "delivered", moment), brevo_event(email, "opened", moment)]}]
    assert poller.poll_due(ask=api.ask) == 1
    kinds = dict(db.session.execute(select(ProviderEvent.event_type, ProviderEvent.via)).all())
    assert kinds == {"delivered": Via.WEBHOOK, "opened": Via.POLL}
    assert status(email)[0] is Status.OPENED
    path, headers = api.asked[0]
    assert path.startswith("api.brevo.com/v3/smtp/statistics/events?") and headers["api-key"] == "api-key-of-ours"
    # the other way round: what a poll told first, a webhook adds nothing to
    clicked = brevo_event(email, "clicks", moment, link="https://a.example")
    db.session.execute(text("UPDATE provider_account SET polled_at = now() - interval '1 hour'"))
    db.session.commit()
    api.answers = [{"events": [clicked]}]
    assert poller.poll_due(ask=api.ask) == 1
    tell(app, made, told | {"event": "click", "link": "https://a.example", "ts_event": int(moment.timestamp())})
    ledger.apply()
    assert count() == 3


def test_pages_are_followed_and_the_cursor_moves_with_an_overlap(app: Flask, cassiopee: House, api: Api) -> None:
    email, made = post_email(cassiopee), polled(cassiopee, "mailgun", "mg.cassiopee.example")
    data = [about(email, one)["event-data"] for one in documented.PAYLOADS["mailgun"][:3]]
    onward = "https://api.mailgun.net/v3/mg.cassiopee.example/events/W3siYSI6?limit=300"
    api.answers = [
        {"items": [one | {"id": f"id{n}"} for n, one in enumerate(data)], "paging": {"next": onward}},
        {"items": [data[0] | {"id": "id9"}], "paging": {"next": "https://evil.example/v3/x/events/"}},
    ]  # fmt: skip
    before = datetime.now(UTC)
    assert poller.poll_due(ask=api.ask) == 4
    assert [url.split("?")[0] for url, _ in api.asked] == [
        "api.mailgun.net/v3/mg.cassiopee.example/events", "api.mailgun.net/v3/mg.cassiopee.example/events/W3siYSI6",
    ]  # fmt: skip
    assert status(email) == (Status.FAILED, Reason.USER_UNKNOWN)
    db.session.refresh(made)
    assert made.polled_to and made.polled_to >= before and not made.poll_trouble
    assert poller.poll_due(ask=api.ask) == 0 and len(api.asked) == 2  # its turn is over
    db.session.execute(text("UPDATE provider_account SET polled_at = now() - interval '1 hour'"))
    db.session.commit()
    assert poller.poll_due(ask=api.ask) == 0  # nothing new
    begin = float(parse_qs(urlsplit(api.asked[2][0]).query)["begin"][0])
    assert abs(begin - (made.polled_to - poller.OVERLAP).timestamp()) < 2


def test_a_mailgun_event_told_by_both_ways_is_one(app: Flask, cassiopee: House, api: Api) -> None:
    email, made = post_email(cassiopee), polled(cassiopee, "mailgun", "eu/mg.cassiopee.example")
    told = about(email, documented.PAYLOADS["mailgun"][1])
    tell(app, made, told)
    ledger.apply()
    api.answers = [{"items": [told["event-data"]]}]
    assert poller.poll_due(ask=api.ask) == 0 and count() == 1
    assert api.asked[0][0].startswith("api.eu.mailgun.net/")


def test_scaleway_says_what_became_of_messages(app: Flask, cassiopee: House, api: Api) -> None:
    email, _ = post_email(cassiopee), polled(cassiopee, "scaleway", PROJECT)
    message_id = f"{tokens.token('mid', email.id)}@cassiopee.example"
    states = [
        one | {"message_id": message_id, "updated_at": datetime.now(UTC).isoformat()} for one in documented.scaleway()
    ]
    expected = [Status.SENT, Status.SENT, Status.DELIVERED, Status.FAILED, Status.FAILED]
    for n, state in enumerate(states[:4]):
        db.session.execute(text("UPDATE provider_account SET polled_at = NULL"))
        db.session.commit()
        api.answers = [{"total_count": 1, "emails": [state]}]
        poller.poll_due(ask=api.ask)
        assert status(email)[0] is expected[n], state["status"]
    assert status(email)[1] is Reason.USER_UNKNOWN
    assert api.asked[0][0].startswith("api.scaleway.com/transactional-email/v1alpha1/regions/fr-par/emails?")
    assert api.asked[0][1] == {"x-auth-token": "api-key-of-ours"}
    sources = select(ProviderEvent.outcome).where(ProviderEvent.via == Via.POLL)
    assert set(db.session.scalars(sources)) == {Heard.APPLIED}


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [((429, b""), "429"), ((401, b""), "HTTP 401"), ((500, b""), "HTTP 500"), ((302, b""), "HTTP 302"), 
     (b"\xff", "Unicode"), ({"events": "nonsense"}, ""), ([1, 2], "")],
)  # fmt: skip
def test_a_refusal_moves_no_cursor_and_rests(app: Flask, cassiopee: House, api: Api, answer: Any, trouble: str) -> None:
    made = polled(cassiopee, "brevo")
    api.answers = [answer if isinstance(answer, tuple) else (200, answer)]
    assert poller.poll_due(ask=api.ask) == 0
    db.session.refresh(made)
    assert trouble in made.poll_trouble and bool(made.poll_trouble) is bool(trouble)
    assert (made.polled_to is None) is bool(trouble)
    if trouble:
        assert made.polled_at and made.polled_at > datetime.now(UTC) + timedelta(seconds=200)


def test_no_words_of_a_stranger_hold_up_the_cursor(app: Flask, cassiopee: House, api: Api) -> None:
    email, made = post_email(cassiopee), polled(cassiopee, "brevo")
    moment = datetime.now(UTC)
    words = ["six letters: \\u0000x", "a \x00 NUL"]
    api.answers = [{"events": [brevo_event(email, "hardBounces", moment, reason=f"550 5.1.1 {one}") for one in words]}]
    assert poller.poll_due(ask=api.ask) >= 1
    db.session.refresh(made)
    assert made.polled_to and not made.poll_trouble and status(email) == (Status.FAILED, Reason.USER_UNKNOWN)


def test_the_way_out_leads_to_providers_only() -> None:
    for host in (
        "localhost",
        "169.254.169.254",
        "api.brevo.com.evil.example",
        "evil.example",
        "sns.amazonaws.com@evil",
    ):
        with pytest.raises(Permanent):
            door.get(host, "/")


def test_no_connection_is_held_while_a_provider_is_asked(app: Flask, cassiopee: House, api: Api) -> None:
    polled(cassiopee, "brevo")
    held = []

    def ask(host: str, path: str, headers: dict[str, str]) -> bytes:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return api.ask(host, path, headers)

    poller.poll_due(ask=ask)
    assert held == [0]
