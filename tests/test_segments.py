"""Segments on screen: rules with a preview, members by search and from a record, who may, whose they are."""

from __future__ import annotations

import pytest

from extensions import db
from models import AuditEntry, Contact, Segment, SegmentMember
from models.words import ContactKind
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_contact, make_email


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def kept(name: str) -> Segment:
    db.session.expire_all()
    return db.session.query(Segment).filter_by(name=name).one()


def test_a_rule_is_previewed_saved_counted_and_filters(staff: Browser, cassiopee: House) -> None:
    vip = make_contact(cassiopee, "Élodie Petit", ContactKind.CUSTOMER, tags=["VIP"], country="BE", offer="Or")
    make_contact(cassiopee, "Nour Haddad", ContactKind.CUSTOMER, tags=["presse"])
    make_email(cassiopee, subject="Bonjour", contact_id=vip.id)
    staff.get("/segments")
    assert "Aucun segment pour l’instant" in staff.text()
    staff.get("/segments/new")
    assert staff.html.xpath("//input[@name='tag']/@value") == ["presse", "VIP"]
    blank = {"last": "", "days": "", "session": ""}  # as a browser sends what is not filled in
    rule = {"mode": "rule", "name": "", "kind": ["customer"], "tag": ["VIP"], **blank}
    staff.post("/segments/preview", rule, htmx=True, status=200)
    assert "1 contact correspond" in staff.text() and "Élodie Petit" in staff.text() and "Nour" not in staff.text()
    staff.post("/segments/new", {**rule, "preview": "1"}, status=200)  # the button, without script
    assert "Élodie Petit" in staff.text()
    assert staff.html.xpath("//input[@name='tag'][@checked]/@value") == ["VIP"]
    staff.post("/segments/new", rule, status=422)
    assert "Donnez un nom au segment." in staff.text()
    staff.post("/segments/new", {"mode": "rule", "name": "Rien"}, status=422)
    assert "Choisissez au moins une condition." in staff.text()
    to = staff.post("/segments/new", {**rule, "name": "Clients d'or"}).headers["Location"]
    assert kept("Clients d'or").rule == {"kind": ["customer"], "tag": ["VIP"]}
    staff.get(to)
    assert "VIP" in staff.text() and "Élodie Petit" in staff.text()
    staff.get("/segments")
    assert staff.html.xpath("//td[contains(@class,'col-num')]/text()")[0].strip() == "1"
    staff.get(staff.html.xpath("//tbody//a[@class='link']/@href")[0])
    assert "1 e-mail" in staff.text()
    staff.post("/segments/new", {**rule, "name": "Clients d'or"}, status=422)
    assert "Un autre segment porte déjà ce nom." in staff.text()
    staff.post(f"{to}/edit", {"mode": "rule", "name": "Clients d'or", "country": ["BE"]})
    assert kept("Clients d'or").rule == {"country": ["BE"]}
    staff.post(f"{to}/delete")
    staff.get(to, status=404)


def test_members_by_search_and_from_the_record(staff: Browser, cassiopee: House) -> None:
    petit = make_contact(cassiopee, "Élodie Petit", email="petit@x.example")
    make_contact(cassiopee, "Nour Haddad")
    to = staff.post("/segments/new", {"mode": "members", "name": "Fidèles"}).headers["Location"]
    staff.get(f"{to}?q=petit")
    assert staff.html.xpath("//input[@name='contact']/@value") == [petit.public_id]
    for _twice in range(2):
        staff.post(f"{to}/members", {"contact": petit.public_id})
    assert db.session.query(SegmentMember).count() == 1
    staff.get(f"{to}?q=petit")
    assert "Personne d’autre ne correspond" in staff.text()
    staff.post(f"{to}/members", {"remove": petit.public_id})
    assert db.session.query(SegmentMember).count() == 0
    segment = kept("Fidèles").public_id
    record = f"/contacts/{petit.public_id}"
    staff.get(record)
    assert staff.html.xpath("//input[@name='segment']/@value") == [segment]
    staff.post(f"/segments/of/{petit.public_id}", {"segment": segment})
    staff.get(record)
    assert staff.html.xpath("//input[@name='segment'][@checked]/@value") == [segment]
    staff.post(f"/segments/of/{petit.public_id}", {})
    assert db.session.query(SegmentMember).count() == 0


def test_of_segments_named_only_those_that_there_are_are_noted(staff: Browser, cassiopee: House) -> None:
    petit = make_contact(cassiopee, "Élodie Petit")
    staff.post(f"/segments/of/{petit.public_id}", {"segment": ["a\0b", "G-nobody00"]})
    line = db.session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
    assert line is not None and not line.data


def test_members_are_the_organisation_s_own(staff: Browser, cassiopee: House, boreale: House) -> None:
    theirs = make_contact(boreale, "Ailleurs Autre")
    foreign = Segment(organisation_id=boreale.id, name="Boréal")
    db.session.add(foreign)
    db.session.commit()
    to = staff.post("/segments/new", {"mode": "members", "name": "Fidèles"}).headers["Location"]
    staff.post(f"{to}/members", {"contact": theirs.public_id}, status=404)
    staff.get(f"/segments/{foreign.public_id}", status=404)
    staff.post(f"/segments/{foreign.public_id}/members", {"contact": theirs.public_id}, status=404)
    staff.post(f"/segments/of/{theirs.public_id}", {"segment": foreign.public_id}, status=404)
    assert db.session.query(SegmentMember).count() == 0
    staff.get(f"/emails?segment={foreign.public_id}")
    assert "Boréal" not in staff.text()


def test_a_contact_has_tags_a_country_and_an_offer(staff: Browser, cassiopee: House) -> None:
    to = staff.post(
        "/contacts/customers/new",
        {"last_name": "Petit", "language": "fr", "tags": " VIP, presse ;VIP,", "country": "BE", "offer": "Or",
         "company": ""},
    ).headers["Location"]  # fmt: skip
    made = db.session.query(Contact).one()
    assert (made.tags, made.country, made.offer) == (["presse", "VIP"], "BE", "Or")
    staff.get(to)
    assert "Belgique" in staff.text() and "presse, VIP" in staff.text()
    staff.get(f"{to}/edit")
    assert staff.html.xpath("//input[@name='tags']/@value") == ["presse, VIP"]
    assert staff.html.xpath("//select[@name='country']/option[@selected]/@value") == ["BE"]
