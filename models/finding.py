"""What people keep to find e-mails again: segments, saved views, short links, exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Model, bigid, created, one_of, owner, public_id, word
from models.words import ExportState


class Segment(Model):
    """A named set of contacts: members chosen one by one (`rule` is null), or whoever a saved rule fits.

    A rule is {"kind": […], "company": "C-…", "tag": […], "country": […], "offer": […], "last_session": {…}}.
    """

    __tablename__ = "segment"
    __table_args__ = (UniqueConstraint("public_id"), UniqueConstraint("organisation_id", "name"))

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("G", 8))
    name: Mapped[str] = mapped_column(Text, nullable=False)
    rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_by_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="SET NULL"))
    created_at: Mapped[created]


class SegmentMember(Model):
    """One contact of a static segment."""

    __tablename__ = "segment_member"
    __table_args__ = (Index("ix_segment_member_contact", "contact_id"),)

    segment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("segment.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    contact_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )


class SavedView(Model):
    """A filter with a name, the owner's own or shared in the organisation; `query` is canonical.

    A short link (`link` true, no name) keeps search terms that hold personal data out of addresses and logs.
    """

    __tablename__ = "saved_view"
    __table_args__ = (
        UniqueConstraint("public_id"),
        CheckConstraint("link OR name <> ''", name="named"),
        Index("ix_saved_view_organisation", "organisation_id", "user_id"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="CASCADE"), nullable=False)
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("V", 12))
    name: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    query: Mapped[str] = mapped_column(Text, nullable=False)
    shared: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    pinned: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    link: Mapped[bool] = mapped_column(Boolean, nullable=False, server_default=sql("false"))
    created_at: Mapped[created]


class Export(Model):
    """An export made by a job: what is asked, how far it is, where its file is. Its owner alone may fetch it.

    `last_key` is the cursor of the last whole part written, `size` the bytes up to there: a job that died resumes.
    """

    __tablename__ = "export"
    __table_args__ = (
        one_of("state", ExportState),
        UniqueConstraint("public_id"),
        Index("ix_export_user", "user_id", "created_at"),
    )

    id: Mapped[bigid]
    organisation_id: Mapped[int] = owner()
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user.id", ondelete="CASCADE"), nullable=False)
    public_id: Mapped[str] = mapped_column(Text, nullable=False, default=lambda: public_id("X", 12))
    format: Mapped[str] = mapped_column(Text, nullable=False)
    query: Mapped[str] = mapped_column(Text, nullable=False)
    language: Mapped[str] = mapped_column(Text, nullable=False, server_default="fr")
    filename: Mapped[str] = mapped_column(Text, nullable=False)
    state: Mapped[ExportState] = word(ExportState, nullable=False, default=ExportState.WAITING)
    row_count: Mapped[int | None] = mapped_column(BigInteger)
    done_count: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default=sql("0"))
    size: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default=sql("0"))
    last_key: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    error: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    created_at: Mapped[created]
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
