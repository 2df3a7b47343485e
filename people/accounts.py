"""Accounts: passwords (argon2), users, API tokens.

An unknown account, a wrong password and a closed account cost the same time and get the same answer; how often
one may try is the page's to limit.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select

from extensions import db
from models import ApiToken, Organisation, User
from models.words import Role

# The accounts that a demo offers with one click; never in production (blueprints.auth).
DEMO_ACCOUNTS = (
    "staff@cassiopee.example",
    "manager@cassiopee.example",
    "admin@cassiopee.example",
    "admin@boreale.example",
)
DEMO_PASSWORD = "demo"
TOKEN_PREFIX = "sil_"
_LONGEST_PASSWORD = 1024
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The argon2id hash, with the library's (RFC 9106) costs."""
    return _hasher.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash that no password has, so that an unknown account costs as much as a known one."""
    return _hasher.hash(secrets.token_urlsafe(32))


def find_user(email: str) -> User | None:
    """The user with that address, whatever its case; None for none."""
    wanted = email.strip().replace("\0", "")
    return db.session.scalar(select(User).where(func.lower(User.email) == func.lower(wanted)))


def authenticate(email: str, password: str) -> User | None:
    """The active user with that address and password, else None. Rehashes with today's costs (caller commits)."""
    user = find_user(email)
    known = user.password_hash if user else _nobody()
    try:
        _hasher.verify(known, password[:_LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    if user is None or not user.active:
        return None
    if _hasher.check_needs_rehash(known):
        user.password_hash = hash_password(password[:_LONGEST_PASSWORD])
    return user


def set_password(user: User, password: str) -> None:
    """Give the account a password; sessions opened with the old one end (see stamp)."""
    user.password_hash = hash_password(password[:_LONGEST_PASSWORD])


def one_time_password(user: User) -> str:
    """Give the account a random password, returned to be shown once: four groups of four, easy to read aloud."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    password = "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))
    set_password(user, password)
    return password


def stamp(user: User) -> str:
    """What a browser session remembers of the password: it ends when the password changes."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def address_taken(email: str, but: User | None = None) -> bool:
    """Whether another account (of any organisation) has that address."""
    found = find_user(email)
    return found is not None and found is not but


def admins_left(organisation_id: int, without: User) -> int:
    """How many active admins the organisation has besides `without`; until the transaction ends nobody else changes
    that: of two admins who take each other's role away the second is told no."""
    held = select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    db.session.execute(held)
    query = select(func.count()).where(
        User.organisation_id == organisation_id, User.role == Role.ADMIN, User.active, User.id != without.id
    )
    return db.session.scalar(query) or 0


def new_token(user: User, name: str, scopes: str = "read send") -> tuple[ApiToken, str]:
    """An API token of that user and its secret, which is not kept: show it once. The caller commits."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        organisation_id=user.organisation_id,
        user_id=user.id,
        name=name,
        prefix=secret[:10],
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=scopes,
    )
    db.session.add(token)
    return token, secret


def wants_digest(user: User) -> bool:
    """Whether the person gets the digest of what is to be dealt with: as they chose, else admins do."""
    chosen = user.preferences.get("digest")
    return chosen if isinstance(chosen, bool) else user.role is Role.ADMIN


def prefer_digest(user: User, wanted: bool) -> None:
    """Send the digest to that person, or not; the caller commits."""
    user.preferences = {**user.preferences, "digest": wanted}


def digest_at(user: User) -> datetime | None:
    """When the person was last told what is to be dealt with (planning.digest)."""
    kept = user.preferences.get("digest_at")
    return datetime.fromisoformat(kept) if isinstance(kept, str) else None
