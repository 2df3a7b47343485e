"""Figures for the gallery: charts with every outcome, a gap, one lonely e-mail, extreme names; nothing is counted."""

from __future__ import annotations

from datetime import date, timedelta

from blueprints.figure_charts import Charts
from history import HistoryFilter
from history.figures import Figures, Line, Step
from models.figure import Facet, Outcome

_FIRST = date(2026, 10, 24)
# By day, from the top of DRAWN's opposite: opened, delivered, sent, waiting, error, cancelled.
_DAYS = (
    (12, 8, 3, 0, 1, 0), (14, 9, 2, 0, 0, 0), (0, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0), (22, 17, 9, 2, 14, 1),
    (8, 21, 4, 0, 2, 0), (3, 9, 30, 6, 1, 0), (0, 0, 0, 41, 0, 0), (0, 0, 0, 0, 6, 2), (19, 23, 5, 1, 0, 0),
)  # fmt: skip


def sample(long_name: str) -> Charts:
    """Ten days and the four tables."""
    steps = [
        Step(day, day, {outcome: n for outcome, n in zip(Outcome, numbers, strict=True) if n})
        for day, numbers in ((_FIRST + timedelta(days=n), numbers) for n, numbers in enumerate(_DAYS))
    ]
    totals = {outcome: sum(step.counts.get(outcome, 0) for step in steps) for outcome in Outcome}
    error, opened, sent = Outcome.ERROR, Outcome.OPENED, Outcome.SENT
    lines = {
        Facet.REASON: [Line("user_unknown", {error: 14}), Line("mailbox_full", {error: 9}), Line("spam", {error: 1})],
        Facet.OPERATOR: [
            Line("orange.example", {opened: 60, sent: 31, error: 18}, "orange.example"),
            Line("l", {sent: 4, error: 4}, "une-tres-longue-adresse-de-domaine-qui-ne-finit-pas.example"),
            Line("free.example", {opened: 1}, "free.example"),
        ],
        Facet.SENDER: [Line("1", totals, long_name)],
    }  # fmt: skip
    figures = Figures("day", steps, totals, lines, {Facet.OPERATOR: 12})
    return Charts(figures, HistoryFilter(), steps[0].first, steps[-1].last)
