"""Accusé de réception: asked for by a merge tag, confirmed by a press, never by looking."""

from __future__ import annotations

from sqlalchemy import text

from extensions import db
from mail import compose, mime, tokens
from mail.fold import Fact
from mail.letters import Words
from mail.outbox import post
from mail.own_address import PLACE_TOKEN
from mail.resend import Ask, resend
from mail.tracking import record
from models import Contact, Email, EmailContent
from models.words import ContactKind, EventKind, Status
from tests.client import Browser
from tests.conftest import House

ASKING = "Bonjour,\n\n[Confirmer la réception]({{ accuse.lien }})\n\nMerci"


def asked(house: House, words: str = ASKING) -> Email:
    """An e-mail to Léa that left, asking for a receipt."""
    contact = Contact(organisation_id=house.id, kind=ContactKind.LEARNER, name="Léa", sort_name="lea",
                      first_name="Léa", last_name="Martin", email="lea@client.example")  # fmt: skip
    db.session.add(contact)
    db.session.flush()
    writing = compose.Writing("free", {"fr": Words("Convocation", words)}, house.organisation)
    drafts = compose.drafts(writing, [contact])
    email = post(drafts, organisation=house.organisation, sender=house.sender, by=house.admin, request_key="1")[0]
    now = db.session.execute(text("SELECT now()")).scalar_one()
    record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", now)])
    db.session.commit()
    return email


def said(email: Email) -> tuple[str, str]:
    shown = mime.shown(db.session.get_one(EmailContent, email.id).skeleton)
    return shown.html or "", shown.text or ""


def token(email: Email) -> str:
    return tokens.token("receipt", email.id)


def test_each_email_has_its_own_address_in_both_parts(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee)
    html, words = said(email)
    for part in (html, words):
        assert f"http://localhost/t/r/{token(email)}" in part
        assert PLACE_TOKEN not in part
    assert "accusé de réception demandé" in _detail(client, cassiopee, email)


def test_without_the_tag_nothing_is_asked(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee, "Bonjour")
    assert "/t/r/" not in "".join(said(email))
    assert "accusé" not in _detail(client, cassiopee, email)


def _detail(client: Browser, house: House, email: Email) -> str:
    client.sign_in(house.admin).get(f"/emails/{email.public_id}")
    return client.text()


def test_looking_confirms_nothing_and_pressing_does_once(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee)
    recipient = Browser(client.app)
    for _ in range(2):
        recipient.get(f"/t/r/{token(email)}")
        assert "Avez-vous bien reçu" in recipient.text() and "Convocation" in recipient.text()
    assert recipient.client.head(f"/t/r/{token(email)}").status_code == 200
    db.session.expire_all()
    assert email.status is Status.SENT
    recipient.post(f"/t/r/{token(email)}", csrf=False, status=403)
    for _ in range(2):
        recipient.post(f"/t/r/{token(email)}")
    recipient.get(f"/t/r/{token(email)}")
    assert "Merci" in recipient.text() and not recipient.html.xpath("//form")
    db.session.expire_all()
    assert email.status is Status.OPENED
    kinds = db.session.execute(text("SELECT kind FROM delivery_event ORDER BY id")).scalars().all()
    assert kinds == ["requested", "accepted", "confirmed"]
    assert "Réception confirmée" in _detail(client, cassiopee, email)


def test_other_tokens_open_nothing(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee)
    for other in (tokens.token("pixel", email.id), tokens.token("receipt", email.id + 1), "b" * tokens.LENGTH, "x"):
        client.get(f"/t/r/{other}", status=404)
        client.post(f"/t/r/{other}", status=404)


def test_the_preview_leads_to_a_page_that_says_so(cassiopee: House, client: Browser) -> None:
    client.get(f"/t/r/{PLACE_TOKEN}")
    assert "Ceci est un aperçu" in client.text() and not client.html.xpath("//form")
    client.get(f"/t/r/{PLACE_TOKEN}?language=en")
    assert "This is a preview" in client.text()


def test_a_copy_asks_for_its_own_receipt(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee)
    now = db.session.execute(text("SELECT now()")).scalar_one()
    record([Fact(email.id, EventKind.BOUNCED, "dsn", "1", now)])
    db.session.commit()
    db.session.expire_all()
    for key, ask in (("2", Ask("lea.martin@client.example")), ("3", Ask(said="Voici de nouveau"))):
        new = resend(email, by=cassiopee.admin, request_key=key, ask=ask)
        db.session.commit()
        for part in said(new):
            assert token(new) in part and token(email) not in part
        content = db.session.get_one(EmailContent, new.id)
        assert mime.sealed(content.skeleton, content.cuts, content.smtputf8).sha256 == content.sha256


def test_an_own_copy_confirms_nothing_of_the_recipient(cassiopee: House, client: Browser) -> None:
    email = asked(cassiopee)
    db.session.execute(text("UPDATE email SET sent_at = now() - interval '5 days'"))
    db.session.commit()
    db.session.expire_all()
    copy = resend(email, by=cassiopee.admin, request_key="2", ask=Ask(own_copy=True))
    db.session.commit()
    assert token(email) not in "".join(said(copy))
    client.post(f"/t/r/{token(copy)}")
    db.session.expire_all()
    assert email.status is Status.SENT and copy.status is Status.REQUESTED
