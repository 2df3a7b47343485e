"""Configuration › Retours › Nouvelles de services d'envoi: what one told of no e-mail, attached or put aside."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from extensions import db
from mail.providers import ledger
from models import AuditAction, AuditEntry, ProviderEvent
from models.provider import Heard
from models.words import Status
from tests.client import Browser
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.test_hearing import orphan
from tests.mail.providers.test_told import account, post_email, tell

LIST = "/settings/reports/told"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


@pytest.fixture
def waiting(cassiopee: House) -> ProviderEvent:
    return orphan(cassiopee, account(cassiopee, "brevo"))


def test_the_list_shows_ours_alone(admin: Browser, waiting: ProviderEvent) -> None:
    admin.get(LIST)
    said = admin.text()
    assert documented.WHO in said and "Retourné" in said
    admin.get("/settings/reports")
    assert "Nouvelles de services d’envoi" in admin.text()
    admin.get(f"{LIST}/{waiting.id + 1}", status=404)
    admin.get(f"{LIST}/{10**30}", status=404)


def test_anothers_is_not_found(client: Browser, waiting: ProviderEvent, boreale: House) -> None:
    browser = client.sign_in(boreale.admin)
    browser.get(LIST)
    assert "Aucune nouvelle sans e-mail" in browser.text()
    browser.get(f"{LIST}/{waiting.id}", status=404)
    browser.post(f"{LIST}/{waiting.id}/dismissed", {}, status=404)
    browser.post(f"{LIST}/dismissed", {"newest": str(waiting.id)})
    db.session.expire_all()
    assert waiting.outcome is Heard.ORPHAN


def test_attached_with_a_reason_it_shows_in_the_story(admin: Browser, cassiopee: House, waiting: ProviderEvent) -> None:
    email = post_email(cassiopee)
    waiting.received_at = db.func.now()  # an hour later, as it were: the e-mail is offered
    db.session.commit()
    page = admin.get(f"{LIST}/{waiting.id}").get_data(as_text=True)
    assert f'value="{email.public_id}"' in page
    admin.post(f"{LIST}/{waiting.id}/attached", {"email": email.public_id, "note": ""}, status=422)
    assert "Dites comment vous savez" in admin.text()
    admin.post(f"{LIST}/{waiting.id}/attached", {"email_id": "E-nothing", "note": "x"}, status=422)
    assert "Aucun de vos e-mails ne porte ce numéro" in admin.text()
    answer = admin.post(f"{LIST}/{waiting.id}/attached", {"email": email.public_id, "note": "Vu chez Brevo"})
    admin.get(answer.location)
    said = admin.text()
    assert "Vu chez Brevo" in said and cassiopee.admin.name in said and "nouvelle de Brevo" in said
    db.session.expire_all()
    assert email.status is Status.FAILED
    line = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.NEWS_ATTACHED)).one()
    assert line.subject == email.public_id
    admin.get(f"{LIST}/{waiting.id}", status=303)  # somebody has dealt with it


def test_put_aside_one_or_all(admin: Browser, cassiopee: House, waiting: ProviderEvent) -> None:
    admin.get(admin.post(f"{LIST}/{waiting.id}/dismissed", {"note": "Autre logiciel"}).location)
    assert "mise de côté" in admin.text() and "Aucune nouvelle sans e-mail" in admin.text()
    db.session.expire_all()
    assert (waiting.outcome, waiting.handled_note) == (Heard.DISMISSED, "Autre logiciel")
    waiting.outcome = Heard.ORPHAN
    db.session.commit()
    admin.get(LIST)
    assert admin.html.xpath("//input[@name='newest']/@value") == [str(waiting.id)]
    admin.get(admin.post(f"{LIST}/dismissed", {"newest": str(waiting.id)}).location)
    assert "1 nouvelle est mise de côté" in admin.text()
    admin.post(f"{LIST}/dismissed", {"newest": "nonsense"})


def test_a_strangers_words_are_text(admin: Browser, cassiopee: House, app) -> None:
    made = account(cassiopee, "brevo")
    payload = {"event": "hard_bounce", "email": f"{HOSTILE}@x.example", "reason": HOSTILE, "ts_epoch": 1_790_000_000}
    assert tell(app, made, payload).status_code == 204
    ledger.apply()
    found = db.session.scalars(select(ProviderEvent)).one()
    for path in (LIST, f"{LIST}/{found.id}"):
        source = admin.get(path).get_data(as_text=True)
        assert "<script>alert" not in source and "&lt;script&gt;alert(1)" in source
    assert "hard_bounce" in admin.text()  # the call that told it


def test_in_english(client: Browser, cassiopee: House, waiting: ProviderEvent) -> None:
    cassiopee.admin.language = "en"
    db.session.commit()
    browser = client.sign_in(cassiopee.admin)
    browser.get(LIST)
    assert "News from sending services" in browser.text()
    browser.get(f"{LIST}/{waiting.id}")
    assert "Attach to an e-mail" in browser.text() and "Rattacher" not in browser.text()
