"""What is generated or uploaded for a session's people, and the evaluations they are asked to fill in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.contact import Contact
from models.email import Blob
from models.training import TrainingSession
from models.words import N_, ContactKind, EmailType, Word

_LEARNER, _COMPANY = (ContactKind.LEARNER,), (ContactKind.COMPANY,)
_PAYERS = (ContactKind.COMPANY, ContactKind.FUNDER)


class DocumentKind(Word):
    """One document of a session. `type` is the e-mail it goes with; `kinds` who has one of their own (empty: one for
    the whole session, the same for everybody); `recipients` to whom it is sent."""

    def __init__(
        self, _value: str, _label: str, type: EmailType, kinds: tuple[ContactKind, ...],
        recipients: tuple[ContactKind, ...],
    ) -> None:  # fmt: skip
        self.type, self.kinds, self.recipients = type, kinds, recipients

    CONVOCATION = ("convocation", N_("Convocation"), EmailType.CONVOCATION, _LEARNER, _LEARNER)
    CONVENTION = ("convention", N_("Convention"), EmailType.CONVENTION, _COMPANY, _PAYERS)
    PROGRAMME = (
        "programme", N_("Programme"), EmailType.PROGRAMME, (), (*_LEARNER, *_PAYERS, ContactKind.TRAINER),
    )
    RULES = ("rules", N_("Règlement intérieur"), EmailType.RULES, (), _LEARNER)
    WELCOME_BOOKLET = ("welcome_booklet", N_("Livret d'accueil"), EmailType.WELCOME_BOOKLET, (), _LEARNER)
    ATTENDANCE_SHEET = (
        "attendance_sheet", N_("Feuille d'émargement"), EmailType.ATTENDANCE_SHEET, (), (ContactKind.TRAINER,),
    )
    CERTIFICATE = ("certificate", N_("Certificat de réalisation"), EmailType.CERTIFICATE, _LEARNER, _LEARNER)
    ATTENDANCE_CERTIFICATE = (
        "attendance_certificate", N_("Attestation d'assiduité"), EmailType.ATTENDANCE_CERTIFICATE, _LEARNER, _LEARNER,
    )
    INVOICE = ("invoice", N_("Facture"), EmailType.INVOICE, _PAYERS, _PAYERS)
    UPLOADED = ("uploaded", N_("Document déposé"), EmailType.DOCUMENT, (), tuple(ContactKind))


class Document(Model):
    """One making of a document, never changed: generating again adds a row, the newest of (session, kind, contact)
    is the one in use. `facts_sha256` is of what it says, so that "modified since" is known whatever the bytes."""

    __tablename__ = "document"
    __table_args__ = (
        one_of("kind", DocumentKind),
        UniqueConstraint("public_id"),
        Index("ix_document_newest", "training_session_id", "kind", "contact_id", text("id DESC")),
        Index("ix_document_contact", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index("ix_document_opportunity", "opportunity_id", postgresql_where=text("opportunity_id IS NOT NULL")),
        Index("ix_document_blob", "sha256"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("D", 10))
    training_session_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE")
    )
    opportunity_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("opportunity.id", ondelete="CASCADE"))
    contact_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"))
    kind: Mapped[DocumentKind] = word(DocumentKind, nullable=False)
    filename: Mapped[str] = mapped_column(Text, nullable=False)
    sha256: Mapped[str] = mapped_column(Text, ForeignKey("blob.sha256"), nullable=False)
    facts_sha256: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    made_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[created]
    withdrawn_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # an uploaded one, taken away

    blob: Mapped[Blob] = relationship(lazy="joined", innerjoin=True)
    contact: Mapped[Contact | None] = relationship()
    training_session: Mapped[TrainingSession | None] = relationship()


class DocumentRun(Model):
    """A making of many documents of one kind: the row decides, a job works it off; `contact_ids` are whose, in order.
    `problem` is the French message id of what stopped it, `values` fill it."""

    __tablename__ = "document_run"
    __table_args__ = (
        UniqueConstraint("public_id"),
        Index("ix_document_run_session", "training_session_id", "kind", text("id DESC")),
        Index("ix_document_run_waiting", "id", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("R", 10))
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    kind: Mapped[DocumentKind] = word(DocumentKind, nullable=False)
    contact_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), nullable=False)
    made_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    done_count: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))
    problem: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    values: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))
    created_at: Mapped[created]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    training_session: Mapped[TrainingSession] = relationship()


class InvoiceNumber(Model):
    """The number of one customer's invoice for one session: given when it is first made, kept by every later making.
    Numbers of a year follow each other without a gap."""

    __tablename__ = "invoice_number"
    __table_args__ = (
        UniqueConstraint("organisation_id", "year", "number"),
        UniqueConstraint("training_session_id", "contact_id"),
        Index("ix_invoice_number_contact", "contact_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    year: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    training_session_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="SET NULL")
    )
    contact_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="SET NULL"))
    created_at: Mapped[created]

    @property
    def written(self) -> str:
        """F2026-0007."""
        return f"F{self.year}-{self.number:04}"


class EvaluationMoment(Word):
    """When a person is asked."""

    def __init__(self, _value: str, _label: str, type: EmailType) -> None:
        self.type = type

    PRE = ("pre", N_("Préformation"), EmailType.EVALUATION_PRE)
    HOT = ("hot", N_("À chaud"), EmailType.EVALUATION_HOT)
    COLD = ("cold", N_("À froid"), EmailType.EVALUATION_COLD)


class Evaluation(Model):
    """One person's evaluation of one session at one moment: made when first sent, answered or not."""

    __tablename__ = "evaluation"
    __table_args__ = (
        one_of("moment", EvaluationMoment),
        UniqueConstraint("public_id"),
        UniqueConstraint("training_session_id", "contact_id", "moment"),
        Index("ix_evaluation_contact", "contact_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("F", 10))
    training_session_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("training_session.id", ondelete="CASCADE"), nullable=False
    )
    contact_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), nullable=False)
    moment: Mapped[EvaluationMoment] = word(EvaluationMoment, nullable=False)
    created_at: Mapped[created]
    opened_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rating: Mapped[int | None] = mapped_column(SmallInteger)  # 1 to 5
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, nullable=False, server_default=text("'{}'"))

    contact: Mapped[Contact] = relationship()
    training_session: Mapped[TrainingSession] = relationship()
