"""CSV imports on screen: what is shown is what is done, and twice is once."""

from __future__ import annotations

import io
from datetime import date

import pytest
from sqlalchemy import select

from extensions import db
from models import Contact, Enrolment
from models.words import ContactKind
from tests.client import Browser
from tests.conftest import House
from tests.test_contacts import company
from tests.test_sessions import person, session_of

CSV = """Prénom;Nom;E-mail;Référence;Entreprise
Léa;Fontaine;lea@mail.example;L-1;Menuiserie Lambert
Hugo;Morel;hugo@mail.example;L-2;menuiserie lambert
;;sans.nom@mail.example;;
Karim;Haddad;karim@;L-4;
Zoé;Élan;;L-1;
"""


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def preview(client: Browser, text: str, path: str = "/contacts/import", kind: str = "learners") -> str:
    """Give the text; the key of its preview."""
    client.post(path, {"kind": kind, "text": text}, status=200)
    return str(client.html.xpath("//input[@name='confirm']/@value")[0])


def counts(client: Browser) -> dict[str, str]:
    values = client.html.xpath("//*[@class='stat-value']/text()")
    return dict(zip(client.html.xpath("//*[@class='stat-label']/text()"), values, strict=True))


def learners() -> list[tuple[str, str, str]]:
    db.session.expire_all()
    query = select(Contact).where(Contact.kind == ContactKind.LEARNER).order_by(Contact.id)
    return [(c.name, c.email, c.company.name if c.company else "") for c in db.session.scalars(query)]


def test_preview_names_each_bad_line_and_saves_nothing(staff: Browser) -> None:
    preview(staff, CSV)
    assert counts(staff) == {
        "À créer": "2", "À mettre à jour": "0", "Sans changement": "0", "À corriger": "3",
    }  # fmt: skip
    bad = staff.html.xpath("//section[@aria-labelledby='fate-1']//tbody/tr")
    said = [" ".join(" ".join(row.itertext()).split()) for row in bad]
    assert said[0].startswith("4 —")
    assert "Il manque le nom." in said[0]
    assert said[1].startswith("5 Karim Haddad")
    assert "Adresse « karim@ »" in said[1].replace("\u00a0", " ")
    assert said[2].startswith("6 Zoé Élan")
    assert "déjà à la ligne 2" in said[2]
    assert "1 entreprise sera créée : Menuiserie Lambert" in staff.text().replace("\u00a0", " ")
    assert learners() == []


def test_confirmed_is_done_once(staff: Browser, cassiopee: House) -> None:
    key = preview(staff, CSV)
    assert staff.post("/contacts/import", {"confirm": key}).headers["Location"] == "/contacts/learners"
    expected = [
        ("Léa Fontaine", "lea@mail.example", "Menuiserie Lambert"),
        ("Hugo Morel", "hugo@mail.example", "Menuiserie Lambert"),
    ]
    assert learners() == expected
    assert db.session.scalars(select(Contact.sort_name).order_by(Contact.id)).all() == [
        "menuiserie lambert", "fontaine lea", "morel hugo",
    ]  # fmt: skip
    # the same press again does nothing
    staff.post("/contacts/import", {"confirm": key})
    assert learners() == expected
    # the same file again changes nothing, and there is nothing to confirm
    preview(staff, CSV)
    assert counts(staff)["Sans changement"] == "2"
    assert not [b for b in staff.html.xpath("//main//button") if b.text_content().strip() == "Importer"]


def test_update_by_reference_then_by_address(staff: Browser, cassiopee: House) -> None:
    person(cassiopee, "Léa", "Fontaine", email="old@mail.example", reference="L-1", phone="06")
    person(cassiopee, "Hugo", "Morel", email="Hugo@mail.example")
    text = "prenom,nom,mail,ref,tel\nLéa,Fontaine,new@mail.example,L-1,\nHugo,Morel,hugo@MAIL.example,L-2,07\n"
    key = preview(staff, text)
    assert counts(staff)["À mettre à jour"] == "2"
    staff.post("/contacts/import", {"confirm": key})
    assert [(name, email) for name, email, _company in learners()] == [
        ("Léa Fontaine", "new@mail.example"), ("Hugo Morel", "hugo@MAIL.example"),
    ]  # fmt: skip
    found = db.session.scalars(select(Contact).order_by(Contact.id)).all()
    assert [(c.reference, c.phone) for c in found] == [("L-1", "06"), ("L-2", "07")]  # an empty cell changes nothing


def test_what_moved_meanwhile_is_shown_again(staff: Browser, cassiopee: House) -> None:
    key = preview(staff, "nom;ref\nPetit;L-1\n")
    person(cassiopee, "", "Autre", reference="L-1")
    staff.post("/contacts/import", {"confirm": key}, status=200)
    assert "Les fiches ont changé depuis l’aperçu" in staff.text()
    assert counts(staff)["À mettre à jour"] == "1"
    assert [name for name, _email, _company in learners()] == ["Autre"]
    staff.post("/contacts/import", {"confirm": staff.html.xpath("//input[@name='confirm']/@value")[0]})
    assert [name for name, _email, _company in learners()] == ["Petit"]


