"""Through a real Postfix and back: a success makes Reçu, an unknown user Erreur à l'envoi."""

from __future__ import annotations

import dataclasses
import re

import pytest
from sqlalchemy import select

from extensions import db, settings
from local.processes import wait_until
from mail import mailbox, tokens
from mail.drain import drain
from models import DeliveryEvent, Email, InboundMessage
from models.words import EventKind, Reason, Status
from tests.mail.test_sending import ask, kinds, state
from tests.real.servers import GONE

# Each key and where in a report it stands; blotting the others out leaves one.
KEYS = {"verp": "verp", "envid": "envid", "message-id": "mid"}


def report_comes(email: Email, status: Status, seconds: float = 30) -> bool:
    """Read the bounce mailbox until the e-mail has that status."""
    return wait_until(lambda: mailbox.poll() >= 0 and state(email)[0] is status, seconds, every=0.2)


def event(email: Email, kind: EventKind) -> DeliveryEvent:
    query = select(DeliveryEvent).where(DeliveryEvent.email_id == email.id, DeliveryEvent.kind == kind)
    return db.session.scalars(query).one()


def only(raw: bytes, email: Email, key: str) -> bytes:
    """The report with every key but one blotted out, wherever it stands."""
    for name, kind in KEYS.items():
        if name != key:
            raw = re.sub(tokens.token(kind, email.id).encode(), b"", raw, flags=re.IGNORECASE)
    return raw


def test_a_success_report_by_imap_makes_it_received(cassiopee, real):
    (email,) = ask(cassiopee, "zoe@client.example")
    assert drain() == 1
    sent = event(email, EventKind.ACCEPTED)
    assert sent.smtp_code == 250 and re.search(r"queued as \w+", sent.diagnostic)
    assert report_comes(email, Status.DELIVERED)
    assert state(email) == (Status.DELIVERED, None)
    delivered = event(email, EventKind.DELIVERED)
    assert delivered.data["key"] == "verp" and delivered.enhanced_code == "2.0.0"
    assert delivered.data["reporting_mta"] == "mx.client.example"
    (message,) = (real.mail / "zoe" / "new").iterdir()
    raw = message.read_bytes()
    assert b"\n.point\n" in raw and tokens.token("verp", email.id).encode() in raw.lower()
    assert [report.parent.name for report in real.reports()] == ["cur"]
    assert mailbox.poll() == 0


def test_a_success_report_by_maildir_makes_it_received(cassiopee, real, app):
    by_maildir = dataclasses.replace(settings(), bounce_imap_host=None, bounce_maildir=real.bounces)
    app.extensions["sillage"] = by_maildir
    (email,) = ask(cassiopee, "ali@client.example")
    drain()
    assert report_comes(email, Status.DELIVERED)
    assert [report.name[-4:] for report in real.reports()] == [":2,S"]


def test_an_unknown_user_is_refused_at_once(cassiopee, real):
    emails = ask(cassiopee, "inconnu@client.example", "zoe@client.example", "zoé@nulle-part.example")
    drain()
    assert state(emails[0]) == (Status.FAILED, Reason.USER_UNKNOWN)
    refused = event(emails[0], EventKind.REFUSED)
    assert (refused.smtp_code, refused.enhanced_code) == (550, "5.1.1")
    assert "User unknown" in refused.diagnostic
    assert state(emails[1])[0] is Status.SENT
    assert state(emails[2])[0] in (Status.FAILED, Status.UNDELIVERABLE)
    assert kinds(emails[2]) == [EventKind.REQUESTED, EventKind.REFUSED]


def test_an_unknown_user_is_known_later_by_a_report(cassiopee, real):
    (email,) = ask(cassiopee, GONE)
    drain()
    assert state(email)[0] is Status.SENT
    assert report_comes(email, Status.FAILED)
    assert state(email) == (Status.FAILED, Reason.USER_UNKNOWN)
    bounced = event(email, EventKind.BOUNCED)
    assert bounced.enhanced_code == "5.1.1" and bounced.data["final_recipient"] == "nobody-here@client.example"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("recipient", "status"), [("zoe@client.example", Status.DELIVERED), (GONE, Status.FAILED)])
def test_each_key_alone_finds_the_email(cassiopee, real, key, recipient, status):
    (email,) = ask(cassiopee, recipient)
    drain()
    action = b"Action: failed" if status is Status.FAILED else b"Action: delivered"

    def about() -> list[bytes]:
        return [raw for path in real.reports() if action in (raw := path.read_bytes())]

    assert wait_until(about, 60, every=0.1)
    (raw,) = about()
    for name in KEYS.values():
        assert re.search(tokens.token(name, email.id).encode(), raw, re.IGNORECASE), f"Postfix gave no {name} back"
    real.clear()
    real.put(only(raw, email, "none"), "1.without.any")
    real.put(only(raw, email, key), f"2.only.{key}")
    assert report_comes(email, status)
    query = select(InboundMessage.outcome).order_by(InboundMessage.id)
    assert list(db.session.scalars(query)) == ["orphan", "applied"]
    kind = EventKind.DELIVERED if status is Status.DELIVERED else EventKind.BOUNCED
    assert event(email, kind).data["key"] == key


def test_a_mailing_of_forty_comes_back_whole(cassiopee, real):
    known = [f"zoe+{n}@client.example" for n in range(30)]
    emails = ask(cassiopee, *known, *[f"unknown{n}@client.example" for n in range(10)])
    drain()
    wanted = {Status.DELIVERED: 30, Status.FAILED: 10}

    def all_known() -> bool:
        mailbox.poll()
        found = [state(email)[0] for email in emails]
        return {status: found.count(status) for status in set(found)} == wanted

    assert wait_until(all_known, 60, every=0.3)
    assert len(list((real.mail / "zoe" / "new").iterdir())) == 30
