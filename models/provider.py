"""Accounts with providers that send for an organisation: what they told (calls, kept raw) and what it said (events).

mail.providers writes all of it. `provider` is a name of mail.providers.PROVIDERS: no constraint lists them, so that a
new one needs no migration.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import N_, Word


class CallState(Word):
    """How far a call is."""

    WAITING = ("waiting", N_("à lire"))
    APPLIED = ("applied", N_("lu"))
    UNREADABLE = ("unreadable", N_("illisible"))


class Heard(Word):
    """What became of an event. `tone` is for its chip."""

    def __init__(self, _value: str, _label: str, tone: str) -> None:
        self.tone = tone

    WAITING = ("waiting", N_("en attente"), "info")
    APPLIED = ("applied", N_("appliqué"), "success")
    IGNORED = ("ignored", N_("sans effet"), "neutral")
    ORPHAN = ("orphan", N_("sans e-mail"), "warning")
    TRIAL = ("trial", N_("essai"), "info")
    DISMISSED = ("dismissed", N_("mis de côté"), "neutral")


class Via(Word):
    """How an event was heard of; with the provider's name it is a fact's source, such as webhook:brevo."""

    WEBHOOK = ("webhook", N_("webhook"))
    POLL = ("poll", N_("relevé"))


class ProviderAccount(Model):
    """An account with a provider. `token` is the secret part of the address it calls; `secret` (encrypted) holds what
    signs, the user and the password, the API's key and where to ask. `polled_to` is how far the poll has come."""

    __tablename__ = "provider_account"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("token"),
        Index("ix_provider_account_organisation", "organisation_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("F", 10))
    provider: Mapped[str] = mapped_column(Text, nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False)
    token: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: secrets.token_urlsafe(24))
    # never loaded with the row, so that nothing shows or exports it by accident
    secret: Mapped[bytes] = mapped_column(LargeBinary, nullable=False, deferred=True)
    signed: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))  # what signs is known
    polled: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))  # the API's key is known
    active: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("true"))
    polled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    polled_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    poll_trouble: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    # the last trial: when it was asked for, and what our own address answered (an HTTP status, or words)
    trial_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    trial_answer: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]


class ProviderCall(Model):
    """An authentic call as it came. `nonce` is what its signature makes unique: the same one twice is a replay."""

    __tablename__ = "provider_call"
    __table_args__ = (
        one_of("state", CallState),
        Index("uq_provider_call_nonce", "account_id", "nonce", unique=True, postgresql_where=sql("nonce IS NOT NULL")),
        Index("ix_provider_call_waiting", "id", postgresql_where=sql("state = 'waiting'")),
        Index("ix_provider_call_received", "received_at"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("provider_account.id", ondelete="CASCADE"), nullable=False
    )
    nonce: Mapped[str | None] = mapped_column(Text)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False)  # those that parse needs; no credentials
    body: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
    state: Mapped[CallState] = word(CallState, nullable=False, server_default="waiting")
    trial: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    received_at: Mapped[created]


class ProviderEvent(Model):
    """One event, heard once however often and by whichever way it is told: unique by account and `key`.

    `said` is all that a fact about an e-mail needs, so that one without e-mail can be attached to one later. While it
    waits for the e-mail it is about, `tries` counts and `next_try_at` says when it is looked for again.
    """

    __tablename__ = "provider_event"
    __table_args__ = (
        one_of("outcome", Heard),
        one_of("via", Via),
        UniqueConstraint("account_id", "key"),
        Index("ix_provider_event_newest", "account_id", sql("id DESC")),
        Index("ix_provider_event_waiting", "next_try_at", postgresql_where=sql("outcome = 'waiting'")),
        Index(
            "ix_provider_event_orphans", "organisation_id", sql("id DESC"), postgresql_where=sql("outcome = 'orphan'")
        ),
        Index("ix_provider_event_email", "email_id", postgresql_where=sql("email_id IS NOT NULL")),
        Index("ix_provider_event_received", "received_at"),
        Index("ix_provider_event_handled_by", "handled_by_id", postgresql_where=sql("handled_by_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    account_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("provider_account.id", ondelete="CASCADE"), nullable=False
    )
    call_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("provider_call.id", ondelete="SET NULL"))
    via: Mapped[Via] = word(Via, nullable=False)
    key: Mapped[str] = mapped_column(Text, nullable=False)
    event_type: Mapped[str] = mapped_column(Text, nullable=False)
    recipient: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    message_id: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    said: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False)
    outcome: Mapped[Heard] = word(Heard, nullable=False)
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="CASCADE"))
    tries: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=sql("0"))
    next_try_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    received_at: Mapped[created]
    # who attached an orphan to an e-mail or put it aside, when, and how they knew
    handled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    handled_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    handled_note: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
