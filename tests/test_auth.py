"""Signing in: the right answers, the limits, redirects that stay at home, sessions that end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest
from argon2 import PasswordHasher
from flask import Flask

from app import create_app
from blueprints.own_origin import own_path
from config import Config
from extensions import db, limiter
from models import User
from people import accounts
from tests.client import Browser
from tests.conftest import PASSWORD, House

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples"))


def sign_in(client: Browser, email: str, password: str = PASSWORD, path: str = "/sign-in", **kwargs: object) -> str:
    status = int(kwargs.pop("status", 303))  # type: ignore[call-overload]
    answer = client.post(path, {"email": email, "password": password}, status=status, **kwargs)
    return answer.headers.get("Location", "")


def test_right_password_opens_the_house(client: Browser, cassiopee: House) -> None:
    client.get("/sessions", status=303)
    assert sign_in(client, " STAFF@cassiopee.example ") == "/"
    client.get("/sessions")
    assert cassiopee.staff.name in client.text()
    db.session.expire_all()
    assert cassiopee.staff.last_seen_at is not None
    client.post("/sign-out")
    client.get("/sessions", status=303)


@pytest.mark.parametrize("email", ["staff@cassiopee.example", "nobody@cassiopee.example", "\0", "x" * 5000])
def test_wrong_password_and_unknown_account_get_the_same_answer(client: Browser, cassiopee: House, email: str) -> None:
    sign_in(client, email, "wrong", status=422)
    assert "Adresse ou mot de passe inconnu." in client.text()


def test_closed_account_cannot_sign_in_and_its_session_ends(client: Browser, cassiopee: House) -> None:
    sign_in(client, "staff@cassiopee.example")
    cassiopee.staff.active = False
    db.session.commit()
    client.get("/sessions", status=303)
    sign_in(client, "staff@cassiopee.example", status=422)


def test_old_hash_is_renewed(client: Browser, cassiopee: House) -> None:
    before = cassiopee.staff.password_hash
    sign_in(client, "staff@cassiopee.example")
    db.session.expire_all()
    after = cassiopee.staff.password_hash
    assert after != before
    assert not PasswordHasher().check_needs_rehash(after)
    assert PasswordHasher().verify(after, PASSWORD)


def test_new_session_keeps_nothing_of_the_old_one_but_the_language(client: Browser, cassiopee: House) -> None:
    with client.client.session_transaction() as session:
        session["planted"] = "by another"
        session["language"] = "en"
    sign_in(client, "staff@cassiopee.example")
    with client.client.session_transaction() as session:
        assert "planted" not in session
        assert session["language"] == "en"


def test_changed_password_ends_other_sessions(app: Flask, client: Browser, cassiopee: House) -> None:
    other = Browser(app)
    sign_in(client, "staff@cassiopee.example")
    sign_in(other, "staff@cassiopee.example")
    form = {"current": PASSWORD, "new": "une phrase bien longue", "again": "une phrase bien longue"}
    client.post("/account", form | {"again": "une autre"}, status=422)
    client.post("/account", form | {"current": "wrong"}, status=422)
    client.post("/account", form | {"new": "court", "again": "court"}, status=422)
    client.post("/account", form)
    client.get("/account")
    other.get("/account", status=303)
    sign_in(other, "staff@cassiopee.example", "une phrase bien longue")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/sessions?q=a%20b", "/sessions?q=a%20b"),
        ("/contacts/learners", "/contacts/learners"),
        ("/emails?status=failed&recipient=petit", "/emails?status=failed&recipient=petit"),
        ("/nowhere", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"), ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"), ("javascript:alert(1)", "/"), ("/sessions\r\nX: y", "/"), ("", "/"),
        ("/sign-out", "/"), ("/sessions/../..//evil.example", "/"), ("/%2f%2fevil.example", "/"), ("///x", "/"),
    ],
)  # fmt: skip
def test_next_stays_at_home(client: Browser, cassiopee: House, target: str, expected: str) -> None:
    where = client.post(
        "/sign-in", {"email": "staff@cassiopee.example", "password": PASSWORD}, query_string={"next": target}
    ).headers["Location"]
    assert where == expected


def test_no_redirect_of_the_samples_leaves(app: Flask) -> None:
    file = SAMPLES / "hostile" / "redirect.jsonl"
    if not file.exists():
        pytest.skip(f"{file} is not here (SILLAGE_SAMPLES)")
    with app.test_request_context("/sign-in"):
        for line in file.read_text().splitlines():
            kept = own_path(json.loads(line)["payload"], "/")
            assert urljoin("http://localhost/sign-in", kept).startswith("http://localhost/"), kept
            assert kept == "/" or kept.startswith("/?"), kept


def test_language_and_theme_come_back_to_the_page(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff)
    assert client.post("/language", {"language": "en", "next": "/sessions"}).headers["Location"] == "/sessions"
    client.get("/sessions")
    assert client.html.get("lang") == "en"
    db.session.expire_all()
    assert cassiopee.staff.language == "en"
    client.post("/theme", {"theme": "dark", "next": "https://evil.example"})
    client.get("/sessions")
    assert client.html.get("data-bs-theme") == "dark"
    client.post("/theme", {"theme": "<script>", "next": "/"})
    client.get("/sessions")
    assert client.html.get("data-bs-theme") == "dark"


def test_writes_need_the_token_and_post(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff)
    for path in ("/sign-out", "/language", "/theme", "/sign-in/demo"):
        client.post(path, status=403, csrf=False)
        client.get(path, status=405)
    client.get("/sessions")


@pytest.fixture
def demo(app: Flask) -> Iterator[None]:
    """The house as it runs in a demo."""
    kept = app.extensions["sillage"]
    app.extensions["sillage"] = replace(kept, env="demo")
    yield
    app.extensions["sillage"] = kept


@pytest.mark.usefixtures("demo")
def test_demo_offers_one_click(client: Browser, cassiopee: House, boreale: House) -> None:
    client.get("/sign-in")
    assert client.html.xpath("//form[@action='/sign-in/demo']//input[@name='email']/@value") == list(
        accounts.DEMO_ACCOUNTS
    )
    client.post("/sign-in/demo", {"email": "admin@cassiopee.example"})
    client.get("/settings")


@pytest.mark.usefixtures("demo")
def test_demo_opens_no_other_account(client: Browser, cassiopee: House) -> None:
    cassiopee.staff.email = "someone@cassiopee.example"
    cassiopee.admin.active = False
    db.session.commit()
    client.post("/sign-in/demo", {"email": "someone@cassiopee.example"}, status=404)
    client.post("/sign-in/demo", {"email": "admin@cassiopee.example"}, status=404)


def test_no_one_click_outside_the_demo(app: Flask, client: Browser, cassiopee: House) -> None:
    client.get("/sign-in")
    assert not client.html.xpath("//form[@action='/sign-in/demo']")
    client.post("/sign-in/demo", {"email": "admin@cassiopee.example"}, status=404)
    app.extensions["sillage"] = replace(kept := app.extensions["sillage"], env="production")
    try:
        client.post("/sign-in/demo", {"email": "admin@cassiopee.example"}, status=404)
    finally:
        app.extensions["sillage"] = kept


@pytest.fixture
def limited(app: Flask, test_config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The same house with the limits as they are outside tests, and passwords that cost little to check."""
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts._nobody.cache_clear()
    second = create_app(replace(test_config, env="development"))
    monkeypatch.setattr(limiter, "_storage_dead", False)  # a test before may have taken its store away
    yield second
    limiter.enabled = False
    accounts._nobody.cache_clear()
    with second.app_context():
        db.engine.dispose()
    second.extensions["redis"].close()


