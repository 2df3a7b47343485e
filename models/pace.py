"""How fast mail may leave, per account and per recipient domain, and which workers send now.

Small tables, written every few seconds by workers; mail.pace and mail.claims know what the numbers mean. `account_id` 0
is the house's account: no foreign key, for what stands here is forgotten by itself.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Float, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, created


class PaceState(Model):
    """The pace of an account (`domain` empty) or towards one recipient domain over it.

    `per_minute` and `lines` are set by hand, for domains alone (an account has its own). From `slowed_at` on a pace is
    slowed: `slowed_*` is its level just after the last halving, `whole_*` what it grows back to (mail.manners.grown).
    Until `next_at` no message leaves; `turn` is the organisation that was served last.
    """

    __tablename__ = "pace"
    __table_args__ = (CheckConstraint("per_minute > 0 AND lines > 0", name="limits"),)

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    domain: Mapped[str] = mapped_column(Text, primary_key=True)
    per_minute: Mapped[int | None] = mapped_column(Integer)
    lines: Mapped[int | None] = mapped_column(SmallInteger)
    slowed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    slowed_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))  # the first of its halvings
    slowed_rate: Mapped[float | None] = mapped_column(Float)
    whole_rate: Mapped[float | None] = mapped_column(Float)
    slowed_lines: Mapped[float | None] = mapped_column(Float)
    whole_lines: Mapped[float | None] = mapped_column(Float)
    words: Mapped[str] = mapped_column(Text, nullable=False, server_default="")  # the server's, without addresses
    next_at: Mapped[created]
    turn: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default=text("0"))


class DrainBeat(Model):
    """A drain at work over one account: the lines it was given, and when it was heard of last."""

    __tablename__ = "drain"

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    lines: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    sent: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))
    started_at: Mapped[created]
    seen_at: Mapped[created]
