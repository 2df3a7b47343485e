"""Abonnés › Évènements reçus: the list with its filters, one event, and looking at it again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from extensions import db
from mail import templates
from models import BusinessEvent, Contact, Email, Template
from planning import events
from tests.client import Browser
from tests.conftest import House
from tests.planning.test_events import ANNE, switch, tell


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    templates.ensure_defaults(cassiopee.organisation)
    db.session.commit()
    return client.sign_in(cassiopee.staff)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def ids(browser: Browser) -> list[str]:
    """The programs' ids of the events shown."""
    return [str(node.text_content()) for node in browser.html.xpath("//tbody//th//span[contains(@class, 'mono')]")]


def world(house: House) -> None:
    """Four events: sent, switched off, of no type, without an address."""
    switch(house, "card.expired")
    tell(house, "sent")
    tell(house, "off", "invoice.paid")
    tell(house, "odd", "card.exploded", **(ANNE | {"reference": "CUS-2", "email": "bob@client.example", "name": "Bob"}))
    tell(house, "nobody", reference="CUS-3", name="Zoé Sans-Adresse")
    events.apply_waiting()
    past = update(BusinessEvent).where(BusinessEvent.event_id == "sent")
    db.session.execute(past.values(created_at=datetime.now(UTC) - timedelta(days=10)))
    db.session.commit()


def test_every_event_says_what_it_led_to(cassiopee: House, staff: Browser) -> None:
    world(cassiopee)
    staff.get("/events")
    assert ids(staff) == ["nobody", "odd", "off", "sent"]
    said = staff.text()
    for words in ("pas d’adresse valide", "aucun modèle pour ce type", "l’e-mail automatique est éteint", "Demandé"):
        assert words in said
    email = db.session.scalars(select(Email)).one()
    assert staff.html.xpath(f"//a[@href='/emails/{email.public_id}']")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["nobody", "odd", "off", "sent"]), ("type=card.expired", ["nobody", "sent"]), ("type=nonsense", []),
        ("outcome=sent", ["sent"]), ("outcome=switched_off", ["off"]),
        ("outcome=nonsense", ["nobody", "odd", "off", "sent"]),
        ("customer=zoe", ["nobody"]), ("customer=CUS-2", ["odd"]), ("customer=anne%40", ["off", "sent"]),
        ("customer=zzz", []), ("from={yesterday}", ["nobody", "odd", "off"]), ("to={yesterday}", ["sent"]),
        ("from=nonsense&to=%00", ["nobody", "odd", "off", "sent"]), ("type=card.expired&outcome=sent", ["sent"]),
        ("cursor=nonsense", ["nobody", "odd", "off", "sent"]),
    ],
)  # fmt: skip
def test_filters_narrow(cassiopee: House, staff: Browser, query: str, expected: list[str]) -> None:
    world(cassiopee)
    query = query.format(yesterday=(datetime.now(UTC) - timedelta(days=1)).date().isoformat())
    for htmx in (False, True):
        staff.get(f"/events?{query}", htmx=htmx)
        assert ids(staff) == expected


def test_one_event_shows_what_came(cassiopee: House, staff: Browser) -> None:
    world(cassiopee)
    found = db.session.scalars(select(BusinessEvent).where(BusinessEvent.event_id == "off")).one()
    staff.get(f"/events/{found.public_id}")
    assert '"last4": "4242"' in staff.text() and "Allumez le modèle de ce type" in staff.text()
    assert staff.html.xpath(f"//a[@href='/events/{found.public_id}/again']")


def test_looking_again_asks_first_and_sends_once(cassiopee: House, staff: Browser) -> None:
    world(cassiopee)
    found = db.session.scalars(select(BusinessEvent).where(BusinessEvent.event_id == "off")).one()
    path = f"/events/{found.public_id}/again"
    staff.post(path)
    staff.get(f"/events/{found.public_id}")
    assert "l’e-mail automatique est éteint" in staff.text()
    switch(cassiopee, "invoice.paid")
    staff.get(path)
    assert "un e-mail partira tout de suite à Anne Roche (anne@client.example)" in staff.text()
    assert len(db.session.scalars(select(Email)).all()) == 1
    staff.post(path)
    staff.post(path)
    staff.get(f"/events/{found.public_id}")
    assert "a déjà donné un e-mail" in staff.text()
    assert [email.type for email in db.session.scalars(select(Email).order_by(Email.id))] == [
        "card.expired", "invoice.paid",
    ]  # fmt: skip


def test_hostile_words_stay_words(cassiopee: House, staff: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    tell(cassiopee, evil, "card.exploded", reference=evil, name=evil)
    events.apply_waiting()
    staff.get("/events")
    assert evil in staff.text() and not staff.html.xpath("//img[@onerror]")
    found = db.session.scalars(select(BusinessEvent)).one()
    staff.get(f"/events/{found.public_id}")
    assert not staff.html.xpath("//img[@onerror]")


def test_another_house_sees_nothing(cassiopee: House, boreale: House, staff: Browser, app: Flask) -> None:
    world(cassiopee)
    theirs = Browser(app).sign_in(boreale.admin)
    theirs.get("/events")
    assert ids(theirs) == []
    found = db.session.scalars(select(BusinessEvent).limit(1)).one()
    theirs.get(f"/events/{found.public_id}", status=404)
    theirs.post(f"/events/{found.public_id}/again", status=404)


def test_the_email_is_found_in_the_global_list_as_an_event(cassiopee: House, staff: Browser) -> None:
    world(cassiopee)
    staff.get("/emails?type=card.expired")
    assert "Carte expirée" in staff.text() and "Anne Roche" in staff.text()
    (cell,) = staff.html.xpath("//tbody//td[contains(@class, 'col-type')]")
    assert cell.text_content().split() == ["Carte", "expirée", "évènement"]


def test_fifty_events_take_as_many_statements_as_one(cassiopee: House, staff: Browser, statements: list[str]) -> None:
    counts = []
    for number in (1, 60):
        for n in range(number):
            tell(cassiopee, f"{number}-{n}", **(ANNE | {"reference": f"{number}-{n}", "email": f"p{n}@client.example"}))
        events.apply_waiting()
        statements.clear()
        staff.get("/events")
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 6 and len(ids(staff)) == 50
    (following,) = staff.html.xpath("//a[@rel='next']/@href")
    statements.clear()
    staff.get(following)
    assert len(ids(staff)) == 11 and len(statements) == counts[0]
    assert db.session.scalars(select(Template).limit(1)).one() and db.session.scalars(select(Contact)).all()
