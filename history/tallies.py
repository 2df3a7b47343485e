"""Keeping the figures that charts are drawn from: keep() brings an organisation's up to date, keep_all() everybody's.

An e-mail counts on the day it was asked for. What changed since the last reading is found by its date of change, and
the days it was asked for on are counted anew, whole: doing so twice changes nothing. A house that begins is counted
month by month, the newest first, over as many runs as it takes. A reading may cost a twentieth of the time at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from extensions import db
from history.periods import midnight, next_month
from models import Organisation
from models.figure import Grain, Outcome
from models.words import Reason, Status, StatusGroup

# Everything there is has been counted.
WHOLE = date(1, 1, 1)
_REST = 20  # a reading that took a second is the last one for so many
_BUDGET = 20.0  # seconds of a run; what is left is the next one's
_LOCK = 7_302_811

_SILENT = ", ".join(f"'{reason.value}'" for reason in Reason if reason.silent)


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in statuses)


# What became of an e-mail.
OUTCOME = f"""CASE WHEN email.status IN ({_listed(StatusGroup.ERROR.statuses)})
  THEN CASE WHEN email.reason IN ({_SILENT}) THEN '{Outcome.CANCELLED}' ELSE '{Outcome.ERROR}' END
  WHEN email.status IN ({_listed(StatusGroup.WAITING.statuses)}) THEN '{Outcome.WAITING}' ELSE email.status END"""
# An e-mail by each facet; the reason counts for failures alone.
FACETS = f"""(VALUES ('', ''), ('type', email.type), ('sender', email.sender_id::text), ('operator', address.domain),
  ('reason', CASE WHEN email.status IN ({_listed(StatusGroup.ERROR.statuses)}) AND
    coalesce(email.reason, '') NOT IN ({_SILENT}) THEN coalesce(email.reason, '{Reason.UNKNOWN}') END))"""

_COUNT_DAYS = f"""
INSERT INTO email_figure (organisation_id, grain, day, facet, key, outcome, number)
SELECT :o, 'day', told.day, facets.facet, facets.key, told.outcome, sum(told.number)
FROM (
  SELECT (email.created_at AT TIME ZONE :zone)::date AS day, email.type, email.sender_id, address.domain, email.status,
         email.reason, {OUTCOME} AS outcome, count(*) AS number
  FROM email JOIN address ON address.id = email.address_id
  WHERE email.organisation_id = :o AND email.created_at >= :start AND email.created_at < :end
  GROUP BY 1, 2, 3, 4, 5, 6
) AS told CROSS JOIN LATERAL {FACETS.replace("email.", "told.").replace("address.", "told.")} AS facets (facet, key)
WHERE facets.key IS NOT NULL
GROUP BY told.day, facets.facet, facets.key, told.outcome"""
_COUNT_MONTHS = """
INSERT INTO email_figure (organisation_id, grain, day, facet, key, outcome, number)
SELECT :o, 'month', date_trunc('month', day)::date, facet, key, outcome, sum(number) FROM email_figure
WHERE organisation_id = :o AND grain = 'day' AND facet <> '' AND date_trunc('month', day)::date = ANY (:months)
  AND day BETWEEN :first AND :last
GROUP BY 3, facet, key, outcome"""
_FORGET = "DELETE FROM email_figure WHERE organisation_id = :o AND grain = :grain AND day = ANY (:days)"
_ALONE = "SELECT pg_try_advisory_xact_lock(CAST(:lock AS int), CAST(:o AS int))"
# A transaction that is still open may bring changes of the moments since it began.
_NOW = """
SELECT clock_timestamp() AS now, least(clock_timestamp(), (
  SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
)) - interval '10 seconds' AS sure"""
_CHANGED = """
SELECT DISTINCT (created_at AT TIME ZONE :zone)::date AS day FROM email
WHERE organisation_id = :o AND updated_at >= :since"""
_OLDEST = "SELECT min(created_at) FROM email WHERE organisation_id = :o"
_STATE = """
INSERT INTO figure_state (organisation_id, zone, kept_from, read_at, run_at, cost)
VALUES (:o, :zone, :kept_from, :read_at, :run_at, :cost)
ON CONFLICT (organisation_id) DO UPDATE SET zone = excluded.zone, kept_from = excluded.kept_from,
  read_at = excluded.read_at, run_at = excluded.run_at, cost = excluded.cost"""
_READ_STATE = "SELECT zone, kept_from, read_at, run_at, cost FROM figure_state WHERE organisation_id = :o"


@dataclass(frozen=True)
class _State:
    zone: str
    kept_from: date | None
    read_at: datetime
    run_at: datetime
    cost: float


def keep_all(stop: Callable[[], bool] = lambda: False) -> None:
    """Bring every organisation's figures up to date, one after the other, each in transactions of its own."""
    for organisation in db.session.scalars(select(Organisation).order_by(Organisation.id)).all():
        if stop():
            return
        keep(organisation)
        db.session.commit()


