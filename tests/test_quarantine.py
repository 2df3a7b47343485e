"""Quarantine on screen: the list, lifting it there and from an e-mail, resending in the same press; a person's word."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from extensions import db
from history import untreated
from mail import post, quarantine, record
from mail.compose import Draft
from mail.fold import Fact
from models import AuditAction, AuditEntry, Contact, DeliveryEvent, Email, OutboxEntry, Suppression
from models.words import ContactKind, EventKind, Reason, Status
from people import contacts
from tests.client import Browser
from tests.conftest import House
from tests.program import Program

_keys = (f"key {n}" for n in itertools.count())
K, R = EventKind, Reason
LIST = "/settings/quarantine"


class Desk:
    """A person at the pages: what the last answer was, its source, its words."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.response: Any = None

    def get(self, path: str, status: int = 200, **kwargs: Any) -> Desk:
        self.response = self.browser.get(path, status=status, **kwargs)
        return self

    def post(self, path: str, data: dict[str, str], status: int = 303) -> Desk:
        self.response = self.browser.post(path, data, status=status)
        return self

    def follow(self) -> Desk:
        return self.get(self.response.location)

    @property
    def source(self) -> str:
        return self.response.get_data(as_text=True)

    def words(self) -> str:
        return self.browser.text()


@pytest.fixture
def desk(client: Browser, cassiopee: House) -> Desk:
    """An admin's."""
    return Desk(client.sign_in(cassiopee.admin))


def ask(house: House, *recipients: str, subject: str = "Bonjour") -> list[Email]:
    drafts = [Draft(one, "Zoé", None, None, "free", subject, "", "Bonjour\n") for one in recipients]
    emails = post(drafts, organisation=house.organisation, sender=house.sender, by=house.staff,
                  request_key=next(_keys))  # fmt: skip
    db.session.commit()
    return emails


def said(email: Email, kind: EventKind, reason: Reason | None = None, days: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(days=days)
    record([Fact(email.id, kind, "smtp", next(_keys), at, reason)])
    db.session.commit()


def dead(house: House, address: str = "perdu@client.example") -> Email:
    (email,) = ask(house, address, subject="La convocation")
    said(email, K.REFUSED, R.USER_UNKNOWN)
    return email


def stopped(house: House, address: str = "perdu@client.example") -> Email:
    dead(house, address)
    (email,) = ask(house, address, subject="Le rappel")
    assert email.reason is R.SUPPRESSED
    return email


def uncertain(house: House) -> Email:
    (email,) = ask(house, "zoe@client.example")
    said(email, K.OUTCOME_UNKNOWN)
    db.session.execute(text("DELETE FROM outbox_entry"))
    db.session.commit()
    return email


def spell(house: House, address: str = "perdu@client.example") -> Suppression | None:
    db.session.expire_all()
    return quarantine.spell(house.id, address)


def noted(action: AuditAction) -> list[AuditEntry]:
    return list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)))


def test_the_list_says_who_why_since_and_by_which_email(desk: Desk, cassiopee: House, boreale: House) -> None:
    desk.get(LIST)
    assert "Aucune adresse en quarantaine" in desk.words()
    email = dead(cassiopee)
    (other,) = ask(cassiopee, "fache@client.example")
    said(other, K.COMPLAINED)
    dead(boreale, "ailleurs@client.example")
    desk.get(LIST)
    words = desk.words()
    assert "perdu@client.example" in words and "Adresse inconnue" in words and "La convocation" in words
    assert "fache@client.example" in words and "Plainte du destinataire" in words
    assert "ailleurs@client.example" not in words
    assert f"/emails/{email.public_id}" in desk.source
    desk.get(f"{LIST}?address=PERD")
    assert "perdu@" in desk.words() and "fache@" not in desk.words()
    desk.get(f"{LIST}?reason=complaint")
    assert "fache@" in desk.words() and "perdu@" not in desk.words()
    desk.get(f"{LIST}?address=rien%25")
    assert "Aucune adresse ne correspond" in desk.words()
    desk.get(f"{LIST}?state=lifted&reason=zzz&address=%00&cursor=zzz")
    assert "Aucune quarantaine levée" in desk.words()


