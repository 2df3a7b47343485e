"""Error pages: a human sentence in a page of its own, also when the database is away."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
from flask import Flask, abort
from sqlalchemy.exc import DataError
from werkzeug.test import EnvironBuilder, run_wsgi_app

from config import Config
from tests.client import Browser
from tests.conftest import House

pytestmark = pytest.mark.usefixtures("app")


def test_a_stranger_and_a_member_read_that_a_page_does_not_exist(client: Browser, cassiopee: House) -> None:
    for person in (None, cassiopee.staff):
        if person:
            client.sign_in(person)
        client.get("/nowhere", status=404)
        assert client.html.findtext(".//h1") == "Cette page n’existe pas"


def test_the_sentence_follows_the_language_of_the_browser(client: Browser) -> None:
    client.get("/nowhere", status=404, headers={"Accept-Language": "en"})
    assert client.html.get("lang") == "en"


def led(app: Flask, path: str) -> tuple[str, str | None]:
    """(status, where it leads) of a request for exactly that path: a client would take //name/ for another house."""
    environ = EnvironBuilder().get_environ() | {"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path}
    _body, status, headers = run_wsgi_app(app, environ)
    return status[:3], headers.get("Location")


@pytest.mark.parametrize("asked, leads", [
    ("/emails/", "/emails"), ("/sessions/?q=s%C3%A9curit%C3%A9&page=2", "/sessions?q=s%C3%A9curit%C3%A9&page=2"),
    ("/emails/E-1/", "/emails/E-1"), ("/contacts/learners/?", "/contacts/learners"),
    ("/emails/?next=//evil.example/%0d%0aX:1", "/emails?next=//evil.example/%0d%0aX:1"),
])  # fmt: skip
def test_a_slash_too_many_leads_to_the_page(client: Browser, asked: str, leads: str) -> None:
    for ask in (client.client.get, client.client.head):
        answer = ask(asked)
        assert (answer.status_code, answer.headers["Location"]) == (308, leads)


@pytest.mark.parametrize("path", [
    "//evil.example/", "///evil.example//", "/\\evil.example/", "//evil.example/emails/", "/nowhere/", "/sign-out/",
    "/static/nothing/", "/api/v1/emails/",
])  # fmt: skip
def test_a_slash_leads_to_no_other_house_nor_to_what_is_not_there(app: Flask, path: str) -> None:
    assert led(app, path) == ("404", None)


def test_slashes_within_stay_in_the_house(app: Flask) -> None:
    status, where = led(app, "//emails//")
    assert status == "308" and where in ("http://localhost/emails", "/emails")


def test_only_reading_is_led_on(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff)
    client.post("/selections/", status=404)
    answer = client.client.get("/api/v1/emails/")
    assert answer.status_code == 404 and answer.mimetype == "application/problem+json"


@pytest.fixture
def away(test_config: Config) -> Browser:
    """A browser on an app whose database does not answer."""
    from app import create_app

    app: Flask = create_app(
        dataclasses.replace(test_config, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    )
    app.add_url_rule("/too-big", view_func=lambda: abort(413))
    return Browser(app)


def test_without_the_database_a_page_says_so(away: Browser) -> None:
    with away.client.session_transaction() as session:
        session["_user_id"] = "1"  # somebody who was signed in when it went away
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        answer = away.get("/sessions", status=503)
    assert away.html.findtext(".//h1") == "Sillage revient dans un instant"
    assert answer.headers["Retry-After"] == "10"
    assert "private" not in answer.headers.get("Cache-Control", "")


def test_other_errors_need_no_database_either(away: Browser) -> None:
    away.get("/too-big", status=413)
    assert away.html.findtext(".//h1") == "L’envoi est trop volumineux"


@pytest.mark.parametrize("address", ["/f/cut-off", "/r/cut-off", "/t/u/cut-off"])
def test_who_has_no_account_is_not_sent_to_an_account(client: Browser, address: str) -> None:
    client.get(address, status=404)
    assert client.html.findtext(".//h1") == "Ce lien ne s’ouvre pas"
    assert "répondez à l’e-mail" in client.text()
    assert client.html.xpath("//body//a[not(starts-with(@href, '#'))]") == [], "there is nothing to sign in to"


def test_a_refused_form_says_that_nothing_was_saved_and_how_to_keep_the_words(app: Flask, cassiopee: House) -> None:
    person = Browser(app).sign_in(cassiopee.staff)
    answer = person.client.post("/sessions/new", data={"title": "Une heure de travail"})
    assert answer.status_code == 403 and "Ce formulaire n’est plus à jour" in answer.text
    assert "gardez une copie de ce que vous avez écrit" in answer.text


def test_another_role_is_told_who_can(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/settings", status=403)
    assert client.html.findtext(".//h1") == "Votre rôle ne permet pas cette action"


@pytest.mark.parametrize("address", ["/emails/proofs?in=%00", "/emails/attachments?in=S-%00", "/emails/proofs?v=%00"])
def test_a_nul_that_nothing_looked_for_is_no_mistake_of_ours(client: Browser, cassiopee: House, address: str) -> None:
    client.sign_in(cassiopee.admin).get(address, status=400)
    client.get("/sessions")  # nothing is left of it


def test_what_the_database_refuses_otherwise_is_ours(app: Flask) -> None:
    error = DataError("SELECT 1 / 0", {}, Exception("division by zero"))
    with app.test_request_context("/sessions"), pytest.raises(DataError):
        app.handle_user_exception(error)
