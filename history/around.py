"""What stands around the rows of a history, in one statement: tabs with live counts, saved views, what panels offer.

Counts are capped as the list's own; where e-mails had to be picked along a walk they are what a few milliseconds saw,
and say so. Views are kept by history.views.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import CTE, CompoundSelect, Integer, Select, Text, cast, func, literal, null, or_, select, union_all

from history import floors, pages, prepared, trouble, views
from history.floors import Floors
from history.prepared import HOUSE, PERSON
from history.query import COUNTED, Question
from history.rows import Count
from history.trouble import Stopped
from models import Export, SavedView, Segment, Sender, User
from models.words import Status, StatusGroup

ALL = "all"
_GROUPS = (StatusGroup.SENT_ALL, StatusGroup.WAITING, StatusGroup.ERROR)
_TABS: tuple[tuple[str, tuple[Status, ...]], ...] = ((ALL, ()), *((group.value, group.statuses) for group in _GROUPS))
_WALKED = "walked"
_ASKED, _REST = "asked", "rest"  # a tally of statuses that are asked for, of the others
_NAMES = tuple(f"{group.value}_{which}" for group in _GROUPS for which in (_ASKED, _REST))
MOST_OFFERED = 200


@dataclass(frozen=True)
class View:
    """A saved view as menus show it."""

    public_id: str
    name: str
    query: str
    pinned: bool
    shared: bool


@dataclass
class Around:
    """`tabs`: counts by tab, None where nothing is known of it; `offered`: (value, label)s by filter; `count` is the
    list's own where the page did not bring it; `failures`, `exports` and `trouble` are views.beside()'s."""

    tabs: dict[str, Count | None] = field(default_factory=dict)
    offered: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)
    count: Count | None = None
    failures: int = 0
    exports: list[Export] = field(default_factory=list)
    trouble: tuple[Stopped, ...] = ()


def read(
    question: Question, user: User, *, tabs: bool, count: bool, beside: bool = False, offered: bool = False
) -> Around:
    """All of it for one page: `tabs` for the list of the whole organisation, `count` where the page lacks its own,
    `beside` for what stands beside every page, `offered` for what the panel of further filters offers."""
    walked = tabs or count
    values = {"person": user.id, **({"o": user.organisation_id} if beside else {})}
    known = floors.of(question) if walked and floors.suits(question) else None
    if known is not None:
        values |= known.values(_NAMES)
    what = ("around", walked, beside, offered)
    kept = known is not None
    rows = prepared.run(question, what, lambda _: _statement(question, walked, beside, offered, kept), **values)
    found: dict[str, list[_Told]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(_Told(*row))
    if known is not None:
        _remember(question, known, found)
    around = Around(
        offered={what: [(row.value, row.label) for row in found[what]] for what in ("segment", "sender", "by")},
        views=[View(row.value, row.label, row.extra, row.number > 1, bool(row.number % 2)) for row in found["view"]],
    )
    for one in found["beside"]:
        around.failures, around.exports = one.number, views.exports(one.value)
        around.trouble = trouble.told(one.label)
    if (tabs or count) and not question.branched:
        around.tabs, around.count = _told(question, found[_WALKED], tabs)
    if found["tally"]:
        numbers = [(row.value, row.extra == _ASKED, row.number) for row in found["tally"]]
        around.count = _capped(number for _group, asked, number in numbers if asked)
        around.tabs = {ALL: _capped(number for _group, _asked, number in numbers)} | {
            name.value: _capped(number for group, _asked, number in numbers if group == name.value) for name in _GROUPS
        }
    return around


def _remember(question: Question, known: Floors, found: dict[str, list[_Told]]) -> None:
    """Keep what a statement counted for the next one; a walk that nothing made necessary is what it was."""
    (told,) = found["changed"]
    changed, safe = told.number, told.value
    numbers = {f"{row.value}_{row.extra}": row.number for row in found["tally"]}
    walked = tuple(found[_WALKED])
    if known.rows and not changed:
        found[_WALKED], walked = list(known.rows), ()
    cut = walked and int(walked[0].extra) >= pages.reach(question.of_statuses(()))
    after = known.after(changed, safe, numbers, walked if cut else ())
    if after is not known:
        floors.keep(question, after)


class _Told(NamedTuple):
    what: str
    value: Any
    label: Any
    extra: Any
    number: Any


def _statement(question: Question, counted: bool, beside: bool, offered: bool, kept: bool) -> CompoundSelect[Any]:
    parts = [_views(), *(_offers() if offered else ())]
    if beside:
        parts.append(_row("beside", views.unfetched(), trouble.lines(), number=views.failures()))
    changed = floors.changed() if kept else None
    if changed is not None:
        parts.append(_row("changed", changed.c.safe, number=changed.c.number).select_from(changed))
    if counted:
        parts += _tallies(question, changed) if question.branched else [_walked(question, changed)]
    return union_all(*parts)


def _capped(numbers: Iterable[int]) -> Count:
    """The sum of numbers of which each was counted up to COUNTED + 1."""
    number = sum(numbers)
    return Count(min(number, COUNTED), exact=number <= COUNTED)


def _row(what: str, value: Any, label: Any = "", number: Any = None, extra: Any = "") -> Select[Any]:
    texts = [literal(v, Text) if isinstance(v, str) else cast(v, Text) for v in (what, value, label, extra)]
    names = ("what", "value", "label", "extra")
    counted = cast(null(), Integer) if number is None else cast(number, Integer)
    return select(*(text.label(name) for text, name in zip(texts, names, strict=True)), counted.label("number"))


def _tallies(question: Question, changed: CTE | None) -> Iterable[Select[Any]]:
    """The e-mails of each group of statuses, those of statuses that are asked for apart. The groups hold every status
    once, so that sums of these numbers are all that tabs and the list say; a sum beyond the cap is not counted on."""
    asked = next((c.values for c in question.among if c.dimension == "status"), tuple(Status))
    most = COUNTED + 1 if changed is None else COUNTED + 1 + floors.SLACK

    def number(name: str, statuses: tuple[Status, ...], less: Any = None) -> Any:
        counted = question.tally(statuses, less, most).scalar_subquery()
        return counted if changed is None else floors.at_least(name, changed, counted)

    for group in _GROUPS:
        wanted = tuple(status for status in group.statuses if status in asked)
        rest = tuple(status for status in group.statuses if status not in asked)
        less = None
        if wanted:
            of_them = number(f"{group.value}_{_ASKED}", wanted)
            counted = select(of_them.label("number")).cte(f"of_{group.value}").prefix_with("MATERIALIZED")
            less = select(counted.c.number).scalar_subquery()
            yield _row("tally", group.value, number=less, extra=_ASKED)
        if rest:
            yield _row("tally", group.value, number=number(f"{group.value}_{_REST}", rest, less), extra=_REST)


def _walked(question: Question, changed: CTE | None) -> Select[Any]:
    """By status, how many e-mails of one walk along all statuses answer, and how long the walk was."""
    whole = question.of_statuses(())
    walked = whole.walked_with_status(pages.reach(whole))
    holding = func.count().filter(walked.c.passes)
    total = func.sum(func.count()).over()
    by_status = select(walked.c.status, holding.label("holding"), total.label("total")).group_by(walked.c.status)
    found = by_status.subquery("by_status")
    told = _row(_WALKED, found.c.status, number=found.c.holding, extra=found.c.total)
    return told if changed is None else told.where(floors.walks_again(changed))


def _told(question: Question, rows: list[Any], tabs: bool) -> tuple[dict[str, Count | None], Count | None]:
    """(tabs, the list's own count) that such a walk tells: exact where it met them all, else at least so many."""
    total = int(rows[0].extra) if rows else 0
    exact = total < pages.reach(question.of_statuses(()))
    numbers = {row.value: row.number for row in rows}

    def count(statuses: tuple[Status, ...]) -> Count | None:
        number = sum(numbers.get(status.value, 0) for status in statuses or tuple(Status))
        return Count(min(number, COUNTED), exact and number <= COUNTED) if exact or number else None

    asked = next((c.values for c in question.among if c.dimension == "status"), ())
    return {name: count(statuses) for name, statuses in _TABS} if tabs else {}, count(asked)


def _offers() -> Iterable[Select[Any]]:
    yield _listed(
        _row("segment", Segment.public_id, Segment.name).where(Segment.organisation_id == HOUSE), Segment.name
    )
    senders = _row("sender", func.lower(Sender.address), Sender.address)
    yield _listed(senders.where(Sender.organisation_id == HOUSE), Sender.address)
    yield _listed(_row("by", func.lower(User.email), User.name).where(User.organisation_id == HOUSE), User.name)


def _views() -> Select[Any]:
    flags = cast(SavedView.pinned, Integer) * 2 + cast(SavedView.shared, Integer)
    views = _row("view", SavedView.public_id, SavedView.name, flags, SavedView.query).where(
        SavedView.organisation_id == HOUSE, ~SavedView.link, or_(SavedView.user_id == PERSON, SavedView.shared)
    )
    return _listed(views, SavedView.name)


def _listed(query: Select[Any], name: Any) -> Select[Any]:
    listed = query.order_by(func.fold_text(name)).limit(MOST_OFFERED).subquery()
    return select(*listed.c)


def status_of_tab(name: str) -> tuple[str, ...]:
    """What `status` holds under that tab."""
    return () if name == ALL else (name,)
