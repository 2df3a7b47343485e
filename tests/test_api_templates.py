"""/api/v1/templates, and e-mails written from a template: filled in for each, or refused with the place."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from extensions import db
from mail import mime, templates
from models import Attachment, Contact, Email, EmailContent, Template, TrainingSession
from models.words import ContactKind, EmailType
from people import contacts, training
from people.training import ModuleRow
from tests.conftest import House
from tests.program import Program

DATA = {"invoice": {"number": "F-7", "amount": 12.5, "currency": "EUR"}, "payment": {"url": "https://pay.example/7"}}


@pytest.fixture
def house(cassiopee: House) -> House:
    templates.ensure_defaults(cassiopee.organisation)
    db.session.commit()
    return cassiopee


@pytest.fixture
def program(app: Flask, house: House) -> Program:
    return Program(app, house.admin)


def of(house: House, type: EmailType) -> Template:
    found = templates.find(house.id, type.value)
    assert found is not None
    return found


def said(public_id: str) -> mime.Shown:
    email = db.session.scalars(select(Email).where(Email.public_id == public_id)).one()
    return mime.shown(db.session.get_one(EmailContent, email.id).skeleton)


def test_templates_are_listed_and_read(program: Program, house: House, boreale: House) -> None:
    templates.ensure_defaults(boreale.organisation)
    db.session.commit()
    listed = program.get("/templates?limit=200")
    assert listed["total"] == len(templates.TYPES) and {one["id"][:2] for one in listed["items"]} == {"T-"}
    assert [one["type"] for one in program.get("/templates?q=defectueux")["items"]] == ["payment_method.defective"]
    one = program.get(f"/templates/{of(house, EmailType.CARD_EXPIRED).public_id}")
    assert (one["type"], one["enabled"], one["files"], one["version"]) == ("card.expired", False, ["event"], 1)
    assert (
        "carte.fin" in one["tags"]
        and "session.titre" not in one["tags"]
        and one["subject_en"] == "Your card has expired"
    )
    program.get(f"/templates/{of(boreale, EmailType.CARD_EXPIRED).public_id}", 404)
    Program(program.app).get("/templates", 401)


def test_each_recipient_gets_the_template_filled_in(program: Program, house: House) -> None:
    contact = Contact(organisation_id=house.id, kind=ContactKind.CUSTOMER)
    contacts.save(contact, first_name="Walter", last_name="Lee", email="walter@mail.example", language="en")
    db.session.commit()
    template = of(house, EmailType.INVOICE_ISSUED_TO_PAY)
    body = {
        "template": template.public_id, "data": DATA,
        "recipients": [{"email": "lea@mail.example", "name": "Léa Petit"}, {"contact": contact.public_id}],
    }  # fmt: skip
    first, second = program.post("/emails", body)["items"]
    assert (first["subject"], first["type"]) == ("Votre facture F-7 à régler", "invoice.issued_to_pay")
    assert second["subject"] == "Your invoice F-7 to pay" and second["contact"] == contact.public_id
    french, english = said(first["id"]), said(second["id"])
    assert "Bonjour Léa Petit," in (french.text or "") and "12,50\u00a0€" in (french.text or "")
    assert 'href="https://pay.example/7"' in (english.html or "") and "Dear Walter Lee," in (english.text or "")
    (third,) = program.post("/emails", body | {"recipients": [{"email": "a@mail.example"}], "language": "en"})["items"]
    assert third["subject"] == "Your invoice F-7 to pay"


def test_documents_of_the_session_are_attached_for_its_contacts(program: Program, house: House) -> None:
    row = ModuleRow(date.today() + timedelta(days=9), time(9), time(12), "Matin")
    run = training.save(TrainingSession(), house.organisation, [row], title="Secours", reference="S1", place="Brest")
    learner = Contact(organisation_id=house.id, kind=ContactKind.LEARNER)
    contacts.save(learner, first_name="Léa", last_name="Petit", email="lea@mail.example")
    db.session.flush()
    training.enrol(run, [learner])
    db.session.commit()
    template = of(house, EmailType.CONVOCATION)
    body = {"template": template.public_id, "session": run.public_id, "recipients": [{"contact": learner.public_id}]}
    (one,) = program.post("/emails", body)["items"]
    assert one["subject"].endswith("Secours") and one["session"] == run.public_id
    (file,) = db.session.scalars(select(Attachment)).all()
    assert file.filename.endswith(".pdf") and file.blob.media_type == "application/pdf"
    stranger = program.post("/emails", body | {"recipients": [{"email": "x@mail.example"}]}, 422)
    assert stranger["errors"][0]["pointer"] == "#/recipients"
    without = program.post("/emails", {k: v for k, v in body.items() if k != "session"}, 422)
    assert without["errors"][0]["pointer"] == "#/template" and "session." in without["detail"]


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"subject": "S"}, 422, "#/subject"), ({"html": "<p>h</p>"}, 422, "#/html"), ({"type": "free"}, 422, "#/type"),
        ({"template": "T-nobody"}, 404, "#/template"), ({"template": "x"}, 422, "#/template"),
        ({"template": None}, 422, "#/template"), ({"data": []}, 422, "#/data"), ({"language": "de"}, 422, "#/language"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    program: Program, house: House, change: dict[str, object], status: int, place: str
) -> None:
    template = of(house, EmailType.INVOICE_PAID)
    body = {"template": template.public_id, "recipients": [{"email": "a@mail.example"}]} | change
    assert program.post("/emails", body, status)["errors"][0]["pointer"] == place
    own = {"recipients": [{"email": "a@mail.example"}]}
    assert (
        program.post("/emails", own | {"subject": "S", "text": "t", "data": {}}, 422)["errors"][0]["pointer"]
        == "#/data"
    )
    assert program.post("/emails", own | {"text": "t"}, 422)["errors"][0]["pointer"] == "#/subject"
    assert program.post("/emails", own | {"subject": "S"}, 422)["errors"][0]["pointer"] == "#/text"
    assert not db.session.scalars(select(Email)).all()


def test_another_organisations_template_is_not_there(program: Program, boreale: House) -> None:
    templates.ensure_defaults(boreale.organisation)
    db.session.commit()
    foreign = of(boreale, EmailType.INVOICE_PAID).public_id
    program.post("/emails", {"template": foreign, "recipients": [{"email": "a@mail.example"}]}, 404)


@pytest.mark.parametrize(
    "number", ["F\0\r\nBcc: x@y.example", "\ud800", "{{ organisme.nom }}", "<b>x</b>" * 500, -1, 1e400]
)
def test_hostile_data_is_data(program: Program, house: House, number: object) -> None:
    template = of(house, EmailType.INVOICE_PAID)
    body = {
        "template": template.public_id,
        "recipients": [{"email": "a@mail.example"}],
        "data": {"invoice": {"number": number}},
    }
    program.open("POST", "/emails", json=body)
    assert program.last.status_code in (202, 400, 422), program.last.get_data(as_text=True)
    for email in db.session.scalars(select(Email)):
        shown = said(email.public_id)
        assert "<b>" not in (shown.html or "") and "\n" not in email.subject
        assert not [name for name, _value in shown.headers if name.lower() == "bcc"]
