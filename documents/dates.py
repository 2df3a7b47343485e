"""Days and hours in the recipient's language and the organisation's zone, for letters and documents.

i18n's filters speak the language of the page; a letter speaks the language of the person it goes to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date

from models import Contact, Module, TrainingSession

_LOCALES = {"fr": "fr_FR", "en": "en_GB"}
_NO_BREAK = "\u00a0"


@lru_cache(maxsize=4096)
def _written(day: date, pattern: str, language: str) -> str:
    text = format_date(day, pattern, locale=_LOCALES.get(language, "fr_FR"))
    # Babel does not know the French *er* of the first of a month
    return re.sub(r"(?<!\d)1(?=( \D|$))", "1er", text, count=1) if language == "fr" and day.day == 1 else text


def long_date(day: date, language: str = "fr") -> str:
    """`mardi 1er décembre 2026` · `Tuesday 1 December 2026`."""
    return _written(day, "EEEE d MMMM y", language)


def plain_date(day: date, language: str = "fr") -> str:
    """`1er décembre 2026` · `1 December 2026`."""
    return _written(day, "d MMMM y", language)


def span(first: date | None, last: date | None, language: str = "fr") -> str:
    """`le 1er décembre 2026`, `du 1er au 3 décembre 2026`; empty without dates."""
    if first is None:
        return ""
    if last is None or last == first:
        return ("le " if language == "fr" else "on ") + plain_date(first, language)
    pattern = "d" if (first.month, first.year) == (last.month, last.year) else "d MMMM"
    start = _written(first, pattern if first.year == last.year else "d MMMM y", language)
    joined = "du {} au {}" if language == "fr" else "from {} to {}"
    return joined.format(start, plain_date(last, language))


def hour(moment: datetime, zone: str, language: str = "fr") -> str:
    """`9 h 00` · `09:00`, in `zone`."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.hour}{_NO_BREAK}h{_NO_BREAK}{local:%M}" if language == "fr" else f"{local:%H:%M}"


def local_day(moment: datetime, zone: str) -> date:
    """The day of a moment, in `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def today(zone: str) -> date:
    """The day it is in `zone`."""
    return local_day(datetime.now(UTC), zone)


def days_of(
    training_session: TrainingSession, zone: str, modules: Sequence[Module] | None = None
) -> tuple[date | None, date | None]:
    """The first and last day of a session (or of these modules of it): its modules' own, else what the session says."""
    modules = training_session.modules if modules is None else modules
    if not modules:
        return training_session.starts_on, training_session.ends_on
    return local_day(min(m.starts_at for m in modules), zone), local_day(max(m.ends_at for m in modules), zone)


def followed(training_session: TrainingSession, contact: Contact | None) -> list[Module]:
    """The modules that a person follows, by their start; all of them where nothing else is said."""
    modules = sorted(training_session.modules, key=lambda module: module.starts_at)
    if contact is None or contact.id is None:
        return modules
    for enrolment in training_session.enrolments:
        if enrolment.contact_id == contact.id:
            return chosen(modules, enrolment.module_ids)
    return modules


def chosen(modules: list[Module], ids: Sequence[int]) -> list[Module]:
    """Those of the modules that `ids` name; all of them where it names none."""
    wanted = set(ids)
    return [module for module in modules if module.id in wanted] or modules


def length(modules: Sequence[Module]) -> timedelta:
    """How long these modules last together."""
    return sum((module.ends_at - module.starts_at for module in modules), timedelta())


def duration(time: timedelta, language: str = "fr") -> str:
    """`14 heures`, `3 h 30` · `14 hours`, `3 h 30`; empty for none."""
    minutes = round(time.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    if not minutes:
        return ""
    if rest:
        return f"{hours}{_NO_BREAK}h{_NO_BREAK}{rest:02}"
    one, many = ("heure", "heures") if language == "fr" else ("hour", "hours")
    return f"{hours}{_NO_BREAK}{one if hours < 2 else many}"
