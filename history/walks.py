"""Walks: which index is gone along for which question (docs/decisions/0008-history-indexes.md, measured).

A *walk* goes along one index in the order shown and ends after as many rows as it is told, so a page costs the same in
ten thousand and in ten million rows. history.query makes pages, searches and counts of them; nothing here runs a query.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from itertools import product
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import BOOLEAN, TIMESTAMP

from history.columns import Ask, conditions
from history.conditions import (
    DIMENSIONS,
    Among,
    AmongOwners,
    Belongs,
    Dimension,
    Test,
    TextOfOwner,
    Within,
    WordsOfSubject,
    written,
)
from history.cursors import Cursor
from history.filters import HistoryFilter
from history.periods import DateField
from history.scope import Scope
from models import Email
from models.words import Status

# A walk over one branch per (type, status, files) is merged from at most so many.
MOST_BRANCHES = 64
# What the indexes of dates, statuses and types carry of an e-mail.
CARRIED = ("address_id", "contact_id")

AT: dict[DateField, ColumnElement[datetime]] = {
    DateField.CREATED: Email.created_at,
    DateField.SENT: func.coalesce(Email.sent_at, literal_column("'-infinity'::timestamptz")),
    DateField.UPDATED: Email.updated_at,
}
_EVERY: dict[Dimension, tuple[Any, ...]] = {"status": tuple(Status), "files": (True, False)}


class Walk:
    """One question as walks: scope, filter and moment, along the index that has its order."""

    def __init__(self, scope: Scope, filter_: HistoryFilter, now: datetime) -> None:
        self.organisation_id = scope.organisation_id
        self.order = f"{filter_.sort}/{filter_.date_field}"
        self.newest_first = filter_.newest_first
        self.by = filter_.date_field
        self.at = AT[filter_.date_field]
        found = conditions(Ask(scope, filter_, now))
        self.among = [c for c in found if isinstance(c, Among)]
        self.belongs = [c for c in found if isinstance(c, Belongs)]
        self.within = next((c for c in found if isinstance(c, Within)), None)
        self.tests = [c for c in found if isinstance(c, Test)]
        self.texts = [c for c in found if isinstance(c, WordsOfSubject | TextOfOwner | AmongOwners)]

    def walk(self, most: int, cursor: Cursor | None = None, *extra: str | ColumnElement[Any]) -> Select[Any]:
        """(id, at, *extra) of the first `most` e-mails in order that every condition but words lets through. Columns
        that are named are looked up afterwards where several branches are merged: their indexes hold none."""
        named = [getattr(Email, name) for name in extra if isinstance(name, str)]
        taken = [Email.id.label("id"), self.at.label("at"), *(name for name in extra if not isinstance(name, str))]
        backward = cursor is not None and cursor.backward
        limits = [*self._range_walked, *self._beyond(cursor)]
        owner = next((b for b in self.belongs if isinstance(b.ids, Select)), None)
        branches = None if owner else self._branches()
        if owner is None and branches is None:
            found = select(*taken, *named).where(*self._own, *self._plain(), *limits)
            return self._ordered(found, most, backward)
        carried = False
        if owner is not None:
            among: Any = owner.ids.subquery("owner")  # type: ignore[union-attr]
            inner = select(*taken).where(getattr(Email, owner.column) == among.c.id, *self._plain(owner))
        else:
            among = branches
            carried = "reason" not in among.c and {name for name in extra if isinstance(name, str)} <= set(CARRIED)
            inner = select(*taken, *(named if carried else ())).where(*self._of_branch(among))
        merged = self._merged(among, inner.where(*limits), most, backward)
        if not named or carried:
            return merged
        ids = merged.subquery("merged")
        return select(ids.c.id, ids.c.at, *named).join(Email, and_(Email.id == ids.c.id, self._owned))

    def _of_branch(self, branches: Any) -> list[ColumnElement[bool]]:
        """Every condition but dates and words, for one of `branches`."""
        same = [DIMENSIONS[column.key] == column for column in branches.c]
        rest = [c.holds() for c in self.among if c.dimension not in branches.c]
        return [self._owned, *same, *rest, *(t.clause for t in self.tests)]

    def _branches(self, name: str = "branch") -> Any | None:
        """The rows of _combinations() as a table; None where there are none."""
        keys, rows = self._combinations()
        if not rows:
            return None
        arrays = [
            written([str(v) if key != "files" else v for v in column], (BOOLEAN if key == "files" else Text)())
            for key, column in zip(keys, zip(*rows, strict=True), strict=True)
        ]
        return func.unnest(*arrays).table_valued(*keys).render_derived(name=name)

    def _combinations(self) -> tuple[list[Dimension], list[tuple[Any, ...]]]:
        """One row per combination of the dimensions an index is made of, so that each is walked in order; none where
        no such index helps: another order, an index of a session or contact, too many combinations."""
        asked = {c.dimension: c.values for c in self.among}
        if not asked or self.by is not DateField.CREATED or self.belongs or any(t.indexed for t in self.tests):
            return [], []
        keys: list[Dimension] = [*(("type",) if "type" in asked else ()), "status", "files"]
        if "reason" in asked:  # an index of failures alone
            keys = ["reason"]
        rows = list(product(*(asked.get(key) or _EVERY[key] for key in keys)))
        return (keys, rows) if len(rows) <= MOST_BRANCHES else ([], [])

    def _merged(self, branches: Any, inner: Select[Any], most: int, backward: bool) -> Select[Any]:
        """The first `most` over all branches, of which each gives its own first."""
        each = self._ordered(inner, most, backward).lateral("each")
        query = select(*each.c).select_from(branches.join(each, true()))
        return query.order_by(*self._sorting(each.c.at, each.c.id, backward)).limit(at_most(most))

    def page(self, most: int, cursor: Cursor | None) -> CTE:
        """The walk as a fenced page."""
        return fence(self.walk(most, cursor), "page")

    @cached_property
    def _owned(self) -> ColumnElement[bool]:
        return Email.organisation_id == self.organisation_id

    @property
    def _own(self) -> list[ColumnElement[bool]]:
        """The organisation's, for a walk: nothing to test where whose the e-mails are was looked up in it, for those
        indexes do not carry it. Rows are tested once more when they are shown."""
        return [] if self.belongs or any(t.owned for t in self.tests) else [self._owned]

    @cached_property
    def _range(self) -> list[ColumnElement[bool]]:
        if self.within is None:
            return []
        start, end = self.within.start, self.within.end
        limits = [self.at >= self._untold(start)] if start is not None else []
        if start is None and self.by is DateField.SENT:
            limits.append(Email.sent_at.is_not(None))
        return limits if end is None else [*limits, self.at < self._untold(end)]

    @cached_property
    def _range_walked(self) -> list[ColumnElement[bool]]:
        """_range for a walk, its end said as a pair (ids are above 0). Of two plain bounds that it does not know the
        planner guesses that they hold a two-hundredth of the table, and rather than walk it sorts what may be all."""
        if self.within is None or self.within.end is None:
            return self._range
        end = self._untold(self.within.end)
        return [*self._range[:-1], tuple_(self.at, Email.id) < tuple_(end, literal_column("0"))]

    def _untold(self, at: Any) -> ColumnElement[datetime]:
        """A moment; one that has a name, where nothing but the index of dates can answer, behind a subquery. A bound
        that the planner knows it looks up at the index's end, for each page again, and plans the same."""
        bound = moment_of(at)
        return select(bound).scalar_subquery() if isinstance(at, ColumnElement) and not self.texts else bound

    def _plain(self, walked: Belongs | None = None) -> list[ColumnElement[bool]]:
        """Every condition but dates and words as a plain test; `walked` is served by the index."""
        others = [(getattr(Email, b.column), b.ids) for b in self.belongs if b is not walked]
        of_them = [column.in_(ids) if isinstance(ids, Select) else column == ids for column, ids in others]
        return [*of_them, *(c.holds() for c in self.among), *(t.clause for t in self.tests)]

    def _of_owner(self, words: TextOfOwner | AmongOwners) -> ColumnElement[bool]:
        return getattr(Email, words.column).in_(words.ids())

    def _beyond(self, cursor: Cursor | None, at: Any = None, row_id: Any = None) -> list[ColumnElement[bool]]:
        """Strictly after the cursor in the direction it looks (a row-value comparison, which the index understands)."""
        if cursor is None:
            return []
        here, there = (
            tuple_(self.at if at is None else at, Email.id if row_id is None else row_id),
            tuple_(moment_of(cursor.at), cursor.id),
        )
        return [here < there if self.newest_first != cursor.backward else here > there]

    def _sorting(self, at: Any, row_id: Any, backward: bool) -> list[ColumnElement[Any]]:
        return [at.desc(), row_id.desc()] if self.newest_first != backward else [at.asc(), row_id.asc()]

    def _ordered(self, query: Select[Any], most: int, backward: bool) -> Select[Any]:
        return query.order_by(*self._sorting(self.at, Email.id, backward)).limit(at_most(most))

    def _ordered_rows(self, query: Select[Any], rows: CTE, most: int, cursor: Cursor | None) -> Select[Any]:
        backward = cursor is not None and cursor.backward
        return query.order_by(*self._sorting(rows.c.at, rows.c.id, backward)).limit(at_most(most))


def at_most(rows: int) -> ColumnElement[int]:
    """A limit the planner can see, also when it plans once for all values."""
    return literal_column(str(int(rows)))


def fence(query: Select[Any], name: str) -> CTE:
    return query.cte(name).prefix_with("MATERIALIZED")


def moment_of(at: datetime | ColumnElement[Any] | None) -> ColumnElement[datetime]:
    """A bound moment, or the name of one; None is before all others, where e-mails that never left stand."""
    named = isinstance(at, ColumnElement)
    bound = at if named else bindparam(None, at.isoformat() if at else "-infinity", type_=Text)
    return cast(bound, TIMESTAMP(timezone=True))
