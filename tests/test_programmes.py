"""Programmes: list, record, form, and the sessions made from them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import event, select

from extensions import db
from models import Programme, TrainingSession, TrainingType
from tests.client import Browser
from tests.conftest import House


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def a_programme(house: House, title: str = "Premiers secours", **columns: object) -> Programme:
    made = Programme(organisation_id=house.id, title=title, reference="APS", **columns)
    db.session.add(made)
    db.session.commit()
    return made


def test_a_programme_is_made_changed_and_found(staff: Browser, cassiopee: House) -> None:
    kind = TrainingType(organisation_id=cassiopee.id, name="Intra")
    db.session.add(kind)
    db.session.commit()
    staff.get("/programmes")
    assert "Aucun programme pour l’instant" in staff.text()
    staff.post("/programmes/new", {"title": ""}, status=422)
    assert "Donnez un titre" in staff.text()
    staff.post("/programmes/new", {"title": "x", "duration_hours": "0", "training_type_id": "0"}, status=422)
    form = {
        "title": "Écoute active", "reference": "ECO", "duration_hours": "14", "training_type_id": str(kind.id),
        "objectives": "- écouter\n- reformuler", "content": "Jour 1",
    }  # fmt: skip
    response = staff.post("/programmes/new", form)
    made = db.session.scalars(select(Programme)).one()
    assert response.location.endswith(f"/programmes/{made.public_id}")
    staff.get(response.location)
    assert "reformuler" in staff.text() and "Intra" in staff.text() and "14 h" in staff.text()
    staff.post(f"/programmes/{made.public_id}/edit", form | {"title": "Écouter", "training_type_id": "0"})
    db.session.refresh(made)
    assert (made.title, made.training_type_id, made.duration_hours) == ("Écouter", None, 14)
    staff.get("/programmes?q=ecouter")
    assert "Écouter" in staff.text()
    staff.get("/programmes?q=zzz")
    assert "Aucun programme ne correspond" in staff.text()


def test_a_session_made_from_a_programme_takes_its_title_and_reference(staff: Browser, cassiopee: House) -> None:
    programme = a_programme(cassiopee)
    staff.get(f"/sessions/new?programme={programme.public_id}")
    assert staff.html.xpath("string(//input[@name='title']/@value)") == "Premiers secours"
    assert staff.html.xpath("string(//input[@name='reference']/@value)") == "APS"
    chosen = staff.html.xpath("//select[@name='programme_id']/option[@selected]/@value")
    assert chosen == [str(programme.id)]
    form = {"title": "Premiers secours", "state": "planned", "programme_id": chosen[0]}
    form |= {"price": "1 690,505", "vat_rate": "20"}
    response = staff.post(f"/sessions/new?programme={programme.public_id}", form)
    made = db.session.scalars(select(TrainingSession)).one()
    assert (made.programme_id, made.price, made.vat_rate) == (programme.id, Decimal("1690.50"), Decimal("20.00"))
    staff.get(response.location + "/edit")
    assert staff.html.xpath("string(//input[@name='price']/@value)") in ("1690.50", "1690,50")
    staff.post(response.location + "/edit", {"title": "X", "state": "planned", "programme_id": "0", "price": ""})
    db.session.refresh(made)
    assert (made.programme_id, made.price, made.vat_rate) == (None, None, Decimal("20.00"))
    staff.get(f"/programmes/{programme.public_id}")
    assert "Aucune session pour l’instant" in staff.text()


@pytest.mark.parametrize("price", ["abc", "-1", "nan", "inf", "9" * 30])
def test_a_price_is_a_sensible_number(staff: Browser, cassiopee: House, price: str) -> None:
    staff.post("/sessions/new", {"title": "X", "state": "planned", "price": price}, status=422)
    assert db.session.scalars(select(TrainingSession)).all() == []


def test_nobody_uses_another_organisations_programme(staff: Browser, cassiopee: House, boreale: House) -> None:
    theirs = a_programme(boreale, "Zzsecret")
    staff.get("/programmes")
    assert "Zzsecret" not in staff.text()
    for path in ("", "/edit"):
        staff.get(f"/programmes/{theirs.public_id}{path}", status=404)
    staff.get(f"/sessions/new?programme={theirs.public_id}", status=404)
    staff.post("/sessions/new", {"title": "X", "state": "planned", "programme_id": str(theirs.id)}, status=422)
    staff.post(f"/programmes/{theirs.public_id}/edit", {"title": "Pris"}, status=404)
    db.session.refresh(theirs)
    assert theirs.title == "Zzsecret"


def test_the_list_asks_as_much_for_one_as_for_forty(staff: Browser, cassiopee: House) -> None:
    def statements() -> int:
        asked = []
        listen = lambda *args: asked.append(args[2])  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", listen)
        staff.get("/programmes")
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(asked)

    a_programme(cassiopee)
    one = statements()
    for n in range(39):
        a_programme(cassiopee, f"Programme {n}")
    assert statements() == one <= 6


def test_a_funder_has_one_name_and_takes_part(staff: Browser, cassiopee: House) -> None:
    run = TrainingSession(organisation_id=cassiopee.id, title="Session")
    db.session.add(run)
    db.session.commit()
    staff.get(f"/contacts/funders/new?session={run.public_id}")
    staff.post(
        f"/contacts/funders/new?session={run.public_id}", {"name": "OPCO Ouest", "language": "fr", "company_id": "0"}
    )  # fmt: skip
    staff.get("/contacts/funders")
    assert "OPCO Ouest" in staff.text()
    staff.get(f"/sessions/{run.public_id}/people")
    assert "Financeurs" in staff.text() and "OPCO Ouest" in staff.text()
