"""Désinscription: types that people may leave, by link or by their mail program's button; all others cannot be left."""

from __future__ import annotations

import email
import email.policy

import pytest
from sqlalchemy import func, select, text

from extensions import db
from mail import compose, leaving, mime, tokens
from mail.compose import Draft
from mail.fold import Fact
from mail.letters import Words
from mail.outbox import post
from mail.own_address import PLACE_TOKEN
from mail.resend import resend
from mail.tracking import record
from models import AuditAction, AuditEntry, Contact, Email, EmailContent, LeftBy, OptOut, OutboxEntry
from models.words import ContactKind, EventKind, Reason, Status
from tests.client import Browser
from tests.conftest import House


@pytest.fixture
def newsletters(cassiopee: House) -> House:
    cassiopee.organisation.optional_types = ["newsletter"]
    db.session.commit()
    return cassiopee


def sent(house: House, type: str = "newsletter", to: str = "Lea@client.example", key: str = "") -> Email:
    draft = Draft(to, "Léa", None, None, type, "Nouveautés", "<p>Bonjour</p>", "Bonjour\n")
    number = db.session.scalar(select(func.count()).select_from(Email))
    made = post([draft], organisation=house.organisation, sender=house.sender, by=None,
                request_key=key or f"key {number}")[0]  # fmt: skip
    db.session.commit()
    return made


def wire(one: Email) -> email.message.EmailMessage:
    content = db.session.get_one(EmailContent, one.id)
    return email.message_from_bytes(mime.join(content.skeleton, content.cuts), policy=email.policy.default)


def path(one: Email) -> str:
    return f"/t/u/{tokens.token('leave', one.id)}"


def test_only_types_that_can_be_left_say_so(newsletters: House) -> None:
    one = sent(newsletters)
    assert wire(one)["List-Unsubscribe"] == f"<http://localhost{path(one)}>"
    assert wire(one)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert wire(sent(newsletters, "convocation"))["List-Unsubscribe"] is None


