"""The quarantine of an e-mail's address, as a part of the one statement that reads all about the e-mail.

What enters an address and what ends its quarantine is mail.quarantine's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from models import Email, Grounds, Suppression, User
from models.suppression import CANONICAL


class Spell(NamedTuple):
    """A spell of quarantine of an address; it lasts until `lifted_at`. `shown_by` is the id of the e-mail that showed
    that it was dead, or that was complained of."""

    public_id: str
    grounds: Grounds
    since: datetime
    shown_by: str | None
    lifted_at: datetime | None
    lifted_by: str
    note: str

    @property
    def lasts(self) -> bool:
        """Whether nothing is written to the address."""
        return self.lifted_at is None


def last() -> ColumnElement[Any]:
    """A column of a statement about `email` joined to `address`: the parts of the last spell, NULL without one."""
    shown, lifter = aliased(Email), aliased(User)
    parts = func.jsonb_build_array(
        Suppression.public_id, Suppression.reason, Suppression.shown_at, shown.public_id, Suppression.lifted_at,
        func.coalesce(lifter.name, ""), Suppression.lifted_note, type_=JSONB,
    )  # fmt: skip
    of_the_address = Suppression.address == literal_column(CANONICAL)
    return (
        select(parts)
        .select_from(Suppression)
        .outerjoin(shown, shown.id == Suppression.email_id)
        .outerjoin(lifter, lifter.id == Suppression.lifted_by_id)
        .where(Suppression.organisation_id == Email.organisation_id, of_the_address)
        .order_by(Suppression.lifted_at.desc().nulls_first())
        .limit(1)
        .correlate(Email)
        .scalar_subquery()
    )


def of(parts: list[Any] | None) -> Spell | None:
    """What `last` read."""
    if parts is None:
        return None
    public_id, grounds, since, shown_by, lifted_at, lifted_by, note = parts
    return Spell(
        public_id, Grounds(grounds), datetime.fromisoformat(since), shown_by,
        datetime.fromisoformat(lifted_at) if lifted_at else None, lifted_by, note,
    )  # fmt: skip
