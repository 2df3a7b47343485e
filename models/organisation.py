"""The tenant and its people: organisations, users, API tokens."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from flask_login import UserMixin
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, ForeignKey, Index, Text, Time, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, word
from models.words import ALLOWED, Permission, Role


class Organisation(Model):
    """A training organisation: the owner of everything."""

    __tablename__ = "organisation"

    id: Mapped[bigid]
    name: Mapped[str] = mapped_column(Text, nullable=False)
    timezone: Mapped[str] = mapped_column(Text, nullable=False, server_default="Europe/Paris")
    address: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    phone: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # "numéro de déclaration d'activité", printed on every convocation
    registration: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # of letters and documents; the colour as #rrggbb
    logo_sha256: Mapped[str | None] = mapped_column(Text, ForeignKey("blob.sha256"))
    accent: Mapped[str] = mapped_column(Text, nullable=False, server_default="#0f6e84")
    # between these local hours nothing automatic leaves; the same hour twice means never quiet
    quiet_from: Mapped[time] = mapped_column(Time, nullable=False, server_default="20:00")
    quiet_to: Mapped[time] = mapped_column(Time, nullable=False, server_default="08:00")
    # the e-mails (EmailType values) each learner of a session without a type of training must receive
    required: Mapped[list[str]] = mapped_column(
        ARRAY(Text), nullable=False, server_default=text("'{convocation,evaluation_hot,certificate}'")
    )
    track_opens: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    # …of those alone who said yes, and never of these types (EmailType values)
    track_by_consent: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    # types of e-mail that people may leave: EmailType values, or programs' own words; all others are transactional
    optional_types: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    untracked_types: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    created_at: Mapped[created]


class User(UserMixin, Model):
    """A person who signs in. E-mail addresses are unique over all organisations and kept in lower case."""

    __tablename__ = "user"
    __table_args__ = (
        one_of("role", Role),
        Index("uq_user_email", func.lower(text("email")), unique=True),
        Index("ix_user_organisation", "organisation_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    email: Mapped[str] = mapped_column(Text, nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False)
    password_hash: Mapped[str] = mapped_column(Text, nullable=False)
    role: Mapped[Role] = word(Role, nullable=False)
    language: Mapped[str] = mapped_column(Text, nullable=False, server_default="fr")
    active: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("true"))
    # how this person likes the tables: {"columns": {"emails": ["date", …]}, "view": "V-…", "limit": 50}
    preferences: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    created_at: Mapped[created]
    last_seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    organisation: Mapped[Organisation] = relationship(lazy="joined", innerjoin=True)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.active

    def may(self, permission: Permission) -> bool:
        """Whether this person's role allows it."""
        return permission in ALLOWED[self.role]


class ApiToken(Model):
    """A program's key. Only the SHA-256 of the secret is kept; `prefix` lets a person recognise it."""

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("secret_sha256"), Index("ix_api_token_organisation", "organisation_id"))

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="CASCADE"), nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False)
    prefix: Mapped[str] = mapped_column(Text, nullable=False)
    secret_sha256: Mapped[str] = mapped_column(Text, nullable=False)
    scopes: Mapped[str] = mapped_column(Text, nullable=False)  # space-separated: read send admin
    created_at: Mapped[created]
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
