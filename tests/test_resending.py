"""Sending again by the screen: the form and what it offers, who may, one press once, the record, the other failures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import event, func, select

import mail
from documents import blobs
from extensions import db
from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Record, Zones
from mail import mime
from mail.compose import Draft, File
from models import Address, AuditEntry, Email, EmailContent, OutboxEntry, User
from models.words import EventKind, Mark, Reason, Status
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session

ZONES = [("wanadoo.fr", "MX", "10 mx.wanadoo.fr."), ("acme.example", "MX", "10 mx.acme.example."),
         ("nul.example", "MX", "0 ."), ("muet.example", "SILENT", "")]  # fmt: skip


@pytest.fixture
def names(app: Flask) -> Iterator[None]:
    """A name server of our own, which the app asks."""
    before = app.extensions["sillage"]
    with NameServer(Zones(Record.checked(*one) for one in ZONES)) as server:
        app.extensions["sillage"] = replace(before, dns_server=server.address, dns_timeout=0.5)
        yield
    app.extensions["sillage"] = before


def failed(house: House, address: str = "luc.petit@wanado.fr", *, pdf: bytes = b"", **values: Any) -> Email:
    """An e-mail as the house sends it, that failed."""
    files = (File.of("Convocation.pdf", blobs.store(pdf, "c.pdf")),) if pdf else ()
    draft = Draft(address, "Luc Petit", values.pop("contact_id", None), values.pop("session_id", None),
                  values.pop("type", "convocation"), values.pop("subject", "Convocation"), "<p>Bonjour Luc</p>",
                  "Bonjour Luc\n", files)  # fmt: skip
    (row,) = mail.post([draft], organisation=house.organisation, sender=house.sender, by=house.staff,
                       request_key=str(uuid4()))  # fmt: skip
    reason = values.pop("reason", Reason.DOMAIN_UNKNOWN)
    db.session.execute(db.text("DELETE FROM outbox_entry"))
    db.session.flush()
    for name, value in {"status": reason.status, "reason": reason, **values}.items():
        setattr(row, name, value)
    db.session.commit()
    return row


def press(client: Any, email: Email, status: int = 303, **form: str) -> Any:
    return client.post(
        f"/emails/{email.public_id}/resends", {"request_key": str(uuid4()), **form}, status=status
    )  # fmt: skip


def newest() -> Email:
    return db.session.scalars(select(Email).order_by(Email.id.desc()).limit(1)).one()


def went_to(email: Email) -> str:
    return db.session.get_one(Address, email.address_id).address


def offered(client: Any) -> dict[str, str]:
    """value → its words, of the addresses offered."""
    found = {}
    for box in client.html.xpath("//input[@name='to']"):
        found[box.get("value")] = " ".join(box.getparent().text_content().split())
    return found


def chosen(client: Any) -> list[str]:
    return client.html.xpath("//input[@name='to' and @checked]/@value")


def test_the_form_offers_the_right_address_first(client: Any, cassiopee: House) -> None:
    company = make_contact(cassiopee, "Acme")
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanado.fr", company_id=company.id)
    for name, address in (("Ada Roy", "ada.roy@acme.example"), ("Eve Blanc", "eve.blanc@acme.example")):
        make_contact(cassiopee, name, email=address, company_id=company.id)
    make_email(cassiopee, "luc@laposte.example", contact_id=luc.id, status=Status.OPENED)
    make_email(cassiopee, "luc@mort.example", contact_id=luc.id, status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    email = failed(cassiopee, contact_id=luc.id)
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    assert chosen(client) == ["luc.petit@wanadoo.fr"]
    assert list(offered(client)) == [
        "luc.petit@wanadoo.fr", "luc@laposte.example", "luc.petit@acme.example", "same", "me", "other"
    ]  # fmt: skip
    assert "« wanado.fr » ressemble à une faute de frappe." in offered(client)["luc.petit@wanadoo.fr"]
    assert "prenom.nom@acme.example" in offered(client)["luc.petit@acme.example"]
    assert client.html.xpath("//input[@name='fix']/@checked") == ["checked"]
    db.session.execute(db.text("UPDATE contact SET email = 'luc@record.example' WHERE id = :i"), {"i": luc.id})
    db.session.commit()
    client.get(f"/emails/{email.public_id}")
    assert chosen(client) == ["luc@record.example"]


def test_an_opened_row_takes_two_statements_and_fetches_the_rest(client: Any, cassiopee: House, names: None) -> None:
    email = failed(cassiopee, contact_id=make_contact(cassiopee, "Luc Petit", email="luc.petit@wanado.fr").id)
    client.sign_in(cassiopee.admin)
    ran: list[str] = []
    path = f"/emails/{email.public_id}?list=session"

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        ran.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    client.get(path, htmx=True)
    event.remove(db.engine, "before_cursor_execute", note)
    mine = [statement for statement in ran if ' FROM "user"' not in statement.split("WHERE")[0]]
    assert len(mine) <= 2, mine
    (box,) = client.html.xpath("//div[@class='address-choices']")
    assert box.get("hx-trigger") == "toggle from:closest details once"  # folded in a row, behind the remedy's button
    assert chosen(client) == ["luc.petit@wanadoo.fr"]
    client.get(f"{box.get('hx-get')}?to=same&other=", htmx=True)
    assert chosen(client) == ["same"]
    assert "wanadoo.fr reçoit des e-mails." in offered(client)["luc.petit@wanadoo.fr"]
    assert "Le domaine wanado.fr n’existe pas." in offered(client)["same"]
    assert not client.html.xpath("//*[@hx-get]")


def test_an_address_is_judged_while_it_is_typed(client: Any, cassiopee: House, names: None) -> None:
    email = failed(cassiopee)
    client.sign_in(cassiopee.admin)

    def said(typed: str) -> str:
        client.get(f"/emails/{email.public_id}/resends/check?other={typed}", htmx=True)
        return client.text()

    assert said("a@wanadoo.fr") == "wanadoo.fr reçoit des e-mails."
    assert said("a@nul.example") == "nul.example déclare ne recevoir aucun e-mail."
    assert said("a@absent.example") == "Le domaine absent.example n’existe pas."
    assert said("a@muet.example") == "Le domaine muet.example n’a pas pu être vérifié."
    assert said("a@gmial.com") == "Le domaine gmial.com n’existe pas. Vouliez-vous dire a@gmail.com ?"
    assert said("a.gmail.com") == "Il manque l’arobase (@)." and said("") == ""


def test_a_correction_sends_mends_the_record_and_is_noted(client: Any, cassiopee: House, names: None) -> None:
    luc = make_contact(cassiopee, "Luc Petit", email="Luc.Petit@wanado.fr")
    email = failed(cassiopee, contact_id=luc.id, pdf=b"%PDF-1.7 x")
    client.sign_in(cassiopee.admin)
    press(client, email, to="luc.petit@wanadoo.fr", fix="1")
    new = newest()
    assert (new.resend_of_id, went_to(new), new.contact_id) == (email.id, "luc.petit@wanadoo.fr", luc.id)
    db.session.refresh(luc)
    assert luc.email == "luc.petit@wanadoo.fr"
    client.get(f"/emails/{new.public_id}")
    shown = client.text()
    assert "L’e-mail est renvoyé à luc.petit@wanadoo.fr" in shown and "La fiche de Luc Petit est corrigée." in shown
    assert "Premier envoi à luc.petit@wanado.fr" in shown
    noted = {entry.action.value: entry for entry in db.session.scalars(select(AuditEntry))}
    assert noted["email_resent"].subject == email.public_id
    assert noted["email_resent"].data["to"] == "luc.petit@wanadoo.fr"
    assert noted["contact_changed"].data["email"] == ["Luc.Petit@wanado.fr", "luc.petit@wanadoo.fr"]


def test_what_is_typed_goes_before_what_is_picked(client: Any, cassiopee: House) -> None:
    email = failed(cassiopee)
    client.sign_in(cassiopee.admin)
    press(client, email, to="luc.petit@wanadoo.fr", other=" luc@autre.example ")
    assert went_to(newest()) == "luc@autre.example"
    press(client, email, status=422, to="other")
    assert "Indiquez l’adresse." in client.text()
    press(client, email, status=422, to="other", other="luc@@")
    assert "Cette adresse e-mail n’est pas valide." in client.text()
    assert client.html.xpath("//input[@name='other']/@value") == ["luc@@"]
    press(client, email, status=422, to="not an address")
    press(client, email)
    assert went_to(newest()) == "luc.petit@wanado.fr", "nothing chosen: the same address"


def test_a_domain_that_takes_no_mail_is_refused_once(client: Any, cassiopee: House, names: None) -> None:
    email = failed(cassiopee)
    client.sign_in(cassiopee.admin)
    press(client, email, status=422, to="other", other="luc@nul.example")
    assert "nul.example déclare ne recevoir aucun e-mail." in client.text()
    assert client.html.xpath("//input[@name='sure']")
    press(client, email, to="other", other="luc@muet.example")  # nobody answered: nothing is held against it
    press(client, email, to="other", other="luc@nul.example", sure="1")
    assert went_to(newest()) == "luc@nul.example"
    press(client, email, to="same")  # of the same address the history has said it all


def test_one_press_sends_once_and_another_choice_is_another_press(client: Any, cassiopee: House) -> None:
    email, key = failed(cassiopee), str(uuid4())
    client.sign_in(cassiopee.admin)
    for _press in range(3):
        press(client, email, request_key=key, to="luc@autre.example")
    assert db.session.scalar(select(func.count()).select_from(Email)) == 2
    press(client, email, request_key=key, to="luc@encore.example")
    assert went_to(newest()) == "luc@encore.example"
    press(client, email, status=400, request_key="")


def test_tomorrow_at_eight_by_the_organisations_clock(client: Any, cassiopee: House) -> None:
    email = failed(cassiopee, reason=Reason.MAILBOX_FULL)
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    primary = client.html.xpath(
        "//form[contains(@class, 'resend-form')]//button[contains(@class, 'btn-primary')]/@value"
    )
    assert primary == ["tomorrow"]
    press(client, email, to="same", when="tomorrow")
    at = db.session.get_one(OutboxEntry, newest().id).next_attempt_at.astimezone(mail.scheduled.UTC)
    local = at.astimezone(__import__("zoneinfo").ZoneInfo("Europe/Paris"))
    assert (local.hour, local.minute) == (8, 0) and timedelta() < at - datetime.now(UTC) < timedelta(days=2)
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    press(client, email, to="same", when="at", day=str(day), hour="14:30")
    assert db.session.get_one(OutboxEntry, newest().id).next_attempt_at.date() == day
    for wrong in ({"day": str(day)}, {"hour": "10:00"}, {"day": "2020-01-01", "hour": "10:00"},
                  {"day": "9999-12-31", "hour": "23:59"}, {"day": "x", "hour": "y"}):  # fmt: skip
        press(client, email, status=422, to="same", when="at", **wrong)


def test_words_above_an_own_copy_and_a_link(client: Any, cassiopee: House) -> None:
    session = make_session(cassiopee, "Python")
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanadoo.fr")
    email = failed(cassiopee, "luc.petit@wanadoo.fr", contact_id=luc.id, session_id=session.id, pdf=b"%PDF-1.7 x",
                   reason=Reason.TOO_BIG)  # fmt: skip
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    assert client.html.xpath("//form[contains(@class, 'resend-form')]//input[@name='mode']/@value") == ["link"]
    press(client, email, to="same", mode="link", preface="Voici le lien.")
    new = newest()
    said = mime.shown(db.session.get_one(EmailContent, new.id).skeleton)
    assert new.attachment_count == 0 and "/r/" in said.text and "Voici le lien." in said.text
    press(client, email, to="me")
    own = newest()
    assert went_to(own) == cassiopee.admin.email and own.marks & Mark.OWN_COPY and own.contact_id is None
    client.get(f"/emails/{own.public_id}")
    assert f"Copie pour soi-même, à {cassiopee.admin.email}" in client.text()
    press(client, email, status=422, to="same", preface="x" * 2001)


def test_the_whole_form_says_what_each_way_would_send(client: Any, cassiopee: House) -> None:
    session = make_session(cassiopee, "Python", starts_on=datetime.now(UTC).date() + timedelta(days=9))
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanadoo.fr")
    from people import training

    training.enrol(session, [luc])
    db.session.commit()
    email = failed(cassiopee, "luc.petit@wanadoo.fr", contact_id=luc.id, session_id=session.id, pdf=b"%PDF-1.7 x")
    client.sign_in(cassiopee.admin)
    before = db.session.scalar(select(func.count()).select_from(Email))
    client.get(f"/emails/{email.public_id}/resends/new?mode=anew")
    shown = client.text()
    assert client.html.xpath("//input[@name='mode' and @checked]/@value") == ["anew"]
    assert "Sera généré de nouveau" in shown and "Ce qui change dans le texte" in shown
    assert db.session.scalar(select(func.count()).select_from(Email)) == before
    assert db.session.scalar(select(func.count()).select_from(db.metadata.tables["document"])) == 0, "nothing is made"
    press(client, email, to="luc@autre.example", mode="anew", preface="Refait.")
    new = newest()
    said = mime.shown(db.session.get_one(EmailContent, new.id).skeleton)
    assert went_to(new) == "luc@autre.example" and "Python" in said.text and "Refait." in said.text
    assert new.attachment_count == 1 and new.resend_of_id == email.id
    free = failed(cassiopee, type="free")
    client.get(f"/emails/{free.public_id}/resends/new")
    assert "écrit à la main" in client.text()
    assert client.html.xpath("//input[@name='mode' and @disabled]/@value") == ["anew", "link"]
    press(client, free, status=422, to="same", mode="anew")


def test_the_other_failures_go_to_the_new_address_together(client: Any, cassiopee: House) -> None:
    luc = make_contact(cassiopee, "Luc Petit", email="luc.petit@wanado.fr")
    today = datetime.now(UTC).date()
    over = make_session(cassiopee, "Finie", starts_on=today - timedelta(9), ends_on=today - timedelta(8))
    same = {"contact_id": luc.id}
    passed = failed(cassiopee, subject="Finie", session_id=over.id, **same)
    bill = failed(cassiopee, subject="Facture", type="invoice", pdf=b"%PDF-1.7 f", **same)
    rules = failed(cassiopee, subject="Règlement", type="rules", **same)
    failed(cassiopee, subject="Annulé", reason=Reason.CANCELLED, **same)
    failed(cassiopee, "autre@wanado.fr", subject="Autre")
    again = failed(cassiopee, subject="Programme", type="programme", **same)
    make_email(cassiopee, "luc@laposte.example", subject="Programme", type="programme", at=datetime.now(UTC), **same)
    first = failed(cassiopee, subject="Convocation", **same)
    client.sign_in(cassiopee.admin)
    where = press(client, first, to="luc.petit@wanadoo.fr", fix="1").headers["Location"]
    sent = newest()
    assert where == f"/emails/{sent.public_id}/others"
    client.get(where)
    boxes = client.html.xpath("//input[@name='email']")
    assert [box.get("value") for box in boxes] == [e.public_id for e in (again, rules, bill, passed)]
    ticked = client.html.xpath("//input[@name='email' and @checked]/@value")
    assert ticked == [rules.public_id, bill.public_id]
    assert "Sa session est passée." in client.text() and "lui a été envoyé depuis" in client.text()
    key = client.html.xpath("//input[@name='request_key']/@value")[0]
    form = {"request_key": key, "email": ticked}
    client.post(where, {"request_key": key}, status=422)
    for _press in range(2):
        answer = client.post(where, form)
        assert answer.headers["Location"] == f"/contacts/{luc.public_id}/emails"
    made = db.session.scalars(select(Email).where(Email.resend_of_id.in_([rules.id, bill.id])).order_by(Email.id)).all()
    assert [(one.subject, went_to(one), one.attachment_count) for one in made] == [
        ("Règlement", "luc.petit@wanadoo.fr", 0), ("Facture", "luc.petit@wanadoo.fr", 1)
    ]  # fmt: skip
    client.get(where)
    assert [b.get("value") for b in client.html.xpath("//input[@name='email']")] == [again.public_id, passed.public_id]
    client.post(where, {**form, "request_key": str(uuid4())})  # another page, the same e-mails: they have gone already
    assert db.session.scalar(select(func.count()).select_from(Email).where(Email.resend_of_id == bill.id)) == 1
    noted = [
        e.subject for e in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)) if e.action == "email_resent"
    ]
    assert noted == [first.public_id, rules.public_id, bill.public_id]


@pytest.mark.parametrize("path", ["resends/new", "resends/addresses", "resends/check?other=a@b.fr", "others"])
def test_who_may_look(client: Any, cassiopee: House, boreale: House, path: str) -> None:
    email = failed(cassiopee, resend_of_id=failed(cassiopee, "canari@wanado.fr").id)
    for htmx in (False, True):
        for person, status in ((cassiopee.staff, 403), (cassiopee.manager, 403), (boreale.admin, 404),
                               (cassiopee.admin, 200)):  # fmt: skip
            client.sign_in(person)
            fragment = status == 200 and not htmx and path.partition("?")[0] in ("resends/addresses", "resends/check")
            # a fragment by itself is no page: without script one is led to the whole form
            answer = client.get(f"/emails/{email.public_id}/{path}", status=303 if fragment else status, htmx=htmx)
            assert status == 200 or "canari" not in answer.text


def test_who_may_send(client: Any, cassiopee: House, boreale: House) -> None:
    email = failed(cassiopee)
    child = failed(cassiopee, resend_of_id=email.id)
    for person, status in ((cassiopee.staff, 403), (cassiopee.manager, 403), (boreale.admin, 404)):
        client.sign_in(person)
        press(client, email, status=status, to="me")
        client.post(f"/emails/{child.public_id}/others", {"request_key": "k", "email": email.public_id}, status=status)
    assert db.session.scalar(select(func.count()).select_from(Email)) == 2
    assert db.session.scalar(select(User.email).where(User.id == cassiopee.admin.id)) == cassiopee.admin.email


def test_another_organisations_addresses_are_not_offered(client: Any, cassiopee: House, boreale: House) -> None:
    for name, address in (("Ada Roy", "ada.roy@acme.example"), ("Eve Blanc", "eve.blanc@acme.example")):
        make_contact(boreale, name, email=address)
    luc = make_contact(cassiopee, "Luc Petit", email="lpetit@acme.example")
    email = failed(cassiopee, "lpetit@acme.example", contact_id=luc.id, reason=Reason.USER_UNKNOWN)
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}")
    assert list(offered(client)) == ["same", "me", "other"] and chosen(client) == ["other"]
    for name, address in (("Ada Roy", "ada.roy@acme.example"), ("Eve Blanc", "eve.blanc@acme.example")):
        make_contact(cassiopee, name, email=address)
    client.get(f"/emails/{email.public_id}")
    assert chosen(client) == ["luc.petit@acme.example"]


def test_an_address_in_quarantine_is_said_beforehand(client: Any, cassiopee: House, names: None) -> None:
    email = failed(cassiopee, "lpetit@acme.example", reason=Reason.USER_UNKNOWN)
    mail.record([mail.fold.Fact(email.id, EventKind.REFUSED, "smtp", "x", datetime.now(UTC), Reason.USER_UNKNOWN)])
    db.session.commit()
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{email.public_id}/resends/addresses", htmx=True)
    assert "En quarantaine" in offered(client)["same"]
