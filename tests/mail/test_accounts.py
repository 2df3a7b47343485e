"""Accounts: their secrets at rest, and what becomes of them with another key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

import config
from errors import Permanent, Temporary
from extensions import db
from mail import accounts
from models import Auth, Security, SmtpAccount

SECRET = "correct horse battery staple"


def account(house, **columns) -> SmtpAccount:
    values = {
        "organisation_id": house.id, "name": "Google", "host": "smtp.example.org", "port": 587,
        "security": Security.STARTTLS, "auth": Auth.PASSWORD, "username": "zoe", "secret": accounts.seal(SECRET),
    }  # fmt: skip
    made = SmtpAccount(**(values | columns))
    db.session.add(made)
    db.session.commit()
    return made


def with_keys(app, *keys: str) -> None:
    app.extensions["sillage"] = replace(app.extensions["sillage"], account_keys=keys)


@pytest.fixture
def keys(app):
    before = app.extensions["sillage"]
    yield lambda *keys: with_keys(app, *keys)
    app.extensions["sillage"] = before


def test_a_secret_is_encrypted_at_rest_and_open_in_the_value_alone(cassiopee):
    made = account(cassiopee, per_minute=30)
    stored = db.session.execute(text("SELECT secret FROM smtp_account")).scalar_one()
    assert SECRET.encode() not in bytes(stored)
    found = accounts.of([made.id, made.id])[made.id]
    assert (found.secret, found.username, found.per_minute, found.most_seconds) == (SECRET, "zoe", 30, 300)
    assert found.verify
    assert SECRET not in repr(found) and SECRET not in repr(made)
    assert "secret" not in db.session.get(SmtpAccount, made.id, populate_existing=True).__dict__


def test_any_number_of_accounts_is_one_statement_and_unknown_ones_are_left_out(cassiopee):
    ids = [account(cassiopee, name=str(n)).id for n in range(5)]
    seen = []

    def note(*args) -> None:
        seen.append(args[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert sorted(accounts.of([*ids, 10**9])) == ids
        assert len(seen) == 1
        assert accounts.of([]) == {} and len(seen) == 1
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_keys_are_rotated_the_old_one_still_opening(cassiopee, keys):
    keys("a" * 32)
    old = accounts.seal(SECRET)
    keys("b" * 32, "a" * 32)
    assert accounts.unseal(old) == SECRET
    new = accounts.seal(SECRET)
    keys("b" * 32)
    assert accounts.unseal(new) == SECRET
    assert accounts.unseal(old) is None


def test_without_a_key_nothing_is_sealed(app, keys):
    keys()
    assert not accounts.can_keep_secrets()
    assert accounts.seal("") == b""
    with pytest.raises(Permanent):
        accounts.seal(SECRET)


def test_a_sender_never_leaves_by_another_organisations_account(cassiopee, boreale):
    theirs = account(boreale)
    cassiopee.sender.account_id = theirs.id
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


def test_the_house_has_the_settings_account(app):
    found = accounts.house()
    assert (found.id, found.host, found.auth, found.connections) == (None, "127.0.0.1", Auth.NONE, 8)


def test_a_token_is_asked_for_once_and_again_when_refused(app, tmp_path, monkeypatch):
    (tmp_path / "our_tokens.py").write_text(
        "asked = []\n\ndef token(account):\n    asked.append(account.username)\n    return f'token-{len(asked)}'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = replace(app.extensions["sillage"], xoauth2_token="our_tokens:token")
    one = replace(accounts.house(), auth=Auth.XOAUTH2, username="zoe@example.org", secret="refresh")
    assert [accounts.bearer(one, settings) for _ in range(3)] == ["token-1"] * 3
    assert accounts.bearer(one, settings, refused="token-1") == "token-2"
    assert accounts.bearer(one, settings, refused="token-1") == "token-2"
    with pytest.raises(Temporary):
        accounts.bearer(replace(one, username="other"), replace(settings, xoauth2_token="our_tokens:nothing"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCOUNT_KEYS", "short"),
        ("ACCOUNT_NETWORKS", "10.0.0.1/8"),
        ("ACCOUNT_NETWORKS", "127.0.0.0/8"),
        ("ACCOUNT_NETWORKS", "0.0.0.0/0"),
        ("XOAUTH2_TOKEN", "import os"),
        ("MAIL_AUTH", "cram-md5"),
    ],
)
def test_wrong_settings_stop_the_start(tmp_path, name, value):
    env = {"SILLAGE_ENV": "production", "SECRET_KEY": "s" * 32, "SILLAGE_DATA": str(tmp_path), name: value}
    with pytest.raises(config.WrongSetting, match=name):
        config.read(env)


def test_a_key_is_kept_in_the_data_folder_but_not_in_production(tmp_path):
    env = {"SILLAGE_ENV": "development", "SILLAGE_DATA": str(tmp_path)}
    assert config.read(env).account_keys == config.read(env).account_keys != ()
    assert (tmp_path / "account_key").stat().st_mode & 0o777 == 0o600
    assert config.read(env | {"SILLAGE_ENV": "production", "SECRET_KEY": "s" * 32}).account_keys == ()
