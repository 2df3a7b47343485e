"""Training sessions on screen: list, form with its rows, people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import event, select

from blueprints.session_forms import SessionForm
from extensions import db
from models import Contact, Enrolment, TrainingSession
from models.words import ContactKind, SessionState, Status
from people import contacts, training
from people.training import ModuleRow
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.waiting import beside


def person(house: House, first: str, last: str, kind: ContactKind = ContactKind.LEARNER, **values: object) -> Contact:
    contact = Contact(organisation_id=house.id, kind=kind)
    contacts.save(contact, first_name=first, last_name=last, **values)
    db.session.commit()
    return contact


def session_of(house: House, title: str, day: date | None = None, **values: object) -> TrainingSession:
    rows = [ModuleRow(day, datetime(2000, 1, 1, 9).time(), datetime(2000, 1, 1, 17).time())] if day else []
    made = training.save(TrainingSession(), house.organisation, rows, title=title, **values)
    db.session.commit()
    return made


def titles(client: Browser) -> list[str]:
    return [title.strip() for title in client.html.xpath("//table//th[@scope='row']/a//text()") if title.strip()]


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def form(**values: object) -> dict[str, object]:
    """A session's form with one module."""
    return {
        "title": "Été : sécurité", "reference": "SEC-1", "state": "planned", "place": "Nantes", "notes": "",
        "modules-0-day": "2026-10-25", "modules-0-starts": "09:00", "modules-0-ends": "12:30",
        "modules-0-title": "Matin", "modules-0-place": "", "modules-0-id": "",
    } | values  # fmt: skip


def test_list_by_period_state_and_words(staff: Browser, cassiopee: House, boreale: House) -> None:
    today = date.today()
    session_of(cassiopee, "Éveil musical", today + timedelta(days=30), reference="EVM-1", place="Rennes")
    session_of(cassiopee, "Excel", today + timedelta(days=2))
    session_of(cassiopee, "Anglais", today - timedelta(days=40), state=SessionState.FINISHED)
    session_of(cassiopee, "Sans date", state=SessionState.DRAFT)
    session_of(boreale, "Éveil boréal", today + timedelta(days=5))
    for query, expected in (
        ("", ["Excel", "Éveil musical", "Sans date"]),
        ("?period=past", ["Anglais"]),
        ("?period=all", ["Sans date", "Éveil musical", "Excel", "Anglais"]),
        ("?q=eveil", ["Éveil musical"]),
        ("?q=EVM rennes", ["Éveil musical"]),
        ("?q=EVM lyon", []),
        ("?q=%25", []),
        ("?state=draft", ["Sans date"]),
        ("?period=nonsense&state=nonsense&cursor=nonsense", ["Excel", "Éveil musical", "Sans date"]),
    ):
        staff.get(f"/sessions{query}")
        assert titles(staff) == expected, query
        answer = staff.get(f"/sessions{query}", htmx=True)
        assert titles(staff) == expected, query
        staff.get(answer.headers["HX-Push-Url"])  # the canonical address shows the same
        assert titles(staff) == expected, query


def test_pages_go_forward_and_back(staff: Browser, cassiopee: House) -> None:
    for number in range(120):
        training.save(TrainingSession(), cassiopee.organisation, [], title=f"S{number:03}")
    db.session.commit()
    staff.get("/sessions")
    pages = [titles(staff)]
    for _page in range(2):
        staff.get(staff.html.xpath("//a[@rel='next']/@href")[0])
        pages.append(titles(staff))
    assert [len(page) for page in pages] == [50, 50, 20]
    assert sum(pages, []) == [f"S{number:03}" for number in range(120)]
    assert not staff.html.xpath("//a[@rel='next']")
    for expected in (pages[1], pages[0]):
        staff.get(staff.html.xpath("//a[@rel='prev']/@href")[0])
        assert titles(staff) == expected
    assert not staff.html.xpath("//a[@rel='prev']")


