"""Today as the tests' organisations have it: theirs is Paris, and for two hours a night that is not UTC's day."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


def today() -> date:
    return datetime.now(PARIS).date()
