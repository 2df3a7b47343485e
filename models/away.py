"""Servers that could not be reached when a drain last tried: one row an account, taken away when one answers again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, created


class ServerAway(Model):
    """`account_id` 0 is the house's account: no foreign key, for the row goes by itself. `since` the first failure,
    `seen_at` the last; `words` what was heard, a server's or the system's."""

    __tablename__ = "server_away"

    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    since: Mapped[created]
    seen_at: Mapped[created]
    words: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
