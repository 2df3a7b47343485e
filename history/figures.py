"""The figures of a period: what became of the e-mails asked for in it, over time and by reason, operator, type, sender.

read() takes them from what history.tallies keeps: a handful of rows however many e-mails there are, as of a moment it
says. Of a segment, or where nothing is kept yet, the e-mails themselves are looked at: the newest WALKED of the period
at most, and it says so when that was not all. Only period and segment of the filter count here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text

from extensions import db
from history import prepared
from history.conditions import AmongOwners
from history.filters import HistoryFilter
from history.periods import Period, next_month
from history.query import Question
from history.scope import Scope
from history.tallies import FACETS, OUTCOME
from models.figure import Facet, Outcome

WALKED = 20_000
MOST_LINES = 8  # of each facet
_MOST_OWNERS = 2_000  # of a segment: of so many each one's e-mails are looked up
_MOST_YEARS = 10
DEFAULT = Period.ROLLING_30
Counts = dict[Outcome, int]


def asked_for(counts: Counts) -> int:
    """All that was asked for and not called off."""
    return sum(number for outcome, number in counts.items() if outcome is not Outcome.CANCELLED)


@dataclass(frozen=True)
class Step:
    """One column of the chart: the e-mails asked for from `first` to `last`."""

    first: date
    last: date
    counts: Counts = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Line:
    """One value of a facet: a reason, a domain, a type or a sender's id, whose address is the `label`."""

    key: str
    counts: Counts
    label: str = ""

    @property
    def errors(self) -> int:
        return self.counts.get(Outcome.ERROR, 0)


@dataclass
class Figures:
    """`totals` and `steps` are of the whole period, `lines` the first MOST_LINES of each facet, of how many `keys`
    (of operators those that refused something).
    `as_of` is None where the e-mails themselves were counted just now; then `since` is the day of the oldest that was
    looked at, where that was not the whole period."""

    unit: str  # what a step is: day, week or month
    steps: list[Step]
    totals: Counts = field(default_factory=dict)
    lines: dict[Facet, list[Line]] = field(default_factory=dict)
    keys: dict[Facet, int] = field(default_factory=dict)
    as_of: datetime | None = None
    since: date | None = None

    @property
    def asked(self) -> int:
        return asked_for(self.totals)

    @property
    def received(self) -> int:
        return self.totals.get(Outcome.DELIVERED, 0) + self.totals.get(Outcome.OPENED, 0)


def period_of(filter_: HistoryFilter, now: datetime, zone: str) -> HistoryFilter:
    """The question that the figures answer: its period with two ends (the last 30 days where it names none), its
    segment, and nothing else."""
    asked = HistoryFilter(segment=filter_.segment, period=filter_.period or DEFAULT)
    if asked.period is Period.CUSTOM:
        last = filter_.last or max(filter_.first or date.min, _today(now, zone))
        first = filter_.first or last - timedelta(days=364)
        asked = asked.with_(first=max(first, _years_before(last)), last=last)
    return asked


def read(scope: Scope, asked: HistoryFilter, now: datetime) -> Figures:
    """The figures of a question that period_of() made: one statement, or three of a segment."""
    days = asked.days(now, scope.zone)
    assert days.first and days.last, "period_of() gives both ends"
    unit = _unit(days.first, days.last)
    figures = Figures(unit, list(_steps(days.first, days.last, unit)))
    if not asked.segment:
        rows = _kept(scope, days.first, days.last, unit)
        if rows and rows[0].kept_from is not None and rows[0].kept_from <= days.first:
            figures.as_of = rows[0].read_at
            return _told(figures, (row for row in rows if row.outcome))
    ids, cut = _looked_at(Question(scope, asked, now))
    figures.since = cut.astimezone(ZoneInfo(scope.zone)).date() if cut else None
    return _told(figures, _counted(scope, ids, unit))


# --- what is kept ---