def test_a_long_list_comes_by_pages_in_few_statements(desk: Desk, cassiopee: House, app: Flask) -> None:
    emails = ask(cassiopee, *(f"p{n:03}@client.example" for n in range(120)))
    at = datetime.now(UTC)
    record([Fact(one.id, K.REFUSED, "smtp", "x", at, R.USER_UNKNOWN) for one in emails])
    db.session.commit()
    ran: list[str] = []

    def note(*given: Any) -> None:
        ran.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    seen: list[str] = []
    where: str | None = LIST
    while where:
        ran.clear()
        desk.get(where)
        assert len([one for one in ran if "suppression" in one]) == 2, ran  # beside what every page asks
        seen += re.findall(r'title="(p\d+)@client', desk.source)
        found = re.search(r'href="([^"]+)" rel="next"', desk.source)
        where = found[1].replace("&amp;", "&") if found else None
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(seen) == len(set(seen)) == 120


def test_an_address_tells_its_story_and_its_record(desk: Desk, cassiopee: House) -> None:
    contact = contacts.save(
        Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER), first_name="Zoé", last_name="Martin",
        email="Perdu@client.example",
    )  # fmt: skip
    db.session.commit()
    dead(cassiopee)
    held = spell(cassiopee)
    desk.get(f"{LIST}/{held.public_id}")
    assert "plus rien n’est envoyé à cette adresse" in desk.words()
    assert f"/contacts/{contact.public_id}/edit" in desk.source
    desk.post(f"{LIST}/{held.public_id}/lifted", {"note": "vue au téléphone"})
    assert "est levée" in desk.follow().words()
    assert spell(cassiopee) is None
    (line,) = noted(AuditAction.QUARANTINE_LIFTED)
    assert (line.subject, line.also) == ("perdu@client.example", [held.public_id])
    assert line.data == {"reason": "user_unknown", "note": "vue au téléphone"}
    desk.get(f"{LIST}?state=lifted")
    assert "vue au téléphone" in desk.words() and cassiopee.admin.name in desk.words()
    desk.get(f"{LIST}/{held.public_id}")
    assert "n’est plus en quarantaine" in desk.words() and "vue au téléphone" in desk.words()
    desk.post(f"{LIST}/{held.public_id}/lifted", {"note": "encore"})
    assert "déjà levée" in desk.follow().words()
    assert len(noted(AuditAction.QUARANTINE_LIFTED)) == 1


def test_a_stopped_email_says_why_and_one_press_lifts_and_resends(desk: Desk, cassiopee: House) -> None:
    email = stopped(cassiopee)
    first = db.session.scalars(select(Email).order_by(Email.id)).first()
    desk.get(f"/emails/{email.public_id}")
    words = desk.words()
    assert "En quarantaine depuis le" in words and "Adresse inconnue" in words and "Erreur à l’envoi" in words
    assert f'href="/emails/{first.public_id}"' in desk.source
    assert f'id="quarantine-{email.public_id}"' in desk.source
    form = {"note": "rouverte", "resend": "1", "request_key": "abc-1"}
    desk.post(f"/emails/{email.public_id}/lifted", form)
    assert "levée et l’e-mail renvoyé" in desk.follow().words()
    assert spell(cassiopee) is None
    new = db.session.scalars(select(Email).where(Email.resend_of_id == email.id)).one()
    assert new.status is Status.REQUESTED and db.session.get(OutboxEntry, new.id) is not None
    desk.post(f"/emails/{email.public_id}/lifted", form)  # a double click
    assert desk.response.location.endswith(new.public_id)
    assert db.session.scalar(select(func.count()).where(Email.resend_of_id == email.id)) == 1
    assert len(noted(AuditAction.QUARANTINE_LIFTED)) == len(noted(AuditAction.EMAIL_RESENT)) == 1
    desk.get(f"/emails/{email.public_id}")
    assert "a été levée par" in desk.words() and "rouverte" in desk.words()


