"""Words on screen: French message ids, an English catalogue, French typography, dates in the organisation's zone.

Templates and modules write French with plain spaces and straight apostrophes; french() adds the narrow spaces and
the typographic apostrophe when the page is French. The English catalogue is translations/en, read as it is written:
nothing to compile, so nothing stale.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import flask_babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, current_app, g, has_request_context, request, session
from flask_login import current_user
from markupsafe import Markup

from models.words import N_

__all__ = ["LANGUAGES", "N_", "_", "gettext", "language", "ngettext", "setup", "zone"]

LANGUAGES = {"fr": "Français", "en": "English"}
_CATALOGUE = Path(__file__).parent / "translations" / "en" / "LC_MESSAGES" / "messages.po"
_NARROW, _WIDE = "\u202f", "\u00a0"
_SPACING = (
    (re.compile(r"(?<=\d) (?=\d{3}\b)"), _NARROW),
    (re.compile(r" ([;!?])"), _NARROW + r"\1"),
    (re.compile(r" (:|%(?!\()|€|»)"), _WIDE + r"\1"),
    (re.compile(r"« "), "«" + _WIDE),
    (re.compile(r"(?<=\w)'(?=[\w«%])"), "’"),
)


@lru_cache(maxsize=4096)
def french(text: str) -> str:
    """French typography: U+202F before ; ! ? and between thousands, U+00A0 before : % € and inside guillemets, ’."""
    for pattern, by in _SPACING:
        text = pattern.sub(by, text)
    return text


@lru_cache(maxsize=1)
def english() -> GNUTranslations:
    """The English catalogue. setup() reads it (a tenth of a second), so that no page waits for it."""
    with _CATALOGUE.open("rb") as source:
        catalogue = read_po(source, locale="en")
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def language() -> str:
    """The page's language: the person's choice, then their account's, then the browser's, then French."""
    if (known := g.get("language")) is not None:  # asked for fifty times a page
        return str(known)
    chosen = None
    if has_request_context():
        chosen = session.get("language")
        if chosen not in LANGUAGES and current_user and current_user.is_authenticated:
            chosen = current_user.language
        if chosen not in LANGUAGES:
            chosen = request.accept_languages.best_match(list(LANGUAGES))
    g.language = chosen if chosen in LANGUAGES else "fr"
    return g.language


def zone() -> str:
    """The zone that days and hours are shown in: the organisation's (a public page says in g.zone whose it is)."""
    if "zone" in g:
        return str(g.zone)
    if has_request_context() and current_user and current_user.is_authenticated:
        return current_user.organisation.timezone
    return str(current_app.extensions["sillage"].timezone)


def gettext(text: str, **variables: Any) -> str:
    """The text in the page's language. Values are put in after translation and typography."""
    text = str(text)
    if not text:  # the empty message id is the catalogue's header
        return ""
    out = english().gettext(text) if language() == "en" else french(text)
    return out % variables if variables else out


def ngettext(one: str, many: str, num: float, **variables: Any) -> str:
    """Like gettext, by number; French takes the singular for 0 and 1. `%(num)s` is the number, localised."""
    return _numbered(one, many, num) % variables


@lru_cache(maxsize=4096)
def _decimal(_language: str, number: float) -> str:
    return flask_babel.format_decimal(number)


def _numbered(one: str, many: str, num: float) -> str:
    out = english().ngettext(one, many, num) if language() == "en" else french(one if abs(num) < 2 else many)
    return out.replace("%(num)s", _decimal(language(), num))


_ = gettext


def _stamp(moment: datetime | date | None, shown: str, full: str, mark: str = "") -> Markup | str:
    if moment is None:
        return ""
    iso = moment.isoformat(timespec="seconds") if isinstance(moment, datetime) else moment.isoformat()
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(iso, full, Markup(mark), shown)


def _local(moment: datetime) -> datetime:
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(zone()))


def _full(local: datetime) -> str:
    return f"{long_date(local.date())} {local:%H:%M:%S} ({zone()})"


def long_date(day: date) -> str:
    """`mardi 1er décembre 2026` · `Tuesday 1 December 2026` (Babel does not know the French *er*)."""
    text = flask_babel.format_date(day, "EEEE d MMMM yyyy", rebase=False)
    return re.sub(r"\b1 (?=\D+ \d{4})", "1er ", text, count=1) if language() == "fr" and day.day == 1 else text


