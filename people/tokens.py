"""API tokens: what each scope allows, finding the token a program shows, its last use, its end.

A token acts within its organisation, with its scopes and never beyond its user's role. Only the SHA-256 of the secret
is kept; people.accounts makes tokens.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select, update

from extensions import db
from models import ApiToken, User
from models.words import ALLOWED, N_, Permission, Role, Word
from people.accounts import TOKEN_PREFIX

# The last use is written at most this often, so that thousands of requests are not thousands of writes.
_USED_EVERY = timedelta(minutes=1)
_LONGEST = 100


class Access(Word):
    """A scope: its label, the permission that the user's role must have, and what it is for."""

    def __init__(self, _value: str, _label: str, permission: Permission, meaning: str) -> None:
        self.permission, self.meaning = permission, meaning

    READ = (
        "read", N_("Lire"), Permission.READ,
        N_("Lire et exporter les e-mails, lire les contacts et les sessions."),
    )  # fmt: skip
    SEND = (
        "send", N_("Envoyer"), Permission.SEND,
        N_("Envoyer des e-mails, créer et modifier des contacts, créer des sessions et y inscrire."),
    )  # fmt: skip
    ADMIN = (
        "admin", N_("Administrer"), Permission.RESEND,
        N_("Renvoyer un e-mail, mettre une adresse en quarantaine ou l'en sortir."),
    )  # fmt: skip


def allowed_to(role: Role) -> list[Access]:
    """The scopes that a token of somebody with that role may have."""
    return [access for access in Access if access.permission in ALLOWED[role]]


def find(secret: str) -> ApiToken | None:
    """The living token with that secret, its user active and of the same organisation; else None."""
    if not secret.startswith(TOKEN_PREFIX) or len(secret) > _LONGEST:
        return None
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
    token = db.session.scalar(select(ApiToken).where(ApiToken.secret_sha256 == digest))
    # The look-up is by a hash of 256 random bits, so its time tells nothing; compared again in constant time.
    if token is None or not hmac.compare_digest(token.secret_sha256, digest):
        return None
    alive = token.revoked_at is None and token.user.active
    return token if alive and token.user.organisation_id == token.organisation_id else None


def may(token: ApiToken, access: Access) -> bool:
    """Whether the token has the scope and its user's role still allows it."""
    return access.value in token.scopes.split() and token.user.may(access.permission)


def used(token: ApiToken) -> None:
    """Remember that the token was used, by a connection and commit of its own; at most once a minute."""
    now = datetime.now(UTC)
    if token.last_used_at is not None and now - token.last_used_at < _USED_EVERY:
        return
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < func.now() - _USED_EVERY)
    with db.engine.begin() as connection:
        connection.execute(
            update(ApiToken).where(ApiToken.id == token.id, stale).values(last_used_at=func.now())
        )  # fmt: skip


def listed(organisation_id: int) -> Sequence[ApiToken]:
    """The tokens of an organisation, the living ones first, the newest first."""
    query = select(ApiToken).join(User, User.id == ApiToken.user_id).where(ApiToken.organisation_id == organisation_id)
    return db.session.scalars(query.order_by(ApiToken.revoked_at.is_not(None), ApiToken.id.desc())).all()


def revoke(token: ApiToken) -> None:
    """End a token at once; the caller commits."""
    if token.revoked_at is None:
        token.revoked_at = func.now()  # type: ignore[assignment]
