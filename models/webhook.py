"""Where news of e-mails is told to an organisation's own programs: endpoints, what is told, each try and its answer.

mail.announcing writes a delivery in the transaction that changed the e-mail; webhooks.ledger alone moves it on.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import N_, Reason, Status, Word

TEST = "webhook.test"
# What an endpoint may ask for: one type for each status that an e-mail can come to.
TYPES = {f"email.{status.value}": status for status in Status}


class DeliveryState(Word):
    """How far a delivery is. `tone` is for its chip."""

    def __init__(self, _value: str, _label: str, tone: str) -> None:
        self.tone = tone

    WAITING = ("waiting", N_("à livrer"), "info")
    DELIVERED = ("delivered", N_("livré"), "success")
    FAILED = ("failed", N_("abandonné"), "danger")


class Trouble(Word):
    """Why a try did not do: what kept the receiver from a 2xx answer."""

    ANSWER = ("answer", N_("le destinataire a répondu par un code d'erreur"))
    REDIRECT = ("redirect", N_("le destinataire renvoie vers une autre adresse : les redirections ne sont pas suivies"))
    NAME = ("name", N_("ce nom de domaine est introuvable"))
    PRIVATE = ("private", N_("cette adresse mène à un réseau privé : rien n'y est envoyé"))
    UNREACHABLE = ("unreachable", N_("le serveur est injoignable"))
    TLS = ("tls", N_("la liaison chiffrée n'a pas pu être établie ou le certificat n'est pas valide"))
    TIMEOUT = ("timeout", N_("le destinataire n'a pas répondu à temps"))
    BROKEN = ("broken", N_("la réponse n'est pas une réponse HTTP, ou la liaison a été coupée"))
    SECRET = ("secret", N_("le secret ne peut plus être lu : renouvelez-le"))
    LOST = ("lost", N_("l'essai a été interrompu de notre côté"))


class OffReason(Word):
    """Why the house switched an endpoint off."""

    GONE = ("gone", N_("Le destinataire a répondu que cette adresse n'existe plus (410)."))
    FAILING = ("failing", N_("Rien n'a pu être livré pendant cinq jours."))


class WebhookEndpoint(Model):
    """An address of the organisation's that is told when an e-mail changes status.

    Secrets are encrypted (webhooks.signing). Paused by a person: news waits. Off, switched by the house: none is kept.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        one_of("off_why", OffReason),
        UniqueConstraint("public_id"),
        Index("ix_webhook_endpoint_organisation", "organisation_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("W", 10))
    url: Mapped[str] = mapped_column(Text, nullable=False)
    description: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    types: Mapped[list[str]] = mapped_column(ARRAY(Text), nullable=False)
    secret: Mapped[str] = mapped_column(Text, nullable=False)
    # the one before a rotation, signing beside the new one until that moment
    old_secret: Mapped[str | None] = mapped_column(Text)
    old_secret_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    off_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    off_why: Mapped[OffReason | None] = word(OffReason)
    # the first of an unbroken row of failed tries, how many they are, and until when nothing is tried
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failure_count: Mapped[int] = mapped_column(Integer, nullable=False, server_default=sql("0"))
    rest_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_tried_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_code: Mapped[int | None] = mapped_column(SmallInteger)
    last_trouble: Mapped[Trouble | None] = word(Trouble)
    created_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[created]

    @property
    def active(self) -> bool:
        """Whether news is told now."""
        return self.paused_at is None and self.off_at is None


class WebhookDelivery(Model):
    """One piece of news for one endpoint; `message_id` is its webhook-id for good, however often it is sent.

    `payload` is made at the first try, then frozen. While a worker holds it, `owner` is set and `next_attempt_at` is
    the end of the lease. `by_hand`: a person asked for the next try, which heeds no pause.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        one_of("state", DeliveryState),
        one_of("reason", Reason),
        one_of("last_trouble", Trouble),
        UniqueConstraint("message_id"),
        Index(
            "ix_webhook_delivery_due", "endpoint_id", "by_hand", "next_attempt_at",
            postgresql_where=sql("state = 'waiting'"),
        ),
        Index("ix_webhook_delivery_newest", "endpoint_id", sql("id DESC")),
        Index("ix_webhook_delivery_state", "endpoint_id", "state", sql("id DESC")),
        Index("ix_webhook_delivery_email", "email_id"),
        Index("ix_webhook_delivery_finished", "finished_at", postgresql_where=sql("finished_at IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    endpoint_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), nullable=False
    )
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid, nullable=False, server_default=sql("gen_random_uuid()"))
    email_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(Text, nullable=False)
    reason: Mapped[Reason | None] = word(Reason)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    payload: Mapped[str | None] = mapped_column(Text)
    state: Mapped[DeliveryState] = word(DeliveryState, nullable=False, server_default="waiting")
    by_hand: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    try_count: Mapped[int] = mapped_column(Integer, nullable=False, server_default=sql("0"))
    # tries before the list of delays began anew (sent again by hand)
    tries_before: Mapped[int] = mapped_column(Integer, nullable=False, server_default=sql("0"))
    next_attempt_at: Mapped[created]
    owner: Mapped[str | None] = mapped_column(Text)
    last_code: Mapped[int | None] = mapped_column(SmallInteger)
    last_trouble: Mapped[Trouble | None] = word(Trouble)
    created_at: Mapped[created]
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WebhookTry(Model):
    """One try at a delivery: the HTTP status (none without an answer), what went wrong, the first words answered."""

    __tablename__ = "webhook_try"
    __table_args__ = (one_of("trouble", Trouble), Index("ix_webhook_try_delivery", "delivery_id", "id"))

    id: Mapped[bigid]
    delivery_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("webhook_delivery.id", ondelete="CASCADE"), nullable=False
    )
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    milliseconds: Mapped[int] = mapped_column(Integer, nullable=False)
    code: Mapped[int | None] = mapped_column(SmallInteger)
    trouble: Mapped[Trouble | None] = word(Trouble)
    answer: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
