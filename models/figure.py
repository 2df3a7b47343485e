"""Figures: how many e-mails asked for on a day became what, kept by history.tallies so that a year of millions is read
in a few rows; and how far they are kept for an organisation.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, DateTime, Double, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, one_of, word
from models.words import N_, Status, StatusGroup, Word


class Outcome(Word):
    """What became of an e-mail, as charts tell it: every e-mail has exactly one. `tone` is its colour, `statuses` the
    statuses it is made of; failures that a person or the calendar decided are apart, for they are none."""

    def __init__(self, _value: str, _label: str, tone: str, *statuses: Status) -> None:
        self.tone, self.statuses = tone, statuses

    OPENED = ("opened", N_("Reçu et ouvert"), "opened", Status.OPENED)
    DELIVERED = ("delivered", N_("Reçu"), "delivered", Status.DELIVERED)
    SENT = ("sent", N_("Envoyé"), "sent", Status.SENT)
    WAITING = ("waiting", N_("En attente"), "waiting", *StatusGroup.WAITING.statuses)
    ERROR = ("error", N_("En erreur"), "error", *StatusGroup.ERROR.statuses)
    CANCELLED = ("cancelled", N_("Annulé"), "cancelled", *StatusGroup.ERROR.statuses)


class Facet(Word):
    """What the figures of a period are told apart by."""

    REASON = ("reason", N_("Par motif d'échec"))
    OPERATOR = ("operator", N_("Par opérateur"))
    TYPE = ("type", N_("Par type d'e-mail"))
    SENDER = ("sender", N_("Par expéditeur"))


class Grain(Word):
    """What one row is about: a day of the organisation's zone, or a whole month, named by its first day."""

    DAY = ("day", N_("Jour"))
    MONTH = ("month", N_("Mois"))


class EmailFigure(Model):
    """So many e-mails asked for on that day (or in that month) became that. `facet` is empty for all of them (days
    alone), else a Facet, and `key` its value: a reason, a domain, a type, the id of a sender."""

    __tablename__ = "email_figure"
    __table_args__ = (
        one_of("grain", Grain),
        one_of("outcome", Outcome),
        Index(
            "ix_email_figure_refusing", "organisation_id", "grain", "day", postgresql_include=["key", "number"],
            postgresql_where=text("facet = 'operator' AND outcome = 'error'"),
        ),
    )  # fmt: skip

    organisation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True
    )
    grain: Mapped[Grain] = word(Grain, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    outcome: Mapped[Outcome] = word(Outcome, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, nullable=False)


class FigureState(Model):
    """How far an organisation's figures are kept: days of `zone` from `kept_from` on (none yet where it is NULL), with
    all that had changed by `read_at`; `cost` is how many seconds the last reading took."""

    __tablename__ = "figure_state"

    organisation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True
    )
    zone: Mapped[str] = mapped_column(Text, nullable=False)
    kept_from: Mapped[date | None] = mapped_column(Date)
    read_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    run_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    cost: Mapped[float] = mapped_column(Double, nullable=False, server_default=text("0"))