# Days at both ends, whole months between them; of everything together, days alone. There are as many operators as
# companies: only those that refused something are looked for, in an index of their own, and the first of them read.
_PARTS = """(
    SELECT facet, key, outcome, number FROM email_figure
    WHERE organisation_id = :o AND grain = 'month' AND day = ANY (:months) AND {what}
    UNION ALL
    SELECT facet, key, outcome, number FROM email_figure
    WHERE organisation_id = :o AND grain = 'day' AND day = ANY (:days) AND {what}
  ) AS parts"""
_KEPT = f"""
WITH state AS (
  SELECT kept_from, read_at FROM figure_state WHERE organisation_id = :o AND zone = :zone
), refusing AS MATERIALIZED (
  SELECT key, sum(number) AS errors FROM {_PARTS.format(what="facet = 'operator' AND outcome = 'error'")} GROUP BY key
), first AS MATERIALIZED (
  SELECT key FROM refusing ORDER BY errors DESC, key LIMIT :lines
), found AS (
  SELECT '' AS facet, date_trunc(:unit, day)::date AS day, '' AS key, outcome, sum(number) AS number
  FROM email_figure WHERE organisation_id = :o AND grain = 'day' AND facet = '' AND day BETWEEN :first AND :last
  GROUP BY 2, outcome
  UNION ALL
  SELECT facet, NULL, key, outcome, sum(number)
  FROM {_PARTS.format(what="facet IN ('reason', 'sender', 'type')")} GROUP BY facet, key, outcome
  UNION ALL
  SELECT facet, NULL, key, outcome, sum(number)
  FROM {_PARTS.format(what="facet = 'operator' AND key = ANY (ARRAY(SELECT key FROM first))")}
  GROUP BY facet, key, outcome
), RANKED
SELECT ranked.*, CASE WHEN facet = 'operator' THEN (SELECT count(*) FROM refusing) ELSE keys END AS all_keys,
       state.kept_from, state.read_at
FROM state LEFT JOIN ranked ON true"""
# Operators by how much they refuse, the rest by how much there is; of each facet the first so many, and how many
# there are.
_RANKED = """told AS (
  SELECT facet, key, sum(number) AS total, coalesce(sum(number) FILTER (WHERE outcome = 'error'), 0) AS errors
  FROM found WHERE facet <> '' GROUP BY facet, key
), placed AS (
  SELECT facet, key, count(*) OVER (PARTITION BY facet) AS keys, row_number() OVER (
    PARTITION BY facet ORDER BY CASE WHEN facet = 'operator' THEN errors ELSE total END DESC, key
  ) AS place FROM told WHERE facet <> 'operator' OR errors > 0
), ranked AS (
  SELECT found.facet, found.day, found.key, found.outcome, found.number, placed.keys,
         coalesce(placed.place, 0) AS place, sender.address AS label
  FROM found LEFT JOIN placed USING (facet, key)
  LEFT JOIN sender ON found.facet = 'sender' AND sender.organisation_id = :o AND sender.id::text = found.key
  WHERE found.facet = '' OR placed.place <= :lines
  ORDER BY found.facet, place
)"""


def _kept(scope: Scope, first: date, last: date, unit: str) -> list[Any]:
    months, days = _parts(first, last)
    values = {
        "o": scope.organisation_id, "zone": scope.zone, "unit": unit, "first": first, "last": last, "months": months,
        "days": days, "lines": MOST_LINES,
    }  # fmt: skip
    return list(db.session.execute(text(_KEPT.replace("RANKED", _RANKED)), values))


def _parts(first: date, last: date) -> tuple[list[date], list[date]]:
    """(whole months, single days) that make up the days from `first` to `last`."""
    months: list[date] = []
    days: list[date] = []
    day = first
    while day <= last:
        following = next_month(day)
        if day.day == 1 and following - timedelta(days=1) <= last:
            months.append(day)
            day = following
        else:
            days.append(day)
            day += timedelta(days=1)
    return months, days


# --- what is counted now ---