def test_create_with_modules_in_the_zone_of_the_organisation(staff: Browser, cassiopee: House) -> None:
    # the 25th of October 2026 is the day the clocks go back in Paris
    second = {
        "modules-1-day": "2026-10-24", "modules-1-starts": "09:00", "modules-1-ends": "17:00",
        "modules-1-title": "Veille",
    }  # fmt: skip
    staff.get("/sessions/new")
    where = staff.post("/sessions/new", form(**second)).headers["Location"]
    made = db.session.scalars(select(TrainingSession)).one()
    assert where == f"/sessions/{made.public_id}"
    assert (made.starts_on, made.ends_on) == (date(2026, 10, 24), date(2026, 10, 25))
    assert [(module.title, module.starts_at) for module in made.modules] == [
        ("Veille", datetime(2026, 10, 24, 7, tzinfo=UTC)),
        ("Matin", datetime(2026, 10, 25, 8, tzinfo=UTC)),
    ]
    staff.get(where)
    assert "09:00 – 12:30" in staff.text()


def test_one_more_row_saves_nothing_and_keeps_what_was_typed(staff: Browser) -> None:
    staff.post("/sessions/new", form(add_row="1", title=""), status=200)
    assert len(staff.html.xpath("//div[@class='module-row']")) == 2
    assert staff.html.xpath("//input[@name='modules-0-title']/@value") == ["Matin"]
    assert db.session.scalars(select(TrainingSession)).all() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"title": " "}, "Donnez un titre"),
        ({"title": "x" * 201}, "200 caractères au plus"),
        ({"title": "a\x07b"}, "caractère invisible"),
        ({"modules-0-ends": "08:00"}, "La fin doit suivre le début"),
        ({"modules-0-day": ""}, "Indiquez la date"),
        ({"modules-0-day": "2026-13-45"}, "Cette date n’existe pas"),
        ({"modules-0-starts": "25:00"}, "Cette heure n’existe pas"),
        ({"state": "nonsense"}, "Choisissez dans la liste"),
    ],
)
def test_mistakes_are_named(staff: Browser, wrong: dict[str, str], words: str) -> None:
    staff.post("/sessions/new", form(**wrong), status=422)
    assert words in staff.text()
    assert db.session.scalars(select(TrainingSession)).all() == []


def test_edit_keeps_modules_by_id_and_takes_some_out(staff: Browser, cassiopee: House) -> None:
    made = session_of(cassiopee, "Excel", date(2026, 12, 1))
    module_id = made.modules[0].id
    path = f"/sessions/{made.public_id}/edit"
    staff.get(path)
    assert staff.html.xpath("//input[@name='modules-0-starts']/@value") == ["09:00"]
    staff.post(path, form(**{"modules-0-id": str(module_id), "modules-0-day": "2026-12-03"}))
    db.session.expire_all()
    assert [(m.id, made.starts_on) for m in made.modules] == [(module_id, date(2026, 12, 3))]
    staff.post(path, form(**{"modules-0-id": str(module_id), "modules-0-remove": "y"}))
    db.session.expire_all()
    assert (made.modules, made.starts_on) == ([], None)


def test_another_sessions_module_is_not_taken(staff: Browser, cassiopee: House, boreale: House) -> None:
    theirs = session_of(boreale, "Boréal", date(2026, 12, 1))
    made = session_of(cassiopee, "Excel")
    staff.post(f"/sessions/{made.public_id}/edit", form(**{"modules-0-id": str(theirs.modules[0].id)}))
    db.session.expire_all()
    assert len(theirs.modules) == len(made.modules) == 1
    assert theirs.modules[0].title == ""


