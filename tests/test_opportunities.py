"""Opportunities on screen: the pipeline, one of them and its stages, its form, the history of its e-mails."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from extensions import db
from models import Contact, Document, DocumentKind, Email, Opportunity, Stage, StageChange
from models.words import ContactKind
from people import opportunities
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def opportunity(house: House, title: str, contact: Contact, stage: Stage = Stage.LEAD, **values: Any) -> Opportunity:
    made = Opportunity(organisation_id=house.id, contact_id=contact.id, stage=stage)
    opportunities.save(made, house.staff, title=title, **values)
    db.session.commit()
    return made


def lanes(client: Browser) -> dict[str, list[str]]:
    return {
        lane.xpath("string(.//h2)").strip(): [a.text_content() for a in lane.xpath(".//a[@class='deal-title']")]
        for lane in client.html.xpath("//section[contains(@class, 'lane')]")
    }


def test_the_pipeline_by_stage_words_and_owner(staff: Browser, cassiopee: House, boreale: House) -> None:
    acme = make_contact(cassiopee, "Menuiserie Acmé", ContactKind.COMPANY)
    lea = make_contact(cassiopee, "Léa Fontaine")
    opportunity(cassiopee, "Dix secouristes", acme, amount=Decimal("1200"), owner_id=cassiopee.admin.id)
    opportunity(cassiopee, "Anglais du soir", lea, Stage.QUOTED, owner_id=cassiopee.staff.id)
    opportunity(cassiopee, "Habilitations", acme, amount=Decimal("800.50"))
    opportunity(boreale, "Boréal", make_contact(boreale, "Zoé Boréale"))
    staff.get("/opportunities")
    assert lanes(staff) == {
        "À qualifier": ["Habilitations", "Dix secouristes"], "Qualifiée": [], "Devis envoyé": ["Anglais du soir"],
        "Gagnée": [], "Perdue": [],
    }  # fmt: skip
    assert "2 000,50 €" in staff.text().replace("\u202f", " ")
    for query, expected in (
        ("?q=acme", ["Habilitations", "Dix secouristes"]), ("?q=LEA", ["Anglais du soir"]), ("?q=%25", []),
        (f"?owner={cassiopee.admin.id}", ["Dix secouristes"]),
        (f"?owner={boreale.admin.id}", ["Habilitations", "Dix secouristes", "Anglais du soir"]),
        ("?stage=nonsense&owner=x", ["Habilitations", "Dix secouristes", "Anglais du soir"]),
    ):
        staff.get(f"/opportunities{query}")
        assert sum(lanes(staff).values(), []) == expected, query
        answer = staff.get(f"/opportunities{query}", htmx=True)
        assert sum(lanes(staff).values(), []) == expected, query
        staff.get(answer.headers["HX-Push-Url"])
        assert sum(lanes(staff).values(), []) == expected, query
    staff.get("/opportunities?stage=quoted")
    assert [a.text_content() for a in staff.html.xpath("//tbody//th/a")] == ["Anglais du soir"]


def test_a_full_stage_shows_its_newest_and_leads_to_all(staff: Browser, cassiopee: House) -> None:
    lea = make_contact(cassiopee, "Léa Fontaine")
    for number in range(70):
        opportunity(cassiopee, f"N{number:02}", lea)
    staff.get("/opportunities")
    assert lanes(staff)["À qualifier"] == [f"N{n:02}" for n in range(69, 49, -1)]
    staff.get(staff.html.xpath("//a[contains(., 'Voir les 70')]/@href")[0])
    first = [a.text_content() for a in staff.html.xpath("//tbody//th/a")]
    staff.get(staff.html.xpath("//a[@rel='next']/@href")[0])
    assert first + [a.text_content() for a in staff.html.xpath("//tbody//th/a")] == [
        f"N{n:02}" for n in range(69, -1, -1)
    ]  # fmt: skip
    seen: list[str] = []
    organisation = cassiopee.organisation
    assert organisation.name

    def note(*args: Any) -> None:
        seen.append(args[2])

    event.listen(db.engine, "before_cursor_execute", note)
    opportunities.pipeline(organisation)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(seen) == 3


def test_made_edited_and_moved_with_its_history(staff: Browser, cassiopee: House) -> None:
    acme = make_contact(cassiopee, "Menuiserie Acmé", ContactKind.COMPANY)
    make_contact(cassiopee, "Théo Formateur", ContactKind.TRAINER)
    staff.get("/opportunities/new?q=acm")
    start = staff.html.xpath("//a[contains(@href, 'contact=')]/@href")
    assert start == [f"/opportunities/new?contact={acme.public_id}"]
    staff.get("/opportunities/new?q=theo", htmx=True)
    assert "Aucun contact ne correspond" in staff.text()
    form = {"title": " ", "stage": "lead", "amount": "beaucoup", "expected_on": "", "owner_id": "0", "notes": ""}
    staff.post(start[0], form, status=422)
    assert "Donnez un intitulé." in staff.text() and "Écrivez un montant" in staff.text()
    form |= {"title": "Dix secouristes", "amount": "12 500,50 €", "expected_on": "2027-01-15"}
    where = staff.post(start[0], form).headers["Location"]
    made = db.session.query(Opportunity).one()
    assert (made.amount, made.expected_on, made.owner_id) == (Decimal("12500.50"), date(2027, 1, 15), None)
    staff.get(where)
    assert "12 500,50 €" in staff.text().replace("\u202f", " ")
    staff.post(f"{where}/stage", {"stage": "quoted"})
    staff.post(f"{where}/stage", {"stage": "quoted"})  # pressed twice: one step
    staff.post(f"{where}/stage", {"stage": "nonsense"}, status=400)
    db.session.expire_all()
    assert made.stage is Stage.QUOTED
    staff.get(f"{where}/edit")
    assert staff.html.xpath("//input[@name='amount']/@value") == ["12500,50"]
    staff.post(f"{where}/edit", form | {"stage": "won", "owner_id": str(cassiopee.admin.id)})
    stages = [c.stage.value for c in db.session.query(StageChange).order_by(StageChange.id)]
    assert stages == ["lead", "quoted", "won"]
    assert {c.by_id for c in db.session.query(StageChange)} == {cassiopee.staff.id}
    staff.get(where)
    assert [s.text_content() for s in staff.html.xpath("//ul[@class='agenda-list']//strong")] == [
        "Gagnée", "Devis envoyé", "À qualifier",
    ]  # fmt: skip
    staff.get(f"/contacts/{acme.public_id}")
    assert where in staff.html.xpath("//section[@aria-labelledby='sales-title']//a/@href")


def test_its_history_is_its_own_and_shows_elsewhere_too(staff: Browser, cassiopee: House, boreale: House) -> None:
    lea = make_contact(cassiopee, "Léa Fontaine")
    one, two = opportunity(cassiopee, "Une", lea), opportunity(cassiopee, "Deux", lea)
    make_email(cassiopee, subject="Devis numéro un", contact_id=lea.id, opportunity_id=one.id, type="quote")
    make_email(cassiopee, subject="Autre chose", contact_id=lea.id, opportunity_id=two.id, type="free")
    path = f"/opportunities/{one.public_id}/emails"
    staff.get(path)
    assert "Devis numéro un" in staff.text() and "Autre chose" not in staff.text()
    staff.get(f"{path}?status=error", htmx=True)
    assert "Devis numéro un" not in staff.text()
    body = staff.get(f"{path}?format=csv").get_data(as_text=True)
    assert "Devis num" in body and "Autre chose" not in body
    for elsewhere in (f"/contacts/{lea.public_id}/emails", "/emails"):
        staff.get(elsewhere)
        assert "Devis numéro un" in staff.text() and "Autre chose" in staff.text()
    Browser(staff.app).sign_in(boreale.admin).get(path, status=404)


def test_a_large_export_of_an_opportunity_knows_its_scope(cassiopee: House, boreale: House) -> None:
    from history import Scope, export_jobs

    made = opportunity(cassiopee, "Une", make_contact(cassiopee, "Léa Fontaine"))
    scope = Scope(cassiopee.id, opportunity=made, zone="Europe/Paris")
    assert export_jobs.scope_of(cassiopee.organisation, export_jobs.scope_key(scope)) == scope
    assert export_jobs.scope_of(boreale.organisation, export_jobs.scope_key(scope)) is None
    with pytest.raises(ValueError, match="own"):
        Scope(boreale.id, opportunity=made, zone="Europe/Paris")


@given(st.decimals(0, Decimal("9999999999.99"), places=2), st.sampled_from(["", " €", "\u202f€"]), st.booleans())
def test_amounts_as_people_type_them(amount: Decimal, euro: str, comma: bool) -> None:
    plain = f"{amount:,.2f}".replace(",", "\u202f")
    assert opportunities.read_amount((plain.replace(".", ",") if comma else plain) + euro) == amount


@pytest.mark.parametrize("text", ["-1", "1e400", "NaN", "dix", "1,2,3", "Infinity", "10000000000"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        opportunities.read_amount(text)


def letter(staff: Browser, path: str, **values: Any) -> dict[str, Any]:
    """The form of the page as it opens, with those values."""
    staff.get(path)
    hidden = staff.html.xpath("//form[@class='write']//input[@type='hidden']")
    form: dict[str, Any] = {field.get("name"): field.get("value") or "" for field in hidden}
    form |= {area.get("name"): area.text_content() for area in staff.html.xpath("//textarea")}
    form |= {field.get("name"): field.get("value") or "" for field in staff.html.xpath("//input[@type='text']")}
    for name in ("people", "attached"):
        form[name] = staff.html.xpath(f"//input[@name='{name}'][@checked]/@value")
    form.pop("csrf_token", None)
    return form | values


def test_a_free_e_mail_to_the_contact_and_the_company(staff: Browser, cassiopee: House) -> None:
    acme = make_contact(cassiopee, "Menuiserie Acmé", ContactKind.COMPANY, email="contact@acme.example")
    lea = make_contact(cassiopee, "Léa Fontaine", email="lea@acme.example", company_id=acme.id)
    make_contact(cassiopee, "Paul Ailleurs", email="paul@mail.example")
    made = opportunity(cassiopee, "Dix secouristes", lea)
    path = f"/opportunities/{made.public_id}/emails/new"
    form = letter(staff, path)
    assert form["subject_fr"] == "Dix secouristes" and form["people"] == [lea.public_id]
    assert set(staff.html.xpath("//input[@name='people']/@value")) == {lea.public_id, acme.public_id}
    assert "session.titre" not in staff.text()
    form["people"] = [lea.public_id, acme.public_id]
    form["message_fr"] += "\n{{ session.titre }}"
    staff.post(path, form | {"step": "preview"}, status=422)
    form["message_fr"] = "Bonjour {{ personne.nom_complet }},"
    staff.post(path, form | {"step": "preview"}, status=200)
    assert not staff.html.xpath("//input[@name='advance']")
    where = staff.post(path, form | {"step": "send"}).headers["Location"]
    assert where == f"/opportunities/{made.public_id}/emails"
    staff.post(path, form | {"step": "send"})  # pressed twice
    emails = db.session.query(Email).order_by(Email.id).all()
    assert {(e.opportunity_id, e.training_session_id, e.type) for e in emails} == {(made.id, None, "free")}
    assert {e.contact_id for e in emails} == {lea.id, acme.id} and len(emails) == 2


def test_a_quote_is_kept_sent_and_moves_the_stage_if_asked(staff: Browser, cassiopee: House, boreale: House) -> None:
    lea = make_contact(cassiopee, "Léa Fontaine", email="lea@mail.example", language="fr")
    made = opportunity(cassiopee, "Dix secouristes", lea)
    path = f"/opportunities/{made.public_id}/quote"
    form = letter(staff, path)
    assert "devis" in form["message_fr"]
    staff.post(path, form | {"step": "send"}, status=422)
    assert "Joignez le devis" in staff.text() and db.session.query(Email).count() == 0
    file = (io.BytesIO(b"%PDF-1.4 devis"), "Devis 42.pdf")
    staff.post(path, form | {"step": "preview", "files": file}, status=200, content_type="multipart/form-data")
    assert staff.html.xpath("//input[@name='advance'][@checked]") and "Devis 42.pdf" in staff.text()
    form["kept"] = staff.html.xpath("//input[@name='kept']/@value")
    staff.post(path, form | {"step": "send", "advance": "1"})
    db.session.expire_all()
    assert made.stage is Stage.QUOTED
    document, email = db.session.query(Document).one(), db.session.query(Email).one()
    assert (document.filename, document.opportunity_id, document.kind) == (
        "Devis 42.pdf", made.id, DocumentKind.UPLOADED,
    )  # fmt: skip
    assert (email.type, email.attachment_count, email.opportunity_id) == ("quote", 1, made.id)
    # again, chosen among those put there; the stage stays
    form = letter(staff, path)
    assert form["attached"] == [document.public_id]
    staff.post(path, form | {"step": "preview"}, status=200)
    assert not staff.html.xpath("//input[@name='advance']")
    staff.post(path, form | {"step": "send"})
    assert [e.attachment_count for e in db.session.query(Email)] == [1, 1]
    assert db.session.query(Document).count() == 1
    address = f"/opportunities/{made.public_id}/documents/{document.public_id}"
    assert staff.get(address).data == b"%PDF-1.4 devis"
    other = opportunity(cassiopee, "Autre", lea)
    staff.get(f"/opportunities/{other.public_id}/documents/{document.public_id}", status=404)
    stranger = Browser(staff.app).sign_in(boreale.admin)
    stranger.get(address, status=404)
    stranger.post(path, form | {"step": "send"}, status=404)
    staff.post(f"{address}/withdraw")
    staff.get(address, status=404)
    assert db.session.query(Email).count() == 2