def guess(browser: Browser, address: str, count: int, email: str = "staff@cassiopee.example") -> list[int]:
    """The answers to so many wrong passwords from one address of the network."""
    place = {"REMOTE_ADDR": address}
    form = {"email": email, "password": "wrong"}
    answers = []
    for _try in range(count):
        token = {"X-CSRFToken": browser.token()}
        with browser.app.app_context():
            answers.append(
                browser.client.post("/sign-in", data=form, headers=token, environ_overrides=place).status_code
            )
    return answers


@pytest.mark.usefixtures("cassiopee")
def test_guessing_is_stopped_and_locks_nobody_else_out(limited: Flask) -> None:
    client = Browser(limited)
    assert guess(client, "192.0.2.1", 12) == [422] * 10 + [429] * 2
    # the right password does not help the guesser's address any more …
    place = {"REMOTE_ADDR": "192.0.2.1"}
    sign_in(client, "staff@cassiopee.example", status=429, environ_overrides=place)
    form = {"email": "staff@cassiopee.example", "password": PASSWORD}
    refused = client.post("/sign-in", form, status=429, environ_overrides=place)
    assert 0 < int(refused.headers["Retry-After"]) <= 3601
    # … but the person signs in from elsewhere
    sign_in(Browser(limited), "staff@cassiopee.example", environ_overrides={"REMOTE_ADDR": "192.0.2.2"})


@pytest.mark.usefixtures("cassiopee")
def test_many_guessers_lock_out_no_browser_that_signed_in_before(limited: Flask) -> None:
    client = Browser(limited)
    mine = {"REMOTE_ADDR": "192.0.2.99"}
    sign_in(client, "staff@cassiopee.example", environ_overrides=mine)
    client.post("/sign-out")
    answers = [answer for host in range(11) for answer in guess(Browser(limited), f"198.51.100.{host}", 10)]
    assert answers == [422] * 100 + [429] * 10
    sign_in(Browser(limited), "staff@cassiopee.example", status=429, environ_overrides={"REMOTE_ADDR": "203.0.113.1"})
    sign_in(client, "staff@cassiopee.example", environ_overrides=mine)


@pytest.mark.usefixtures("cassiopee")
def test_one_address_cannot_try_one_password_on_every_account(limited: Flask) -> None:
    client = Browser(limited)
    answers = [guess(client, "192.0.2.7", 1, f"person{number}@cassiopee.example")[0] for number in range(62)]
    assert answers == [422] * 60 + [429] * 2


def test_unknown_account_costs_the_same_work(app: Flask, cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cassiopee.staff.password_hash = accounts.hash_password(PASSWORD)
    db.session.commit()
    verified: list[str] = []
    plain = accounts._hasher.verify
    monkeypatch.setattr(
        "argon2.PasswordHasher.verify", lambda self, known, given: verified.append(known[:30]) or plain(known, given)
    )
    for email in ("staff@cassiopee.example", "nobody@cassiopee.example"):
        assert accounts.authenticate(email, "wrong") is None
    assert len(verified) == 2
    assert verified[0] == verified[1]  # the same algorithm at the same cost


def test_token_secret_is_not_kept(app: Flask, cassiopee: House) -> None:
    token, secret = accounts.new_token(cassiopee.admin, "test")
    db.session.commit()
    assert secret.startswith("sil_")
    assert secret not in " ".join(str(getattr(token, c.name)) for c in token.__table__.columns)
    assert isinstance(db.session.get(User, token.user_id), User)
