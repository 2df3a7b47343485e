"""An e-mail and everything frozen with it; the outbox that sends it; the sender it leaves from.

One e-mail has one recipient, one Message-ID, one status. `email` is the row that lists show; the bytes are in
`email_content`, the queue in `outbox_entry` (small and busy, so that ten million rows of history stay still).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import Mark, QueueState, Reason, ReturnPath, Status


class Sender(Model):
    """An address mail leaves from, by the organisation's `account_id` or, without one, the house's account (MAIL_*)."""

    __tablename__ = "sender"
    __table_args__ = (
        one_of("return_path", ReturnPath),
        UniqueConstraint("organisation_id", "address"),
        ForeignKeyConstraint(["organisation_id", "account_id"], ["smtp_account.organisation_id", "smtp_account.id"]),
        Index("uq_sender_default", "organisation_id", unique=True, postgresql_where=text("is_default")),
        Index("ix_sender_account", "account_id", postgresql_where=text("account_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    name: Mapped[str] = mapped_column(Text, nullable=False)
    address: Mapped[str] = mapped_column(Text, nullable=False)
    reply_to: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    is_default: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    return_path: Mapped[ReturnPath] = word(ReturnPath, nullable=False, default=ReturnPath.OWN)
    # the fixed bounce address, or the VERP base: bounces@example.org gives bounces+TOKEN@example.org
    bounce_address: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    account_id: Mapped[int | None] = mapped_column(BigInteger)
    connections: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=text("4"))
    paused_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused_why: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]


class Mailing(Model):
    """One press of Send. `request_key` is the form's hidden uuid (or the API's Idempotency-Key): the same press
    twice makes one mailing."""

    __tablename__ = "mailing"
    __table_args__ = (UniqueConstraint("organisation_id", "request_key"),)

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    request_key: Mapped[str] = mapped_column(Text, nullable=False)
    requested_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[created]


class Address(Model):
    """A recipient as once written: a distinct (address, name) of an organisation, never changed.

    Forty times fewer than e-mails, so the search by recipient and the figures by operator hang on it.
    `address` is kept as written, `domain` in lower-case ASCII (IDNA).
    """

    __tablename__ = "address"
    __table_args__ = (
        UniqueConstraint("organisation_id", "address", "name"),
        Index("ix_address_domain", "organisation_id", "domain"),
        Index("ix_address_folded", "folded", postgresql_using="gin", postgresql_ops={"folded": "gin_trgm_ops"}),
        Index("ix_address_words", "words", postgresql_using="gin"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    address: Mapped[str] = mapped_column(Text, nullable=False)
    name: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    domain: Mapped[str] = mapped_column(Text, nullable=False)
    # what searches look at, folded by the database; read by history's queries alone
    folded: Mapped[str] = mapped_column(
        Text, Computed("fold_text(address || ' ' || name)", persisted=True), nullable=False, deferred=True
    )
    words: Mapped[str] = mapped_column(
        TSVECTOR, Computed("words_of(organisation_id, address || ' ' || name)", persisted=True),
        nullable=False, deferred=True,
    )  # fmt: skip


def _newest(name: str, *columns: str, where: str | None = None, include: tuple[str, ...] = ()) -> Index:
    """A btree that serves keyset pages of `columns`, newest first."""
    keys = [text(column) if column.startswith("(") else column for column in columns]
    order = [text(f"{column} DESC") for column in ("created_at", "id")]
    return Index(
        name, *keys, *order, postgresql_where=text(where) if where else None, postgresql_include=list(include)
    )


# Orders e-mails by when they left, those that never did at the end.
SENT_OR_NEVER = "coalesce(sent_at, '-infinity'::timestamptz)"
_UNTREATED = "treated_at IS NULL AND status IN ('undeliverable', 'failed')"
_RESENT = f"(marks & {Mark.RESENT.value}) <> 0"
_WITH_FILES = "(attachment_count > 0)"
_WHOSE = ("address_id", "contact_id")


class Email(Model):
    """One message to one recipient, frozen when requested. The status_* columns are written by mail.tracking alone:
    (status_rank, status_occurred_at, status_source, status_event_id) is the winning fact's key."""

    __tablename__ = "email"
    __table_args__ = (
        one_of("status", Status),
        one_of("reason", Reason),
        UniqueConstraint("public_id"),
        # docs/decisions/0008-history-indexes.md says which filter each of these serves, and what it carries for it
        _newest("ix_email_newest", "organisation_id", include=_WHOSE),
        _newest("ix_email_session", "training_session_id", where="training_session_id IS NOT NULL"),
        _newest("ix_email_opportunity", "opportunity_id", where="opportunity_id IS NOT NULL"),
        _newest("ix_email_contact", "contact_id", where="contact_id IS NOT NULL", include=("status", "type")),
        _newest("ix_email_address", "address_id", include=("status", "type")),
        _newest("ix_email_status", "organisation_id", "status", _WITH_FILES, include=("attachment_count", *_WHOSE)),
        _newest(
            "ix_email_type", "organisation_id", "type", "status", _WITH_FILES, include=("attachment_count", *_WHOSE)
        ),
        Index(
            "ix_email_sent", "organisation_id", text(f"{SENT_OR_NEVER} DESC"), text("id DESC"),
            postgresql_include=["sent_at", "status"],
        ),
        Index(
            "ix_email_updated", "organisation_id", text("updated_at DESC"), text("id DESC"),
            postgresql_include=["status"],
        ),
        Index("ix_email_subject_words", "subject_words", postgresql_using="gin"),
        _newest("ix_email_sender", "sender_id", include=("status",)),
        _newest("ix_email_requested_by", "requested_by_id", where="requested_by_id IS NOT NULL", include=("status",)),
        _newest("ix_email_reason", "organisation_id", "reason", where="reason IS NOT NULL", include=("status", "type")),
        _newest(
            "ix_email_untreated", "organisation_id", where=_UNTREATED, include=("status", "type", "reason", "marks")
        ),
        _newest("ix_email_treated", "organisation_id", where="treated_at IS NOT NULL", include=("status", "type")),
        _newest("ix_email_resent", "organisation_id", where=_RESENT, include=("status", "type")),
        Index("ix_email_resend_of", "resend_of_id", postgresql_where=text("resend_of_id IS NOT NULL")),
        Index("ix_email_mailing", "mailing_id", postgresql_where=text("mailing_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("E", 12))
    mailing_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("mailing.id", ondelete="SET NULL"))
    address_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("address.id"), nullable=False)
    contact_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="SET NULL"))
    training_session_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="SET NULL")
    )
    opportunity_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("opportunity.id", ondelete="SET NULL"))
    sender_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("sender.id"), nullable=False)
    requested_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    resend_of_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    type: Mapped[str] = mapped_column(Text, nullable=False)  # an EmailType's value, or a program's own word
    subject: Mapped[str] = mapped_column(Text, nullable=False)
    subject_words: Mapped[str] = mapped_column(  # read by history's queries alone
        TSVECTOR, Computed("words_of(organisation_id, subject)", persisted=True), nullable=False, deferred=True
    )
    attachment_count: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=text("0"))
    open_measured: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    created_at: Mapped[created]
    updated_at: Mapped[created]
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    status: Mapped[Status] = word(Status, nullable=False, default=Status.REQUESTED)
    reason: Mapped[Reason | None] = word(Reason)
    status_rank: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=text("0"))
    status_occurred_at: Mapped[created]
    status_source: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    status_event_id: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    treated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    treated_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    treated_note: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    marks: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))

    def has(self, mark: Mark) -> bool:
        """Whether a fact has left this mark."""
        return bool(self.marks & mark)


