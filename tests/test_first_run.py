"""The first run of an empty house: its door, the first account, and the six first steps until an e-mail to oneself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from config import Config, first_run_code
from extensions import db, limiter, settings
from mail import record
from mail.fold import Fact
from models import Contact, Email, Organisation, Sender, Template, TrainingSession, User
from models.words import ContactKind, EventKind, Role
from people import accounts, contacts, first_steps
from people.first_steps import Step
from tests.client import Browser
from tests.conftest import House

_PASSWORD = "une phrase bien longue"


def form(**values: str) -> dict[str, str]:
    return {
        "organisation": "Atelier Neuf", "name": "Nadia Neuve", "email": "Nadia@Neuf.example", "new": _PASSWORD,
        "again": _PASSWORD, "code": first_run_code(settings().secret_key),
    } | values  # fmt: skip


@pytest.fixture
def nadia(client: Browser) -> Browser:
    """The first admin of a new house, signed in as the door leaves her."""
    client.post("/first-run", form())
    return client


def states(client: Browser) -> list[str]:
    """What the page of all steps says of each: fait, plus tard, next, or nothing."""
    client.get("/start")
    found = []
    for line in client.html.xpath("//ol[@class='steps-list']/li"):
        chip = line.xpath("string(.//span[@class='chip-label'])")
        found.append("next" if line.get("class") == "is-next" else chip)
    return found


def test_an_empty_house_leads_to_its_door(client: Browser) -> None:
    assert client.get("/", status=303).headers["Location"].startswith("/sign-in")
    assert client.get("/sign-in", status=303).headers["Location"] == "/first-run"
    code = first_run_code(settings().secret_key)
    client.get(f"/first-run?code={code}")
    assert client.html.xpath("string(//input[@name='code']/@value)") == code
    assert client.post("/first-run", form()).headers["Location"] == "/start"
    user = db.session.scalars(select(User)).one()
    assert (user.email, user.role, user.organisation.name) == ("nadia@neuf.example", Role.ADMIN, "Atelier Neuf")
    assert accounts.authenticate("nadia@neuf.example", _PASSWORD) == user
    assert db.session.scalar(select(func.count()).select_from(Template))
    client.get("/start")
    assert client.html.xpath("//nav//a[@aria-current='page']/@href") == ["/start"]


def test_mistakes_are_told_in_the_order_of_the_page(client: Browser) -> None:
    client.post("/first-run", {"code": ""}, status=422)
    told = [name.removeprefix("#") for name in client.html.xpath("//*[contains(@class, 'notice')]//li/a/@href")]
    shown = client.html.xpath("//form//input[not(@type='hidden')]/@id")
    assert told == [name for name in shown if name in told] and len(told) == 6


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"code": "aaaaa-bbbbb-ccccc-ddddd"}, "pas le code de cette installation"),
        ({"code": ""}, "Indiquez le code"),
        ({"code": "é" * 23}, "pas le code de cette installation"),
        ({"new": "court", "again": "court"}, "Douze caractères"),
        ({"again": "une autre phrase longue"}, "diffèrent"),
        ({"email": "nonsense"}, "arobase"),
        ({"organisation": " "}, "nom de l’organisme"),
    ],
)
def test_the_door_names_mistakes_and_makes_nothing(client: Browser, wrong: dict[str, str], words: str) -> None:
    client.post("/first-run", form(**wrong), status=422)
    assert words in client.text().replace("\u00a0", " ")
    assert db.session.scalar(select(func.count()).select_from(Organisation)) == 0


def test_the_code_may_be_typed_without_its_hyphens(client: Browser) -> None:
    client.post("/first-run", form(code=first_run_code(settings().secret_key).replace("-", " ").upper()))


def test_codes_are_hard_to_guess_and_differ_by_house() -> None:
    codes = {first_run_code(f"the secret key number {number}") for number in range(50)}
    assert len(codes) == 50
    assert {len(code.replace("-", "")) for code in codes} == {20}  # of 32 signs: 100 bits


def test_wrong_codes_are_soon_refused(app: Flask, test_config: Config) -> None:
    """The limit as it is outside tests: twenty wrong tries, then the right code from that address helps no more."""
    limited = create_app(replace(test_config, env="development"))
    try:
        client = Browser(limited)
        for number in range(20):
            client.post("/first-run", form(code=f"wrong-{number}"), status=422)
        client.post("/first-run", form(), status=429)
        client.post("/first-run", form(), environ_overrides={"REMOTE_ADDR": "192.0.2.2"})
    finally:
        limiter.enabled = False
        with limited.app_context():
            db.engine.dispose()
        limited.extensions["redis"].close()


def test_the_door_is_gone_once_there_is_somebody(app: Flask, client: Browser, cassiopee: House) -> None:
    client.get("/sign-in")
    client.get("/first-run", status=404)
    client.post("/first-run", form(), status=404)
    cassiopee.staff.active = cassiopee.manager.active = cassiopee.admin.active = False
    db.session.commit()
    client.get("/first-run", status=404)  # a closed account is somebody
    assert db.session.scalar(select(func.count()).select_from(Organisation)) == 1


def test_the_command_shows_the_door_while_the_house_is_empty(app: Flask) -> None:
    runner = app.test_cli_runner()
    shown = runner.invoke(args=["first-run"])
    assert shown.exit_code == 0, shown.output
    assert f"/first-run?code={first_run_code(settings().secret_key)}" in shown.output


def test_six_steps_from_nothing_to_an_email(nadia: Browser) -> None:
    assert states(nadia) == ["next", "", "", "", "", ""]
    address = {"name": "Atelier Neuf", "address": "1 rue Neuve, 44000 Nantes", "phone": "02", "registration": "",
               "timezone": "Europe/Paris"}  # fmt: skip
    nadia.post("/start/organisation", address | {"address": ""}, status=422)
    assert nadia.post("/start/organisation", address).headers["Location"] == "/start/sender"
    sender = {"name": "Atelier Neuf", "address": "formation@neuf.example", "reply_to": "", "return_path": "own"}
    nadia.post("/start/sender", sender | {"address": "nonsense"}, status=422)
    assert nadia.post("/start/sender", sender).headers["Location"] == "/start/template"
    assert db.session.scalars(select(Sender.is_default)).all() == [True]
    nadia.get("/start/template")
    assert "Atelier Neuf" in nadia.html.xpath("string(//pre)")
    assert nadia.post("/start/template/kept").headers["Location"] == "/start/contacts"
    assert states(nadia) == ["fait", "fait", "fait", "next", "", ""]
    user = db.session.scalars(select(User)).one()
    learner = Contact(organisation_id=user.organisation_id, kind=ContactKind.LEARNER)
    contacts.save(learner, first_name="Camille", last_name="Bernard", email="camille@mail.example")
    db.session.add(TrainingSession(organisation_id=user.organisation_id, title="Une première"))
    db.session.commit()
    for step in ("sender", "contacts", "session"):
        nadia.get(f"/start/{step}")
    assert "Une première" in nadia.text()
    assert states(nadia) == ["fait"] * 5 + ["next"]
    nadia.get("/start/test")
    key = nadia.html.xpath("string(//input[@name='request_key']/@value)")
    nadia.post("/start/test", {"request_key": key})
    nadia.post("/start/test", {"request_key": key})  # pressed twice: one e-mail
    email = db.session.scalars(select(Email)).one()
    assert (email.contact_id, email.training_session_id) == (None, None)
    assert states(nadia) == ["fait"] * 6
    assert "Tout est prêt" in nadia.text()


def test_the_test_email_is_followed_until_it_has_ended(nadia: Browser, cassiopee: House) -> None:
    user = accounts.find_user("nadia@neuf.example")
    db.session.add(Sender(organisation_id=user.organisation_id, name="N", address="n@neuf.example", is_default=True))
    db.session.commit()
    nadia.post("/start/test", {"request_key": "k"})
    nadia.get("/start/test")
    asks = "//*[@id='test-email']/@hx-get"
    assert nadia.html.xpath(asks) == ["/start/test"]
    email = db.session.scalars(select(Email)).one()
    record([Fact(email.id, EventKind.DELIVERED, "dsn", "1", datetime.now(UTC))])
    db.session.commit()
    piece = nadia.get("/start/test", htmx=True)
    assert "<h1" not in piece.text
    assert "Reçu" in nadia.text()
    assert nadia.html.get("id") == "test-email"
    assert nadia.html.xpath(asks) == []


def test_without_a_sender_nothing_is_sent_and_it_is_said(nadia: Browser) -> None:
    nadia.get("/start/test")
    assert nadia.html.xpath("//main//a[@href='/start/sender' and contains(@class, 'btn')]")
    nadia.post("/start/test", {"request_key": "k"}, status=422)
    assert db.session.scalar(select(func.count()).select_from(Email)) == 0


def test_a_step_is_left_and_taken_up_again(nadia: Browser) -> None:
    assert nadia.post("/start/organisation/later").headers["Location"] == "/start/sender"
    assert nadia.post("/start/sender/later").headers["Location"] == "/start/template"
    assert states(nadia) == ["plus tard", "plus tard", "next", "", "", ""]
    form = {"name": "Atelier Neuf", "address": "1 rue Neuve", "timezone": "Europe/Paris"}
    nadia.post("/start/organisation", form)
    assert states(nadia)[0] == "fait"
    for step in Step:
        nadia.post(f"/start/{step.value}/later")
    assert "next" not in states(nadia)
    nadia.get("/start/nonsense", status=404)
    nadia.post("/start/nonsense/later", status=404)


def test_a_way_back_stands_where_a_step_ends_elsewhere(nadia: Browser) -> None:
    way = "//div[contains(@class, 'notice')]//a[starts-with(@href, '/start/')]/@href"
    made = nadia.post("/sessions/new", {"title": "Excel", "state": "planned"}).headers["Location"]
    for address in ("/", "/contacts/learners", made):
        nadia.get(address)
        assert nadia.html.xpath(way) == ["/start/organisation"]
        assert "1 étape faite sur 6" in nadia.text()
    nadia.post("/start/organisation/later")
    nadia.get("/")
    assert nadia.html.xpath(way) == ["/start/sender"]
    nadia.post("/start/close")
    nadia.get("/")
    assert nadia.html.xpath(way) == []


def test_put_away_they_leave_the_navigation_and_stay_to_be_found(nadia: Browser) -> None:
    link = "//nav//a[@href='/start']"
    nadia.get("/sessions")
    assert nadia.html.xpath(link)
    nadia.post("/start/close")
    nadia.get("/sessions")
    assert not nadia.html.xpath(link)
    nadia.get("/settings")
    assert nadia.html.xpath("//main//a[@href='/start']")
    nadia.get("/start")
    assert not nadia.html.xpath("//form[@action='/start/close']")


def test_who_came_later_sees_no_first_steps_in_the_navigation(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin).get("/sessions")
    assert not client.html.xpath("//a[@href='/start']")
    client.get("/start")
    first_steps.keep(cassiopee.staff, Step.TEMPLATE)  # what is remembered makes nobody an admin
    db.session.commit()
    client.sign_in(cassiopee.staff).get("/sessions")
    assert not client.html.xpath("//a[@href='/start']")
    client.get("/start", status=403)
