"""Sales under way, and the signed links by which a recipient sees what was sent to them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Date, DateTime, ForeignKey, Index, Integer, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.contact import Contact
from models.organisation import User
from models.training import TrainingSession
from models.words import N_, Word


class Stage(Word):
    """Where an opportunity stands in the pipeline."""

    LEAD = ("lead", N_("À qualifier"))
    QUALIFIED = ("qualified", N_("Qualifiée"))
    QUOTED = ("quoted", N_("Devis envoyé"))
    WON = ("won", N_("Gagnée"))
    LOST = ("lost", N_("Perdue"))


class Opportunity(Model):
    """A sale under way with a contact (a person or a company). `amount` in euros, before tax."""

    __tablename__ = "opportunity"
    __table_args__ = (
        one_of("stage", Stage),
        UniqueConstraint("public_id"),
        Index("ix_opportunity_stage", "organisation_id", "stage", text("created_at DESC"), text("id DESC")),
        Index("ix_opportunity_contact", "contact_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("O", 8))
    title: Mapped[str] = mapped_column(Text, nullable=False)
    stage: Mapped[Stage] = word(Stage, nullable=False, default=Stage.LEAD)
    contact_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False)
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    expected_on: Mapped[date | None] = mapped_column(Date)
    notes: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]

    contact: Mapped[Contact] = relationship()
    owner: Mapped[User | None] = relationship()


class StageChange(Model):
    """A stage an opportunity has come to, when and by whom (nobody: by an e-mail that left)."""

    __tablename__ = "stage_change"
    __table_args__ = (one_of("stage", Stage), Index("ix_stage_change_opportunity", "opportunity_id", "id"))

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    opportunity_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("opportunity.id", ondelete="CASCADE"), nullable=False
    )
    stage: Mapped[Stage] = word(Stage, nullable=False)
    by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[created]

    by: Mapped[User | None] = relationship()


class RecipientSpace(Model):
    """A person's own page of what was sent to them for one session; the signed link names it, revoking closes it."""

    __tablename__ = "recipient_space"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("training_session_id", "contact_id"),
        Index("ix_recipient_space_contact", "contact_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("R", 12))
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    contact_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False)
    generation: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("1"))  # in the signature
    created_at: Mapped[created]
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    contact: Mapped[Contact] = relationship()
    training_session: Mapped[TrainingSession] = relationship()


class SpaceVisit(Model):
    """One look at a recipient's space: the page, or a document taken."""

    __tablename__ = "space_visit"
    __table_args__ = (Index("ix_space_visit_space", "space_id", text("id DESC")),)

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    space_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("recipient_space.id", ondelete="CASCADE"), nullable=False
    )
    what: Mapped[str] = mapped_column(Text, nullable=False)
    agent: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]