_COUNTED = f"""
WITH found AS MATERIALIZED (
  SELECT facets.facet, CASE WHEN facets.facet = '' THEN date_trunc(:unit, email.created_at AT TIME ZONE :zone)::date END
           AS day, facets.key, {OUTCOME} AS outcome, count(*) AS number
  FROM email JOIN address ON address.id = email.address_id
  CROSS JOIN LATERAL {FACETS} AS facets (facet, key)
  WHERE email.id = ANY (:ids) AND email.organisation_id = :o AND facets.key IS NOT NULL GROUP BY 1, 2, 3, 4
), RANKED
SELECT ranked.*, keys AS all_keys FROM ranked"""


def _counted(scope: Scope, ids: list[int], unit: str) -> list[Any]:
    values = {"o": scope.organisation_id, "zone": scope.zone, "unit": unit, "ids": ids, "lines": MOST_LINES}
    return list(db.session.execute(text(_COUNTED.replace("RANKED", _RANKED)), values))


def _looked_at(question: Question) -> tuple[list[int], datetime | None]:
    """(the ids that are counted, when the oldest e-mail that was looked at was asked for; None where that was all)."""
    if not question.texts:
        rows = prepared.run(question, "figures", lambda _: question.walk(WALKED + 1))
        return [row[0] for row in rows[:WALKED]], rows[WALKED - 1][1] if len(rows) > WALKED else None
    (members,) = question.texts
    if isinstance(members, AmongOwners) and _few(question, members):
        page, _total = question.sought(members, WALKED + 1, None)
        rows = prepared.run(question, "figures", lambda _: select(page.c.id, page.c.at).order_by(page.c.at.desc()))
        return [row[0] for row in rows[:WALKED]], rows[WALKED - 1][1] if len(rows) > WALKED else None
    tested, _found = question.near(WALKED + 1, WALKED, None)
    near = select(tested.c.id, tested.c.at, tested.c.holds_0).order_by(tested.c.at.desc(), tested.c.id.desc())
    rows = prepared.run(question, "figures", lambda _: near)
    whole = len(rows) <= WALKED
    return [row[0] for row in rows[:WALKED] if row[2]], None if whole else rows[WALKED - 1][1]


def _few(question: Question, members: AmongOwners) -> bool:
    few = select(func.count()).select_from(members.ids().limit(_MOST_OWNERS + 1).subquery("few"))
    ((number,),) = prepared.run(question, "few", lambda _: few)
    return bool(number <= _MOST_OWNERS)


# --- rows to figures ---


def _told(figures: Figures, rows: Iterable[Any]) -> Figures:
    steps = {step.first: step for step in figures.steps}
    starts = sorted(steps)
    for row in rows:
        outcome, number = Outcome(row.outcome), int(row.number)
        if row.facet:
            facet = Facet(row.facet)
            figures.keys[facet] = row.all_keys
            lines = figures.lines.setdefault(facet, [])
            if not lines or lines[-1].key != row.key:
                lines.append(Line(row.key, {}, row.label or row.key))
            lines[-1].counts[outcome] = number
        else:
            figures.totals[outcome] = figures.totals.get(outcome, 0) + number
            start = row.day if row.day in steps else starts[0]  # a week or month that had begun before the period
            counts = steps[start].counts
            counts[outcome] = counts.get(outcome, 0) + number
    return figures


def _unit(first: date, last: date) -> str:
    """By what the chart steps: 40 columns at most, but for many years."""
    days = (last - first).days + 1
    return "day" if days <= 35 else "week" if days <= 250 else "month"


def _steps(first: date, last: date, unit: str) -> Iterable[Step]:
    """Steps as date_trunc() names them: the first and the last one may be cut by the period."""
    day = first
    while day <= last:
        if unit == "day":
            end = day
        elif unit == "week":
            end = day + timedelta(days=6 - day.weekday())
        else:
            end = next_month(day) - timedelta(days=1)
        yield Step(day, min(end, last))
        day = end + timedelta(days=1)


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def _years_before(last: date) -> date:
    return date(last.year - _MOST_YEARS, last.month, 1)
