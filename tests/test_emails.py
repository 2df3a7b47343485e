"""The organisation's list of e-mails, one e-mail, its frozen parts: what each role and each organisation gets."""

from __future__ import annotations

from typing import Any

from models.words import EventKind, Reason, Status
from tests.history.making import make_contact, make_email, make_session


def test_the_list_shows_an_email_and_its_page_explains_it(client: Any, cassiopee: Any) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    contact = make_contact(cassiopee, "Camille Petit")
    email = make_email(
        cassiopee, status=Status.FAILED, reason=Reason.USER_UNKNOWN, training_session_id=session.id,
        contact_id=contact.id, events=(EventKind.REQUESTED, EventKind.REFUSED),
    )  # fmt: skip
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    shown = client.text()
    assert "1 e-mail" in shown and "Camille Petit" in shown and "Erreur à l’envoi" in shown
    assert "Adresse inconnue" in shown and "Sécurité incendie" in shown
    client.get(f"/emails/{email.public_id}")
    shown = client.text()
    assert "L’opérateur du destinataire répond que cette adresse n’existe pas." in shown
    assert "550 5.1.1 <b>No such user</b>" in shown
    assert "Seul un administrateur peut renvoyer cet e-mail." in shown


def test_expanding_and_folding_a_row(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee)
    client.sign_in(cassiopee.admin)
    opened = client.get(f"/emails/{email.public_id}?list=session", htmx=True).get_data(as_text=True)
    assert 'aria-expanded="true"' in opened and f'id="{email.public_id}-detail"' in opened
    folded = client.get(f"/emails/{email.public_id}?list=session&fold=1", htmx=True).get_data(as_text=True)
    assert 'aria-expanded="false"' in folded and 'hx-swap-oob="delete"' in folded


def test_the_body_route(client: Any, cassiopee: Any) -> None:
    email = make_email(cassiopee, html="<p onclick=x>Été</p><script>alert(1)</script><img src=https://t.example/x>")
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/body")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "Été" in answer.text and "script" not in answer.text and "t.example" not in answer.text
