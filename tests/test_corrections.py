"""À traiter › Corriger les adresses: who is listed, what is proposed, what leaves, what stays with what is wrong."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from extensions import db
from models import AuditAction, AuditEntry, Contact, Email
from models.words import Reason
from tests.conftest import House
from tests.history.making import make_contact
from tests.test_resending import failed, names, went_to

__all__ = ["names"]
WHERE = {"cause": "domain_unknown", "domain": "wanado.fr"}


def resends_of(email: Email) -> list[str]:
    found = db.session.scalars(select(Email).where(Email.resend_of_id == email.id).order_by(Email.id))
    return [went_to(one) for one in found]


def fields(client: Any) -> dict[str, str]:
    """name → value of the fields for addresses, in the page's order."""
    boxes = client.html.xpath("//input[starts-with(@name, 'to-')]")
    return {box.get("name"): box.get("value") for box in boxes}


def form(client: Any, **typed: str) -> dict[str, Any]:
    """The page's form as it stands, with what is typed."""
    ticked = client.html.xpath("//form[.//table]//input[@type='checkbox' and @checked]")
    found: dict[str, Any] = {}
    for box in ticked:
        found.setdefault(box.get("name"), []).append(box.get("value"))
    hidden = client.html.xpath("//form[.//table]//input[@type='hidden' and @name != 'csrf_token']")
    found |= {box.get("name"): box.get("value") for box in hidden}
    return found | fields(client) | typed


def test_a_whole_cause_is_corrected_at_one_press(client: Any, cassiopee: House, names: None) -> None:
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanado.fr")
    ada = make_contact(cassiopee, "Ada Roy", email="ada.roy@acme.example")  # her record was corrected since
    first = failed(cassiopee, contact_id=luc.id, subject="Convocation")
    second = failed(cassiopee, contact_id=luc.id, subject="Programme", type="programme")
    hers = failed(cassiopee, "ada@wanado.fr", contact_id=ada.id)
    client.sign_in(cassiopee.admin)
    client.get("/todo")
    assert "/todo/corrections?cause=domain_unknown&domain=wanado.fr" in client.html.xpath("//main//a/@href")
    client.get("/todo/corrections", query_string=WHERE)
    assert set(fields(client).values()) == {"ada.roy@acme.example", "luc.petit@wanadoo.fr"}
    assert client.text().count("Proposée : vérifiez-la.") == 2
    asked = form(client)
    assert client.post("/todo/corrections", asked, status=303).headers["Location"].endswith("/todo")
    assert resends_of(first) == resends_of(second) == ["luc.petit@wanadoo.fr"]
    assert resends_of(hers) == ["ada.roy@acme.example"]
    assert db.session.get_one(Contact, luc.id).email == "luc.petit@wanadoo.fr"
    lines = db.session.scalars(select(AuditEntry.action).where(AuditEntry.user_id == cassiopee.admin.id)).all()
    assert lines.count(AuditAction.EMAIL_RESENT) == 3 and lines.count(AuditAction.CONTACT_CHANGED) == 1
    client.get("/todo")
    assert "3 e-mails sont renvoyés à des adresses corrigées. 1 fiche est corrigée." in client.text()
    assert "Rien à traiter" in client.text(), "sending it again is dealing with it"
    client.post("/todo/corrections", asked, status=303)  # the same press, once more
    assert len(resends_of(first)) == 1


def test_what_is_wrong_stays_and_the_rest_leaves(client: Any, cassiopee: House, names: None) -> None:
    people = [make_contact(cassiopee, name, email=f"{name.lower()}@inconnu.example") for name in ("Ada", "Luc", "Eve")]
    ada, luc, eve = (failed(cassiopee, one.email, contact_id=one.id, reason=Reason.USER_UNKNOWN) for one in people)
    where = {"cause": "user_unknown", "domain": "inconnu.example"}
    client.sign_in(cassiopee.admin).get("/todo/corrections", query_string=where)
    assert not any(fields(client).values()), "nothing is guessed"
    asked = form(client)
    client.post("/todo/corrections", asked, status=422)
    assert "Écrivez au moins une adresse." in client.text()
    asked |= {f"to-{ada.public_id}": "ada@acme.example", f"to-{luc.public_id}": "luc@inconnu.example",
              f"to-{eve.public_id}": "eve@nul.example"}  # fmt: skip
    del asked["fix"]
    client.post("/todo/corrections", asked, status=422)
    assert resends_of(ada) == ["ada@acme.example"] and not resends_of(luc) and not resends_of(eve)
    assert db.session.get_one(Contact, people[0].id).email == "ada@inconnu.example", "its record was left alone"
    assert "C’est l’adresse qui a échoué." in client.text() and "ne recevoir aucun e-mail" in client.text()
    assert set(fields(client)) == {f"to-{luc.public_id}", f"to-{eve.public_id}"}
    assert "fix" not in form(client)
    client.post("/todo/corrections", form(client) | {
        f"to-{luc.public_id}": "", f"to-{eve.public_id}": "eve@nul.example", f"sure-{eve.public_id}": "1",
    }, status=303)  # fmt: skip
    assert resends_of(eve) == ["eve@nul.example"] and not resends_of(luc)


def test_only_ones_own_and_only_causes_of_addresses(client: Any, cassiopee: House, boreale: House, names: None) -> None:
    theirs = failed(boreale)
    client.sign_in(cassiopee.admin).get("/todo/corrections", query_string=WHERE)
    assert "Plus rien à corriger ici" in client.text()
    client.post("/todo/corrections", WHERE | {
        "request_key": "k", f"to-{theirs.public_id}": "x@acme.example", f"of-{theirs.public_id}": theirs.public_id,
    }, status=303)  # fmt: skip
    assert resends_of(theirs) == []
    assert client.get("/todo/corrections?cause=spam&domain=x.example", status=303).headers["Location"] == "/todo"
    client.sign_in(cassiopee.staff).get("/todo/corrections", query_string=WHERE, status=403)


def test_each_cause_offers_what_puts_it_right(client: Any, cassiopee: House) -> None:
    for reason in (Reason.SENDER_REJECTED, Reason.UNREACHABLE, Reason.TOO_BIG, Reason.SPAM):
        failed(cassiopee, f"{reason.value}@acme.example", reason=reason)
    client.sign_in(cassiopee.admin).get("/todo")

    def offered(title: str) -> list[str]:
        (head,) = client.html.xpath(f"//div[@class='cause-head'][contains(h2, '{title}')]")
        return [" ".join(one.text_content().split()) for one in head.xpath(".//a | .//button")]

    assert offered("Notre expéditeur est refusé") == ["Voir l’expéditeur", "Renvoyer tout…"]
    assert offered("Serveur injoignable") == ["Renvoyer tout…"]
    assert offered("Pris pour un indésirable") == ["Vérifier le domaine d’expédition", "Renvoyer tout…"]
    assert offered("E-mail trop gros") == [] and "Avec un lien…" in client.text()
    assert "Prévenez votre administrateur" not in client.text()
    client.sign_in(cassiopee.staff).get("/todo")
    assert offered("Serveur injoignable") == [] and "Prévenez votre administrateur" in client.text()
