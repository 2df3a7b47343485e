"""The domains an organisation's mail leaves from, and what the domain name system said of each, check by check.

mail.domain_checks is the only writer; the words are models.domain_words'.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, word
from models.domain_words import DomainState


class SendingDomain(Model):
    """A domain that senders of the organisation have in their address (lower-case ASCII, IDNA).

    The DKIM columns left empty mean the house's own key (MAIL_DKIM_*). `state` is the last that was known: no answer
    leaves it as it is. `broken_at`: since when it is BAD after having been better; `warned_at`: that the admins know.
    """

    __tablename__ = "sending_domain"
    __table_args__ = (
        one_of("state", DomainState),
        UniqueConstraint("organisation_id", "domain"),
        Index("ix_sending_domain_due", "next_check_at"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    domain: Mapped[str] = mapped_column(Text, nullable=False)
    dkim_selector: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    dkim_public_key: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    state: Mapped[DomainState] = word(DomainState, nullable=False, server_default="none")
    next_check_at: Mapped[created]
    broken_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    warned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[created]


class DomainCheck(Model):
    """What was found of a domain from `checked_at` on, and found the same again until `confirmed_at`.

    `findings`: [{"check", "name", "state", "flaws": [Flaw values, the gravest first], "records": [texts], "details"}],
    as mail.domains.Finding writes it.
    """

    __tablename__ = "domain_check"
    __table_args__ = (
        one_of("state", DomainState),
        Index("ix_domain_check_newest", "domain_id", sql("checked_at DESC"), sql("id DESC")),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    domain_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("sending_domain.id", ondelete="CASCADE"), nullable=False
    )
    checked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    confirmed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), nullable=False)
    state: Mapped[DomainState] = word(DomainState, nullable=False)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, nullable=False)
