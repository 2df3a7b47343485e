"""Configuration › Clés d'API: made once and shown once, listed, revoked; the text part made of an HTML one."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask
from sqlalchemy import select

from extensions import db
from mail.words_of_html import words_of
from models import ApiToken
from tests.client import Browser
from tests.conftest import House
from tests.program import Program


def test_an_admin_makes_a_token_sees_it_once_and_revokes_it(app: Flask, client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin)
    client.get("/settings/tokens")
    assert "Aucune clé" in client.text()
    client.get("/settings/tokens/new")
    answer = client.post("/settings/tokens/new", {"name": "Facturation", "scopes": ["read", "send"]}, status=200)
    assert answer.headers["Cache-Control"] == "no-store"
    secret = client.html.get_element_by_id("secret").text_content()
    token = db.session.scalars(select(ApiToken)).one()
    assert secret.startswith("sil_") and len(secret) >= 47
    assert (token.scopes, token.user_id) == ("read send", cassiopee.admin.id)
    assert token.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    program = Program(app)
    program.secret = secret
    program.get("/emails")
    client.get("/settings/tokens")
    assert secret not in client.text() and secret[:10] in client.text() and "Facturation" in client.text()
    client.post(f"/settings/tokens/{token.id}/revoke")
    client.get("/settings/tokens")
    assert "révoquée" in client.text()
    program.get("/emails", 401)


def test_a_token_needs_a_name_and_a_scope(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.admin)
    client.post("/settings/tokens/new", {"name": "", "scopes": ["read"]}, status=422)
    client.post("/settings/tokens/new", {"name": "x"}, status=422)
    assert "Choisissez au moins un droit." in client.text()
    client.post("/settings/tokens/new", {"name": "x", "scopes": ["root"]}, status=422)
    client.post("/settings/tokens/new", {"name": "a\0b", "scopes": ["read"]}, status=422)
    assert db.session.query(ApiToken).count() == 0


def test_only_admins_of_the_same_house_touch_a_token(
    app: Flask, client: Browser, cassiopee: House, boreale: House
) -> None:  # fmt: skip
    program = Program(app, cassiopee.admin)
    client.sign_in(boreale.admin)
    client.get("/settings/tokens")
    assert "tests" not in client.text()
    client.post(f"/settings/tokens/{program.token.id}/revoke", status=404)
    client.post(f"/settings/tokens/{2**64}/revoke", status=404)
    client.sign_in(cassiopee.manager)
    client.get("/settings/tokens", status=403)
    client.post(f"/settings/tokens/{program.token.id}/revoke", status=403)
    program.get("/me")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>Total <b>12 €</b></p>", "Total 12 €\n"),
        ("<table><tr><td>Total</td><td>12 €</td></tr></table>", "Total  12 €\n"),
        ('<a href="https://x.example/a">facture</a>', "[facture](https://x.example/a)\n"),
        ("<style>p {}</style><script>alert(1)</script>Bonjour", "Bonjour\n"),
        ('<p style="margin-top:99999999em;padding-left:999999999em">Bonjour</p>', "Bonjour\n"),
        ("", "\n"),
        ("<div>" * 900 + "fond", "fond\n"),
        ("x" * 200_000 + "<br>&amp;", "x" * 200_000 + "&\n"),
    ],
)
def test_html_alone_gets_its_words(source: str, words: str) -> None:
    assert words_of(source) == words
