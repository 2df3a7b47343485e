"""A server that cannot be reached is noted once, with since when, until a line opens; the banner says it."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import select, text

import mail
from extensions import db
from mail import outbox
from mail.away import Away
from mail.compose import Draft
from mail.drain import drain
from models import DeliveryEvent, ServerAway, SmtpAccount
from models.words import EventKind, QueueState
from tests.client import Browser
from tests.conftest import House
from tests.mail.test_situation import waiting


def known() -> dict[int, tuple[datetime, str]]:
    db.session.rollback()
    return {row.account_id: (row.since, row.words) for row in db.session.scalars(select(ServerAway))}


def test_since_the_first_failure_until_a_line_opens(app: Flask) -> None:
    Away().lost(None, "ConnectionRefusedError")
    (first,) = known().values()
    Away().lost(None, "TimeoutError")
    Away().lost(7, "NUL \x00 in it")
    found = known()
    assert found[0] == (first[0], "TimeoutError") and found[7][1] == "NUL \ufffd in it"
    db.session.execute(text("UPDATE server_away SET seen_at = now() - interval '6 hours' WHERE account_id = 0"))
    db.session.commit()
    Away().lost(None, "again")
    assert known()[0][0] > first[0], "another story begins"
    drain_notes = Away()
    drain_notes.back(None)
    drain_notes.back(None)
    assert list(known()) == [7]


def test_a_drain_notes_a_server_that_nobody_answers_at(app: Flask, cassiopee: House, client: Browser) -> None:
    draft = Draft("ada@one.example", "Ada", None, None, "free", "Bonjour", "<p>Bonjour</p>", "Bonjour", ())
    mail.post([draft], organisation=cassiopee.organisation, sender=cassiopee.sender, by=None, request_key="1")
    db.session.commit()
    drain()  # nothing listens on the tests' port
    assert "ConnectionRefusedError" in known()[0][1]
    admin = client.sign_in(cassiopee.admin)
    admin.get("/sessions")
    assert "Le serveur d’envoi ne répond pas" in admin.text() and "ConnectionRefusedError" in admin.text()
    staff = Browser(app).sign_in(cassiopee.staff)
    staff.get("/sessions")
    assert "Le serveur d’envoi ne répond pas" not in staff.text()
    for page in ("/", "/todo"):
        staff.get(page)
        assert "Le serveur d’envoi ne répond pas" in staff.text() and "ConnectionRefusedError" not in staff.text()
        assert "réessayés d’eux-mêmes" in staff.text()
    Away().back(None)
    admin.get("/sessions")
    assert "ne répond pas" not in admin.text()


def test_an_account_away_concerns_those_that_leave_by_it_and_have_mail_waiting(
    client: Browser, cassiopee: House, boreale: House
) -> None:
    account = SmtpAccount(organisation_id=boreale.id, name="Leur compte", host="smtp.example", port=587)
    db.session.add(account)
    db.session.flush()
    boreale.sender.account_id = account.id
    db.session.commit()
    Away().lost(account.id, "TimeoutError")
    waiting(cassiopee, "ada@one.example")
    assert "ne répond pas" not in _words(client, cassiopee, "/sessions")
    assert "ne répond pas" not in _words(client, boreale, "/sessions"), "nothing waits for it"
    waiting(boreale, "zoe@one.example")
    assert "ne répond pas" in _words(client, boreale, "/sessions")
    assert "ne répond pas" in _words(client, boreale, "/emails"), "the history reads it with its own statement"


def _words(client: Browser, house: House, page: str) -> str:
    client.sign_in(house.admin).get(page)
    return client.text()


def test_a_paused_sender_is_said_with_the_way_on(app: Flask, client: Browser, cassiopee: House) -> None:
    cassiopee.sender.paused_at, cassiopee.sender.paused_why = db.func.now(), "535 5.7.8 refused"
    db.session.commit()
    admin = client.sign_in(cassiopee.admin)
    admin.get("/contacts/learners")  # one calm line where nobody sends
    assert "est en pause depuis le" in admin.text() and not admin.html.xpath("//*[@id='trouble']//form")
    admin.get("/todo")
    (form,) = admin.html.xpath("//*[@id='trouble']//form")
    assert "535 5.7.8 refused" in admin.text()
    staff = Browser(app).sign_in(cassiopee.staff)
    staff.get("/todo")
    assert "Prévenez un administrateur" in staff.text() and "535" not in staff.text()
    answer = admin.post(form.get("action"), {"next": form.xpath("string(input[@name='next']/@value)")})
    assert answer.headers["Location"] == "/todo"
    admin.get("/todo")
    assert not admin.html.xpath("//*[@id='trouble']")


def test_the_reaper_tells_which_job_held_it(cassiopee: House) -> None:
    email = waiting(cassiopee, "ada@one.example", state=QueueState.CLAIMED)
    ours = {"id": email.id}
    db.session.execute(text("UPDATE outbox_entry SET owner = 'host:12:ab:job-7', lease_until = now() - interval '1 s' "
                            "WHERE email_id = :id"), ours)  # fmt: skip
    db.session.commit()
    assert outbox.reap() == 1
    (fact,) = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == EventKind.RELEASED))
    assert fact.data == {"owner": "host:12:ab:job-7", "job": "job-7"}
    assert timedelta() <= db.session.scalar(select(db.func.now())) - fact.occurred_at