def test_an_email_that_showed_it_warns_before_a_resend(desk: Desk, cassiopee: House) -> None:
    email = dead(cassiopee)
    desk.get(f"/emails/{email.public_id}")
    assert "montré par cet e-mail" in desk.words() and "ne partira pas" in desk.words()
    desk.post(f"/emails/{email.public_id}/resends", {"to": "perdu@client.example", "request_key": "k1"})
    desk.follow()
    assert "Adresse en quarantaine" in desk.words()
    desk.post(f"/emails/{email.public_id}/resends", {"to": "retrouve@client.example", "request_key": "k2"})
    new = db.session.scalars(select(Email).order_by(Email.id.desc())).first()
    assert new.status is Status.REQUESTED
    desk.post(f"/emails/{email.public_id}/lifted", {"note": ""})
    assert "est levée" in desk.follow().words() and spell(cassiopee) is None


def test_one_that_arrived_says_nothing_of_what_came_later(desk: Desk, cassiopee: House) -> None:
    (old,) = ask(cassiopee, "perdu@client.example")
    said(old, K.DELIVERED)
    dead(cassiopee)
    desk.get(f"/emails/{old.public_id}")
    assert "en quarantaine" not in desk.words()


def test_lifting_with_a_resend_that_cannot_be_changes_nothing(desk: Desk, cassiopee: House) -> None:
    (email,) = ask(cassiopee, "perdu@client.example")
    dead(cassiopee)
    desk.post(f"/emails/{email.public_id}/lifted", {"resend": "1", "request_key": "k"})
    assert "encore en route" in desk.follow().words()
    assert spell(cassiopee) is not None and not noted(AuditAction.QUARANTINE_LIFTED)
    (failed,) = ask(cassiopee, "perdu@client.example")
    desk.post(f"/emails/{failed.public_id}/lifted", {"resend": "1"}, 400)
    assert spell(cassiopee) is not None


@pytest.mark.parametrize("who", ["staff", "manager", "stranger", "boreale"])
def test_who_may_not_neither_sees_nor_lifts_nor_judges(who: str, app: Flask, cassiopee: House, boreale: House) -> None:
    email, doubtful = stopped(cassiopee), uncertain(cassiopee)
    held = spell(cassiopee)
    client = Desk(Browser(app))
    refused = {"stranger": 303, "boreale": 404}.get(who, 403)
    if who != "stranger":
        client.browser.sign_in(boreale.admin if who == "boreale" else getattr(cassiopee, who))
    for path in (f"{LIST}/{held.public_id}/lifted", f"/emails/{email.public_id}/lifted"):
        client.post(path, {"note": "x", "resend": "1", "request_key": "k"}, refused)
    client.post(f"/emails/{doubtful.public_id}/judged", {"note": "x", "received": "no"}, refused)
    client.get(f"{LIST}/{held.public_id}", refused)
    client.get(LIST, {"stranger": 303, "boreale": 200}.get(who, 403))
    assert "perdu@" not in client.source
    db.session.refresh(doubtful)
    assert spell(cassiopee) is not None and doubtful.status is Status.UNCERTAIN
    if who in ("staff", "manager"):
        client.get(f"/emails/{email.public_id}")
        assert "Seul un administrateur peut lever" in client.words() and "/lifted" not in client.source
        client.get(f"/emails/{doubtful.public_id}")
        assert "Seul un administrateur peut dire" in client.words() and "/judged" not in client.source


