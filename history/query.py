"""The SQL of the history: which index is walked for which question (docs/decisions/history-indexes.md, measured).

A *walk* goes along one index in the order shown and ends after as many rows as it is told, so a page costs the same in
ten thousand and in ten million rows. Words are *sought* in an index of their own, fenced by MATERIALIZED so that the
planner cannot swap it for a walk through everything. history.pages decides between the two; nothing here runs a query.
"""

from __future__ import annotations

from copy import copy
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
    case,
    cast,
    false,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, BOOLEAN, TIMESTAMP

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
)
from history.cursors import Cursor
from history.filters import HistoryFilter
from history.periods import DateField
from history.rows import COLUMNS, everything_of, with_everything
from history.scope import Scope
from models import Email
from models.words import Status

# A walk over one branch per (type, status, files) is merged from at most so many.
MOST_BRANCHES = 64
# Owners (addresses, contacts …) whose e-mails are merged at most.
MOST_OWNERS = 20_000
COUNTED = 10_000

_AT: dict[DateField, ColumnElement[datetime]] = {
    DateField.CREATED: Email.created_at,
    DateField.SENT: func.coalesce(Email.sent_at, literal_column("'-infinity'::timestamptz")),
    DateField.UPDATED: Email.updated_at,
}
_EVERY: dict[Dimension, tuple[Any, ...]] = {"status": tuple(Status), "files": (True, False)}


