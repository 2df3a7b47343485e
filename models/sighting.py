"""A look at one of an e-mail's marks (open pixel, rewritten link), kept for some seconds until it is judged.

`network` is a keyed hash of the looker's network; it goes with the row, so that neither address nor browser stays.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, one_of, word
from models.words import N_, Word


class SeenMark(Word):
    """Which of an e-mail's marks was looked at."""

    PIXEL = ("pixel", N_("Image invisible"))
    LINK = ("link", N_("Lien suivi"))


class Sighting(Model):
    """One request for a mark. `machine` is why it can be no person's, where the request itself says so ("": open)."""

    __tablename__ = "sighting"
    __table_args__ = (
        one_of("mark", SeenMark),
        Index("ix_sighting_due", "seen_at", postgresql_where=text("NOT judged")),
        Index("ix_sighting_network", "network", "seen_at"),
        Index("ix_sighting_email", "email_id"),
    )

    id: Mapped[bigid]
    email_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("email.id", ondelete="CASCADE"), nullable=False)
    mark: Mapped[SeenMark] = word(SeenMark, nullable=False)
    seen_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("clock_timestamp()"), nullable=False
    )
    network: Mapped[bytes] = mapped_column(LargeBinary, nullable=False)
    machine: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    judged: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=text("false"))