def date_filter(moment: datetime | date | None) -> Markup | str:
    """22/11/2026, with the long date as title."""
    if moment is None:
        return ""
    day = _local(moment).date() if isinstance(moment, datetime) else moment
    return _stamp(day, day.strftime("%d/%m/%Y"), long_date(day))


def datetime_filter(moment: datetime | None) -> Markup | str:
    """22/11/2026 09:14, with the long date, the seconds and the zone as title."""
    if moment is None:
        return ""
    local = _local(moment)
    return _stamp(local, f"{local:%d/%m/%Y %H:%M}", _full(local))


def longdate_filter(moment: datetime | date | None) -> str:
    """mardi 1er décembre 2026, as plain text."""
    if moment is None:
        return ""
    return long_date(_local(moment).date() if isinstance(moment, datetime) else moment)


def time_filter(moment: datetime | None) -> Markup | str:
    """09:14, with the full stamp as title."""
    if moment is None:
        return ""
    local = _local(moment)
    return _stamp(local, f"{local:%H:%M}", _full(local))


_MINUTES = (N_("dans %(number)s min"), N_("il y a %(number)s min"))  # to come, gone by
_HOURS = (N_("dans %(number)s h"), N_("il y a %(number)s h"))
_DAYS = (N_("dans %(number)s jours"), N_("il y a %(number)s jours"))
_NEAR = {-1: N_("demain à %(hour)s"), 0: N_("aujourd'hui à %(hour)s"), 1: N_("hier à %(hour)s")}  # days gone by


def ago(moment: datetime, now: datetime) -> str:
    """How far `moment` is from `now`, in words: `il y a 3 min`, `hier à 09:14`, `dans 2 h`, `le 03/10/2026`.

    Days are the shown zone's, so that *hier* is yesterday there, an hour put forward or back included. Minutes gone by
    are whole, minutes to come are begun ones; beyond 30 days it is the date. static/js/ago.js says the same as time
    goes on: change both.
    """
    local, today = _local(moment.replace(microsecond=0)), _local(now).date()
    gone = int((now.replace(microsecond=0) - local).total_seconds())
    if -30 < gone < 60:
        return gettext("à l'instant")
    apart, past = abs(gone), gone > 0
    if (minutes := apart // 60 if past else -(-apart // 60)) < 60:
        return gettext(_MINUTES[past], number=minutes)
    days = (today - local.date()).days
    if days == 0 and apart < 6 * 3600:
        return gettext(_HOURS[past], number=(apart + 1800) // 3600)
    if abs(days) < 2:
        return gettext(_NEAR[days], hour=f"{local:%H:%M}")
    if abs(days) <= 30:
        return gettext(_DAYS[past], number=abs(days))
    return gettext("le %(day)s", day=f"{local:%d/%m/%Y}")


def ago_filter(moment: datetime | None) -> Markup | str:
    """How long ago, with the exact stamp as title. For where one asks that; proofs and sorted lists are exact."""
    if moment is None:
        return ""
    local = _local(moment)
    return _stamp(local, ago(moment, datetime.now(UTC)), _full(local), " data-ago")


def number_filter(number: float | int | None) -> str:
    """1 234 567 in the page's language."""
    return "" if number is None else _decimal(language(), number)


def size_filter(size: int | None) -> str:
    """12 Ko · 12 kB, 3,4 Mo · 3.4 MB (decimal units, as file managers show)."""
    if size is None:
        return ""
    unit = "o" if language() == "fr" else "B"
    value, name = float(size), ""
    for name in ("", "k" if language() == "en" else "K", "M", "G"):
        if value < 1000 or name == "G":
            break
        value /= 1000
    number = flask_babel.format_decimal(round(value, 1 if value < 10 and name else 0))
    return f"{number}{_WIDE}{name}{unit}"


def setup(app: Flask) -> None:
    """Hang Babel, the gettext functions and the filters on the app."""
    english()
    flask_babel.Babel(
        app,
        default_locale="fr",
        default_timezone=str(app.extensions["sillage"].timezone),
        locale_selector=language,
        timezone_selector=zone,
    )
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, _numbered, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.filters.update(
        date=date_filter,
        datetime=datetime_filter,
        ago=ago_filter,
        longdate=longdate_filter,
        time=time_filter,
        number=number_filter,
        size=size_filter,
    )