class Question:
    """One question as SQL: scope, filter and moment, turned into walks, seeks and counts of (id, at)."""

    def __init__(self, scope: Scope, filter_: HistoryFilter, now: datetime) -> None:
        self.organisation_id = scope.organisation_id
        self.order = f"{filter_.sort}/{filter_.date_field}"
        self.newest_first = filter_.newest_first
        self.by = filter_.date_field
        self.at = _AT[filter_.date_field]
        found = conditions(Ask(scope, filter_, now))
        self.among = [c for c in found if isinstance(c, Among)]
        self.belongs = [c for c in found if isinstance(c, Belongs)]
        self.within = next((c for c in found if isinstance(c, Within)), None)
        self.tests = [c for c in found if isinstance(c, Test)]
        self.texts = [c for c in found if isinstance(c, WordsOfSubject | TextOfOwner | AmongOwners)]

    # --- walks ---

    def walk(self, most: int, cursor: Cursor | None = None, extra: tuple[str, ...] = ()) -> Select[Any]:
        """(id, at, *extra) of the first `most` e-mails in order that every condition but words lets through."""
        taken = [Email.id.label("id"), self.at.label("at"), *(getattr(Email, name) for name in extra)]
        backward = cursor is not None and cursor.backward
        limits = [*self._range, *self._beyond(cursor)]
        owner = next((b for b in self.belongs if isinstance(b.ids, Select)), None)
        if owner is not None:
            ids = owner.ids.subquery("owner")  # type: ignore[union-attr]
            rest = [self._owned, *self._plain(owner), *limits]
            inner = select(*taken).where(getattr(Email, owner.column) == ids.c.id, *rest)
            return self._merged(ids, inner, most, backward)
        branches = self._branches()
        if branches is None:
            return self._ordered(select(*taken).where(self._owned, *self._plain(), *limits), most, backward)
        same = [DIMENSIONS[column.key] == column for column in branches.c]
        rest = [c.holds() for c in self.among if c.dimension not in branches.c]
        inner = select(*taken).where(self._owned, *same, *rest, *(t.clause for t in self.tests), *limits)
        return self._merged(branches, inner, most, backward)

    def _branches(self) -> Any | None:
        """One row per combination of the dimensions an index is made of, so that each is walked in order; None where
        no such index helps: another order, an index of a session or contact, too many combinations."""
        asked = {c.dimension: c.values for c in self.among}
        if not asked or self.by is not DateField.CREATED or self.belongs or any(t.indexed for t in self.tests):
            return None
        keys: list[Dimension] = [*(("type",) if "type" in asked else ()), "status", "files"]
        if "reason" in asked:  # an index of failures alone
            keys = ["reason"]
        rows = list(product(*(asked.get(key) or _EVERY[key] for key in keys)))
        if len(rows) > MOST_BRANCHES:
            return None
        arrays = [
            cast(
                bindparam(None, [str(v) if key != "files" else v for v in column]),
                ARRAY(BOOLEAN if key == "files" else Text),
            )
            for key, column in zip(keys, zip(*rows, strict=True), strict=True)
        ]
        return func.unnest(*arrays).table_valued(*keys).render_derived(name="branch")

    def _merged(self, branches: Any, inner: Select[Any], most: int, backward: bool) -> Select[Any]:
        """The first `most` over all branches, of which each gives its own first."""
        each = self._ordered(inner, most, backward).lateral("each")
        query = select(*each.c).select_from(branches.join(each, true()))
        return query.order_by(*self._sorting(each.c.at, each.c.id, backward)).limit(_most(most))

    # --- words: near the top first, then in their own index ---

    def near(self, most: int, wanted: int, cursor: Cursor | None) -> tuple[CTE, CTE]:
        """(walked, found): the first `most` e-mails of the walk, and the first `wanted` of them that hold the words."""
        columns = tuple(dict.fromkeys(t.column for t in self.texts))
        walked = _fence(self.walk(most, cursor, columns), "walked")
        holding = select(walked.c.id, walked.c.at).where(*(t.holds(walked.c) for t in self.texts))
        return walked, _fence(self._ordered_rows(holding, walked, wanted, cursor), "page")

    def sought(self, by: Any, wanted: int, cursor: Cursor | None) -> tuple[CTE, ColumnElement[int]]:
        """(found, total): the first `wanted` e-mails by the index of the words `by`, and how many there are in all
        (counted up to COUNTED + 1)."""
        others = [t.holds(Email) for t in self.texts if t is not by]
        if isinstance(by, WordsOfSubject):
            hits = _fence(
                select(Email.id, self.at.label("at")).where(
                    by.holds(Email), self._owned, *self._plain(), *self._range, *others
                ),
                "hits",
            )
            page = select(hits.c.id, hits.c.at).where(*self._beyond(cursor, hits.c.at, hits.c.id))
            return _fence(self._ordered_rows(page, hits, wanted, cursor), "page"), _counted(select(hits.c.id))
        listed = by.ids(self.organisation_id)
        owners = _fence(listed if isinstance(by, AmongOwners) else listed.limit(_most(MOST_OWNERS)), "owners")
        rest = [*self._plain(), *self._range, *others]
        theirs = getattr(Email, by.column) == owners.c.id
        inner = select(Email.id.label("id"), self.at.label("at")).where(theirs, *rest, *self._beyond(cursor))
        page = self._merged(owners, inner, wanted, cursor is not None and cursor.backward)
        each = select(Email.id).where(theirs, *rest).limit(_most(COUNTED + 1)).lateral("each")
        return _fence(page, "page"), _counted(select(each.c.id).select_from(owners.join(each, true())))

    # --- counts and everything ---

    def counted_walk(self) -> Select[Any]:
        """One number: e-mails let through, counted up to COUNTED + 1, in an order that an index has."""
        return select(func.count()).select_from(self.walk(COUNTED + 1).subquery("walked"))

    def counted_near(self, most: int) -> Select[Any]:
        """(walked, holding): of the first `most` e-mails of the walk, how many there were, how many hold the words."""
        columns = tuple(dict.fromkeys(t.column for t in self.texts))
        walked = _fence(self.walk(most, None, columns), "walked")
        holding = func.count().filter(and_(*(t.holds(walked.c) for t in self.texts)))
        return select(func.count(), holding).select_from(walked)

    @property
    def loose(self) -> bool:
        """Whether the walk meets e-mails that the filter leaves out: by sending or change, no index holds the rest."""
        return self.by is not DateField.CREATED and not self.belongs and bool(self.among or self.tests)

    @property
    def strict(self) -> bool:
        """Whether every e-mail of the walk is one that answers."""
        return not self.texts and not self.loose

    @property
    def grouped(self) -> bool:
        """Whether another index than that of statuses is walked: counts by status are then made along one walk."""
        return self.strict and (bool(self.tests) or any(c.dimension == "reason" for c in self.among))

    def of_statuses(self, statuses: tuple[Status, ...]) -> Question:
        """The same question for those statuses instead of its own; for all of them where there are none."""
        other = copy(self)
        other.among = [c for c in self.among if c.dimension != "status"]
        if statuses:
            other.among.append(Among("status", statuses))
        return other

    def walked_with_status(self, most: int) -> CTE:
        """The first `most` e-mails in order: (status, passes), all conditions but the dates tested; of a grouped
        question, those that pass."""
        if self.grouped:
            found = self.walk(most, extra=("status",)).subquery("found")
            return _fence(select(cast(found.c.status, Text).label("status"), true().label("passes")), "around")
        tests = [*(t.holds(Email) for t in self.texts), *self._plain()]
        holds = func.coalesce(and_(true(), *tests), false())
        owners = [getattr(Email, b.column).in_(b.ids) for b in self.belongs if isinstance(b.ids, Select)]
        walked = select(cast(Email.status, Text).label("status"), holds.label("passes"))
        return _fence(self._ordered(walked.where(self._owned, *owners, *self._range), most, False), "around")

    def counted_loosely(self, most: int) -> Select[Any]:
        """(walked, let through) of the first `most` e-mails in order, for a loose question."""
        passes = and_(*(c.holds() for c in self.among), *(t.clause for t in self.tests)).label("passes")
        walked = self._ordered(select(passes).where(self._owned, *self._range), most, False).subquery("walked")
        return select(func.count(), func.count().filter(walked.c.passes)).select_from(walked)

    def all_rows(self, columns: list[ColumnElement[Any]]) -> Select[Any]:
        """`columns` of every e-mail that answers, in order, all conditions as plain tests: for exports."""
        query = select(*columns).select_from(everything_of(Email.__table__)).where(*self._asked())
        return query.order_by(*self._sorting(self.at, Email.id, False))

    def all_ids(self) -> Select[Any]:
        """The id of every e-mail that answers, in no order: to count them."""
        return select(Email.id).where(*self._asked())

    def _asked(self) -> list[ColumnElement[bool]]:
        tests = [t.holds(Email) if isinstance(t, WordsOfSubject) else self._of_owner(t) for t in self.texts]
        owners = [getattr(Email, b.column).in_(b.ids) for b in self.belongs if isinstance(b.ids, Select)]
        return [self._owned, *self._plain(), *owners, *self._range, *tests]

    def part(self, columns: list[ColumnElement[Any]], most: int, cursor: Cursor | None) -> Select[Any]:
        """`columns` of the next `most` e-mails after `cursor`, in order: for exports that go on where they stopped."""
        merged = self._branches() is not None or any(isinstance(b.ids, Select) for b in self.belongs)
        if self.texts or not merged:  # one index has that order: no detour by a page of ids
            return self.all_rows(columns).where(*self._beyond(cursor)).limit(_most(most))
        page = self.page(most, cursor)
        everything = with_everything(page, and_(Email.id == page.c.id, Email.organisation_id == self.organisation_id))
        return select(*columns).select_from(everything).order_by(*self._sorting(page.c.at, page.c.id, False))

    @property
    def place(self) -> ColumnElement[datetime | None]:
        """Where an e-mail stands in the order, as a Cursor has it: None for one that never left."""
        return Email.sent_at if self.by is DateField.SENT else self.at  # type: ignore[return-value]

    def beyond(self, cursor: Cursor) -> list[ColumnElement[bool]]:
        """The e-mails after that place."""
        return self._beyond(cursor)

    def rows(self, page: CTE, cursor: Cursor | None = None, measures: Select[Any] | None = None) -> Select[Any]:
        """The rows of `page` with all that lists show, in order. With `measures` (one row), its columns come first,
        and there is a row even for an empty page."""
        backward = cursor is not None and cursor.backward
        sorting = self._sorting(page.c.at, page.c.id, backward)
        everything = with_everything(page, and_(Email.id == page.c.id, Email.organisation_id == self.organisation_id))
        if measures is None:
            return select(*COLUMNS).select_from(everything).order_by(*sorting)
        first = measures.subquery("measures")
        return select(*first.c, *COLUMNS).select_from(first.outerjoin(everything, true())).order_by(*sorting)

    def page(self, most: int, cursor: Cursor | None) -> CTE:
        """The walk as a fenced page."""
        return _fence(self.walk(most, cursor), "page")

    # --- pieces ---

    @cached_property
    def _owned(self) -> ColumnElement[bool]:
        return Email.organisation_id == self.organisation_id

    @cached_property
    def _range(self) -> list[ColumnElement[bool]]:
        if self.within is None:
            return []
        start, end = self.within.start, self.within.end
        limits = [self.at >= _moment(start)] if start else []
        if not start and self.by is DateField.SENT:
            limits.append(Email.sent_at.is_not(None))
        return [*limits, self.at < _moment(end)] if end else limits

    def _plain(self, walked: Belongs | None = None) -> list[ColumnElement[bool]]:
        """Every condition but dates and words as a plain test; `walked` is served by the index."""
        single = [getattr(Email, b.column) == b.ids for b in self.belongs if not isinstance(b.ids, Select)]
        return [*single, *(c.holds() for c in self.among), *(t.clause for t in self.tests)]

    def _of_owner(self, words: TextOfOwner | AmongOwners) -> ColumnElement[bool]:
        return getattr(Email, words.column).in_(words.ids(self.organisation_id))

    def _beyond(self, cursor: Cursor | None, at: Any = None, row_id: Any = None) -> list[ColumnElement[bool]]:
        """Strictly after the cursor in the direction it looks (a row-value comparison, which the index understands)."""
        if cursor is None:
            return []
        here, there = (
            tuple_(self.at if at is None else at, Email.id if row_id is None else row_id),
            tuple_(_moment(cursor.at), cursor.id),
        )
        return [here < there if self.newest_first != cursor.backward else here > there]

    def _sorting(self, at: Any, row_id: Any, backward: bool) -> list[ColumnElement[Any]]:
        return [at.desc(), row_id.desc()] if self.newest_first != backward else [at.asc(), row_id.asc()]

    def _ordered(self, query: Select[Any], most: int, backward: bool) -> Select[Any]:
        return query.order_by(*self._sorting(self.at, Email.id, backward)).limit(_most(most))

    def _ordered_rows(self, query: Select[Any], rows: CTE, most: int, cursor: Cursor | None) -> Select[Any]:
        backward = cursor is not None and cursor.backward
        return query.order_by(*self._sorting(rows.c.at, rows.c.id, backward)).limit(_most(most))


def measures(walked: CTE, page: CTE, wanted: int, texts: list[Any]) -> Select[Any]:
    """One row: how many e-mails were walked and how many hold each of the words; NULL where the page is full."""
    full = select(func.count()).select_from(page).scalar_subquery() >= wanted
    numbers = [select(func.count()).select_from(walked).scalar_subquery()]
    for words in texts:
        numbers.append(select(func.count()).select_from(walked).where(words.holds(walked.c)).scalar_subquery())
    return select(*(case((~full, number)).label(f"measure_{i}") for i, number in enumerate(numbers)))


def _most(rows: int) -> ColumnElement[int]:
    """A limit the planner can see, also when it plans once for all values."""
    return literal_column(str(int(rows)))


def _counted(query: Select[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(query.limit(_most(COUNTED + 1)).subquery("counted")).scalar_subquery()


def _fence(query: Select[Any], name: str) -> CTE:
    return query.cte(name).prefix_with("MATERIALIZED")


def _moment(at: datetime | None) -> ColumnElement[datetime]:
    """A bound moment; None is before all others, where e-mails that never left stand."""
    return cast(bindparam(None, at.isoformat() if at else "-infinity", type_=Text), TIMESTAMP(timezone=True))
