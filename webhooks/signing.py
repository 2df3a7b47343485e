"""Secrets and signatures of webhooks, as Standard Webhooks 1.0 says (github.com/standard-webhooks/standard-webhooks).

A secret is `whsec_` and the base64 of 32 random bytes. At rest it is encrypted (Fernet, a key made of SECRET_KEY by
HKDF; OLD_SECRET_KEYS still open what they sealed).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from errors import Permanent
from extensions import settings

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret as its owner sees it, once."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signature(known: Iterable[str], message_id: str, moment: int, body: bytes) -> str:
    """The header webhook-signature: one `v1,…` for each secret, the newest first. `moment` in seconds since 1970."""
    signed = f"{message_id}.{moment}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in known
    )


def seal(secret: str) -> str:
    """The secret as it is stored."""
    return _vault().encrypt(secret.encode()).decode()


def unseal(stored: str) -> str:
    """The secret again. Raises Permanent when SECRET_KEY was changed without OLD_SECRET_KEYS."""
    try:
        return _vault().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise Permanent("a webhook's secret cannot be read: SECRET_KEY is not the one it was sealed with") from error


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))


def _vault() -> MultiFernet:
    config = settings()
    return MultiFernet([_fernet(secret) for secret in (config.secret_key, *config.old_secret_keys)])


def _fernet(secret: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"sillage webhook secrets").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