def test_a_person_says_it_was_not_received_and_it_may_go_again(desk: Desk, cassiopee: House) -> None:
    email = uncertain(cassiopee)
    today = datetime.now(UTC).date()
    desk.get(f"/emails/{email.public_id}")
    assert "Dire si la personne l’a reçu" in desk.words() and "Comment le savez-vous" in desk.words()
    assert f'id="judgment-{email.public_id}"' in desk.source
    desk.post(f"/emails/{email.public_id}/judged", {"received": "no", "note": "  "}, 422)
    assert "Dites comment vous le savez" in desk.words()
    desk.post(f"/emails/{email.public_id}/judged", {"received": "perhaps", "note": "x"}, 400)
    desk.post(f"/emails/{email.public_id}/judged", {"received": "no", "note": "appelée le 12/03"})
    assert "Pas reçu" in desk.follow().words() and "appelée le 12/03" in desk.words()
    db.session.refresh(email)
    assert (email.status, email.reason) == (Status.FAILED, R.UNKNOWN)
    fact = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == K.CORRECTED)).one()
    assert fact.data == {"by": cassiopee.admin.name, "status": "failed", "note": "appelée le 12/03"}
    assert untreated.read(cassiopee.id, today).total == 1
    desk.post(f"/emails/{email.public_id}/resends", {"to": "zoe@client.example", "request_key": "k"})
    new = db.session.scalars(select(Email).where(Email.resend_of_id == email.id)).one()
    said(new, K.DELIVERED)
    assert untreated.read(cassiopee.id, today).total == 0
    (line,) = noted(AuditAction.OUTCOME_JUDGED)
    assert (line.subject, line.data) == (email.public_id, {"received": False, "note": "appelée le 12/03"})


def test_a_person_says_it_was_received_and_takes_it_back(desk: Desk, cassiopee: House) -> None:
    email = uncertain(cassiopee)
    for word, status in (("yes", Status.DELIVERED), ("yes", Status.DELIVERED), ("no", Status.FAILED),
                         ("yes", Status.DELIVERED)):  # fmt: skip
        desk.post(f"/emails/{email.public_id}/judged", {"received": word, "note": "au téléphone"})
        desk.follow()
        db.session.refresh(email)
        assert email.status is status
    assert "a noté que la personne l’a reçu" in desk.words()
    assert db.session.scalar(select(func.count()).where(DeliveryEvent.kind == K.CORRECTED)) == 3
    assert untreated.read(cassiopee.id, datetime.now(UTC).date()).total == 0


def test_evidence_that_came_meanwhile_is_not_overruled(desk: Desk, cassiopee: House) -> None:
    email = uncertain(cassiopee)
    said(email, K.OPENED)
    desk.post(f"/emails/{email.public_id}/judged", {"received": "no", "note": "au téléphone"})
    assert "Du nouveau est arrivé" in desk.follow().words()
    db.session.refresh(email)
    assert email.status is Status.OPENED


def test_the_expanded_row_takes_two_statements_still(desk: Desk, cassiopee: House) -> None:
    email = stopped(cassiopee)
    desk.get("/emails")
    ran: list[str] = []

    def keep(*given: object) -> None:
        ran.append(str(given[2]))

    event.listen(db.engine, "before_cursor_execute", keep)
    try:
        desk.get(f"/emails/{email.public_id}?list=global", htmx=True)
    finally:
        event.remove(db.engine, "before_cursor_execute", keep)
    assert "en quarantaine" in desk.words() and len(ran) <= 2, ran


def test_a_program_is_told_at_once(app: Flask, cassiopee: House) -> None:
    """POST /emails and resends to a quarantined address: kept, failed, said; repeated, the same answer."""
    program = Program(app, cassiopee.admin)
    old = dead(cassiopee)
    both = [{"email": "PERDU@client.example"}, {"email": "autre@client.example"}]
    asked = {"recipients": both, "subject": "Bonjour", "text": "Bonjour"}
    key = {"Idempotency-Key": "0f8fad5b-d9cb-469f-a165-70867728950e"}
    for _again in range(2):
        held, other = program.post("/emails", asked, headers=key)["items"]
        assert (held["status"], held["reason"]) == ("failed", "suppressed")
        assert (other["status"], other["reason"]) == ("requested", None)
    found = program.get(f"/emails/{held['id']}")
    assert (found["status"], found["reason"]) == ("failed", "suppressed")
    happened = [(one["kind"], one["source"]) for one in found["events"]]
    assert happened == [("requested", "user"), ("not_sent", "quarantine")]
    (again,) = program.post(f"/emails/{old.public_id}/resends", {})["items"]
    assert (again["status"], again["reason"]) == ("failed", "suppressed")
    (right,) = program.post(f"/emails/{old.public_id}/resends", {"to": "retrouve@client.example"})["items"]
    assert (right["status"], right["reason"]) == ("requested", None)
