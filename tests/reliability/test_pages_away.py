"""The web while the database or Redis is away: a human sentence, 503 and Retry-After; never a traceback.

Every route is asked, in each way it may be asked: as a page, as the piece htmx swaps in, by a program.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import IntegerConverter, Rule

from app import create_app
from config import Config
from extensions import db
from mail.providers import PROVIDERS
from tests.client import Browser

# What answers without the database: what it shows is in no table, or is what was asked for.
NEEDS_NONE = {
    "static", "sheets.sheet_css", "health.healthz", "gallery.index", "gallery.show", "auth.sign_in", "auth.sign_out",
    "auth.language", "auth.theme", "track.pixel", "api.openapi", "api.docs",
    "metrics.index",  # says sillage_up{part="database"} 0, which a scraper that is refused would never read
    "provider_calls.known",  # the same words for every address
    "provider_calls.told",  # "learners" is no provider, which is in no table; those that are: below
}  # fmt: skip


@pytest.fixture(scope="module")
def away(test_config: Config) -> Iterator[Flask]:
    """An app whose database does not answer."""
    app = create_app(dataclasses.replace(test_config, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none"))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield app
        with app.app_context():
            db.engine.dispose()


def addresses(app: Flask) -> list[tuple[Rule, str, str]]:
    """(route, address, method) of every route, with parameters that could be anybody's."""
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            number = {name for name, one in rule._converters.items() if isinstance(one, IntegerConverter)}
            values = {name: 1 if name in number else "learners" for name in rule.arguments}
            address = rule.build(values, append_unknown=False)
            assert address is not None, rule
            found += [(rule, address[1], method) for method in sorted(rule.methods - {"HEAD", "OPTIONS"})]
    return found


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "fragment"])
def test_p1_every_route_says_that_the_database_is_away(away: Flask, htmx: bool) -> None:
    browser = Browser(away)
    with browser.client.session_transaction() as session:
        session["_user_id"] = "1"  # somebody who was signed in when it went away
    token = browser.token()
    wrong, calm = [], set()
    for rule, address, method in addresses(away):
        headers = {"X-CSRFToken": token, "Authorization": "Bearer sil_" + "x" * 43} | (
            {"HX-Request": "true"} if htmx else {}
        )
        answer = browser.client.open(address, method=method, headers=headers)
        if rule.endpoint == "health.readyz":  # it says so in its own words
            assert answer.status_code == 503 and answer.json["checks"]["database"] is False
            continue
        said = answer.get_data().decode(errors="replace")
        if answer.status_code < 500:
            calm.add(rule.endpoint)
            continue
        if answer.status_code != 503 or not answer.headers.get("Retry-After", "").isdigit():
            wrong.append(f"{method} {address}: {answer.status_code} {answer.headers.get('Retry-After')}")
        elif address.startswith("/api/"):
            assert answer.mimetype == "application/problem+json" and json.loads(said)["status"] == 503, said
        elif "Nos données ne répondent pas pour le moment." not in said or htmx == ("</html>" in said):
            wrong.append(f"{method} {address}: {said[:200]}")
        assert "Traceback" not in said and "psycopg" not in said and "127.0.0.1:1" not in said
    assert not wrong, "\n".join(wrong)
    assert calm <= NEEDS_NONE, f"answered without the database: {sorted(calm - NEEDS_NONE)}"


def test_p1_a_provider_is_told_to_call_again(away: Flask) -> None:
    """Whose the address is cannot be known: neither taken nor refused for good."""
    for name in PROVIDERS:
        answer = away.test_client().post(f"/inbound/providers/{name}/somebodys", json={})
        assert answer.status_code == 503 and answer.headers["Retry-After"].isdigit(), name


def test_p1_whoever_watches_is_told_that_the_database_is_away(away: Flask) -> None:
    token = away.extensions["sillage"].metrics_token
    answer = away.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200 and 'sillage_up{part="database"} 0.0' in answer.text
    assert "sillage_outbox_emails{" not in answer.text  # no number rather than a wrong one


def test_p1_the_sentence_is_in_the_language_of_the_browser(away: Flask) -> None:
    browser = Browser(away)
    browser.get("/emails", status=303)  # nobody is signed in: no table is asked
    with browser.client.session_transaction() as session:
        session["_user_id"] = "1"
    browser.get("/emails", status=503, headers={"Accept-Language": "en"})
    assert browser.html.get("lang") == "en" and "Our data is not answering" in browser.text()
