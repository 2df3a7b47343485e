"""Live rows: when to ask again what became of those that may still change by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import url_for

from history import Row

# Live rows: how often, and for how many questions without news; then every next step; then silence (a reload shows
# all). 4 s for two minutes, 15 s for five, a minute for half an hour.
_RHYTHM = ((4, 30), (15, 20), (60, 30))
# Sent and delivered rows change seldom after their first hour: not worth asking for.
_LIVELY = timedelta(hours=1)


@dataclass(frozen=True)
class Live:
    """The next question for changed rows."""

    address: str
    seconds: int


def live(rows: list[Row], kind: str, calm: int = 0) -> Live | None:
    """How to ask what became of `rows`; None when all are final or nothing has moved for long. `calm` counts the
    answers in a row that had no news."""
    open_rows = [row for row in rows if _lively(row)]
    seconds = _seconds(calm)
    if not open_rows or seconds is None:
        return None
    known = ",".join(f"{row.public_id}.{row.version}" for row in open_rows)
    return Live(url_for("emails.changed", list=kind, rows=known, calm=calm), seconds)


def _lively(row: Row) -> bool:
    moving = row.status.value in ("requested", "uncertain")
    return not row.final and (moving or row.now - (row.sent_at or row.created_at) < _LIVELY)


def _seconds(calm: int) -> int | None:
    for seconds, times in _RHYTHM:
        if calm < times:
            return seconds
        calm -= times
    return None