def test_a_preview_is_the_persons_own(app: object, staff: Browser, cassiopee: House, boreale: House) -> None:
    key = preview(staff, "nom\nPetit\n")
    for user in (cassiopee.admin, boreale.admin):
        Browser(staff.app).sign_in(user).post("/contacts/import", {"confirm": key})
    assert learners() == []


def test_contacts_of_another_organisation_are_unknown(staff: Browser, boreale: House) -> None:
    person(boreale, "Léa", "Boréale", email="lea@mail.example", reference="L-1")
    preview(staff, "nom;email;ref\nFontaine;lea@mail.example;L-1\n")
    assert counts(staff)["À créer"] == "1"


def test_a_file_in_windows_1252(staff: Browser) -> None:
    file = io.BytesIO("Nom;Prénom\nÉlan;Zoé\n".encode("cp1252"))
    staff.post("/contacts/import", {"kind": "trainers", "text": "", "file": (file, "liste.csv")}, status=200)
    assert "Zoé Élan" in staff.text()


def test_kinds_in_a_column(staff: Browser, cassiopee: House) -> None:
    key = preview(staff, "nom;type\nLambert;Entreprise\nNina;formatrice\nBob;\nEve;martien\n")
    assert "Type inconnu" in staff.text()
    staff.post("/contacts/import", {"confirm": key})
    found = db.session.execute(select(Contact.name, Contact.kind).order_by(Contact.name)).all()
    assert [tuple(row) for row in found] == [
        ("Bob", ContactKind.LEARNER), ("Lambert", ContactKind.COMPANY), ("Nina", ContactKind.TRAINER),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "Le fichier est vide"), ("1;2\n3;4", "La première ligne doit nommer les colonnes"), ("nom\n", "vide")],
)
def test_unreadable_says_why(staff: Browser, text: str, words: str) -> None:
    staff.post("/contacts/import", {"kind": "learners", "text": text}, status=422)
    assert words in staff.text()


def test_a_workbook_is_refused_in_words(staff: Browser) -> None:
    staff.post("/contacts/import", {"kind": "learners", "file": (io.BytesIO(b"PK\x03\x04"), "l.xlsx")}, status=422)
    assert "n’est pas un CSV" in staff.text()


def test_enrolments(staff: Browser, cassiopee: House) -> None:
    made = session_of(cassiopee, "Excel", date(2026, 12, 1))
    known = person(cassiopee, "Léa", "Fontaine", email="lea@mail.example")
    path = f"/sessions/{made.public_id}/people/import"
    staff.get(path)
    text = "nom;prenom;email\nFontaine;Léa;lea@mail.example\nMorel;Hugo;hugo@mail.example\n"
    key = preview(staff, text, path)
    assert counts(staff) == {
        "À créer": "1", "À mettre à jour": "0", "Sans changement": "1", "À corriger": "0", "À inscrire": "2",
    }  # fmt: skip
    staff.post(path, {"confirm": key})
    enrolled = db.session.scalars(select(Enrolment.contact_id).order_by(Enrolment.contact_id)).all()
    assert len(enrolled) == 2
    assert enrolled[0] == known.id
    preview(staff, text, path)
    assert counts(staff)["À inscrire"] == "0"


def test_hostile_cells_are_text_or_refused(staff: Browser, cassiopee: House) -> None:
    company(cassiopee, "X")
    text = 'nom;email;notes\n=cmd|calc;;"<script>alert(1)</script>"\nA\x1bB;;\n"two\nlines";;\n'
    key = preview(staff, text)
    assert counts(staff)["À corriger"] == "1"
    staff.post("/contacts/import", {"confirm": key})
    assert [name for name, _email, _company in learners()] == ["=cmd|calc", "two lines"]


def test_thousands_of_lines_take_few_statements(staff: Browser, cassiopee: House) -> None:
    text = "nom;prenom;email;ref\n" + "".join(f"N{n};P{n};p{n}@mail.example;R{n}\n" for n in range(3000))
    key = preview(staff, text)
    assert counts(staff)["À créer"].replace("\u202f", "") == "3000"
    staff.post("/contacts/import", {"confirm": key})
    assert len(learners()) == 3000


def test_tags_country_and_offer_are_read(staff: Browser, cassiopee: House) -> None:
    lines = "nom;étiquettes;pays;offre\nPetit;VIP, presse;Belgique;Or\nHaddad;;ch;\nRoux;;Atlantide;\n"
    staff.post("/contacts/import", {"kind": "customers", "text": lines}, status=200)
    assert "Pays inconnu : « Atlantide »." in staff.text().replace("\xa0", " ")
    key = staff.html.xpath("//input[@name='confirm']/@value")[0]
    staff.post("/contacts/import", {"confirm": key})
    made = {contact.name: contact for contact in db.session.query(Contact)}
    assert (made["Petit"].tags, made["Petit"].country, made["Petit"].offer) == (["presse", "VIP"], "BE", "Or")
    assert (made["Haddad"].tags, made["Haddad"].country) == ([], "CH")
    assert set(made) == {"Petit", "Haddad"}
