"""The keys that sign an organisation's mail, per sending domain; mail.signing makes and uses them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, owner


class DkimKey(Model):
    """A key pair (RSA) under a selector. The private half is encrypted as accounts' secrets are, and never loaded with
    the row; the public half is base64, as the DNS has it.

    `published_at`: since when the DNS gives that very key; None as long as it does not, and nothing is signed with it
    then. `lost_at`: since when it no longer does, having done so.
    """

    __tablename__ = "dkim_key"
    __table_args__ = (
        UniqueConstraint("domain_id", "selector"),
        Index("ix_dkim_key_organisation", "organisation_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    domain_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("sending_domain.id", ondelete="CASCADE"), nullable=False
    )
    selector: Mapped[str] = mapped_column(Text, nullable=False)
    public_key: Mapped[str] = mapped_column(Text, nullable=False)
    private_key: Mapped[bytes] = mapped_column(LargeBinary, nullable=False, deferred=True)
    created_at: Mapped[created]
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lost_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def record_name(self) -> str:
        """What stands before the domain in the name of its record."""
        return f"{self.selector}._domainkey"
