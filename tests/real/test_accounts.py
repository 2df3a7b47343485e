"""STARTTLS with a verified certificate and a password asked by a real Postfix: right, wrong, and not to be trusted."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import select

from extensions import db
from mail import outbox
from mail.drain import drain
from models import DeliveryEvent, Email, Sender
from models.words import EventKind, Status
from tests.mail.test_sending import ask, entry, kinds, make_due, state
from tests.real.servers import PASSWORD


@pytest.fixture
def account(real, app):
    """The app's account on the port where Postfix asks for STARTTLS and a password; its authority is trusted."""
    mail = app.extensions["tracked_mail"]
    mail.port, mail.use_tls, mail.username, mail.password = real.submission, True, "formation", PASSWORD
    mail.config = dataclasses.replace(mail.config, mail_ca_file=real.authority.root)
    return mail


def last_words(email: Email) -> str:
    query = select(DeliveryEvent.diagnostic).where(DeliveryEvent.email_id == email.id)
    return db.session.scalars(query.order_by(DeliveryEvent.id.desc()).limit(1)).one() or ""


def test_an_encrypted_session_with_the_right_password_sends(cassiopee, real, account):
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    assert state(email)[0] is Status.SENT
    log = (real.folder / "postfix/log/postfix.log").read_text()
    assert "TLSv1.3" in log and "sasl_username=formation" in log


def test_a_wrong_password_stops_the_senders_queue_once(cassiopee, real, account):
    account.password = "faux"
    emails = ask(cassiopee, "zoe@client.example", "ali@client.example")
    drain()
    db.session.expire_all()
    sender = db.session.get(Sender, cassiopee.sender.id)
    assert sender.paused_at is not None and sender.paused_why.startswith("535 5.7.8")
    assert [state(email)[0] for email in emails] == [Status.REQUESTED] * 2
    assert [entry(email).attempt_count for email in emails] == [0, 0]
    make_due()
    assert drain() == 0 and not outbox.due()

    account.password = PASSWORD
    outbox.resume(sender)
    db.session.commit()
    make_due()
    drain()
    assert [state(email)[0] for email in emails] == [Status.SENT] * 2


def test_a_certificate_nobody_vouches_for_keeps_the_mail_waiting(cassiopee, real, account):
    account.config = dataclasses.replace(account.config, mail_ca_file=None)
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    assert state(email)[0] is Status.REQUESTED and kinds(email) == [EventKind.REQUESTED, EventKind.DEFERRED]
    assert "certificate verify failed" in last_words(email)
    assert entry(email).attempt_count == 1

    account.config = dataclasses.replace(account.config, mail_ca_file=real.authority.root)
    make_due()
    drain()
    assert state(email)[0] is Status.SENT


def test_a_certificate_for_another_name_keeps_the_mail_waiting(cassiopee, real, account):
    account.server = "localhost"  # the certificate is for 127.0.0.1
    try:
        (email,) = ask(cassiopee, "zoe@client.example")
        drain()
    finally:
        account.server = "127.0.0.1"
    assert state(email)[0] is Status.REQUESTED
    assert "certificate is not valid for 'localhost'" in last_words(email)


def test_an_operator_may_turn_verification_off(cassiopee, real, account):
    account.config = dataclasses.replace(account.config, mail_ca_file=None, mail_verify_tls=False)
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    assert state(email)[0] is Status.SENT


def test_a_port_that_wants_encryption_refuses_in_clear_and_stops_the_queue(cassiopee, real, account):
    account.use_tls, account.username = False, None
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    db.session.expire_all()
    sender = db.session.get(Sender, cassiopee.sender.id)
    assert sender.paused_at is not None and "STARTTLS" in sender.paused_why
    assert state(email)[0] in (Status.REQUESTED, Status.FAILED)