def test_one_click_takes_effect_without_cookie_or_token_of_a_form(newsletters: House, client: Browser) -> None:
    one = sent(newsletters)
    answer = client.client.post(path(one), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    held = db.session.scalars(select(OptOut)).one()
    assert (held.address, held.type, held.left_by) == ("lea@client.example", "newsletter", LeftBy.ONE_CLICK)
    assert client.client.post(path(one), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert db.session.scalar(select(func.count()).select_from(OptOut)) == 1


def test_looking_leaves_nothing(newsletters: House, client: Browser) -> None:
    one = sent(newsletters)
    client.get(path(one))
    assert client.client.head(path(one)).status_code == 200
    assert "Ne plus recevoir" in client.text() and db.session.scalar(select(OptOut.id)) is None


def test_what_is_asked_for_after_that_is_called_off_and_only_that(newsletters: House, client: Browser) -> None:
    first, waiting = sent(newsletters), sent(newsletters)
    other = sent(newsletters, "convocation")
    client.post(path(first))
    client.get(path(first))
    assert "C’est noté" in client.text()
    later, elsewhere = sent(newsletters), sent(newsletters, to="marc@client.example")
    db.session.expire_all()
    for gone in (waiting, later):
        assert (gone.status, gone.reason) == (Status.FAILED, Reason.CANCELLED)
    assert other.status is elsewhere.status is Status.REQUESTED
    queued = set(db.session.scalars(select(OutboxEntry.email_id)))
    assert queued == {other.id, elsewhere.id}, "the first was still waiting too"
    client.sign_in(newsletters.admin).get(f"/emails/{later.public_id}")
    assert "le destinataire ne veut plus de ce type d’e-mails" in client.text()


def test_coming_back(newsletters: House, client: Browser) -> None:
    one = sent(newsletters)
    client.post(path(one))
    client.post(path(one) + "/back")
    client.get(path(one))
    assert "Ne plus recevoir" in client.text()
    assert sent(newsletters).status is Status.REQUESTED
    client.post(path(one))  # and again
    assert sent(newsletters).reason is Reason.CANCELLED


def test_an_organisations_opt_outs_are_its_own(newsletters: House, boreale: House, client: Browser) -> None:
    boreale.organisation.optional_types = ["newsletter"]
    client.post(path(sent(newsletters)))
    assert sent(boreale, key="b").status is Status.REQUESTED
    held = db.session.scalars(select(OptOut)).one()
    client.sign_in(boreale.admin).get("/settings/opt-outs")
    assert "lea@client.example" not in client.text()
    client.post(f"/settings/opt-outs/{held.public_id}/restored", status=404)


def test_other_tokens_leave_nothing(newsletters: House, client: Browser) -> None:
    one = sent(newsletters)
    for other in (tokens.token("receipt", one.id), tokens.token("leave", one.id + 1), "b" * tokens.LENGTH, "x"):
        client.get(f"/t/u/{other}", status=404)
        client.post(f"/t/u/{other}", status=404)
    client.get(f"/t/u/{PLACE_TOKEN}")
    assert "Ceci est un aperçu" in client.text()


def test_letters_of_the_house_have_the_link_at_their_foot(newsletters: House) -> None:
    newsletters.organisation.optional_types = ["free"]
    contact = Contact(organisation_id=newsletters.id, kind=ContactKind.LEARNER, name="Léa", sort_name="lea",
                      first_name="Léa", last_name="Martin", email="lea@client.example")  # fmt: skip
    db.session.add(contact)
    db.session.flush()
    drafts = compose.drafts(
        compose.Writing("free", {"fr": Words("Nouveautés", "Bonjour")}, newsletters.organisation), [contact]
    )
    one = post(drafts, organisation=newsletters.organisation, sender=newsletters.sender, by=None, request_key="1")[0]
    shown = mime.shown(db.session.get_one(EmailContent, one.id).skeleton)
    for part in (shown.html or "", shown.text or ""):
        assert f"http://localhost{path(one)}" in part and PLACE_TOKEN not in part


def test_a_copy_is_left_by_its_own_address(newsletters: House) -> None:
    one = sent(newsletters)
    record([Fact(one.id, EventKind.BOUNCED, "dsn", "1", one.created_at)])
    db.session.commit()
    db.session.expire_all()
    again = resend(one, "lea.martin@client.example", by=newsletters.admin, request_key="2")
    db.session.commit()
    assert wire(again)["List-Unsubscribe"] == f"<http://localhost{path(again)}>"
    content = db.session.get_one(EmailContent, again.id)
    assert mime.sealed(content.skeleton, content.cuts, content.smtputf8).sha256 == content.sha256


def test_admins_choose_the_types_and_lift(newsletters: House, client: Browser) -> None:
    client.post(path(sent(newsletters)))
    client.sign_in(newsletters.admin).get("/settings/opt-outs")
    assert "lea@client.example" in client.text() and "newsletter" in client.text()
    client.get("/settings/opt-outs?address=LEA@")
    assert "lea@client.example" in client.text()
    client.get("/settings/opt-outs?address=nobody")
    assert "lea@client.example" not in client.text()
    client.post("/settings/opt-outs", {"types": ["free"], "words": "newsletter, promo newsletter"})
    db.session.expire_all()
    assert newsletters.organisation.optional_types == ["free", "newsletter", "promo"]
    for wrong in ("Été", "a" * 41, ", ".join(f"w{n}" for n in range(21))):
        client.post("/settings/opt-outs", {"words": wrong}, status=422)
    held = db.session.scalars(select(OptOut)).one()
    for _ in range(2):
        client.post(f"/settings/opt-outs/{held.public_id}/restored")
    assert sent(newsletters).status is Status.REQUESTED
    noted = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert noted == [AuditAction.OPTIONAL_TYPES, AuditAction.OPT_OUT_RESTORED]


def test_quarantine_comes_before(newsletters: House, client: Browser) -> None:
    one = sent(newsletters)
    client.post(path(one))
    db.session.execute(text(
        "INSERT INTO suppression (organisation_id, address, reason, shown_at) "
        "VALUES (:o, 'lea@client.example', 'complaint', now())"), {"o": newsletters.id})  # fmt: skip
    db.session.commit()
    assert sent(newsletters).reason is Reason.SUPPRESSED
    assert leaving.lasting(one) is not None
