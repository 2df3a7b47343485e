"""Periods of a filter as days of the organisation's zone, and those days as moments.

Pure: `now` and the zone are given. A period is half-open in moments (start ≤ x < end) and closed in days.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.words import N_, Word


class DateField(Word):
    """Which of an e-mail's dates a period and the order are about."""

    CREATED = ("created", N_("Date de demande"))
    SENT = ("sent", N_("Date d'envoi"))
    UPDATED = ("updated", N_("Dernier changement"))


class Period(Word):
    """A named stretch of days that ends today or holds today; `custom` is from … to."""

    DAY = ("day", N_("Aujourd'hui"))
    WEEK = ("week", N_("Cette semaine"))
    MONTH = ("month", N_("Ce mois-ci"))
    ROLLING_MONTH = ("rolling_month", N_("Un mois glissant"))
    ROLLING_30 = ("rolling_30", N_("30 derniers jours"))
    YEAR = ("year", N_("Cette année"))
    CUSTOM = ("custom", N_("Dates au choix"))


@dataclass(frozen=True)
class Days:
    """First and last day, both included; None is open."""

    first: date | None
    last: date | None

    def moments(self, zone: str) -> tuple[datetime | None, datetime | None]:
        """(start, end) in UTC, end excluded: midnights of `zone`, so a day of 23 or 25 hours is whole."""
        return (
            midnight(self.first, zone) if self.first else None,
            midnight(self.last + timedelta(days=1), zone) if self.last and self.last < date.max else None,
        )


def days(period: Period, now: datetime, zone: str, first: date | None = None, last: date | None = None) -> Days:
    """The days of a period as of the moment `now`; `first` and `last` count for `custom` only. Weeks start Monday."""
    today = now.astimezone(ZoneInfo(zone)).date()
    match period:
        case Period.DAY:
            return Days(today, today)
        case Period.WEEK:
            monday = today - timedelta(days=today.weekday())
            return Days(monday, monday + timedelta(days=6))
        case Period.MONTH:
            return Days(today.replace(day=1), today.replace(day=calendar.monthrange(today.year, today.month)[1]))
        case Period.ROLLING_MONTH:
            return Days(same_day_last_month(today), today)
        case Period.ROLLING_30:
            return Days(today - timedelta(days=29), today)
        case Period.YEAR:
            return Days(date(today.year, 1, 1), date(today.year, 12, 31))
        case _:
            return Days(first, last)


def next_month(day: date) -> date:
    """The first day of the month after that of `day`."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def same_day_last_month(day: date) -> date:
    """22/11 → 22/10; 31/03 → the last of February."""
    last_of_previous = day.replace(day=1) - timedelta(days=1)
    return last_of_previous.replace(day=min(day.day, last_of_previous.day))


def midnight(day: date, zone: str) -> datetime:
    """The first moment of a day in `zone`, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def read_day(text: str) -> date | None:
    """2026-11-22 or 22/11/2026, between 1900 and 2199; None for anything else."""
    text = text.strip()[:10]
    if not text:  # refusing it twice takes as long as the rest of an empty question
        return None
    for pattern in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            day = datetime.strptime(text, pattern).date()
        except ValueError:
            continue
        return day if 1900 <= day.year <= 2199 else None
    return None


_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})|(?P<month2>\d{1,2})/(?P<year2>\d{4})", re.ASCII)
_TODAY = {"aujourd'hui", "aujourd’hui", "aujourdhui", "today"}
_YESTERDAY = {"hier", "yesterday"}


def read_stretch(text: str, today: date) -> tuple[date, date] | None:
    """(first, last) of a day, a month (2026-10, 10/2026), a year, today or yesterday as people write them; None for
    anything else."""
    word = text.strip().lower()
    if word in _TODAY or word in _YESTERDAY:
        day = today - timedelta(days=word in _YESTERDAY)
        return day, day
    if len(word) == 4 and word.isascii() and word.isdigit():
        first, last = read_day(f"{word}-01-01"), read_day(f"{word}-12-31")
    elif month := _MONTH.fullmatch(word):
        year, number = int(month["year"] or month["year2"]), int(month["month"] or month["month2"])
        first = read_day(f"{year:04d}-{number:02d}-01")
        last = first and first.replace(day=calendar.monthrange(year, number)[1])
    else:
        first = last = read_day(word) if len(word) <= 10 else None
    return (first, last) if first and last else None
