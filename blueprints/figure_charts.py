"""The figures of a period as the dashboard draws them: bars, their scale, tables, and the rows behind each number.

Pure but for the addresses: what is counted is history.figures'.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

from blueprints.rows_behind import Rows, rows_of
from history import HistoryFilter, sentences
from history.figures import Counts, Figures, Line, Step, asked_for
from history.periods import Period
from i18n import _
from models.figure import Facet, Outcome
from models.words import Reason

# From the foot of a bar to its top. What was called off is in the tables alone.
DRAWN = (Outcome.OPENED, Outcome.DELIVERED, Outcome.SENT, Outcome.WAITING, Outcome.ERROR)
_LABELS = 6  # days named under the bars, at most
_WIDTH, _GAP = 10, 2  # of a bar and beside it, in the drawing's own units; it is 100 high
_SILENT = tuple(reason.value for reason in Reason if reason.silent)
_LOUD = tuple(reason.value for reason in Reason if not reason.silent)


class Part(NamedTuple):
    """One piece of a bar, or of the line of a table."""

    outcome: Outcome
    number: int
    rows: Rows
    title: str
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """One step of the chart."""

    step: Step
    label: str  # its days, in full
    tick: str  # what stands under it, mostly nothing
    parts: list[Part]
    asked: int
    all: Rows


@dataclass(frozen=True)
class Told:
    """One line of a facet's table: its bar, the rows it stands for, and those of its failures."""

    label: str
    line: Line
    parts: list[Part]
    all: Rows
    errors: Rows

    @property
    def asked(self) -> int:
        return asked_for(self.line.counts)


