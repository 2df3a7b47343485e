"""treat, reopen: a person says that a failure is dealt with, or takes it back. The only writer of treated_*, but for
mail.tracking: when the e-mail fails again later, the recording itself makes it untreated, and keeps who and the note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update

from extensions import db
from mail.notes import one_line
from models import Email, User
from models.words import Status

_TREATABLE = (Status.UNDELIVERABLE, Status.FAILED, Status.UNCERTAIN)


@dataclass(frozen=True)
class Batch:
    """One press of the button, by which it can be undone: its moment, and the span of the e-mails' own dates."""

    at: datetime
    oldest: datetime
    newest: datetime
    emails: tuple[str, ...]  # their public ids

    @property
    def count(self) -> int:
        return len(self.emails)


def treat(emails: Sequence[int] | Select[Any], by: User, note: str = "") -> Batch | None:
    """Mark those e-mails (ids, or a select of them) of the person's organisation as dealt with, in the caller's
    transaction.

    None where there was nothing left to mark: somebody else was first, or they have arrived.
    """
    values = {"treated_at": func.now(), "treated_by_id": by.id, "treated_note": one_line(note)}
    marked = db.session.execute(
        update(Email)
        .where(
            Email.organisation_id == by.organisation_id, Email.id.in_(emails), Email.treated_at.is_(None),
            Email.status.in_(_TREATABLE),
        )
        .values(values).returning(Email.treated_at, Email.created_at, Email.public_id)
        .execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    if not marked:
        return None
    made = [created for _at, created, _id in marked]
    return Batch(marked[0][0], min(made), max(made), tuple(sorted(public_id for _at, _made, public_id in marked)))


def ids_of(public_ids: Sequence[str], by: User) -> list[int]:
    """The ids of those e-mails, where they are the organisation's."""
    query = select(Email.id).where(Email.organisation_id == by.organisation_id, Email.public_id.in_(public_ids))
    return list(db.session.scalars(query))


def undo(by: User, at: datetime, oldest: datetime, newest: datetime) -> list[str]:
    """Take back what that person marked at that moment, in the caller's transaction; the e-mails' public ids."""
    return _reopened(
        Email.treated_by_id == by.id, Email.treated_at == at, Email.created_at.between(oldest, newest),
        Email.organisation_id == by.organisation_id,
    )  # fmt: skip


def reopen(email: Email) -> bool:
    """Make one e-mail untreated again, whoever marked it, in the caller's transaction."""
    return bool(_reopened(Email.id == email.id, Email.treated_at.is_not(None)))


def _reopened(*which: Any) -> list[str]:
    values = {"treated_at": None, "treated_by_id": None, "treated_note": ""}
    statement = update(Email).where(*which).values(values).returning(Email.public_id)
    found = list(db.session.scalars(statement.execution_options(synchronize_session=False)))
    db.session.expire_all()
    return sorted(found)
