"""B1, in small: a storm of reports, its reader killed (kill -9) in the midst of it; each effect comes once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from extensions import db, ring, settings
from mail.drain import drain
from models.words import Status
from tests.crew import Crew, Nursery
from tests.mail.test_inbound import drop, empty_maildir, report  # noqa: F401 (a fixture)
from tests.mail.test_sending import ask, server, state  # noqa: F401 (server is a fixture)
from tests.reliability.deeds import come_true

COUNT = 120


@pytest.fixture
def crew(app: Flask, nursery: Nursery) -> Iterator[Crew]:
    with Crew(nursery, app, 1, BOUNCE_MAILDIR=str(settings().bounce_maildir)) as crew:
        yield crew


def filed() -> int:
    found = int(db.session.execute(text("SELECT count(*) FROM inbound_message")).scalar() or 0)
    db.session.rollback()
    return found


def test_b1_a_storm_whose_reader_is_killed_half_way_takes_effect_once(cassiopee, server, crew):  # noqa: F811
    emails = ask(cassiopee, *(f"p{n}@client{n}.example" for n in range(COUNT)))
    drain()
    for n, email in enumerate(emails):
        kind = {"action": "delayed", "status": "4.4.1"} if n % 2 else {"status": "5.2.2"}
        drop(report(email, verp=True, final=f"p{n}@client{n}.example", **kind))
    worker = crew.start("inbound")
    ring("poll_mailboxes", "inbound")
    come_true(lambda: filed() >= COUNT // 3)
    worker.kill("both")
    half = filed()
    assert half < COUNT
    crew.start("inbound")
    ring("poll_mailboxes", "inbound")
    come_true(lambda: filed() == COUNT)
    come_true(lambda: not list((settings().bounce_maildir / "new").iterdir()))
    count, different = db.session.execute(
        text("SELECT count(*), count(DISTINCT email_id) FROM delivery_event WHERE source = 'dsn'")
    ).one()
    assert count == different == COUNT
    expected = [Status.SENT if n % 2 else Status.UNDELIVERABLE for n in range(COUNT)]
    assert [state(email)[0] for email in emails] == expected