class EmailContent(Model):
    """The exact bytes of an e-mail, attachments cut out: `skeleton` is everything else, `cuts` says where the base64
    of which blob goes back ([[offset, sha256], …], offsets into the skeleton, rising). mail.mime joins them.

    Once it is erased (`erased_at`, by a rule of `erased_years`) skeleton and cuts are empty; sha256 and size stay."""

    __tablename__ = "email_content"

    email_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("email.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    skeleton: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
    cuts: Mapped[list[Any]] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    sha256: Mapped[str] = mapped_column(Text, nullable=False)  # of the joined bytes
    size: Mapped[int] = mapped_column(Integer, nullable=False)  # of the joined bytes
    smtputf8: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    erased_years: Mapped[int | None] = mapped_column(SmallInteger)


class Blob(Model):
    """Bytes stored once by their sha256, on disk or S3. `media_type` is what the bytes are, sniffed, never claimed.

    Since `erased_at` the row is all there is of it; what letters show from within (`in_letters`: a logo) never goes."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger, nullable=False)
    media_type: Mapped[str] = mapped_column(Text, nullable=False)
    created_at: Mapped[created]
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    in_letters: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))


class Attachment(Model):
    """A named part of one e-mail; `position` counts from 1 and is its address."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("email_id", "position"), Index("ix_attachment_blob", "sha256"))

    id: Mapped[bigid]
    email_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="CASCADE"), nullable=False)
    position: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    filename: Mapped[str] = mapped_column(Text, nullable=False)
    sha256: Mapped[str] = mapped_column(Text, ForeignKey("blob.sha256"), nullable=False)

    blob: Mapped[Blob] = relationship(lazy="joined", innerjoin=True)


class OutboxEntry(Model):
    """What must still be sent; mail.outbox is its only writer, and deletes it when the outcome is known.

    Only the lease's owner may move it, and every move names owner and state (RELIABILITY.md).
    """

    __tablename__ = "outbox_entry"
    __table_args__ = (
        one_of("state", QueueState),
        CheckConstraint("(state = 'waiting') = (owner IS NULL)", name="owned_unless_waiting"),
        Index(
            "ix_outbox_due", "sender_id", "lane", "priority", "next_attempt_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_outbox_leases", "lease_until", postgresql_where=text("state <> 'waiting'")),
    )

    email_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("email.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    organisation_id: Mapped[int] = owner()
    sender_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("sender.id"), nullable=False)
    recipient: Mapped[str] = mapped_column(Text, nullable=False)  # the envelope's, IDNA domain
    priority: Mapped[int] = mapped_column(SmallInteger, nullable=False)  # 0 interactive, 1 bulk
    # the recipient's domain where its pace is limited (mail.claims sets it apart when it is met), else empty
    lane: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    state: Mapped[QueueState] = word(QueueState, nullable=False, default=QueueState.WAITING)
    attempt_count: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=text("0"))
    next_attempt_at: Mapped[created]
    give_up_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    # from this moment on it is never claimed again: a convocation does not leave once its session has begun
    not_after: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
