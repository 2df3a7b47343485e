"""What a row's template needs ready-made, so that fifty rows cost two milliseconds: dates, badges, addresses.

The markup stays in templates/history/_status.html; a badge with its chips is rendered once per language and kept.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import get_template_attribute, url_for
from markupsafe import Markup

import i18n
from history import Row
from history.chips import Shown
from history.sentences import type_label
from i18n import _
from models.words import Chip, EmailType, Reason, Status

_EVENTS = frozenset(type.value for type in EmailType if "." in type.value)
_EXPLAINED = (Status.UNDELIVERABLE, Status.FAILED, Status.REQUESTED)


class Cells:
    """The pieces of one answer's rows, in its language and zone. `list` is the kind of history they stand in."""

    def __init__(self, kind: str) -> None:
        self.list = kind
        self.language = i18n.language()
        self.zone_name = i18n.zone()
        self.zone = ZoneInfo(self.zone_name)
        self.emails = url_for("emails.index") + "/"
        self.sessions, self.contacts = url_for("sessions.index") + "/", _folder("contacts.emails")
        self.requested, self.changed = _("Demandé le"), _("Dernier changement :")
        self.files = _("Pièces jointes :")
        self.events, self.event = _EVENTS, _("évènement")
        self._types: dict[str, str] = {}

    def stamp(self, at: datetime) -> Markup:
        """The moment as |datetime shows it."""
        iso = at.astimezone(self.zone).isoformat(timespec="seconds")
        day = _long_date(self.language, date.fromisoformat(iso[:10]))
        # Digits, a date's words and a zone's name: nothing of a stranger's.
        title = f"{day} {iso[11:19]} ({self.zone_name})"
        return Markup(f'<time datetime="{iso}" title="{title}">{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:16]}</time>')

    def short(self, at: datetime) -> Markup:
        """The same without its long form."""
        iso = at.astimezone(self.zone).isoformat(timespec="seconds")
        return Markup(f'<time datetime="{iso}">{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:16]}</time>')

    def type(self, code: str) -> str:
        """A type's words in the page's language."""
        if code not in self._types:
            self._types[code] = type_label(code)
        return self._types[code]

    def status(self, row: Row) -> Markup:
        """The badge, the reason under it, the chips."""
        explained = row.status in _EXPLAINED and row.reason is not None and not row.reason.silent
        shown = tuple((item.chip, self._when(item)) for item in row.chips)
        return _status(self.language, row.status, row.reason if explained else None, shown)

    def _when(self, item: Shown) -> str:
        if item.at is None:
            return ""
        local = item.at.astimezone(self.zone)
        return f"{local:%H:%M}" if item.soon else f"{local:%d/%m/%Y %H:%M}"


def _folder(endpoint: str) -> str:
    """/contacts/ from contacts.emails' address."""
    return url_for(endpoint, public_id="*").partition("*")[0]


@lru_cache(maxsize=4096)
def _long_date(_language: str, day: date) -> str:
    return i18n.long_date(day)


@lru_cache(maxsize=4096)
def _status(_language: str, status: Status, reason: Reason | None, chips: tuple[tuple[Chip, str], ...]) -> Markup:
    return Markup(get_template_attribute("history/_status.html", "cell")(status, reason, chips).strip())
