"""Floors: what a list's counts are known to be at least, so that tabs need not meet 10,001 e-mails again for each page.

Whatever left a group after it was counted has changed since, and what changes says when (email.updated_at, by the
database's clock). So a group holds at least what was counted less what changed of the whole organisation since then,
which ix_email_updated tells. Only where that is no longer "more than 10,000" is it counted anew: nothing that is said
is ever older than the page. Rests on e-mails not being deleted; kept in the process, per question, MINUTES at most.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import current_app
from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    ScalarSelect,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    text,
)  # fmt: skip

from history import query
from history.prepared import HOUSE, Ready
from history.query import Question
from history.walks import at_most, fence, moment_of
from models import Email

# So many e-mails of the organisation may change before a group is counted anew: it is counted so much further.
SLACK = 2_000
MINUTES = 10
_KEPT = 2_048  # questions
_NOTHING = "infinity"  # nothing has changed since
_SINCE = bindparam("since", type_=Text)
# A change is seen when its transaction commits, and says when it was made: what was open then is from then on counted
# as changed. The seconds are for what had no number of its own yet; now() is before what the view shows of others.
SAFE = (
    "SELECT least(now() - interval '{margin}', (SELECT min(xact_start) FROM pg_stat_activity "
    "WHERE backend_xid IS NOT NULL AND datname = current_database()))::text AS safe"
)
_SAFE = text(SAFE.format(margin="5 seconds")).columns(literal_column("safe", Text))


@dataclass
class Floors:
    """Of one question: counts by name as they were, and the rows of a walk that was cut off, all true at `since` but
    for what was changed afterwards."""

    since: str = _NOTHING
    numbers: dict[str, int] = field(default_factory=dict)
    rows: tuple[Any, ...] = ()
    ends: float = 0.0

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """What a statement with changed(), at_least() and walks_again() is run with."""
        known = {f"floor_{name}": self.numbers.get(name, 0) for name in names}
        return {"since": self.since, "floor_walked": int(bool(self.rows)), **known}

    def holds(self, name: str, changed: int) -> bool:
        """Whether that one was not counted in a statement that saw so many changes."""
        return self.numbers.get(name, 0) - changed > query.COUNTED

    def after(self, changed: int, safe: str | None, numbers: dict[str, int], rows: tuple[Any, ...]) -> Floors:
        """What is known after such a statement gave these counts, and these rows of a cut walk (none for a whole
        one, or where it was not walked)."""
        counted = {name: number for name, number in numbers.items() if not self.holds(name, changed)}
        if not counted and not rows:
            return self
        large = {name: number for name, number in counted.items() if number > query.COUNTED + SLACK // 2}
        if self.since == _NOTHING or rows or any(name in self.numbers for name in counted):
            return Floors(safe, large, rows) if safe and (large or rows) else Floors()
        return Floors(self.since, self.numbers | large, self.rows, self.ends)


def of(question: Question) -> Floors:
    """What is known of a question: nothing of one that asks for more than dates, words of the vocabulary and reasons,
    for these alone change with a trace."""
    known = _kept().get(_key(question)) if suits(question) else None
    return known if known is not None and known.ends > time.monotonic() else Floors()


def suits(question: Question) -> bool:
    """Whether anything is kept of such a question."""
    return isinstance(question, Ready) and not (question.texts or question.belongs or question.tests)


def keep(question: Question, floors: Floors) -> None:
    """Remember what is known of a question from now on."""
    kept, key = _kept(), _key(question)
    if floors.since == _NOTHING:
        kept.pop(key, None)
        return
    floors.ends = floors.ends or time.monotonic() + MINUTES * 60
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)
    kept[key] = floors


def _key(question: Any) -> Hashable:
    return question.shape, tuple(question.values.items())


def _kept() -> dict[Hashable, Floors]:
    return current_app.extensions.setdefault("floors", {})


# --- as SQL ---


def changed() -> CTE:
    """(number, safe): how many of the organisation's e-mails changed since then, up to SLACK + 1; from when on changes
    are to be counted after this statement, NULL where that stays as it was."""
    since = Email.updated_at > moment_of(_SINCE)
    seen = select(Email.id).where(Email.organisation_id == HOUSE, since).limit(at_most(SLACK + 1)).subquery("seen")
    number = fence(select(func.count().label("number")).select_from(seen), "changes")
    calm = (number.c.number == 0) & (_SINCE != _NOTHING)
    return select(number.c.number, case((calm, cast(null(), Text)), else_=_SAFE.scalar_subquery()).label("safe")).cte(
        "changed"
    )


def at_least(name: str, changed: CTE, counted: ScalarSelect[int]) -> ColumnElement[int]:
    """`counted`, not looked for where the floor of that name is more than COUNTED: COUNTED + 1."""
    floor = bindparam(f"floor_{name}", type_=Integer)
    still = floor - select(changed.c.number).scalar_subquery() > at_most(query.COUNTED)
    return case((still, at_most(query.COUNTED + 1)), else_=counted)


def walks_again(changed: CTE) -> ColumnElement[bool]:
    """Whether a walk has to be walked: nothing is kept of it, or something has changed."""
    return (bindparam("floor_walked", type_=Integer) == 0) | (select(changed.c.number).scalar_subquery() > 0)
