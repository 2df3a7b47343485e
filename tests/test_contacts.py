"""Contacts on screen: lists with search, the record, create and edit, addresses that look wrong."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from extensions import db
from models import Contact
from models.words import ContactKind
from people import contacts
from tests.client import Browser
from tests.conftest import House
from tests.test_sessions import person


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def company(house: House, name: str) -> Contact:
    contact = Contact(organisation_id=house.id, kind=ContactKind.COMPANY)
    contacts.save(contact, name=name)
    db.session.commit()
    return contact


def names(client: Browser) -> list[str]:
    return [name.strip() for name in client.html.xpath("//table//th[@scope='row']//a//text()") if name.strip()]


def test_lists_sort_and_search_like_people_do(staff: Browser, cassiopee: House, boreale: House) -> None:
    lambert = company(cassiopee, "Menuiserie Lambert")
    person(cassiopee, "Zoé", "Élan", email="zoe@mail.example", phone="06 12 34 56 78", reference="A-12")
    person(cassiopee, "Adam", "Ecole")
    person(cassiopee, "Bob", "Zèbre", company_id=lambert.id)
    person(cassiopee, "Nina", "Trainer", ContactKind.TRAINER)
    person(boreale, "Adam", "Boréal")
    for query, expected in (
        ("learners", ["Adam Ecole", "Zoé Élan", "Bob Zèbre"]),
        ("learners?q=zoe+ELAN", ["Zoé Élan"]),
        ("learners?q=0612", ["Zoé Élan"]),
        ("learners?q=a-12", ["Zoé Élan"]),
        ("learners?q=mail.example", ["Zoé Élan"]),
        ("learners?q=menuiserie", ["Bob Zèbre"]),
        ("learners?q=_", []),
        ("learners?q=\\", []),
        ("learners?q=%00", ["Adam Ecole", "Zoé Élan", "Bob Zèbre"]),
        ("companies", ["Menuiserie Lambert"]),
        ("trainers", ["Nina Trainer"]),
        ("customers", []),
    ):
        staff.get(f"/contacts/{query}")
        assert names(staff) == expected, query


def test_pages_of_contacts(staff: Browser, cassiopee: House) -> None:
    for number in range(60):
        contact = Contact(organisation_id=cassiopee.id, kind=ContactKind.CUSTOMER)
        contacts.save(contact, last_name=f"N{number:03}")
    db.session.commit()
    staff.get("/contacts/customers")
    assert "60 fiches" in staff.text()
    assert names(staff) == [f"N{n:03}" for n in range(50)]
    staff.get(staff.html.xpath("//a[@rel='next']/@href")[0])
    assert names(staff) == [f"N{n:03}" for n in range(50, 60)]
    staff.get(staff.html.xpath("//a[@rel='prev']/@href")[0])
    assert names(staff) == [f"N{n:03}" for n in range(50)]


def test_a_wrong_cursor_is_the_first_page(staff: Browser, cassiopee: House) -> None:
    person(cassiopee, "Léa", "Fontaine")
    for cursor in ("x", "WyJuIiwgImEiXQ", "WyJuIiwgIlx1ZDgwMCIsIDFd", "WyJuIiwgIlx1MDAwMCIsIDFd", "W" * 9000):
        staff.get(f"/contacts/learners?cursor={cursor}")
        assert names(staff) == ["Léa Fontaine"]


def test_create_edit_and_show(staff: Browser, cassiopee: House) -> None:
    lambert = company(cassiopee, "Menuiserie Lambert")
    form = {
        "first_name": "Léa", "last_name": " Fontaine ", "email": "lea.fontaine@mail.example", "phone": "",
        "reference": "", "language": "en", "company": "menuiserie LAMBERT", "notes": "ligne 1\r\nligne 2",
    }  # fmt: skip
    staff.get("/contacts/learners/new")
    where = staff.post("/contacts/learners/new", form).headers["Location"]
    staff.get(where)
    for words in ("Léa Fontaine", "lea.fontaine@mail.example", "Menuiserie Lambert", "English", "ligne 2"):
        assert words in staff.text()
    made = db.session.scalars(select(Contact).where(Contact.kind == ContactKind.LEARNER)).one()
    assert (made.name, made.sort_name) == ("Léa Fontaine", "fontaine lea")
    staff.post(f"{where}/edit", form | {"last_name": "Émile", "company": ""})
    db.session.expire_all()
    assert (made.name, made.sort_name, made.company_id) == ("Léa Émile", "emile lea", None)
    staff.get(f"/contacts/{lambert.public_id}")
    assert "Personne n’est rattaché" in staff.text()


def test_a_companys_record_lists_its_people(staff: Browser, cassiopee: House) -> None:
    lambert = company(cassiopee, "Menuiserie Lambert")
    person(cassiopee, "Léa", "Fontaine", company_id=lambert.id)
    staff.get(f"/contacts/{lambert.public_id}")
    assert "Léa Fontaine" in names(staff)
    staff.post(f"/contacts/{lambert.public_id}/edit", {"name": "Lambert & fils", "language": "fr"})
    db.session.expire_all()
    assert (lambert.name, lambert.sort_name) == ("Lambert & fils", "lambert & fils")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"last_name": ""}, "Indiquez le nom."),
        ({"last_name": "a\r\nBcc: x@y.example"}, "caractère invisible"),
        ({"last_name": "a\u2028b"}, "caractère invisible"),
        ({"email": "lea"}, "Il manque l’arobase"),
        ({"email": "lea@mail"}, "La fin de l’adresse n’est pas complète"),
        ({"email": "lea fontaine@mail.example"}, "pas d’espace"),
        ({"email": "lea..x@mail.example"}, "pas une adresse e-mail valide"),
        ({"company": "Nulle part"}, "Aucune entreprise ne porte ce nom"),
        ({"company": "C-nowhere"}, "Aucune entreprise ne porte ce nom"),
        ({"company_choice": "C-nowhere"}, "Aucune entreprise ne porte ce nom"),
    ],
)
def test_mistakes_are_named(staff: Browser, wrong: dict[str, str], words: str) -> None:
    form = {"last_name": "Petit", "language": "fr", "company": ""} | wrong
    staff.post("/contacts/learners/new", form, status=422)
    assert words in staff.text()
    assert db.session.scalars(select(Contact)).all() == []


def test_another_organisations_company_cannot_be_named(staff: Browser, boreale: House) -> None:
    theirs = company(boreale, "Chantiers du Nord")
    for named in ({"company": theirs.name}, {"company": theirs.public_id}, {"company_choice": theirs.public_id}):
        staff.post("/contacts/learners/new", {"last_name": "Petit", "language": "fr", **named}, status=422)
        assert "Aucune entreprise ne porte ce nom" in staff.text()
    suggested = staff.get("/contacts/companies/suggested?company=nord", htmx=True)
    assert "nord" not in suggested.get_data(as_text=True).lower()


def test_a_company_is_found_by_its_name_and_chosen_among_several(staff: Browser, cassiopee: House) -> None:
    first, second = company(cassiopee, "Écoles du Nord"), company(cassiopee, "écoles du nord")
    other = company(cassiopee, "Lambert & Fils (Rennes)")
    new, form = "/contacts/learners/new", {"last_name": "Petit", "language": "fr"}

    def companies_of(named: dict[str, str], status: int = 303) -> str | None:
        staff.post(new, {**form, **named}, status=status)
        db.session.expire_all()
        made = db.session.scalars(select(Contact).where(Contact.kind == ContactKind.LEARNER)).all()
        if not made:
            return None
        of = made[0].company.public_id if made[0].company else ""
        db.session.delete(made[0])
        db.session.commit()
        return of

    assert companies_of({"company": "  lambert & fils (rennes) "}) == other.public_id
    assert companies_of({"company": ""}) == ""
    assert companies_of({"company": f"Tout autre nom ({second.public_id})"}) == second.public_id
    assert companies_of({"company": "Ecoles du nord"}, 422) is None
    assert "Plusieurs entreprises portent ce nom" in staff.text()
    offered = staff.html.xpath("//input[@name='company_choice']/@value")
    assert sorted(offered[:2]) == sorted([first.public_id, second.public_id]) and offered[2:] == ["none"]
    assert staff.html.xpath("//input[@name='company']/@value") == ["Ecoles du nord"]
    assert companies_of({"company": "Ecoles du nord", "company_choice": first.public_id}) == first.public_id
    assert companies_of({"company": "Ecoles du nord", "company_choice": "none"}) == ""
    assert companies_of({"company": "rennes"}, 422) is None
    assert "exactement ce nom" in staff.text()
    assert staff.html.xpath("//input[@name='company_choice']/@value") == [other.public_id, "none"]
    staff.get("/contacts/companies/suggested?company=ecoles+nord", htmx=True)
    texts = staff.html.xpath("//option/@value")
    assert sorted(texts) == sorted([f"Écoles du Nord ({first.public_id})", f"écoles du nord ({second.public_id})"])
    staff.get("/contacts/companies/suggested?company=rennes", htmx=True)
    assert staff.html.xpath("//option/@value") == ["Lambert & Fils (Rennes)"]
    assert staff.get("/contacts/companies/suggested?company=x", status=303).headers["Location"].endswith("?q=x")
    one = person(cassiopee, "Léa", "Fontaine", company_id=second.id)
    staff.get(f"/contacts/{one.public_id}/edit")  # as it is, it is saved as it was
    assert staff.html.xpath("//input[@name='company']/@value") == [f"écoles du nord ({second.public_id})"]
    staff.post(f"/contacts/{one.public_id}/edit", {**form, "company": f"écoles du nord ({second.public_id})"})
    db.session.expire_all()
    assert one.company_id == second.id


def test_contacts_are_found_by_rare_and_by_frequent_words(
    staff: Browser, cassiopee: House, boreale: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    nord = company(cassiopee, "Écoles du Nord")
    person(cassiopee, "Léa", "Fontaine", company_id=nord.id, phone="06 12 34 56 78", reference="R%_\\\\1")
    person(cassiopee, "Zoé", "Fontan", email="zoe@Élan.example")
    person(boreale, "Léa", "Fontaine")
    searches = {
        "font": ["Léa Fontaine", "Zoé Fontan"], "ecoles nord": ["Léa Fontaine"], "0612345678": ["Léa Fontaine"],
        "12 34": ["Léa Fontaine"], "%_": ["Léa Fontaine"], "elan": ["Zoé Fontan"], "fo": ["Léa Fontaine", "Zoé Fontan"],
        "zoe font": ["Zoé Fontan"], "zzz": [], "é": ["Léa Fontaine", "Zoé Fontan"], "aine léa": ["Léa Fontaine"],
        "font nord": ["Léa Fontaine"], "font%": [],
    }  # fmt: skip
    for wanted in (51, 1):  # looked up, and met on the walk
        monkeypatch.setattr(contacts, "PAGE", wanted - 1)
        for words, found in searches.items():
            staff.get(f"/contacts/learners?{urlencode({'q': words})}")
            assert names(staff) == found, (words, wanted)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a@gmial.com", "a@gmail.com"), ("a@hotmial.fr", "a@hotmail.fr"), ("a@ornage.fr", "a@orange.fr"),
        ("a@gmail.con", "a@gmail.com"), ("a@wanadoo.f", "a@wanadoo.fr"), ("a@gmail.com", None), ("a@sfr.fr", None),
        ("a@cassiopee.example", None), ("a@entreprise.fr", None), ("", None), ("gmial.com", None),
    ],
)  # fmt: skip
def test_likely_address(typed: str, meant: str | None) -> None:
    assert contacts.likely_address(typed) == meant


def test_the_record_asks_whether_another_domain_was_meant(staff: Browser, cassiopee: House) -> None:
    lea = person(cassiopee, "Léa", "Fontaine", email="lea@gmial.com")
    staff.get(f"/contacts/{lea.public_id}")
    assert "Vouliez-vous dire lea@gmail.com" in staff.text()
    edit = staff.html.xpath("//a[contains(@href, 'email=')]/@href")[0]
    staff.get(edit)
    assert staff.html.xpath("//input[@name='email']/@value") == ["lea@gmail.com"]
    db.session.expire_all()
    assert lea.email == "lea@gmial.com"


def test_markup_in_names_is_text(staff: Browser, cassiopee: House) -> None:
    name = "<script>alert(1)</script><b>\"'"
    lea = person(cassiopee, name, name, reference=name)
    for path in ("/contacts/learners", f"/contacts/{lea.public_id}", f"/contacts/{lea.public_id}/edit"):
        staff.get(path)
        assert not staff.html.xpath("//main//script | //main//b")


def test_a_company_shows_its_learners_emails_when_asked(client, cassiopee) -> None:
    from tests.history.making import make_contact, make_email

    company = make_contact(cassiopee, "Menuiserie Petit", ContactKind.COMPANY)
    learner = make_contact(cassiopee, "Zoé Petit", company_id=company.id)
    make_email(cassiopee, contact_id=company.id, subject="À la maison")
    make_email(cassiopee, contact_id=learner.id, subject="À son apprenante")
    client.sign_in(cassiopee.staff)
    client.get(f"/contacts/{company.public_id}/emails")
    assert "À la maison" in client.text() and "À son apprenante" not in client.text()
    (link,) = client.html.xpath("//a[contains(., 'apprenants') and contains(@href, 'learners=yes')]")
    client.get(link.get("href"))
    assert "À la maison" in client.text() and "À son apprenante" in client.text()
    client.get(f"/contacts/{learner.public_id}/emails")
    assert "À la maison" not in client.text() and not client.html.xpath("//a[contains(@href, 'learners=yes')]")
