"""What should be sent: rules from dates, what they planned, business events, what each type of training requires."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.contact import Contact
from models.email import Email
from models.training import TrainingSession
from models.words import N_, EmailType, Word


class Anchor(Word):
    """From which day of a person's session a rule counts."""

    FIRST_MODULE = ("first_module", N_("avant le premier module suivi"))
    END = ("end", N_("après la fin"))


class Rule(Word):
    """A dated rule. `type` is what it sends; `anchor` and `days` (before the first module, or after the end) and
    `at` (local hour) are what an organisation starts with; `unanswered` ones write only to who has not answered."""

    def __init__(
        self, _value: str, _label: str, type: EmailType, anchor: Anchor, days: int, at: time, unanswered: bool = False
    ) -> None:
        self.type, self.anchor, self.days, self.at, self.unanswered = type, anchor, days, at, unanswered

    CONVOCATION = ("convocation", N_("Convocation"), EmailType.CONVOCATION, Anchor.FIRST_MODULE, 7, time(9))
    CONVOCATION_REMINDER = (
        "convocation_reminder", N_("Rappel avant la session"), EmailType.CONVOCATION_REMINDER, Anchor.FIRST_MODULE, 1,
        time(9),
    )
    EVALUATION_PRE = (
        "evaluation_pre", N_("Évaluation préformation"), EmailType.EVALUATION_PRE, Anchor.FIRST_MODULE, 10, time(9),
    )
    EVALUATION_HOT = (
        "evaluation_hot", N_("Évaluation à chaud"), EmailType.EVALUATION_HOT, Anchor.END, 0, time(17),
    )
    EVALUATION_HOT_REMINDER = (
        "evaluation_hot_reminder", N_("Relance de l'évaluation à chaud"), EmailType.EVALUATION_REMINDER, Anchor.END, 3,
        time(9), True,
    )
    CERTIFICATE = ("certificate", N_("Certificat de réalisation"), EmailType.CERTIFICATE, Anchor.END, 1, time(9))
    EVALUATION_COLD = (
        "evaluation_cold", N_("Évaluation à froid"), EmailType.EVALUATION_COLD, Anchor.END, 30, time(9),
    )
    EVALUATION_COLD_REMINDER = (
        "evaluation_cold_reminder", N_("Relance de l'évaluation à froid"), EmailType.EVALUATION_REMINDER, Anchor.END,
        37, time(9), True,
    )


class Automation(Model):
    """How one dated rule is set: the organisation's default (no session), copied into each session made from then
    on and changed there. Off until switched on; `enabled_at` keeps it from ever writing about the past."""

    __tablename__ = "automation"
    __table_args__ = (
        one_of("rule", Rule),
        UniqueConstraint("organisation_id", "training_session_id", "rule", postgresql_nulls_not_distinct=True),
        CheckConstraint("days BETWEEN 0 AND 365", name="days"),
        Index("ix_automation_session", "training_session_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    training_session_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE")
    )
    rule: Mapped[Rule] = word(Rule, nullable=False)
    enabled: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    enabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    days: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    at: Mapped[time] = mapped_column(Time, nullable=False)


class PlanState(Word):
    """What became of a planned e-mail."""

    PLANNED = ("planned", N_("Programmé"))
    SENT = ("sent", N_("Parti"))
    CANCELLED = ("cancelled", N_("Annulé"))
    TOO_LATE = ("too_late", N_("Trop tard"))
    NOT_NEEDED = ("not_needed", N_("Inutile"))
    NOT_PREPARED = ("not_prepared", N_("Non préparé"))


