"""The moment it is for planning: the database's clock, moved ahead in a demonstration alone.

How far it was moved is a number of seconds in the data folder, which web, workers and commands share. Leases, retries
and histories know nothing of it; in production it does not exist.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from errors import Permanent
from extensions import db, settings

_FURTHEST = timedelta(days=3650)


def now() -> datetime:
    """The moment it is, for plans."""
    return db.session.execute(text("SELECT clock_timestamp()")).scalar_one() + ahead()


def ahead() -> timedelta:
    """How far the demonstration's clock was moved; nothing in production."""
    if settings().production:
        return timedelta()
    try:
        return timedelta(seconds=float(_file().read_text()))
    except (FileNotFoundError, ValueError):
        return timedelta()


def move(to: timedelta) -> None:
    """Set the clock so far ahead of the real one. Raises Permanent in production, and for what no clock can say."""
    if settings().production:
        raise Permanent("the clock of planning cannot be moved in production")
    if not timedelta() <= to <= _FURTHEST:
        raise Permanent("the clock of planning can be moved ahead by ten years at most")
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_text(f"{to.total_seconds()}\n")
    fresh.replace(file)


def _file() -> Path:
    return settings().data / "clock"
