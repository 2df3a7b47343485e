"""How long an organisation keeps what its e-mails said, how far the erasing has come, and what it must come back to.

Rows, statuses and facts are kept for ever; bodies, files and raw reports are not (docs/decisions/0015-retention.md).
planning.retention is the only writer of the first two, documents.leaving_files of the third.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, created, owner

YEARS = (1, 2, 3, 5, 6, 10)
DEFAULT_YEARS = 5


class Retention(Model):
    """An organisation's rule; without a row it is DEFAULT_YEARS. Nothing is erased before `effective_at`: a shorter
    rule holds a day after it was asked for.

    All e-mails up to (`reached_at`, `reached_id`) have been looked at; `untold_*` count what was erased since the log's
    last line about it.
    """

    __tablename__ = "retention"

    organisation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("organisation.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    years: Mapped[int] = mapped_column(SmallInteger, nullable=False, server_default=text(str(DEFAULT_YEARS)))
    effective_at: Mapped[created]
    reached_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reached_id: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default=text("0"))
    erased_count: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default=text("0"))
    last_erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    untold_emails: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))
    untold_reports: Mapped[int] = mapped_column(Integer, nullable=False, server_default=text("0"))


class RetentionWait(Model):
    """An e-mail that was old enough and had to stay (on its way, not dealt with …): looked at again each time."""

    __tablename__ = "retention_wait"
    __table_args__ = (Index("ix_retention_wait_organisation", "organisation_id", "email_id"),)

    email_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("email.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    organisation_id: Mapped[int] = owner()


class LeavingFile(Model):
    """A blob that an erased e-mail carried: it goes at `leave_after`, unless something needs it then."""

    __tablename__ = "leaving_file"
    __table_args__ = (Index("ix_leaving_file_leave_after", "leave_after"),)

    sha256: Mapped[str] = mapped_column(Text, ForeignKey("blob.sha256", ondelete="CASCADE"), primary_key=True)
    leave_after: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), nullable=False, server_default=text("now() + interval '1 hour'")
    )
