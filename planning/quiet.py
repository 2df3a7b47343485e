"""Local hours and their moments: when a clock on the wall first reads an hour, and the hours in which nothing leaves.

Pure. An hour that the spring's change skips is the moment of the change; one that the autumn's change repeats is its
first passage, unless that has gone by.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)


def at(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) of that local day at which the clock reads `hour` or later."""
    wanted = datetime.combine(day, hour)
    moment = wanted.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wanted:  # skipped: back to the change itself
        while (moment - _MINUTE).astimezone(zone).replace(tzinfo=None) >= wanted:
            moment -= _MINUTE
    return moment


@dataclass(frozen=True)
class Quiet:
    """The local hours [from, to) in which nothing automatic leaves; the same hour twice means never quiet."""

    start: time
    end: time
    zone: ZoneInfo

    def holds(self, moment: datetime) -> bool:
        """Whether the clock on the wall stands in the quiet hours."""
        local = moment.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def after(self, moment: datetime) -> datetime:
        """The first moment (UTC) from `moment` on that is not quiet."""
        if not self.holds(moment):
            return moment.astimezone(UTC)
        local = moment.astimezone(self.zone)
        day = local.date()
        if self.start > self.end and local.time() >= self.start:
            day += timedelta(days=1)
        end = at(day, self.end, self.zone)
        if end < moment:  # the autumn's second passage of an hour: its end is the second one too
            end = datetime.combine(day, self.end, self.zone).replace(fold=1).astimezone(UTC)
        # a change of hour just before the end may leave the wall quiet again
        return end if not self.holds(end) else self.after(end + _MINUTE)
