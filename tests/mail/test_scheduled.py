"""E-mails planned for a moment: none leaves before it, a person may cancel or hasten what nobody holds."""

from __future__ import annotations

import email.policy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
from flask import Flask
from sqlalchemy import select

import mail
import mail.scheduled
from documents import blobs
from extensions import db
from mail import mime, outbox
from mail.compose import File
from mail.drain import drain
from models import DeliveryEvent, EmailContent
from models.words import EventKind, Reason, Status
from tests.mail.test_sending import ask, draft, entry, kinds, make_due, state
from tests.smtp_server import SmtpServer

LATER = timedelta(days=3)


@pytest.fixture
def server(app: Flask):
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        yield server
    app.extensions["tracked_mail"].port = 1


def message(server: SmtpServer) -> EmailMessage:
    """The one message the server took."""
    (taken,) = server.taken
    return email.message_from_bytes(taken.body, policy=email.policy.default)


def test_nothing_leaves_before_its_moment(cassiopee, server):
    send_at = datetime.now(UTC) + LATER
    (planned,) = ask(cassiopee, "zoe@client.example", send_at=send_at)
    assert drain() == 0 and state(planned) == (Status.REQUESTED, None)
    waiting = entry(planned)
    assert waiting.next_attempt_at == send_at and waiting.give_up_at == send_at + outbox.GIVE_UP_AFTER
    make_due()
    assert drain() == 1 and state(planned)[0] is Status.SENT
    assert parsedate_to_datetime(str(message(server)["Date"])) == send_at.replace(microsecond=0)


def test_a_moment_gone_by_means_at_once(cassiopee, server):
    (planned,) = ask(cassiopee, "zoe@client.example", send_at=datetime.now(UTC) - LATER)
    assert entry(planned).next_attempt_at == planned.created_at
    assert drain() == 1


def test_a_cancelled_email_never_leaves_and_says_who_cancelled_it(cassiopee, server):
    (planned,) = ask(cassiopee, "zoe@client.example", send_at=datetime.now(UTC) + LATER)
    assert mail.cancel(planned, cassiopee.staff)
    db.session.commit()
    assert state(planned) == (Status.FAILED, Reason.CANCELLED) and entry(planned) is None
    fact = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == EventKind.NOT_SENT)).one()
    assert (fact.source, fact.data) == ("user", {"by": cassiopee.staff.name})
    assert not mail.cancel(planned, cassiopee.staff) and not mail.send_now(planned, cassiopee.staff)
    make_due()
    assert drain() == 0 and server.taken == []


@pytest.mark.parametrize("begun", [False, True])
def test_what_a_worker_holds_can_be_neither_cancelled_nor_hastened(cassiopee, begun):
    (planned,) = ask(cassiopee, "zoe@client.example")
    (held,) = outbox.claim("w", 5)
    if begun:
        assert outbox.settle("w", outbox.Settlement(begun=[held.email_id])) == {held.email_id}
    assert not mail.cancel(planned, cassiopee.staff) and not mail.send_now(planned, cassiopee.staff)
    db.session.commit()
    assert state(planned) == (Status.REQUESTED, None) and kinds(planned) == [EventKind.REQUESTED]


def test_a_hastened_email_leaves_at_once_dated_today(cassiopee, server):
    stored = blobs.store(b"%PDF-1.4 bytes", "notes.pdf")
    drafts = [draft("zoe@client.example", files=(File.of("notes.pdf", stored),))]
    (planned,) = mail.post(
        drafts, organisation=cassiopee.organisation, sender=cassiopee.sender, by=cassiopee.staff, request_key="k",
        send_at=datetime.now(UTC) + LATER,
    )  # fmt: skip
    db.session.commit()
    assert mail.send_now(planned, cassiopee.staff)
    db.session.commit()
    assert not mail.send_now(planned, cassiopee.staff)
    content = db.session.get_one(EmailContent, planned.id)
    assert mime.sealed(content.skeleton, content.cuts, False).sha256 == content.sha256
    waiting = entry(planned)
    assert waiting.give_up_at == waiting.next_attempt_at + outbox.GIVE_UP_AFTER
    assert drain() == 1
    taken = message(server)
    assert abs(parsedate_to_datetime(str(taken["Date"])) - datetime.now(UTC)) < timedelta(minutes=1)
    assert [part.get_content() for part in taken.iter_attachments()] == [b"%PDF-1.4 bytes"]
    assert kinds(planned) == [EventKind.REQUESTED, EventKind.REQUESTED, EventKind.ACCEPTED]


def test_another_try_is_hastened_with_its_own_date(cassiopee, server):
    (planned,) = ask(cassiopee, "grey1@client.example")
    drain()
    before, gives_up = db.session.get_one(EmailContent, planned.id).sha256, entry(planned).give_up_at
    assert entry(planned).attempt_count == 1 and mail.send_now(planned, None)
    db.session.commit()
    assert entry(planned).give_up_at == gives_up  # whoever is impatient does not shorten the 48 hours
    assert db.session.get_one(EmailContent, planned.id).sha256 == before
    drain()
    assert state(planned)[0] is Status.SENT


def test_nothing_leaves_past_its_last_moment(cassiopee, server):
    now = datetime.now(UTC)
    (late,), (timely,) = (
        ask(cassiopee, f"{who}@client.example", not_after=now + ahead)
        for who, ahead in (("late", timedelta(seconds=-1)), ("timely", timedelta(hours=1)))
    )
    assert drain() == 1 and [taken.recipient for taken in server.taken] == ["timely@client.example"]
    assert not outbox.due()
    assert mail.scheduled.call_off_late(now) == 1
    db.session.commit()
    assert state(late) == (Status.FAILED, Reason.TOO_LATE) and entry(late) is None
    assert kinds(late) == [EventKind.REQUESTED, EventKind.NOT_SENT]
    assert state(timely)[0] is Status.SENT and mail.scheduled.call_off_late(now + LATER) == 0


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_on_the_line_is_not_called_off(cassiopee, begun):
    soon = datetime.now(UTC) + timedelta(seconds=30)
    (planned,) = ask(cassiopee, "zoe@client.example", not_after=soon)
    (held,) = outbox.claim("w", 5)
    if begun:
        outbox.settle("w", outbox.Settlement(begun=[held.email_id]))
    assert mail.scheduled.call_off_late(soon + LATER) == 0
    outbox.settle("w", outbox.Settlement(freed=[(held.email_id, 0)]))
    assert mail.scheduled.call_off_late(soon + LATER) == 1
    db.session.commit()
    assert state(planned) == (Status.FAILED, Reason.TOO_LATE)
