"""Error pages: a human sentence in a page of its own, also when the database is away."""

from __future__ import annotations

import dataclasses
import warnings

import pytest
from flask import Flask, abort
from sqlalchemy.exc import DataError

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