class PlannedEmail(Model):
    """What a rule will send to one person of one session, when; recomputed while it is only planned. `why` is the
    sentence a person reads (a French message id) with `values`."""

    __tablename__ = "planned_email"
    __table_args__ = (
        one_of("rule", Rule),
        one_of("state", PlanState),
        UniqueConstraint("public_id"),
        UniqueConstraint("training_session_id", "contact_id", "rule"),
        Index("ix_planned_email_due", "due_at", postgresql_where=text("state = 'planned'")),
        Index("ix_planned_email_session", "training_session_id", "due_at", "id"),
        Index("ix_planned_email_contact", "contact_id"),
        Index("ix_planned_email_email", "email_id", postgresql_where=text("email_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("P", 10))
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    contact_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False)
    rule: Mapped[Rule] = word(Rule, nullable=False)
    state: Mapped[PlanState] = word(PlanState, nullable=False, default=PlanState.PLANNED)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    too_late_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    why: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    values: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    decided_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[created]

    contact: Mapped[Contact] = relationship()
    training_session: Mapped[TrainingSession] = relationship()
    email: Mapped[Email | None] = relationship()


class EventOutcome(Word):
    """What a business event led to."""

    RECEIVED = ("received", N_("Reçu, pas encore traité"))
    SENT = ("sent", N_("E-mail demandé"))
    SWITCHED_OFF = ("switched_off", N_("Rien : l'e-mail automatique est éteint"))
    NO_ADDRESS = ("no_address", N_("Rien : le client n'a pas d'adresse valide"))
    UNKNOWN_TYPE = ("unknown_type", N_("Rien : aucun modèle pour ce type"))
    NOT_PREPARED = ("not_prepared", N_("Rien : l'e-mail n'a pas pu être préparé"))


class BusinessEvent(Model):
    """Something that happened to a customer, as a program told it; `event_id` is theirs, so telling it twice is
    telling it once. `payload` is what came, without the attachments' bytes (`files`: [{filename, sha256, size,
    media_type}])."""

    __tablename__ = "business_event"
    __table_args__ = (
        one_of("outcome", EventOutcome),
        UniqueConstraint("public_id"),
        UniqueConstraint("organisation_id", "source", "event_id"),
        Index("ix_business_event_newest", "organisation_id", text("created_at DESC"), text("id DESC")),
        Index("ix_business_event_type", "organisation_id", "type", text("created_at DESC"), text("id DESC")),
        Index("ix_business_event_outcome", "organisation_id", "outcome", text("created_at DESC"), text("id DESC")),
        Index("ix_business_event_waiting", "id", postgresql_where=text("outcome = 'received'")),
        Index("ix_business_event_contact", "contact_id", text("created_at DESC"), text("id DESC")),
        Index("ix_business_event_email", "email_id", postgresql_where=text("email_id IS NOT NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("V", 10))
    source: Mapped[str] = mapped_column(Text, nullable=False)  # "api", or the billing system's name
    event_id: Mapped[str] = mapped_column(Text, nullable=False)
    type: Mapped[str] = mapped_column(Text, nullable=False)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False)
    files: Mapped[list[Any]] = mapped_column(JSONB, nullable=False, server_default=text("'[]'"))
    contact_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="SET NULL"))
    outcome: Mapped[EventOutcome] = word(EventOutcome, nullable=False, default=EventOutcome.RECEIVED)
    why: Mapped[str] = mapped_column(Text, nullable=False, server_default="")  # a French message id
    values: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    applied_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    created_at: Mapped[created]

    contact: Mapped[Contact | None] = relationship()
    email: Mapped[Email | None] = relationship()


class BillingSource(Model):
    """A billing system that tells its events by webhook; its secret is kept encrypted."""

    __tablename__ = "billing_source"
    __table_args__ = (UniqueConstraint("public_id"), Index("ix_billing_source_organisation", "organisation_id"))

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("B", 20))
    name: Mapped[str] = mapped_column(Text, nullable=False)
    secret: Mapped[str] = mapped_column(Text, nullable=False)
    created_at: Mapped[created]
    last_event_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class TrainingType(Model):
    """A type of training and the e-mails each learner of such a session must receive (EmailType values)."""

    __tablename__ = "training_type"
    __table_args__ = (UniqueConstraint("organisation_id", "name"),)

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    name: Mapped[str] = mapped_column(Text, nullable=False)
    required: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False, server_default=text("'{}'"))
    created_at: Mapped[created]
