"""Asking an administrator or the support for help: filled in, sent once, answered to the person who asks."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import select

from extensions import db
from mail import mime
from models import AuditEntry, Email, EmailContent, User
from models.words import EmailType, Reason, Status
from tests.history.making import make_email, make_session

KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def supported(app: Any, monkeypatch: Any) -> str:
    address = "help@house.example"
    monkeypatch.setitem(app.extensions, "sillage", replace(app.extensions["sillage"], support_email=address))
    return address


@pytest.fixture
def email(cassiopee: Any) -> Email:
    session = make_session(cassiopee, "Sécurité incendie")
    return make_email(
        cassiopee, status=Status.UNDELIVERABLE, reason=Reason.BLOCKED, training_session_id=session.id, type="free"
    )


def asked() -> list[Email]:
    db.session.rollback()
    return list(db.session.scalars(select(Email).where(Email.type == EmailType.SUPPORT.value).order_by(Email.id)))


def message(email: Email) -> Any:
    content = db.session.get_one(EmailContent, email.id)
    return message_from_bytes(mime.join(content.skeleton, content.cuts), policy=default)


def filled(client: Any) -> dict[str, str]:
    form = client.html.forms[-1] if len(client.html.forms) == 1 else client.html.xpath("//form[@class='form']")[0]
    return dict(form.form_values())


def test_the_form_is_already_written(client: Any, cassiopee: Any, email: Email, supported: str) -> None:
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}/assistance?to=support")
    said = filled(client)
    assert said["whom"] == "support" and email.public_id in said["subject"]
    for fact in ("camille.petit@example.org", "Sécurité incendie", email.public_id, "Envoi bloqué",
                 f"/emails/{email.public_id}", cassiopee.staff.name):  # fmt: skip
        assert fact in said["message"]
    client.get(f"/emails/{email.public_id}/assistance?to=administrator")
    assert filled(client)["whom"] == "administrator"
    client.get(f"/emails/{email.public_id}/assistance?to=nobody")
    assert filled(client)["whom"] == "administrator"


def test_one_press_writes_once_and_the_answer_comes_to_the_person(
    client: Any, cassiopee: Any, email: Email, supported: str
) -> None:
    client.sign_in(cassiopee.staff)
    words = {"whom": "support", "subject": "Bloqué chez Orange", "message": "Bonjour {{ x }}\r\n\r\nMerci",
             "request_key": KEY}  # fmt: skip
    for _press in range(2):
        client.post(f"/emails/{email.public_id}/assistance", words)
    (sent,) = asked()
    assert (sent.subject, sent.training_session_id) == ("Bloqué chez Orange", email.training_session_id)
    letter = message(sent)
    assert (letter["To"], letter["Reply-To"]) == (supported, cassiopee.staff.email)
    assert "formation@cassiopee.example" in letter["From"]
    assert letter.get_content_type() == "text/plain"
    assert letter.get_content().split() == ["Bonjour", "{{", "x", "}}", "Merci"]
    lines = list(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "assistance_asked")))
    assert [(line.subject, line.data["whom"]) for line in lines] == [(email.public_id, "support")]


def test_every_active_admin_is_told(client: Any, cassiopee: Any, email: Email) -> None:
    for name, active in (("Zoé", True), ("Parti", False)):
        db.session.add(User(
            organisation_id=cassiopee.id, email=f"{name.lower().replace('é', 'e')}@cassiopee.example", name=name,
            role="admin", password_hash="x", active=active,
        ))  # fmt: skip
    db.session.commit()
    client.sign_in(cassiopee.manager)
    client.get(f"/emails/{email.public_id}/assistance?to=administrator")
    assert "Zoé" in client.text() and "Parti" not in client.text()
    client.post(f"/emails/{email.public_id}/assistance", filled(client))
    assert [message(one)["To"].addresses[0].addr_spec for one in asked()] == [
        "admin@cassiopee.example", "zoe@cassiopee.example",
    ]  # fmt: skip


def test_without_anybody_to_write_to_it_says_so(client: Any, cassiopee: Any, email: Email) -> None:
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}/assistance")
    assert "SUPPORT_EMAIL" in client.text()
    client.post(f"/emails/{email.public_id}/assistance", {"whom": "support", "message": "x"}, status=422)
    client.get(f"/emails/{email.public_id}")
    assert "SUPPORT_EMAIL" in client.text() and "Contacter l’assistance" not in client.text()
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    assert "SUPPORT_EMAIL" not in client.text() and "Contacter l’assistance" not in client.text()
    assert asked() == []


def test_where_there_is_support_the_row_leads_to_it(
    client: Any, cassiopee: Any, email: Email, supported: str
) -> None:
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}?list=session", htmx=True)
    (link,) = client.html.xpath("//a[contains(., 'Contacter l')]")
    client.get(link.get("href"))


@pytest.mark.parametrize("wrong", [
    {"subject": ""}, {"message": " "}, {"subject": "a\x00b"}, {"message": "a\x00b"}, {"whom": "everybody"},
    {"subject": "x" * 201}, {"message": "x" * 10_001},
])  # fmt: skip
def test_nonsense_is_sent_back_with_a_word(
    client: Any, cassiopee: Any, email: Email, supported: str, wrong: dict[str, str]
) -> None:
    client.sign_in(cassiopee.staff)
    good = {"whom": "support", "subject": "x", "message": "y", "request_key": KEY}
    client.post(f"/emails/{email.public_id}/assistance", good | wrong, status=422)
    assert client.html.xpath("//*[contains(@class, 'error')]")
    assert asked() == []


def test_a_foreign_email_is_not_found(client: Any, cassiopee: Any, boreale: Any, email: Email, supported: str) -> None:
    client.sign_in(boreale.admin)
    client.get(f"/emails/{email.public_id}/assistance", status=404)
    client.post(f"/emails/{email.public_id}/assistance", {"whom": "support"}, status=404)
