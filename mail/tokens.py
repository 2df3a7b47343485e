"""Signed names for one e-mail: VERP return path, ENVID, Message-ID, open pixel, receipt, link, leaving.

A token is base32 in lower case (a mail system may change the case of any of them): 8 bytes of the e-mail's id and
17 of HMAC-SHA256 (136 bits), each kind under a key of its own, so that one kind gives away nothing of another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache

from extensions import settings

_ID, _SIGNATURE = 8, 17
LENGTH = (_ID + _SIGNATURE) * 8 // 5
KINDS = ("verp", "envid", "mid", "pixel", "receipt", "link", "leave")


def _signature(secret: str, kind: str, payload: bytes) -> bytes:
    return hmac.digest(_key(secret, kind), payload, hashlib.sha256)[:_SIGNATURE]


@lru_cache(maxsize=64)
def _key(secret: str, kind: str) -> bytes:
    return hmac.digest(secret.encode(), b"sillage token " + kind.encode(), hashlib.sha256)


def token(kind: str, email_id: int, about: str = "") -> str:
    """The token of that kind for an e-mail: 40 characters of a-z2-7. `about` is signed with it, not in it."""
    payload = email_id.to_bytes(_ID, "big")
    signature = _signature(settings().secret_key, kind, payload + about.encode())
    return base64.b32encode(payload + signature).decode().lower()


def read(kind: str, text: str, about: str = "") -> int | None:
    """The e-mail's id, None when the token is not one of ours. The time taken tells nothing of the difference."""
    try:
        raw = base64.b32decode(text.strip().upper())
    except ValueError:
        raw = b""
    if len(raw) != _ID + _SIGNATURE:
        raw = bytes(_ID + _SIGNATURE)
    payload, given = raw[:_ID], raw[_ID:]
    config = settings()
    known = False
    for secret in (config.secret_key, *config.old_secret_keys):
        known |= hmac.compare_digest(given, _signature(secret, kind, payload + about.encode()))
    return int.from_bytes(payload, "big") if known else None
