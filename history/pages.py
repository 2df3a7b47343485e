"""browse(): one page of a history in one statement, a second where words are rare, and a last one for the count.

Words are first looked for among the next e-mails of the walk: frequent ones fill the page there. Where they are rare
their own index is asked; in between, walking on is the quicker way. Nothing scans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import prod
from typing import Any

from sqlalchemy import Select, select

from history import cursors, prepared
from history.cursors import Cursor
from history.filters import HistoryFilter
from history.periods import DateField
from history.query import COUNTED, Question
from history.query import measures as measured
from history.rows import Count, Page, Row
from history.scope import Scope

# E-mails looked at before an index of words is asked; how far a walk goes on where words are neither frequent nor
# rare: a walked e-mail costs 2 to 3 µs, one of a branch or of a thin walk, which is not looked up, a tenth of it; how
# many are looked at for a count.
_NEAR = 1_000
_FURTHER = 60_000
_THIN = 200_000
# A share of the nearest from which a thin walk is the quicker way; hits of which too many would have to be looked up.
_FEW = 0.003
_MANY = 10_000
_BRANCHED = 150_000
COUNTED_NEAR = 2_000


# A count that is still to be made.
UNCOUNTED = Count(0, exact=False)


@dataclass
class _Found:
    rows: list[Row]
    count: Count | None = None


def browse(scope: Scope, filter_: HistoryFilter, now: datetime | None = None) -> Page:
    """The page that `filter_` asks for. `now` is the moment its periods end at (default: this one)."""
    return answer(prepared.question(scope, filter_, now or datetime.now(UTC)), filter_)


def answer(question: Question, filter_: HistoryFilter, counted: bool = True) -> Page:
    """The page of a question that stands already. Without `counted` no statement is spent on the count where
    history.around brings it as well: it is then UNCOUNTED."""
    cursor = cursors.read(filter_.cursor, question.order)
    wanted = filter_.limit + 1
    found = _seek(question, wanted, cursor) if question.texts else _walk(question, wanted, cursor)
    rows, more = found.rows[: filter_.limit], len(found.rows) == wanted
    backward = cursor is not None and cursor.backward
    if backward:
        rows.reverse()
    has_previous, has_next = (more, True) if backward else (cursor is not None, more)
    whole = cursor is None and not more
    count = Count(len(rows)) if whole else found.count
    if count is None:
        # Of words and a status, the walk of that status shows more than the one along all of them.
        alone = bool(question.texts) and any(c.dimension == "status" for c in question.among)
        count = _count(question, len(rows) + more) if counted or alone else UNCOUNTED
    return Page(
        rows=rows,
        previous=_beside(question, rows[0], True) if rows and has_previous else "",
        next=_beside(question, rows[-1], False) if rows and has_next else "",
        count=count,
    )


def _beside(question: Question, row: Row, backward: bool) -> str:
    at = {DateField.CREATED: row.created_at, DateField.SENT: row.sent_at, DateField.UPDATED: row.updated_at}[
        question.by
    ]
    return Cursor(question.order, backward, at, row.id).write()


def _walk(question: Question, wanted: int, cursor: Cursor | None) -> _Found:
    found = prepared.run(question, "walk", lambda place: question.rows(question.page(wanted, place), place), cursor)
    return _Found([Row(*r) for r in found])


def _seek(question: Question, wanted: int, cursor: Cursor | None) -> _Found:
    """A page of what holds the words: near, further on, or by their own index."""
    found, walked, holding, hits = _near(question, _NEAR, wanted, cursor)
    if len(found.rows) == wanted or walked < _NEAR:
        return found
    rarest = min(question.texts, key=lambda t: holding[t] - t.worth * _NEAR)
    most = _reach(question, len(found.rows), wanted, [holding[text] for text in question.texts], rarest, hits)
    if most:

        def walk_on(place: Cursor | None) -> Select[Any]:
            page, ending = question.far(most, wanted, place)
            return question.rows(page, place, ending)

        rows, (cut,) = _measured(question, ("far", most), walk_on, cursor, 1)
        if not cut:
            return _Found(rows)

    def look_up(place: Cursor | None) -> Select[Any]:
        page, total = question.sought(rarest, wanted, place)
        return question.rows(page, place, select(total.label("total")))

    place = next(place for place, words in enumerate(question.texts) if words is rarest)
    rows, (total_found,) = _measured(question, ("sought", place), look_up, cursor, 1)
    return _Found(rows, _capped(total_found))


def _reach(question: Question, found: int, wanted: int, holding: list[int], rarest: Any, hits: int) -> int:
    """How many e-mails to walk for a full page, by what the nearest show and what is known of the words (`hits`); 0
    where the index of the rarest words is quicker. The walk ends where the page is full."""
    if question.thin and (len(holding) > 1 or found >= _NEAR * _FEW):
        share = max(found / _NEAR, prod(max(number, 0.5) / _NEAR for number in holding))
        needed = 1 << round(2 * wanted / share).bit_length()  # few different ones: statements are kept by it
        if question.branch_count == 1:
            return _THIN if needed <= 2 * _THIN else 0
        return needed if needed * question.branch_count <= 2 * _THIN else 0
    if found < max(1, rarest.worth * _NEAR) and hits < _MANY:
        return 0
    branches = question.branch_count
    if branches == 1:
        return _FURTHER
    needed = min(_FURTHER, 1 << (2 * wanted * _NEAR // max(found, 1)).bit_length())
    return needed if needed * branches <= _BRANCHED else 0


def _near(question: Question, most: int, wanted: int, cursor: Cursor | None) -> tuple[_Found, int, dict[Any, int], int]:
    """What a walk of `most` e-mails finds, how many it walked, how many of these hold each of the words, how many of
    the whole table."""

    def look_near(place: Cursor | None) -> Select[Any]:
        tested, page = question.near(most, wanted, place)
        return question.rows(page, place, measured(tested, page, wanted, question.texts))

    rows, (count, *holding, hits) = _measured(question, ("near", most), look_near, cursor, 2 + len(question.texts))
    return _Found(rows), count or 0, dict(zip(question.texts, (h or 0 for h in holding), strict=True)), hits or 0


def _measured(
    question: Question, what: Any, make: Callable[[Cursor | None], Select[Any]], cursor: Cursor | None, measures: int
) -> tuple[list[Row], tuple[Any, ...]]:
    """The rows of a statement whose first columns are measures, which even an empty page has."""
    result = prepared.run(question, what, make, cursor)
    rows = [Row(*r[measures:]) for r in result if r[measures] is not None]
    return rows, tuple(result[0][:measures])


def _count(question: Question, shown: int) -> Count:
    """How many answer: exact up to COUNTED. Where e-mails had to be picked along a walk, what it passed in a few
    milliseconds: at least so many, and never fewer than are `shown`."""
    if question.branched:
        asked = next((c.values for c in question.among if c.dimension == "status"), ())
        ((number,),) = prepared.run(question, "tally", lambda _: question.tally(asked))
        return _capped(number)
    most = reach(question)
    counted = question.counted_near if question.texts else question.counted
    ((walked, holding),) = prepared.run(question, "count", lambda _: counted(most))
    return at_least(Count(min(holding, COUNTED), exact=walked < most and holding <= COUNTED), shown)


def reach(question: Question) -> int:
    """How many e-mails are walked for counts: all that are counted, or where others are met what a page may cost."""
    return COUNTED_NEAR if question.rest else COUNTED + 1


def at_least(count: Count, shown: int) -> Count:
    """The count, never fewer than are `shown`."""
    return count if count.exact else Count(min(max(count.value, shown), COUNTED), exact=False)


def _capped(number: int) -> Count:
    return Count(min(number, COUNTED), exact=number <= COUNTED)
