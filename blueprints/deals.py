"""What the pages of one opportunity share: its frame, its quotes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from extensions import db
from models import Document, Opportunity


def framed(opportunity: Opportunity) -> dict[str, Any]:
    """What opportunities/_layout.html needs."""
    return {"opportunity": opportunity}


def quotes(opportunity: Opportunity) -> list[Document]:
    """The files put there, newest first."""
    query = select(Document).where(Document.opportunity_id == opportunity.id, Document.withdrawn_at.is_(None))
    return list(db.session.scalars(query.order_by(Document.id.desc()).limit(100)))
