"""Training programmes: the list with search, saving, and what a session made from one takes over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from extensions import db
from models import Programme, TrainingSession, TrainingType
from people.pages import Page, browse, matches


def listed(organisation_id: int, words: str = "", cursor: str | None = None) -> Page:
    """A page of (programme, number of its sessions) by title."""
    sessions = (
        select(func.count()).select_from(TrainingSession)
        .where(TrainingSession.programme_id == Programme.id).scalar_subquery()
    )  # fmt: skip
    query = select(Programme, sessions.label("sessions")).where(Programme.organisation_id == organisation_id)
    if words.strip():
        query = query.where(*matches(words, Programme.title, Programme.reference, Programme.objectives))
    return browse(query, (Programme.title, Programme.id), cursor)


def choices(organisation_id: int, most: int = 2000) -> list[Programme]:
    """Every programme by title, for a choice."""
    query = select(Programme).where(Programme.organisation_id == organisation_id)
    return list(db.session.scalars(query.order_by(Programme.title, Programme.id).limit(most)))


def types(organisation_id: int) -> list[tuple[int, str]]:
    """(id, name) of the organisation's types of training."""
    query = select(TrainingType.id, TrainingType.name).where(TrainingType.organisation_id == organisation_id)
    return [(row.id, row.name) for row in db.session.execute(query.order_by(TrainingType.name))]


def save(programme: Programme, organisation_id: int, **values: Any) -> Programme:
    """Set the columns given; the caller commits."""
    programme.organisation_id = organisation_id
    for name, value in values.items():
        setattr(programme, name, value.strip() if isinstance(value, str) else value)
    db.session.add(programme)
    return programme


def sessions_of(programme: Programme, most: int = 100) -> list[TrainingSession]:
    """The sessions of a programme, the latest first."""
    query = select(TrainingSession).where(TrainingSession.programme_id == programme.id)
    order = (TrainingSession.starts_on.desc().nulls_first(), TrainingSession.id.desc())
    return list(db.session.scalars(query.order_by(*order).limit(most)))
