"""Configuration › Services d'envoi: made by admins, keys kept encrypted, the trial arriving; secrets stay secret."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from extensions import db
from mail.providers import PROVIDERS, accounts, ledger, trials
from models import ProviderAccount, ProviderCall, ProviderEvent
from models.provider import Heard
from tests.client import Browser
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.signing import keys
from tests.mail.providers.test_told import about, account, post_email, send, tell

PAGE = "/settings/providers"


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    client.sign_in(cassiopee.admin)
    return client


def made(admin: Browser, provider: str = "brevo") -> ProviderAccount:
    answer = admin.post(f"{PAGE}/new", {"provider": provider, "name": "Chez nous"})
    assert answer.status_code == 303
    return db.session.scalars(select(ProviderAccount).order_by(ProviderAccount.id.desc())).first()  # type: ignore[return-value]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_can_be_set_up(admin: Browser, provider: str) -> None:
    found = made(admin, provider)
    page = admin.get(f"{PAGE}/{found.public_id}").get_data(as_text=True)
    assert "Chez nous" in page and PROVIDERS[provider].LABEL in page
    assert (accounts.address(found) in page) is (provider != "scaleway")
    if keys(provider).signing:
        answer = admin.post(f"{PAGE}/{found.public_id}/keys", {"signing": keys(provider).signing})
        assert answer.status_code == 303
        db.session.refresh(found)
        assert found.signed and accounts.keys_of(found).signing == keys(provider).signing
        assert keys(provider).signing.encode() not in found.secret
        assert keys(provider).signing not in admin.get(f"{PAGE}/{found.public_id}").get_data(as_text=True)
        admin.post(f"{PAGE}/{found.public_id}/keys", {"signing": ""})
        db.session.refresh(found)
        assert accounts.keys_of(found).signing == keys(provider).signing  # left empty: kept


@pytest.mark.parametrize(
    ("provider", "nonsense"), [("sendgrid", "no key"), ("postal", "AAAA"), ("amazon_ses", "arn"), ("resend", "x")]
)
def test_a_key_that_is_none_is_sent_back(admin: Browser, provider: str, nonsense: str) -> None:
    found = made(admin, provider)
    admin.post(f"{PAGE}/{found.public_id}/keys", {"signing": nonsense}, status=422)
    db.session.refresh(found)
    assert not found.signed


def test_a_renewed_password_opens_and_the_old_one_does_not(app: Flask, cassiopee: House, admin: Browser) -> None:
    found = made(admin)
    old = accounts.keys_of(found).password
    page = admin.get(f"{PAGE}/{found.public_id}")
    assert old in page.get_data(as_text=True) and "no-store" in page.headers["Cache-Control"]
    admin.post(f"{PAGE}/{found.public_id}/password")
    db.session.refresh(found)
    assert accounts.keys_of(found).password not in (old, "")


def test_it_is_switched_off_and_deleted(app: Flask, cassiopee: House, admin: Browser) -> None:
    email, found = post_email(cassiopee), account(cassiopee, "brevo")
    tell(app, found, about(email, documented.PAYLOADS["brevo"][1]))
    ledger.apply()
    admin.post(f"{PAGE}/{found.public_id}/switch")
    assert tell(app, found, documented.PAYLOADS["brevo"][0]).status_code == 401
    page = admin.get(f"{PAGE}/{found.public_id}").get_data(as_text=True)
    assert "lea.petit@example.net" in page and "Bonjour" in page
    admin.post(f"{PAGE}/{found.public_id}/delete")
    db.session.expire_all()
    assert db.session.scalars(select(ProviderAccount)).all() == [] == db.session.scalars(select(ProviderEvent)).all()
    assert email.status.value == "delivered"  # what it told stays told


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "scaleway"])
def test_a_trial_arrives_and_is_no_fact(
    app: Flask, cassiopee: House, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = account(cassiopee, provider)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        object.__setattr__(app.extensions["sillage"], "base_url", f"http://127.0.0.1:{server.server_port}")
        assert trials.send(found.id, datetime.now(UTC)) == "204"
        db.session.refresh(found)
        assert found.trial_answer == "204"
        # a trial's proof is good for its own address and its own body only
        call = trials.make(found, keys(provider), datetime.now(UTC))
        assert trials.ours(call, found.token, datetime.now(UTC))
        assert not trials.ours(call, found.token + "x", datetime.now(UTC))
    finally:
        object.__setattr__(app.extensions["sillage"], "base_url", "http://localhost")
        server.shutdown()
        thread.join()
        server.server_close()
    ledger.apply()
    assert db.session.scalars(select(ProviderCall.trial)).all() == [True]
    assert set(db.session.scalars(select(ProviderEvent.outcome))) == {Heard.TRIAL}


def test_a_trial_proves_no_wrong_secret(app: Flask, cassiopee: House) -> None:
    """Where we can sign as the provider does, the trial is held to the same proof."""
    found = account(cassiopee, "mailersend")
    call = trials.make(found, keys("mailersend"), datetime.now(UTC))
    headers = {name: value for name, value in call.headers.items() if name != "signature"}
    assert send(app, accounts.address(found), replace(call, headers=headers)).status_code == 401


def test_without_a_key_to_encrypt_with_none_can_be_made(app: Flask, admin: Browser) -> None:
    config = app.extensions["sillage"]
    known = config.account_keys
    object.__setattr__(config, "account_keys", ())
    try:
        assert "ACCOUNT_KEYS" in admin.get(f"{PAGE}/new").get_data(as_text=True)
        admin.post(f"{PAGE}/new", {"provider": "brevo", "name": "x"}, status=422)
    finally:
        object.__setattr__(config, "account_keys", known)
