"""Delivery events (appended, never changed) and the raw messages they came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, word
from models.words import EventKind, Reason


class DeliveryEvent(Model):
    """One thing that happened to an e-mail. mail.tracking.record is the only writer.

    `source` is smtp, dsn, webhook:NAME, poll:NAME, pixel, link, user or reaper; `source_event_id` the source's own id
    (a hash where it gives none): the same fact twice is one row.
    """

    __tablename__ = "delivery_event"
    __table_args__ = (
        one_of("kind", EventKind),
        one_of("reason", Reason),
        Index("uq_delivery_event_fact", "email_id", "source", "source_event_id", "kind", unique=True),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    email_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="CASCADE"), nullable=False)
    kind: Mapped[EventKind] = word(EventKind, nullable=False)
    source: Mapped[str] = mapped_column(Text, nullable=False)
    source_event_id: Mapped[str] = mapped_column(Text, nullable=False)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    recorded_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), nullable=False, server_default=sql("clock_timestamp()")
    )
    reason: Mapped[Reason | None] = word(Reason)
    attempt: Mapped[int | None] = mapped_column(SmallInteger)
    smtp_code: Mapped[int | None] = mapped_column(SmallInteger)
    enhanced_code: Mapped[str | None] = mapped_column(Text)
    diagnostic: Mapped[str | None] = mapped_column(Text)  # the server's own words
    remote_host: Mapped[str | None] = mapped_column(Text)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # corrected status, author, next attempt …
    inbound_message_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("inbound_message.id", ondelete="SET NULL")
    )


class InboundMessage(Model):
    """A message read from a bounce mailbox, kept raw. The sha256 makes its effect happen once, whoever reads it.

    `outcome`: applied, orphan (matched nothing), ignored (no report), poison (its reader died), dismissed (a person put
    an orphan or an unreadable one aside). `organisation_id` says whose it is, as far as that is certain
    (mail.matching.owner); nobody's is the operator's alone. `summary` is what a list shows without reading it again.
    """

    __tablename__ = "inbound_message"
    __table_args__ = (
        Index("uq_inbound_message_sha256", "sha256", unique=True),
        UniqueConstraint("public_id"),
        Index("ix_inbound_message_outcome", "outcome", "id"),
        Index(
            "ix_inbound_message_waiting", "organisation_id", "outcome", sql("id DESC"),
            postgresql_where=sql("outcome IN ('orphan', 'poison')"),
        ),
        Index("ix_inbound_message_handled_by", "handled_by_id"),
    )  # fmt: skip

    id: Mapped[bigid]
    public_id: Mapped[str] = mapped_column(
        Text, nullable=False, server_default=sql("'R-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)")
    )
    sha256: Mapped[str] = mapped_column(Text, nullable=False)
    mailbox: Mapped[str] = mapped_column(Text, nullable=False)
    kind: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    outcome: Mapped[str] = mapped_column(Text, nullable=False)
    organisation_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("organisation.id", ondelete="CASCADE"))
    size: Mapped[int] = mapped_column(Integer, nullable=False)
    raw: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
    tries: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=sql("1"))
    received_at: Mapped[created]
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    handled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    handled_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    handled_note: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # `raw` is empty since