def test_a_form_sent_twice_at_once_makes_its_modules_once(
    app: Flask, staff: Browser, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = session_of(cassiopee, "Excel", date(2026, 12, 1))
    path, again = f"/sessions/{made.public_id}/edit", Browser(app).sign_in(cassiopee.staff)
    save, others = training.save, []
    more = {"modules-1-day": "2026-12-02", "modules-1-starts": "09:00", "modules-1-ends": "12:30", "modules-1-id": ""}
    asked = form(**{"modules-0-id": str(made.modules[0].id), **more})
    ends = ExitStack()

    def saved(*args: Any, **values: Any) -> Any:
        told = save(*args, **values)
        if not others:
            db.session.flush()
            others.append(ends.enter_context(beside(app, lambda: again.post(path, asked))))
        return told

    monkeypatch.setattr(training, "save", saved)
    with ends:
        staff.post(path, asked)
    db.session.expire_all()
    assert [module.starts_at.day for module in made.modules] == [25, 2]


def test_people_are_found_added_and_taken_out(staff: Browser, cassiopee: House, boreale: House) -> None:
    made = session_of(cassiopee, "Excel")
    lea = person(cassiopee, "Léa", "Fontaine", email="lea@mail.example")
    person(cassiopee, "Léo", "Client", ContactKind.CUSTOMER)
    person(boreale, "Léa", "Boréale")
    path = f"/sessions/{made.public_id}/people"
    staff.get(f"{path}?q=LEA fontaine")
    assert staff.html.xpath("//input[@name='contact']/@value") == [lea.public_id]
    staff.get(f"{path}?q=le", htmx=True)
    assert staff.html.xpath("//input[@name='contact']/@value") == [lea.public_id]
    for _twice in range(2):
        assert staff.post(path, {"contact": lea.public_id, "q": "lea"}).headers["Location"] == f"{path}?q=lea"
    assert db.session.scalars(select(Enrolment.contact_id)).all() == [lea.id]
    staff.get(f"{path}?q=lea")
    assert not staff.html.xpath("//input[@name='contact']")
    assert "Léa Fontaine" in staff.text()
    staff.post(f"{path}/{lea.public_id}/remove")
    assert db.session.scalars(select(Enrolment.contact_id)).all() == []


def test_nobody_of_another_organisation_is_enrolled(staff: Browser, cassiopee: House, boreale: House) -> None:
    made, stranger = session_of(cassiopee, "Excel"), person(boreale, "Léa", "Boréale")
    staff.post(f"/sessions/{made.public_id}/people", {"contact": stranger.public_id}, status=404)
    assert training.enrol(made, [stranger]) == 0


def test_a_new_learner_is_enrolled_on_the_way(staff: Browser, cassiopee: House) -> None:
    made = session_of(cassiopee, "Excel")
    path = f"/contacts/learners/new?session={made.public_id}"
    staff.get(path)
    where = staff.post(path, {"last_name": "Petit", "company": "", "language": "fr"}).headers["Location"]
    assert where == f"/sessions/{made.public_id}/people"
    staff.get(where)
    assert "Petit" in staff.text()


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """Each SQL statement that is run while the test lasts."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def test_pages_take_as_many_statements_for_fifty_rows_as_for_one(
    staff: Browser, cassiopee: House, statements: list[str]
) -> None:
    company = Contact(organisation_id=cassiopee.id, kind=ContactKind.COMPANY)
    contacts.save(company, name="Lambert")
    db.session.flush()
    made = session_of(cassiopee, "Excel", date.today())
    counts = []
    for count in (1, 50):
        for number in range(count):
            training.save(TrainingSession(), cassiopee.organisation, [], title=f"S{count}-{number}")
            learner = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER)
            contacts.save(learner, last_name=f"L{count}-{number}", company_id=company.id)
            training.enrol(made, [learner])
        db.session.commit()
        taken = []
        for path in ("/sessions", "/contacts/learners", f"/sessions/{made.public_id}/people"):
            statements.clear()
            staff.get(path)
            taken.append(len(statements))
        counts.append(taken)
    assert counts[0] == counts[1]
    assert max(counts[1]) <= 6  # three of the list's say who misses what of the sessions that begin soon


def test_the_list_says_what_is_missing_of_sessions_that_begin_soon(staff: Browser, cassiopee: House) -> None:
    today = training.today(cassiopee.organisation)
    soon = session_of(cassiopee, "Demain", today + timedelta(days=1))
    later = session_of(cassiopee, "Plus tard", today + timedelta(days=9))
    for made in (soon, later):
        learner = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER)
        contacts.save(learner, last_name="Petit", email="petit@client.example")
        training.enrol(made, [learner])
    db.session.commit()
    staff.get("/sessions")
    (mark,) = staff.html.xpath("//a[contains(@class, 'risk-marks')]")
    assert mark.get("href") == f"/sessions/{soon.public_id}/completeness"
    assert " ".join(mark.text_content().split()) == "1 jamais envoyé"
    make_email(cassiopee, training_session_id=soon.id, contact_id=soon.enrolments[0].contact_id, status=Status.OPENED)
    staff.get("/sessions")
    (mark,) = staff.html.xpath("//a[contains(@class, 'risk-marks')]")
    assert " ".join(mark.text_content().split()) == "rien ne manque"


def test_modules_followed_one_by_one(staff: Browser, cassiopee: House, boreale: House) -> None:
    day = date(2026, 12, 1)
    rows = [ModuleRow(day + timedelta(days=n), datetime(2000, 1, 1, 9).time(), datetime(2000, 1, 1, 17).time())
            for n in range(3)]  # fmt: skip
    made = training.save(TrainingSession(), cassiopee.organisation, rows, title="Trois jours")
    lea = person(cassiopee, "Léa", "Fontaine", email="lea@mail.example")
    training.enrol(made, [lea])
    db.session.commit()
    first, second, third = (module.id for module in made.modules)
    path = f"/sessions/{made.public_id}/people"
    other = session_of(cassiopee, "Autre", day)

    def kept() -> list[int]:
        db.session.expire_all()
        return db.session.scalars(select(Enrolment.module_ids).where(Enrolment.contact_id == lea.id)).one()

    staff.get(path)
    assert "Suit tous les modules" in staff.text()
    assert len(staff.html.xpath("//input[@name='module'][@checked]")) == 3
    act = f"{path}/{lea.public_id}/modules"
    staff.post(act, {"module": [second, other.modules[0].id]})
    assert kept() == [second]
    staff.get(path)
    assert "Suit 1 module sur 3" in staff.text()
    assert staff.html.xpath("//input[@name='module'][@checked]/@value") == [str(second)]
    for nothing in ([], ["x"], [other.modules[0].id]):
        staff.post(act, {"module": nothing})
        assert kept() == [second]
    staff.post(act, {"module": [second, third]})
    # a module taken out of the session is followed by nobody
    training.save(made, cassiopee.organisation, [r for r in training.rows_of(made, cassiopee.organisation)
                                                 if r.id != second], title=made.title)  # fmt: skip
    db.session.commit()
    assert kept() == [third]
    staff.post(act, {"module": [first, third]})
    assert kept() == []  # all of them
    stranger = person(cassiopee, "Paul", "Absent")
    staff.post(f"{path}/{stranger.public_id}/modules", {"module": [first]})
    assert db.session.scalars(select(Enrolment.contact_id)).all() == [lea.id]
    Browser(staff.app).sign_in(boreale.admin).post(act, {"module": [first]}, status=404)


@pytest.mark.parametrize(
    ("kept", "french", "english"),
    [("690", "690", "690"), ("690.5", "690,50", "690.50"), ("0", "0", "0"), (None, "", "")],
)
def test_an_amount_is_shown_as_people_write_it(app: Flask, kept: str | None, french: str, english: str) -> None:
    for language, shown in (("fr", french), ("en", english)):
        with app.test_request_context():
            g.language = language
            assert SessionForm(data={"price": Decimal(kept) if kept else None}).price._value() == shown


def test_a_session_under_way_says_so_on_every_page(client: Browser, cassiopee: House) -> None:
    today = training.today(cassiopee.organisation)
    run = session_of(cassiopee, "Soudage", today, state=SessionState.PLANNED)
    later = session_of(cassiopee, "Peinture", today + timedelta(days=30), state=SessionState.PLANNED)
    learner = person(cassiopee, "Léa", "Martin")
    training.enrol(run, [learner])
    db.session.commit()
    client.sign_in(cassiopee.staff)
    pages = [("/sessions", 1), (f"/sessions/{run.public_id}", 1), (f"/sessions/{run.public_id}/people", 1),
             (f"/contacts/{learner.public_id}", 1), (f"/sessions/{later.public_id}", 0)]  # fmt: skip
    for page, number in pages:
        client.get(page)
        labels = client.html.xpath("//main//span[contains(@class, 'chip-label')]")
        chips = [label.text_content().strip() for label in labels]
        assert chips.count("En cours") == number, page
        assert ("Planifiée" in chips) == (page in ("/sessions", f"/sessions/{later.public_id}")), page
