"""/metrics: the whole house in numbers, for machines that may; counters that no process loses."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from sqlalchemy import event

import config
import metrics
from extensions import QUEUES, db
from mail.away import Away
from models import DeliveryEvent
from models.words import EventKind, QueueState, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.mail.test_situation import NOW, waiting
from tests.test_health import register

TOKEN = "a-token-that-nobody-guesses"


def scrape(client: Browser) -> dict[tuple[str, ...], float]:
    """{(name, label values …): value} of one scrape."""
    body = client.get("/metrics").get_data(as_text=True)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def test_the_outbox_of_the_whole_house(app: Flask, client: Browser, cassiopee: House, boreale: House) -> None:
    waiting(cassiopee, "ada@one.example", first=timedelta(minutes=-10))
    waiting(boreale, "bea@one.example", first=timedelta(minutes=-5))
    waiting(boreale, "cyd@one.example", tries=1, next_try=timedelta(minutes=5))
    waiting(boreale, "dan@one.example", state=QueueState.CLAIMED)
    waiting(boreale, "eva@one.example", first=timedelta(days=1))
    make_email(cassiopee, status=Status.UNCERTAIN)
    make_email(cassiopee, status=Status.UNCERTAIN, treated_at=NOW)
    for name in QUEUES:
        register(app, f"w-{name}", name)
    Away().lost(None, "x")
    found = scrape(client)
    depth = {labels[1]: value for labels, value in found.items() if labels[0] == "sillage_outbox_emails"}
    assert depth == {"ready": 2, "retry": 1, "sending": 1, "later": 1}
    begun = (datetime.now(UTC) - NOW).total_seconds()  # when the test's file was read
    oldest = found["sillage_outbox_oldest_seconds", "ready"]
    assert 600 <= oldest <= 600 + begun
    assert found[("sillage_uncertain_emails",)] == 1 and found[("sillage_servers_away",)] == 1
    assert [found["sillage_workers", name] for name in QUEUES] == [1, 1, 1]
    assert [found["sillage_up", part] for part in ("database", "redis", "events")] == [1, 1, 1]
    # what a person paused is old on purpose
    cassiopee.sender.paused_at = NOW
    db.session.commit()
    found = scrape(client)
    assert 300 <= found["sillage_outbox_oldest_seconds", "ready"] < oldest - 200
    assert found[("sillage_paused_senders",)] == 1
    body = client.get("/metrics").get_data(as_text=True)
    assert "cassiopee" not in body and "example" not in body and "Boréale" not in body


def fact(house: House, email_id: int, kind: EventKind, number: int, ago: int = 60) -> None:
    db.session.add(DeliveryEvent(
        organisation_id=house.id, email_id=email_id, kind=kind, source="smtp", source_event_id=str(number),
        occurred_at=NOW, recorded_at=db.func.clock_timestamp() - timedelta(seconds=ago),
    ))  # fmt: skip
    db.session.commit()


def test_what_became_of_emails_is_counted_once(app: Flask, client: Browser, cassiopee: House) -> None:
    email = make_email(cassiopee).id
    fact(cassiopee, email, EventKind.ACCEPTED, 1)
    assert scrape(client)["sillage_delivery_events_total", "accepted"] == 0, "counting begins now"
    fact(cassiopee, email, EventKind.ACCEPTED, 2)
    fact(cassiopee, email, EventKind.DEFERRED, 3)
    for _n in range(2):
        found = scrape(client)
        assert found["sillage_delivery_events_total", "accepted"] == 1
        assert found["sillage_delivery_events_total", "deferred"] == 1
    fact(cassiopee, email, EventKind.REFUSED, 4, ago=0)
    assert scrape(client)["sillage_delivery_events_total", "refused"] == 0, "its neighbours may not be committed yet"


class Meeting(Redis):
    """A Redis client whose transactions wait, between reading and writing, for another one to be as far."""

    barrier = threading.Barrier(2)

    def pipeline(self, *rest: Any, **more: Any) -> Any:
        made = super().pipeline(*rest, **more)
        multi = made.multi

        def meet() -> None:
            self.barrier.wait(60)
            multi()

        made.multi = meet
        return made


def test_two_that_ask_at_once_count_nothing_twice(app: Flask, test_config: config.Config, cassiopee: House) -> None:
    metrics.count_events(app.extensions["redis"])
    fact(cassiopee, make_email(cassiopee).id, EventKind.ACCEPTED, 1)
    answers: list[int] = []

    def ask() -> None:
        with app.app_context():
            answers.append(metrics.count_events(Meeting.from_url(test_config.redis_url))["accepted"])

    threads = [threading.Thread(target=ask) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1, 1]
    assert app.extensions["redis"].hget("sillage:metrics:events", "accepted") == b"1"


def test_web_requests_and_jobs(app: Flask, client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/sessions")
    client.get("/no-such-page", status=404)
    metrics.job_done(app.extensions["redis"], "drain", 1.5, False)
    metrics.job_done(app.extensions["redis"], "drain", 0.5, True)
    found = scrape(client)
    assert found["sillage_web_seconds_count", "sessions.index"] == 1
    assert found["sillage_web_seconds_bucket", "sessions.index", "+Inf"] == 1
    assert found["sillage_web_seconds_sum", "sessions.index"] > 0
    assert found["sillage_web_answers_total", "sessions.index", "2xx"] == 1
    assert found["sillage_web_answers_total", "none", "4xx"] == 1
    assert (found["sillage_jobs_total", "drain"], found["sillage_job_failures_total", "drain"]) == (2, 1)
    assert found["sillage_job_seconds_total", "drain"] == 2.0


def test_times_wait_for_an_absent_redis(app: Flask) -> None:
    nowhere = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    times = metrics.WebTimes(nowhere, background=False)
    times.observe("x.y", 200, 0.3)
    times.flush()
    times._client = app.extensions["redis"]
    times.flush()
    times.flush()
    assert app.extensions["redis"].hget("sillage:metrics:web", "status:x.y:2xx") == b"1"


def test_without_redis_the_rest_is_told(app: Flask, client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    monkeypatch.setitem(app.extensions, "redis", nowhere)
    found = scrape(client)
    assert [found["sillage_up", part] for part in ("database", "redis", "events")] == [1, 0, 0]
    assert found["sillage_outbox_emails", "ready"] == 0


def test_who_may_read_them(app: Flask, client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}, status=404)
    client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}, status=404)
    client.get("/metrics", environ_overrides={"REMOTE_ADDR": "::1"})
    monkeypatch.setitem(app.extensions, "sillage", replace(app.extensions["sillage"], metrics_token=TOKEN))
    for shown in ("", "Bearer x", f"Basic {TOKEN}", "Bearer é"):
        refused = client.get("/metrics", headers={"Authorization": shown} if shown else {}, status=401)
        assert "Bearer" in refused.headers["WWW-Authenticate"]
    far = {"REMOTE_ADDR": "192.0.2.1"}
    client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_overrides=far)


def test_a_short_token_stops_the_start() -> None:
    with pytest.raises(config.WrongSetting, match="METRICS_TOKEN"):
        config.read({"METRICS_TOKEN": "short", "SECRET_KEY": "x" * 40})


def test_it_costs_the_same_for_one_and_for_many(app: Flask, client: Browser, cassiopee: House) -> None:
    counts = []
    for number in (1, 20):
        for n in range(number):
            waiting(cassiopee, f"p{n}@d{n}.example")
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        client.get("/metrics")
        event.listen(db.engine, "before_cursor_execute", note)
        client.get("/metrics")
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts == [5, 5]


def test_the_same_from_a_shell(app: Flask, cassiopee: House) -> None:
    waiting(cassiopee, "ada@one.example")
    app.extensions["services"] = lambda: app.app_context()
    answer = app.test_cli_runner().invoke(args=["queue"])
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert lines[0]["outbox"]["emails"]["ready"] == 1 and lines[1] == {"workers": dict.fromkeys(QUEUES, 0)}
