"""The SQL of the history: pages, searches and counts of one question, made of walks (history.walks).

Words are *sought* in an index of their own, fenced by MATERIALIZED so that the planner cannot swap it for a walk
through everything. history.pages decides between walking and seeking; nothing here runs a query.
"""

from __future__ import annotations

from copy import copy
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    select,
    true,
)  # fmt: skip

from history.conditions import Among, AmongOwners, WordsOfSubject
from history.cursors import Cursor
from history.periods import DateField
from history.rows import COLUMNS, everything_of, with_everything
from history.walks import AT, CARRIED, Walk, at_most, fence
from models import Email
from models.words import Status

# Owners (addresses, contacts …) whose e-mails are merged at most.
MOST_OWNERS = 20_000
COUNTED = 10_000


class Question(Walk):
    """One question as SQL: walks, seeks and counts of (id, at)."""

    # --- words: near the top first, then in their own index ---

    def near(self, most: int, wanted: int, cursor: Cursor | None) -> tuple[CTE, CTE]:
        """(tested, found): the first `most` e-mails of the walk with whether they hold each of the words (holds_0 …),
        tested once and only as far as somebody asks; and the first `wanted` of them that hold them all."""
        columns = tuple(dict.fromkeys(t.column for t in self.texts))
        walked = fence(self.walk(most, cursor, *columns), "walked")
        holds = [text.holds(walked.c).label(f"holds_{place}") for place, text in enumerate(self.texts)]
        tested = fence(select(walked.c.id, walked.c.at, *holds), "tested")
        holding = select(tested.c.id, tested.c.at).where(*(tested.c[each.name] for each in holds))
        return tested, fence(self._ordered_rows(holding, tested, wanted, cursor), "page")

    def far(self, most: int, wanted: int, cursor: Cursor | None) -> tuple[CTE, Select[Any]]:
        """(found, cut): the first `wanted` that hold the words among the first `most` e-mails of the walk (of each of
        its branches, where it is thin), which ends where they are found; and whether there may be others among
        them that the walk did not come to, one row."""
        thin = self.thin
        if thin and self.among:
            return self._far_merged(most, wanted, cursor)
        columns = tuple(dict.fromkeys(t.column for t in self.texts if not thin or t.column in CARRIED))
        walked = self.walk(most, cursor, *columns).subquery("walked")
        tests = [t.picked(walked.c) if thin else t.holds(walked.c) for t in self.texts]
        holding = select(walked.c.id, walked.c.at).where(*tests)
        page = fence(self._ordered_rows(holding, walked, wanted, cursor), "page")
        full = select(func.count()).select_from(page).scalar_subquery() >= wanted
        there = select(func.count()).select_from(self.walk(most, cursor).subquery("there")).scalar_subquery()
        return page, select(case((full, false()), else_=there >= most).label("cut"))

    def _far_merged(self, most: int, wanted: int, cursor: Cursor | None) -> tuple[CTE, Select[Any]]:
        """far() of a thin walk of several branches: each ends where it has found enough, in its index alone."""
        backward = cursor is not None and cursor.backward
        branches, others = self._branches(), self._branches("other")
        assert branches is not None and others is not None
        columns = [getattr(Email, name) for name in dict.fromkeys(t.column for t in self.texts) if name in CARRIED]
        limits = [*self._range_walked, *self._beyond(cursor)]
        one = select(Email.id.label("id"), self.at.label("at"), *columns).where(*self._of_branch(branches), *limits)
        walked = self._ordered(one, most, backward).correlate(branches).subquery("walked")
        holding = select(walked.c.id, walked.c.at).where(*(t.picked(walked.c) for t in self.texts))
        each = self._ordered_rows(holding, walked, wanted, cursor).correlate(branches).lateral("each")
        found = fence(select(*branches.c, *each.c).select_from(branches.join(each, true())), "found")
        page = fence(self._ordered_rows(select(found.c.id, found.c.at), found, wanted, cursor), "page")
        # Of a branch that has less than enough: where its walk was cut off. What stands beyond it on the page may
        # not be the next.
        its = select(func.count()).where(*(found.c[column.key] == column for column in others.c)).scalar_subquery()
        last = self._ordered(select(self.at.label("at")).where(*self._of_branch(others), *limits), 1, backward)
        end = last.offset(at_most(most - 1)).correlate(others).lateral("end")
        down = self.newest_first != backward
        nearest = (func.max if down else func.min)(end.c.at)
        furthest = select((func.min if down else func.max)(page.c.at)).scalar_subquery()
        full = select(func.count()).select_from(page).scalar_subquery() >= wanted
        cut = nearest >= furthest if down else nearest <= furthest
        ends = select(case((full, func.coalesce(cut, false())), else_=nearest.is_not(None)).label("cut"))
        return page, ends.select_from(others.join(end, true())).where(its < wanted)

    @property
    def thin(self) -> bool:
        """Whether the indexes that are walked carry what decides most: whose the e-mail is. Nothing else is then
        looked up."""
        plain = self.by is DateField.CREATED and not self.belongs and not self.tests
        served = not self.among or (bool(self._combinations()[1]) and all(c.dimension != "reason" for c in self.among))
        return plain and served and any(t.column in CARRIED for t in self.texts)

    @property
    def branch_count(self) -> int:
        """How many branches the walk is merged from."""
        return max(1, len(self._combinations()[1]))

    def sought(self, by: Any, wanted: int, cursor: Cursor | None) -> tuple[CTE, ColumnElement[int]]:
        """(found, total): the first `wanted` e-mails by the index of the words `by`, and how many there are in all
        (counted up to COUNTED + 1)."""
        others = [t.holds(Email) for t in self.texts if t is not by]
        if isinstance(by, WordsOfSubject):
            # The other conditions are values here: as conditions the planner would look them up in other indexes too.
            passes = and_(self._owned, *self._plain(), *self._range, *others).label("passes")
            hits = fence(select(Email.id, self.at.label("at"), passes).where(by.holds(Email)), "hits")
            page = select(hits.c.id, hits.c.at).where(hits.c.passes, *self._beyond(cursor, hits.c.at, hits.c.id))
            total = _counted(select(hits.c.id).where(hits.c.passes))
            return fence(self._ordered_rows(page, hits, wanted, cursor), "page"), total
        listed = by.ids()
        owners = fence(listed if isinstance(by, AmongOwners) else listed.limit(at_most(MOST_OWNERS)), "owners")
        rest = [*self._plain(), *self._range, *others]
        limits, backward = self._beyond(cursor), cursor is not None and cursor.backward

        def theirs(whose: CTE) -> Select[Any]:
            """(id, at) of the e-mails of `whose`, each in turn."""
            found = select(Email.id.label("id"), self.at.label("at")).where(getattr(Email, by.column) == whose.c.id)
            return found.where(*rest)

        # The next e-mails are those of the owners whose own next one comes soonest: one of each tells.
        first = self._ordered(theirs(owners).where(*limits), 1, backward).lateral("first")
        heads = select(owners.c.id).select_from(owners.join(first, true()))
        heads = heads.order_by(*self._sorting(first.c.at, first.c.id, backward)).limit(at_most(wanted))
        soonest = fence(heads, "soonest")
        page = self._merged(soonest, theirs(soonest).where(*limits), wanted, backward)
        each = theirs(owners).with_only_columns(Email.id).limit(at_most(COUNTED + 1)).lateral("each")
        return fence(page, "page"), _counted(select(each.c.id).select_from(owners.join(each, true())))

    # --- counts and everything ---

    def tally(
        self, statuses: tuple[Status, ...], less: ColumnElement[int] | None = None, most: int | None = None
    ) -> Select[Any]:
        """One number: a branched question's e-mails of those statuses, up to `most` (default: COUNTED + 1) less `less`,
        in no order: one branch is read after another, and none that is not needed."""
        most = most or COUNTED + 1
        of_them = self.of_statuses(statuses or tuple(Status))
        of_them.by, of_them.at = DateField.CREATED, AT[DateField.CREATED]
        branches = of_them._branches()
        if branches is None:  # too many of them
            found = select(Email.id).where(self._owned, *of_them._plain(), *self._range)
        else:
            each = select(Email.id).where(*of_them._of_branch(branches), *self._range).limit(at_most(most))
            each_of = each.lateral("each")
            found = select(each_of.c.id).select_from(branches.join(each_of, true()))
        limit = at_most(most) if less is None else func.greatest(0, at_most(most) - less)
        return select(func.count()).select_from(found.limit(limit).subquery("counted"))

    def counted_near(self, most: int) -> Select[Any]:
        """(walked, holding): of the first `most` e-mails of the walk, how many there were, how many hold the words."""
        columns = tuple(dict.fromkeys(t.column for t in self.texts))
        walked = self.walk(most, None, *columns).subquery("walked")
        holding = func.count().filter(and_(*(t.holds(walked.c) for t in self.texts)))
        return select(func.count(), holding).select_from(walked)

    @property
    def base(self) -> Question:
        """The same question with what its walk's index holds alone: dates, whose, one test or the reasons."""
        other = copy(self)
        other.texts = []
        if not self.belongs:
            first = self.by is DateField.CREATED
            other.tests = [t for t in self.tests if t.indexed][:1] if first else []
            other.among = [c for c in self.among if c.dimension == "reason"] if first and not other.tests else []
        return other

    @property
    def rest(self) -> list[ColumnElement[bool]]:
        """What the walk of `base` still tests: e-mails are met that do not answer."""
        base = self.base
        among = [c.holds() for c in self.among if all(c is not one for one in base.among)]
        tests = [t.clause for t in self.tests if all(t is not one for one in base.tests)]
        return [*(t.holds(Email) for t in self.texts), *among, *tests]

    @property
    def branched(self) -> bool:
        """Whether the indexes of statuses and types hold all that is asked, whatever the order: each group of statuses
        can be counted by itself."""
        dated = self.within is not None and self.by is not DateField.CREATED
        other = self.belongs or self.texts or self.tests or any(c.dimension == "reason" for c in self.among)
        return not dated and not other

    def of_statuses(self, statuses: tuple[Status, ...]) -> Question:
        """The same question for those statuses instead of its own; for all of them where there are none."""
        other = copy(self)
        other.among = [c for c in self.among if c.dimension != "status"]
        if statuses:
            other.among.append(Among("status", statuses))
        return other

    def walked_with_status(self, most: int) -> Subquery:
        """The first `most` e-mails of the walk of `base`: (status, whether all the other conditions hold)."""
        passes = func.coalesce(and_(true(), *self.rest), false()).label("passes")
        return self.base.walk(most, None, cast(Email.status, Text).label("status"), passes).subquery("walked")

    def counted(self, most: int) -> Select[Any]:
        """(walked, let through) of the first `most` e-mails of the walk of `base`."""
        walked = self.walked_with_status(most)
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
        return [self._owned, *self._plain(), *self._range, *tests]

    def part(self, columns: list[ColumnElement[Any]], most: int, cursor: Cursor | None) -> Select[Any]:
        """`columns` of the next `most` e-mails after `cursor`, in order: for exports that go on where they stopped."""
        merged = self._branches() is not None or any(isinstance(b.ids, Select) for b in self.belongs)
        if self.texts or not merged:  # one index has that order: no detour by a page of ids
            return self.all_rows(columns).where(*self._beyond(cursor)).limit(at_most(most))
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


def measures(tested: CTE, page: CTE, wanted: int, texts: list[Any]) -> Select[Any]:
    """One row: how many e-mails were walked, how many hold each of the words, and how many subjects of the whole table
    hold their rarest word (0 where that is not known); NULL where the page is full."""
    full = select(func.count()).select_from(page).scalar_subquery() >= wanted
    numbers = [select(func.count()).select_from(tested).scalar_subquery()]
    for place in range(len(texts)):
        numbers.append(select(func.count()).where(tested.c[f"holds_{place}"]).scalar_subquery())
    known = [words.hits for words in texts if isinstance(words, WordsOfSubject)]
    numbers.append(known[0] if known else literal_column("0"))
    return select(*(case((~full, number)).label(f"measure_{i}") for i, number in enumerate(numbers)))


def _counted(query: Select[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(query.limit(at_most(COUNTED + 1)).subquery("counted")).scalar_subquery()
