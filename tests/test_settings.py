"""Configuration: organisation, senders, users; for admins alone."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from blueprints import configuration
from extensions import db
from i18n import french
from models import Sender, User
from models.words import ReturnPath, Role
from people import accounts
from tests.client import Browser
from tests.conftest import House
from tests.waiting import beside


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


def test_organisation(admin: Browser, cassiopee: House) -> None:
    form = {
        "name": "Cassiopée", "address": "18 rue des Étoiles", "phone": "02", "registration": "52", "timezone":
        "Indian/Reunion", "track_opens": "y",
    }  # fmt: skip
    admin.get("/settings/organisation")
    admin.post("/settings/organisation", form)
    db.session.expire_all()
    organisation = cassiopee.organisation
    assert (organisation.name, organisation.timezone, organisation.track_opens) == ("Cassiopée", "Indian/Reunion", True)
    admin.post("/settings/organisation", form | {"timezone": "Mars/Olympus"}, status=422)
    admin.post("/settings/organisation", form | {"name": "a\r\nb"}, status=422)
    form.pop("track_opens")
    admin.post("/settings/organisation", form)
    db.session.expire_all()
    assert not organisation.track_opens


def sender_form(**values: str) -> dict[str, str]:
    return {
        "name": "Formation", "address": "new@cassiopee.example", "reply_to": "", "return_path": "own",
        "bounce_address": "",
    } | values  # fmt: skip


def test_senders_have_one_default(admin: Browser, cassiopee: House, boreale: House) -> None:
    admin.post("/settings/senders/new", sender_form())
    admin.post("/settings/senders/new", sender_form(address="other@cassiopee.example", is_default="y"))
    query = select(Sender.address).where(Sender.is_default).order_by(Sender.address)
    assert db.session.scalars(query).all() == ["formation@boreale.example", "other@cassiopee.example"]
    admin.get("/settings/senders")
    assert "par défaut" in admin.text()
    made = db.session.scalars(select(Sender).where(Sender.address == "other@cassiopee.example")).one()
    admin.get(f"/settings/senders/{made.id}")
    admin.post(
        f"/settings/senders/{made.id}",
        sender_form(address=made.address, return_path="verp", bounce_address="retours@cassiopee.example"),
    )
    db.session.expire_all()
    assert (made.is_default, made.return_path) == (True, ReturnPath.VERP)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"address": "formation@CASSIOPEE.example"}, "déjà un expéditeur"),
        ({"address": "nonsense"}, "arobase"),
        ({"name": "A\r\nBcc: x@y.example"}, "caractère invisible"),
        ({"return_path": "fixed"}, "Indiquez l’adresse où reviennent les rapports"),
        ({"return_path": "verp", "bounce_address": "a+b@cassiopee.example"}, "sans « + »"),
        ({"return_path": "nonsense"}, "Choisissez dans la liste"),
    ],
)
def test_sender_mistakes_are_named(admin: Browser, wrong: dict[str, str], words: str) -> None:
    admin.post("/settings/senders/new", sender_form(**wrong), status=422)
    assert words in admin.text().replace("\u00a0", " ")


def test_a_paused_sender_says_why_and_resumes(admin: Browser, cassiopee: House) -> None:
    sender = cassiopee.sender
    sender.paused_at, sender.paused_why = func.now(), "535 5.7.8 <b>authentication</b> failed"
    db.session.commit()
    admin.get("/settings/senders")
    assert "535 5.7.8 <b>authentication</b> failed" in admin.text()
    admin.post(f"/settings/senders/{sender.id}/resume")
    db.session.expire_all()
    assert (sender.paused_at, sender.paused_why) == (None, "")


def test_a_new_user_signs_in_with_the_password_shown_once(admin: Browser, cassiopee: House) -> None:
    form = {"name": "Nina", "email": "Nina@Cassiopee.example", "role": "staff", "language": "fr"}
    answer = admin.post("/settings/users/new", form, status=200)
    password = admin.html.xpath("string(//*[@id='secret'])")
    assert answer.headers["Cache-Control"] == "no-store"
    user = accounts.authenticate("nina@cassiopee.example", password)
    assert user is not None
    assert (user.role, user.organisation_id, user.email) == (Role.STAFF, cassiopee.id, "nina@cassiopee.example")
    admin.get("/settings/users")
    assert password not in admin.text()
    admin.post(f"/settings/users/{user.id}/password", status=200)
    again = admin.html.xpath("string(//*[@id='secret'])")
    db.session.expire_all()
    assert accounts.authenticate(user.email, password) is None
    assert accounts.authenticate(user.email, again) is not None


def test_the_last_admin_stays(admin: Browser, cassiopee: House) -> None:
    path = f"/settings/users/{cassiopee.admin.id}"
    form = {"name": "A", "email": "admin@cassiopee.example", "role": "admin", "language": "fr", "active": "y"}
    admin.post(path, form | {"role": "staff"}, status=422)
    assert "dernier administrateur" in admin.text()
    form.pop("active")
    admin.post(path, form, status=422)
    assert "propre compte" in admin.text()


def test_of_two_admins_who_take_each_others_role_one_stays(app: Flask, cassiopee: House) -> None:
    first = cassiopee.admin
    second = User(organisation_id=cassiopee.id, email="second@cassiopee.example", name="Second", role=Role.ADMIN,
                  password_hash=first.password_hash)  # fmt: skip
    db.session.add(second)
    db.session.commit()
    theirs, path = Browser(app).sign_in(second), f"/settings/users/{first.id}"
    form = {"name": first.name, "email": first.email, "role": "staff", "language": "fr", "active": "y"}
    assert accounts.admins_left(cassiopee.id, second) == 1  # as the first one's request does it
    second.role = Role.STAFF
    db.session.flush()
    with beside(app, lambda: theirs.post(path, form, status=422)):
        db.session.commit()
    db.session.expire_all()
    assert first.role is Role.ADMIN and "dernier administrateur" in theirs.text()


def test_roles_and_closing(admin: Browser, cassiopee: House, boreale: House) -> None:
    path = f"/settings/users/{cassiopee.staff.id}"
    form = {"name": "S", "email": "staff@cassiopee.example", "role": "manager", "language": "en"}
    admin.get(path)
    admin.post(path, form | {"email": "admin@boreale.example"}, status=422)
    admin.post(path, form)
    db.session.expire_all()
    staff = db.session.get_one(User, cassiopee.staff.id)
    assert (staff.role, staff.active, staff.language) == (Role.MANAGER, False, "en")


@pytest.mark.parametrize("path", ["senders/{sender}", "users/{user}"])
def test_another_organisations_rows_are_nowhere(admin: Browser, boreale: House, path: str) -> None:
    where = "/settings/" + path.format(sender=boreale.sender.id, user=boreale.staff.id)
    admin.get(where, status=404)
    admin.post(where, status=404)
    admin.post(f"{where}/password" if "users" in where else f"{where}/resume", status=404)


def test_the_first_page_leads_to_every_other(admin: Browser) -> None:
    """Each page of Configuration is one link from the first, stands under its heading, and is the tab that is lit."""
    for heading in configuration.HEADINGS:
        for place in heading.places:
            admin.get("/settings")
            (link,) = [a for a in admin.html.xpath("//main//a") if a.xpath("string(.//strong)") == french(place.label)]
            admin.get(link.get("href"))
            assert admin.html.xpath("string(//h1)") == french(heading.label)
            assert admin.html.xpath("//ul[@class='tabs']//a[@aria-current]/text()") == [french(place.label)]
            beside = admin.html.xpath("//ul[@class='tabs']//a/text()")
            assert beside == [french(one.label) for one in heading.places]
            assert admin.html.xpath("//ol[@class='breadcrumbs']//a/@href") == ["/settings"]
