"""What a selection holds for whoever wants to mark it as dealt with: which e-mails are still to be, which are not and
why. Set-based, whatever its size; the marking itself is mail.treating's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, not_, select

from extensions import db
from history import untreated
from models import Email
from models.words import Status

_FAILED: ColumnElement[bool] = Email.status.in_((Status.UNDELIVERABLE, Status.FAILED, Status.UNCERTAIN))
_SILENT: ColumnElement[bool] = not_(literal_column(untreated.COUNTS))
_CARRIED_ON: ColumnElement[bool] = literal_column(untreated.CARRIED_ON)
_OPEN = and_(_FAILED, Email.treated_at.is_(None), not_(_SILENT), not_(_CARRIED_ON))


@dataclass(frozen=True)
class Chosen:
    """How many are to be dealt with (`open`), and how many not: they did not fail, are marked already, were cancelled
    or too late, or a resend stands for them."""

    open: int
    fine: int
    treated: int
    silent: int
    carried_on: int

    @property
    def left(self) -> int:
        return self.fine + self.treated + self.silent + self.carried_on


def of_selection(organisation_id: int, ids: Select[Any]) -> Chosen:
    """What the e-mails of `ids` come to, in one statement."""
    waiting = and_(_FAILED, Email.treated_at.is_(None))
    counts = select(
        func.count().filter(_OPEN),
        func.count().filter(not_(_FAILED)),
        func.count().filter(and_(_FAILED, Email.treated_at.is_not(None))),
        func.count().filter(and_(waiting, _SILENT)),
        func.count().filter(and_(waiting, not_(_SILENT), _CARRIED_ON)),
    ).where(Email.organisation_id == organisation_id, Email.id.in_(ids))
    return Chosen(*db.session.execute(counts).one())


def open_of(organisation_id: int, ids: Select[Any], seen: datetime) -> Select[Any]:
    """Those of `ids` that are to be dealt with and have not changed since somebody saw them, as a select."""
    return select(Email.id).where(
        Email.organisation_id == organisation_id, Email.id.in_(ids), _OPEN, Email.updated_at <= seen
    )  # fmt: skip