@dataclass(frozen=True)
class Charts:
    """Everything that templates/dashboard/_figures.html draws of one period."""

    figures: Figures
    asked: HistoryFilter
    first: date
    last: date

    @cached_property
    def top(self) -> int:
        """The height of the chart: a round number that no bar passes."""
        return round_up(max((_drawn(step.counts) for step in self.figures.steps), default=0))

    @cached_property
    def bars(self) -> list[Bar]:
        every = -(-len(self.figures.steps) // _LABELS)
        return [self._bar(place, step, every) for place, step in enumerate(self.figures.steps)]

    def _bar(self, place: int, step: Step, every: int) -> Bar:
        label, parts, y = days_label(step.first, step.last), [], 100.0
        for outcome in DRAWN:
            number = step.counts.get(outcome, 0)
            if number:
                height = 100 * number / self.top
                y -= height
                title = _("%(what)s : %(value)s", what=f"{label}, {_(outcome.label).lower()}", value=number)
                rows = self.rows(outcome, step.first, step.last, step.counts)
                x = place * _WIDTH + _GAP / 2
                parts.append(Part(outcome, number, rows, title, x, round(y, 3), _WIDTH - _GAP, round(height, 3)))
        tick = self._tick(step.first) if place % every == 0 else ""
        whole = self.rows(None, step.first, step.last, step.counts)
        return Bar(step, label, tick, parts, asked_for(step.counts), whole)

    def _tick(self, day: date) -> str:
        """A step's name, as short as it is clear."""
        if self.figures.unit == "month":
            return f"{day:%m/%Y}"
        return f"{day:%d/%m}" if self.first.year == self.last.year else f"{day:%d/%m/%y}"

    @property
    def width(self) -> int:
        return len(self.figures.steps) * _WIDTH

    @property
    def shown(self) -> list[Outcome]:
        """The outcomes there are, as the legend and the table name them."""
        return [outcome for outcome in Outcome if self.figures.totals.get(outcome)]

    @property
    def legend(self) -> list[Outcome]:
        """The outcomes that are drawn, from the top of a bar to its foot."""
        return [outcome for outcome in reversed(DRAWN) if self.figures.totals.get(outcome)]

    def total(self, *outcomes: Outcome) -> int:
        return sum(self.figures.totals.get(outcome, 0) for outcome in outcomes)

    def whole(self, outcome: Outcome | None = None) -> Rows:
        """The rows of the whole period."""
        return self.rows(outcome, self.first, self.last, self.figures.totals)

    @cached_property
    def received(self) -> Rows:
        """The rows of all that were received, opened or not."""
        return rows_of(self._asking(self.first, self.last).with_(status=("delivered", "opened")))

    def of(self, facet: Facet) -> list[Told]:
        """The lines of a facet's table, each with its bar on the scale of the longest."""
        lines = self.figures.lines.get(facet, [])
        longest = max((_drawn(line.counts) for line in lines), default=0)
        return [self._told(facet, line, longest) for line in lines]

    def _told(self, facet: Facet, line: Line, longest: int) -> Told:
        named, x = _named(facet, line), 0.0
        parts = []
        for outcome in DRAWN:
            number = line.counts.get(outcome, 0)
            if number:
                width = 100 * number / longest
                rows = self.rows(outcome, self.first, self.last, line.counts, **named)
                parts.append(Part(outcome, number, rows, _(outcome.label), round(x, 3), 0, round(width, 3), 1))
                x += width
        whole = self.rows(Outcome.ERROR if facet is Facet.REASON else None, self.first, self.last, {}, **named)
        errors = self.rows(Outcome.ERROR, self.first, self.last, line.counts, **named)
        return Told(_label(facet, line), line, parts, whole, errors)

    def more(self, facet: Facet) -> int:
        """How many lines of a facet are not shown."""
        return self.figures.keys.get(facet, 0) - len(self.figures.lines.get(facet, []))

    # --- the rows behind a number ---

    def rows(
        self, outcome: Outcome | None, first: date, last: date, counts: Counts, **named: tuple[str, ...] | str
    ) -> Rows:
        """The e-mails of an outcome (of none: all) asked for from `first` to `last`, of whatever is `named`."""
        asked = self._asking(first, last).with_(**named)
        if outcome is not None:
            asked = asked.with_(status=_statuses(outcome))
        if outcome is Outcome.CANCELLED:
            asked = asked.with_(reason=_SILENT)
        elif outcome is Outcome.ERROR and counts.get(Outcome.CANCELLED) and not asked.reason:
            asked = asked.with_(reason=_LOUD)  # what was called off is none of them
        return rows_of(asked)

    def _asking(self, first: date, last: date) -> HistoryFilter:
        return HistoryFilter(period=Period.CUSTOM, first=first, last=last, segment=self.asked.segment)


def _statuses(outcome: Outcome) -> tuple[str, ...]:
    """The codes of the filter: a group by its own."""
    return {Outcome.WAITING: ("waiting",), Outcome.ERROR: ("error",), Outcome.CANCELLED: ("error",)}.get(
        outcome, tuple(status.value for status in outcome.statuses)
    )


def _named(facet: Facet, line: Line) -> dict[str, tuple[str, ...] | str]:
    return {
        Facet.REASON: {"reason": (line.key,)},
        Facet.OPERATOR: {"operator": line.key},
        Facet.TYPE: {"type": (line.key,)},
        Facet.SENDER: {"sender": line.label.lower()},
    }[facet]


def _label(facet: Facet, line: Line) -> str:
    if facet is Facet.REASON:
        return _(Reason(line.key).label)
    return sentences.type_label(line.key) if facet is Facet.TYPE else line.label


def _drawn(counts: Counts) -> int:
    return sum(counts.get(outcome, 0) for outcome in DRAWN)


def round_up(number: int) -> int:
    """The next of 4, 6, 8, 10, 12, 16, 20, 30, 40, 60 …: its half is whole, and easily said."""
    unit = 1
    while True:
        for even in (4, 6, 8, 10, 12, 16, 20, 30):
            if number <= even * unit:
                return even * unit
        unit *= 10


def days_label(first: date, last: date) -> str:
    """`22/11/2026`, `16/11/2026 – 22/11/2026`."""
    return f"{first:%d/%m/%Y}" if first == last else f"{first:%d/%m/%Y} – {last:%d/%m/%Y}"
