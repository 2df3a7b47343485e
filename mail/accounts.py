"""The accounts that mail leaves by, as values: the house's (MAIL_*) and organisations' own, with their secrets open.

Secrets are encrypted at rest (Fernet, keys made of ACCOUNT_KEYS by HKDF) and opened here alone; an Account never shows
its own in a repr. Opening a session with one is left to mail.opening.
"""

from __future__ import annotations

import base64
import importlib
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app
from sqlalchemy import select

from config import Config
from errors import Permanent, Temporary
from extensions import db, settings
from models.account import Auth, Security, SmtpAccount

if TYPE_CHECKING:
    from mail.transport import TrackedMail

_AUTHS = {auth.value: auth for auth in Auth}


@dataclass(frozen=True)
class Account:
    """Where mail is handed over and as whom. `id` None is the house's. `secret` is None where there is none, or where
    it cannot be read any more. `connections` and `per_minute` are for all workers together; a connection is left after
    `most_messages` or `most_seconds`. `verify`: whether the server's certificate must be valid."""

    id: int | None
    host: str
    port: int
    security: Security
    auth: Auth
    username: str
    secret: str | None = field(repr=False)
    connections: int
    per_minute: int | None
    most_messages: int
    most_seconds: float
    verify: bool


def house() -> Account:
    """The house's own account, as the settings say."""
    return house_of(current_app.extensions["tracked_mail"], settings())


def house_of(mail: TrackedMail, config: Config) -> Account:
    """The same outside a context: where and who from Flask-Mail, the limits from the settings."""
    security = Security.TLS if mail.use_ssl else Security.STARTTLS if mail.use_tls else Security.NONE
    known = bool(mail.username and mail.password)
    return Account(
        None, mail.server, mail.port, security, _AUTHS[config.mail_auth] if known else Auth.NONE, mail.username or "",
        mail.password if known else None, config.mail_connections, config.mail_per_minute,
        config.mail_messages_per_connection, config.mail_minutes_per_connection * 60, config.mail_verify_tls,
    )  # fmt: skip


def of(ids: Iterable[int]) -> dict[int, Account]:
    """The accounts of these ids, one statement; an id that is no more is left out. Their secrets are open: keep them
    no longer than a line needs."""
    asked = sorted(set(ids))
    if not asked:
        return {}
    columns = (
        SmtpAccount.id, SmtpAccount.host, SmtpAccount.port, SmtpAccount.security, SmtpAccount.auth,
        SmtpAccount.username, SmtpAccount.secret, SmtpAccount.connections, SmtpAccount.per_minute,
        SmtpAccount.messages_per_connection, SmtpAccount.minutes_per_connection,
    )  # fmt: skip
    with db.engine.connect() as connection:
        rows = connection.execute(select(*columns).where(SmtpAccount.id.in_(asked))).all()
    return {
        row.id: Account(
            row.id, row.host, row.port, row.security, row.auth, row.username, unseal(row.secret), row.connections,
            row.per_minute, row.messages_per_connection, row.minutes_per_connection * 60, True,
        )  # fmt: skip
        for row in rows
    }


def can_keep_secrets() -> bool:
    """Whether there is a key to encrypt with; without one no account can be made."""
    return bool(settings().account_keys)


def seal(secret: str) -> bytes:
    """The secret as it is stored; empty for none. Raises Permanent without ACCOUNT_KEYS."""
    if not secret:
        return b""
    if not can_keep_secrets():
        raise Permanent("ACCOUNT_KEYS is not set: nothing can be encrypted")
    return _vault().encrypt(secret.encode())


def unseal(stored: bytes) -> str | None:
    """The secret again; None for none, and for one that ACCOUNT_KEYS no longer open."""
    if not stored or not can_keep_secrets():
        return None
    try:
        return _vault().decrypt(stored).decode()
    except InvalidToken:
        return None


def _vault() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in settings().account_keys])


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"sillage account secrets").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


_tokens: dict[tuple[object, ...], str] = {}
_locks: defaultdict[tuple[object, ...], threading.Lock] = defaultdict(threading.Lock)


def bearer(account: Account, config: Config, refused: str | None = None) -> str:
    """A bearer token from the function named by XOAUTH2_TOKEN, which is called with the account and remembered until
    a server refuses what it gave (`refused`: that token). Raises Temporary where none can be had."""
    key = (account.id, account.host, account.username, account.secret)
    with _locks[key]:  # one account's slow token keeps no other waiting
        known = _tokens.get(key)
        if known is not None and known != refused:
            return known
        module, _, name = config.xoauth2_token.partition(":")
        if not name:
            raise Temporary("XOAUTH2_TOKEN is not set: nothing gives a token")
        try:
            token = getattr(importlib.import_module(module), name)(account)
        except Exception as error:  # somebody else's code: whatever it raises, no token was had
            raise Temporary(f"XOAUTH2_TOKEN gave no token: {type(error).__name__}") from error
        if not isinstance(token, str) or not token:
            raise Temporary("XOAUTH2_TOKEN gave no token")
        _tokens[key] = token
        return token


def forget_tokens() -> None:
    """Ask anew for every token from now on."""
    _tokens.clear()
