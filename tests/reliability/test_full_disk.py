"""F3: the disk is full, under the attachments, under PostgreSQL, under the log. A request is refused whole, nothing is
half-saved, and the queue goes on as soon as there is space."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from extensions import db, settings
from models import Blob, Email
from models.words import Status
from tests.client import Browser
from tests.crew import Crew
from tests.need import need
from tests.reliability.deeds import ask, come_true, left_open, none_waits, statuses
from tests.reliability.disk import small_disk
from tests.reliability.station import Station
from tests.smtp_server import SmtpServer
from tests.test_compose_pages import fields, make_session, multipart


def asked_with_a_file(browser: Browser, address: str, size: int, status: int) -> None:
    """Ask for a convocation with a file of that size beside it."""
    browser.get(address)
    form = fields(browser) | {"step": "send", "files": [(io.BytesIO(b"%PDF-1.7" + bytes(size)), "plan.pdf")]}
    body, kind = multipart(form)
    answer = browser.post(address, body, content_type=kind, status=status)
    if status == 503:
        assert answer.headers["Retry-After"] == "10" and "Sillage revient dans un instant" in browser.text()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "ballast"]


@pytest.mark.parametrize("where", ["blobs", "uploads"])
def test_f3_no_room_for_an_attachment_refuses_the_request_whole(
    app, client, cassiopee, folder, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """`blobs`: where attachments are kept; `uploads`: where the request waits while it is read."""
    run = make_session(cassiopee)
    client.sign_in(cassiopee.staff)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    address = f"/sessions/{run.public_id}/convocation"
    with small_disk(folder / f"full-{where}", 8) as disk:
        if not disk.own:
            need("mount")
        if where == "blobs":
            object.__setattr__(settings(), "blobs", disk.path)
        else:
            monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
        try:
            disk.fill(but=200_000)
            with left_open():
                asked_with_a_file(client, address, 3_000_000, 503)
            assert db.session.query(Email).count() == 0 and db.session.query(Blob).count() == 0
            assert all(path.stat().st_size < 200_000 for path in files_in(disk.path))
            disk.empty()
            asked_with_a_file(client, address, 3_000_000, 303)
            assert statuses() == {Status.REQUESTED: 3}
        finally:
            object.__setattr__(settings(), "blobs", None)
            app.config["PROPAGATE_EXCEPTIONS"] = None


def test_f3_postgresql_has_no_room_the_request_is_refused_and_the_queue_goes_on_when_it_has(station: Station) -> None:
    if not station.disk.own:
        need("mount")
    run = make_session(station.house)
    browser = Browser(station.app).sign_in(station.house.staff)
    address = f"/sessions/{run.public_id}/emails/new"
    browser.get(address)
    form = fields(browser) | {"subject_fr": "Demain", "step": "send"}
    browser.post(address, form | {"message_fr": "Bonjour"})  # so that every small table has a page with room
    browser.get(address)
    form |= {"request_key": fields(browser)["request_key"], "message_fr": secrets.token_hex(9000)}
    ask(station.house, *[f"p{n}@client.example" for n in range(60)])
    db.session.remove()
    station.server.script.stop_at = "dot"
    station.server.script.delay = 0.01
    with station.crew(DRAIN_CONNECTIONS="2") as crew:
        for name in ("send", "work", "cron"):
            crew.start(name)
        come_true(station.server.stopped.is_set, 60)
        station.disk.fill()
        station.server.script.go.set()
        before = statuses().total()
        answer = browser.post(address, form, status=503)
        assert answer.headers["Retry-After"] == "10" and "Sillage revient dans un instant" in browser.text()
        station.disk.empty()
        station.postgres.start()  # it may have stopped itself: then the supervisor brings it back
        assert statuses().total() == before == 63
        browser.get(address)
        browser.post(address, form)
        come_true(none_waits, 60, crew.keep_alive)
    found = statuses()
    assert found[Status.SENT] + found[Status.UNCERTAIN] == 66 and found[Status.UNCERTAIN] <= 2
    assert set(Counter(taken.message_id for taken in station.server.taken).values()) == {1}


def test_f3_a_log_that_cannot_be_written_stops_nothing(app, cassiopee, nursery) -> None:
    """Every line that a worker says fails with "No space left on device"."""
    ask(cassiopee, "a@client.example", "temp@client.example", "b@client.example")
    with SmtpServer() as server, Crew(nursery, app, server.port, SILLAGE_LOG="DEBUG") as crew:
        crew.log_to("/dev/full")
        worker = crew.start("send")
        come_true(lambda: statuses()[Status.SENT] == 2)
        assert worker.alive