def keep(organisation: Organisation, rested: bool = True) -> None:
    """Bring one organisation's figures up to date; commits. Without `rested` at once, however dear the last one was."""
    house, zone = organisation.id, organisation.timezone
    if not db.session.scalar(text(_ALONE), {"lock": _LOCK, "o": house}):
        return  # another worker is at it
    now, sure = db.session.execute(text(_NOW)).one()
    row = db.session.execute(text(_READ_STATE), {"o": house}).one_or_none()
    state = _State(*row) if row else None
    if state and rested and now < state.run_at + timedelta(seconds=_REST * state.cost):
        return
    began = time.monotonic()
    if state is None or state.zone != zone:
        db.session.execute(text("DELETE FROM email_figure WHERE organisation_id = :o"), {"o": house})
        state = _State(zone, None, sure, now, 0.0)
    elif state.kept_from is not None:
        found = db.session.scalars(text(_CHANGED), {"o": house, "zone": zone, "since": state.read_at})
        _count(house, zone, [day for day in found if day >= state.kept_from])
    kept_from = state.kept_from
    if kept_from != WHOLE:
        kept_from = _go_back(house, zone, kept_from, now, lambda: time.monotonic() - began < _BUDGET)
    cost = time.monotonic() - began
    db.session.execute(
        text(_STATE),
        {"o": house, "zone": zone, "kept_from": kept_from, "read_at": sure, "run_at": now, "cost": cost},
    )
    db.session.commit()


def forget(organisation_id: int) -> None:
    """Have everything of an organisation counted anew: e-mails were put into the past. The caller commits."""
    db.session.execute(text("DELETE FROM figure_state WHERE organisation_id = :o"), {"o": organisation_id})


def _go_back(
    house: int, zone: str, kept_from: date | None, now: datetime, more: Callable[[], bool]
) -> date | None:
    """Count whole months before `kept_from` while there is time; the day from which all is counted now."""
    oldest = db.session.scalar(text(_OLDEST), {"o": house})
    if oldest is None:
        return WHOLE
    first = oldest.astimezone(ZoneInfo(zone)).date()
    month = _month(now.astimezone(ZoneInfo(zone)).date()) if kept_from is None else _month_before(kept_from)
    if kept_from is None:  # a clock that was wrong, or a demonstration's: nothing is left out
        _count_range(house, zone, month, date(9999, 1, 1))
        kept_from = month
        month = _month_before(month)
    while kept_from > first and more():
        _count_range(house, zone, month, kept_from)
        kept_from, month = month, _month_before(month)
    return WHOLE if kept_from <= first else kept_from


def _count(house: int, zone: str, days: list[date]) -> None:
    """Count those days anew, a stretch at a time, and their months."""
    if not days:
        return
    db.session.execute(text(_FORGET), {"o": house, "grain": Grain.DAY.value, "days": days})
    for first, last in _stretches(sorted(days)):
        _insert(house, zone, first, last + timedelta(days=1))
    _count_months(house, sorted({_month(day) for day in days}))


def _count_range(house: int, zone: str, first: date, end: date) -> None:
    """Count every day from `first` until before `end`, of which nothing is counted yet."""
    _insert(house, zone, first, end)
    months = "SELECT DISTINCT date_trunc('month', day)::date FROM email_figure WHERE organisation_id = :o " \
             "AND grain = 'day' AND facet = '' AND day >= :first AND day < :end"  # fmt: skip
    _count_months(house, list(db.session.scalars(text(months), {"o": house, "first": first, "end": end})))


def _insert(house: int, zone: str, first: date, end: date) -> None:
    start = midnight(first, zone)
    until = midnight(end, zone) if end < date(9999, 1, 1) else datetime(9999, 1, 1, tzinfo=UTC)
    db.session.execute(text(_COUNT_DAYS), {"o": house, "zone": zone, "start": start, "end": until})


def _count_months(house: int, months: list[date]) -> None:
    if not months:
        return
    db.session.execute(text(_FORGET), {"o": house, "grain": Grain.MONTH.value, "days": months})
    last = next_month(max(months)) - timedelta(days=1)
    values = {"o": house, "months": months, "first": min(months), "last": last}
    db.session.execute(text(_COUNT_MONTHS), values)


def _stretches(days: list[date]) -> Iterable[tuple[date, date]]:
    """(first, last) of the runs of days without a gap."""
    first = last = days[0]
    for day in days[1:]:
        if day != last + timedelta(days=1):
            yield first, last
            first = day
        last = day
    yield first, last


def _month(day: date) -> date:
    return day.replace(day=1)


def _month_before(day: date) -> date:
    return _month(_month(day) - timedelta(days=1))


__all__ = ["FACETS", "OUTCOME", "WHOLE", "forget", "keep", "keep_all"]
