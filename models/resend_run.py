"""Resends in number: what was chosen, what became of each e-mail and why. One row an e-mail: each is accounted for.

mail.bulk_resend is their only writer. A run is a draft (the preview) until a person starts it; then a job works it off.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.email import Email
from models.organisation import User
from models.words import N_, Word


class RunState(Word):
    """How far a resend in number is."""

    def __init__(self, _value: str, _label: str, tone: str) -> None:
        self.tone = tone

    DRAFT = ("draft", N_("À confirmer"), "neutral")
    WAITING = ("waiting", N_("En attente"), "neutral")
    RUNNING = ("running", N_("En cours"), "info")
    DONE = ("done", N_("Terminé"), "success")
    CANCELLED = ("cancelled", N_("Arrêté"), "warning")


class Left(Word):
    """Why an e-mail of the selection is left out. `overridable`: whoever may resend may send it all the same."""

    def __init__(self, _value: str, _label: str, sentence: str, overridable: bool = True) -> None:
        self.sentence, self.overridable = sentence, overridable

    ON_ITS_WAY = (
        "on_its_way", N_("Encore en route"),
        N_("Partis depuis moins de trois jours, en attente ou incertains : il peut encore en venir des nouvelles."),
        False,
    )
    GONE = ("gone", N_("Rien à renvoyer"), N_("Leur contenu n'existe plus, ou n'a jamais été préparé."), False)
    WRONG_ADDRESS = (
        "wrong_address", N_("Adresse à corriger"),
        N_("L'adresse n'a pas la forme d'une adresse : corrigez-la dans l'e-mail, puis renvoyez."), False,
    )
    QUARANTINED = (
        "quarantined", N_("En quarantaine"),
        N_("Rien ne part à ces adresses : corrigez-les, ou levez la quarantaine."), False,
    )
    SILENT = (
        "silent", N_("Annulés ou trop tardifs"), N_("Une personne ou le calendrier a décidé qu'ils ne partent pas."),
    )
    RECEIVED = ("received", N_("Déjà reçus"), N_("Ces e-mails sont bien arrivés."))
    ARRIVED_SINCE = (
        "arrived_since", N_("Reçus depuis"),
        N_("Un renvoi, ou un e-mail plus récent du même type pour la même session, est arrivé à la personne."),
    )
    RECENT = (
        "recent", N_("Renvoyés depuis moins d'un jour"),
        N_("Un renvoi, ou le même e-mail, est parti il y a moins de vingt-quatre heures ou attend de partir."),
    )
    PLANNED = (
        "planned", N_("Renvoi déjà prévu"), N_("Un renvoi en nombre qui attend son moment les comprend déjà."),
    )
    RESENT = (
        "resent", N_("Déjà renvoyés"),
        N_("Un renvoi est parti et n'a pas été refusé ; rien ne confirme encore qu'il a été reçu."),
    )
    ACCEPTED = (
        "accepted", N_("Envoyés, jamais refusés"),
        N_("Acceptés par le serveur suivant et jamais refusés : rien ne dit qu'ils ne sont pas arrivés."),
    )
    TWICE = (
        "twice", N_("En double dans la sélection"),
        N_("Le même e-mail pour la même personne y est plusieurs fois : seul le plus récent part."),
    )
    SESSION_OVER = (
        "session_over", N_("Session passée"), N_("La session est terminée ou annulée : l'e-mail ne sert plus."),
    )
    ANSWERED = ("answered", N_("Évaluation faite"), N_("La personne a déjà répondu à l'évaluation."))
    PAID = ("paid", N_("Facture payée"), N_("La facture a été payée depuis."))
    SAME_AGAIN = (
        "same_again", N_("Serait refusé de nouveau"),
        N_("Refusés pour leur taille ou leur contenu : une copie exacte le serait encore."),
    )


class RowOutcome(Word):
    """What the run made of an e-mail that was to go."""

    SENT = ("sent", N_("Renvoyé"))
    REFUSED = ("refused", N_("Non renvoyé"))


class ResendRun(Model):
    """One resend in number of one person. `query` is the list it was chosen in (history.export_jobs.query_of)."""

    __tablename__ = "resend_run"
    __table_args__ = (
        one_of("state", RunState),
        UniqueConstraint("public_id"),
        Index("ix_resend_run_newest", "organisation_id", text("id DESC")),
        Index("ix_resend_run_waiting", "id", postgresql_where=text("state IN ('waiting', 'running')")),
        Index("ix_resend_run_user", "user_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("N", 10))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    query: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    state: Mapped[RunState] = word(RunState, nullable=False, default=RunState.DRAFT)
    row_count: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))
    created_at: Mapped[created]
    asked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # when it was confirmed
    not_before: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # where it was to wait for a moment
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    user: Mapped[User | None] = relationship()


class ResendRow(Model):
    """One e-mail of a run, in the order of the preview. `chosen`: it is to go (`verdict`, where there is one, is then
    overridden). Without an outcome it has not gone; `why` is the French message id of what refused it."""

    __tablename__ = "resend_row"
    __table_args__ = (
        one_of("verdict", Left),
        one_of("outcome", RowOutcome),
        Index("ix_resend_row_to_go", "run_id", "position", postgresql_where=text("chosen AND outcome IS NULL")),
        Index("ix_resend_row_email", "email_id"),
        Index("ix_resend_row_new_email", "new_email_id", postgresql_where=text("new_email_id IS NOT NULL")),
    )

    run_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("resend_run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    number: Mapped[str] = mapped_column(Text, nullable=False)  # the e-mail's public id, should it be forgotten
    verdict: Mapped[Left | None] = word(Left)
    chosen: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
    outcome: Mapped[RowOutcome | None] = word(RowOutcome)
    new_email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="SET NULL"))
    why: Mapped[str] = mapped_column(Text, nullable=False, server_default="")

    email: Mapped[Email | None] = relationship(foreign_keys=[email_id])
    new_email: Mapped[Any] = relationship("Email", foreign_keys=[new_email_id])
