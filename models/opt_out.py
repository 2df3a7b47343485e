"""Désinscriptions: which addresses want no more e-mails of a type that people may leave.

mail.leaving is its only writer. A transactional e-mail (a convocation, an invoice) can't be left.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import N_, Word


class LeftBy(Word):
    """How somebody left."""

    PAGE = ("page", N_("par le lien de l'e-mail"))
    ONE_CLICK = ("one_click", N_("par le bouton de la messagerie"))
    PROVIDER = ("provider", N_("par le lien du service d'envoi"))


class OptOut(Model):
    """One address that left one type of e-mail; it lasts until `restored_at`. `address` is canonical, as quarantine's;
    `email_id` is the e-mail whose link was followed."""

    __tablename__ = "opt_out"
    __table_args__ = (
        one_of("left_by", LeftBy),
        Index(
            "uq_opt_out_address", "organisation_id", "address", "type", unique=True,
            postgresql_where=sql("restored_at IS NULL"),
        ),
        Index("ix_opt_out_newest", "organisation_id", sql("created_at DESC"), sql("id DESC")),
        Index("ix_opt_out_email", "email_id"),
    )  # fmt: skip

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, unique=True, nullable=False, default=lambda: public_id("U", 10))
    address: Mapped[str] = mapped_column(Text, nullable=False)
    type: Mapped[str] = mapped_column(Text, nullable=False)
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    left_by: Mapped[LeftBy] = word(LeftBy, nullable=False)
    created_at: Mapped[created]
    restored_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # None where the person came back by themselves
    restored_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
