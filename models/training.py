"""Training sessions, their modules, and who takes part."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.contact import Contact
from models.words import SessionState


class Programme(Model):
    """A training programme: what sessions are runs of. `objectives` and `content` are what its document says."""

    __tablename__ = "programme"
    __table_args__ = (
        UniqueConstraint("public_id"),
        Index("ix_programme_title", "organisation_id", "title", "id"),
        Index("ix_programme_training_type", "training_type_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("G", 8))
    title: Mapped[str] = mapped_column(Text, nullable=False)
    reference: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    training_type_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_type.id", ondelete="SET NULL")
    )
    duration_hours: Mapped[int | None] = mapped_column(SmallInteger)
    audience: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    prerequisites: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    objectives: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    content: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    methods: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]


class TrainingSession(Model):
    """One run of a training programme. Its dates are those of its modules, kept here by whoever saves modules."""

    __tablename__ = "training_session"
    __table_args__ = (
        one_of("state", SessionState),
        CheckConstraint("price >= 0 AND vat_rate >= 0 AND vat_rate < 100", name="price"),
        UniqueConstraint("public_id"),
        Index("ix_training_session_start", "organisation_id", "starts_on", "id"),
        Index("ix_training_session_end", "organisation_id", "ends_on"),
        Index(
            "ix_training_session_words", text("words_of(organisation_id, title || ' ' || reference)"),
            postgresql_using="gin",
        ),
        Index("ix_training_session_programme", "programme_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("S", 8))
    reference: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    title: Mapped[str] = mapped_column(Text, nullable=False)
    state: Mapped[SessionState] = word(SessionState, nullable=False, default=SessionState.PLANNED)
    place: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    notes: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    programme_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("programme.id", ondelete="SET NULL"))
    # euros for each learner, without tax; none where it is not known. The rate of VAT is in percent, 0 is exempt
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    vat_rate: Mapped[Decimal] = mapped_column(Numeric(4, 2), nullable=False, server_default=text("0"))
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    created_at: Mapped[created]

    modules: Mapped[list[Module]] = relationship(
        back_populates="training_session", order_by="Module.starts_at", cascade="all, delete-orphan"
    )
    programme: Mapped[Programme | None] = relationship()
    enrolments: Mapped[list[Enrolment]] = relationship(
        back_populates="training_session", cascade="all, delete-orphan", order_by="Enrolment.id"
    )


class Module(Model):
    """One stretch of a session: a day, a half-day, a webinar."""

    __tablename__ = "module"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        Index("ix_module_training_session", "training_session_id", "starts_at"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    title: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    place: Mapped[str] = mapped_column(Text, nullable=False, server_default="")

    training_session: Mapped[TrainingSession] = relationship(back_populates="modules")


class Enrolment(Model):
    """A contact's part in a session: a learner, a trainer or a client company (the contact's kind says which)."""

    __tablename__ = "enrolment"
    __table_args__ = (
        UniqueConstraint("training_session_id", "contact_id"),
        Index("ix_enrolment_contact", "contact_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    contact_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False)
    # the modules followed; empty means all of them
    module_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), nullable=False, server_default=text("'{}'"))
    created_at: Mapped[created]

    training_session: Mapped[TrainingSession] = relationship(back_populates="enrolments")
    contact: Mapped[Contact] = relationship()
