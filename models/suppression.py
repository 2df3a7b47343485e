"""Quarantine: addresses an organisation has stopped writing to, and why; each spell of it, with who ended it.

mail.quarantine is its only writer, with mail.tracking's recording of facts. What a verdict is stands there.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, word
from models.words import N_, Reason, Word

# The canonical form of an `address` row: the local part in lower case too, for no operator of today tells them apart.
CANONICAL = (
    "lower(left(address.address, length(address.address) - strpos(reverse(address.address), '@'))) "
    "|| '@' || address.domain"
)


class Grounds(Word):
    """What put an address in quarantine: a reason that says the address itself is dead, or a complaint."""

    def __init__(self, _value: str, _label: str, sentence: str) -> None:
        self.sentence = sentence

    USER_UNKNOWN = (Reason.USER_UNKNOWN.value, Reason.USER_UNKNOWN.label, Reason.USER_UNKNOWN.sentence)
    DOMAIN_UNKNOWN = (Reason.DOMAIN_UNKNOWN.value, Reason.DOMAIN_UNKNOWN.label, Reason.DOMAIN_UNKNOWN.sentence)
    MOVED = (Reason.MOVED.value, Reason.MOVED.label, Reason.MOVED.sentence)
    COMPLAINT = (
        "complaint", N_("Plainte du destinataire"),
        N_("La personne a signalé un de vos e-mails comme indésirable."),
    )  # fmt: skip


class Suppression(Model):
    """One spell of quarantine of one address; it lasts until `lifted_at`, and an address has one spell at a time.

    `address` is canonical: in lower case, its domain in IDNA. `shown_at` is when the verdict fell, by whoever said it.
    """

    __tablename__ = "suppression"
    __table_args__ = (
        one_of("reason", Grounds),
        UniqueConstraint("public_id"),
        Index(
            "uq_suppression_address", "organisation_id", "address", unique=True,
            postgresql_where=sql("lifted_at IS NULL"),
        ),
        Index("ix_suppression_spells", "organisation_id", "address", "lifted_at"),
        Index(
            "ix_suppression_newest", "organisation_id", sql("shown_at DESC"), sql("id DESC"),
            postgresql_where=sql("lifted_at IS NULL"),
        ),
        Index(
            "ix_suppression_lifted", "organisation_id", sql("lifted_at DESC"), sql("id DESC"),
            postgresql_where=sql("lifted_at IS NOT NULL"),
        ),
        Index("ix_suppression_email", "email_id"),
    )  # fmt: skip

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    # made by the database: rows come from the statement that records facts
    public_id: Mapped[str] = mapped_column(
        Text, nullable=False, server_default=sql("'Q-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)")
    )
    address: Mapped[str] = mapped_column(Text, nullable=False)
    reason: Mapped[Grounds] = word(Grounds, nullable=False)
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    shown_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    created_at: Mapped[created]
    lifted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lifted_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    lifted_note: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
