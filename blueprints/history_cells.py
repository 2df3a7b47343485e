"""The rows of the history: their templates rendered once for what a row has, then filled row by row.

The markup is that of templates/history/_row.html and _status.html. So fifty rows cost half a millisecond, the first
time they are seen too.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app, get_template_attribute, url_for
from markupsafe import Markup, escape

import i18n
from blueprints import keeping
from blueprints.written import broken
from history import Row
from history.chips import Shown
from history.columns import Column
from history.sentences import type_label
from models.words import Chip, EmailType, Reason, Status

_EVENTS = frozenset(type.value for type in EmailType if "." in type.value)
_TEXTS = 8  # of a row
_EXPLAINED = (Status.UNDELIVERABLE, Status.FAILED, Status.REQUESTED)


class Cells:
    """The rows of one answer, in its language and zone. `list` is the kind of history they stand in."""

    def __init__(self, kind: str) -> None:
        self.list = kind
        self.language = i18n.language()
        self.zone_name = i18n.zone()
        self.zone = ZoneInfo(self.zone_name)
        self.contacts = _folder("contacts.emails")
        self._types: dict[str, str] = {}
        self._days: dict[str, str] = {}
        self._statuses: dict[tuple[Any, ...], str] = {}

    def rows(
        self, rows: Iterable[Row], columns: Iterable[Column], opened: Container[str] = (), oob: bool = False
    ) -> Markup:
        """The rows of the table. Those of `opened` (public ids) stay open; out of band where htmx asks for news."""
        shown = tuple([(column.key, column.css) for column in columns])
        made = _patterns.__wrapped__ if current_app.debug else _patterns  # the template may be at work
        self._pattern = made(self.language, self.list, shown, self.contacts)
        listed = list(rows)
        told = iter(_escaped([text for row in listed for text in self._texts(row)]))
        lines = [
            self._row(row, row.public_id in opened, oob, tuple([next(told) for _text in range(_TEXTS)]))
            for row in listed
        ]
        return Markup("\n".join([f"<template>{one}</template>" for one in lines] if oob else lines))

    def _texts(self, row: Row) -> tuple[str, ...]:
        """What a row shows of people's words, to be escaped."""
        recipient, address = row.recipient, row.address
        if (kind := self._types.get(row.type)) is None:
            kind = self._types[row.type] = type_label(row.type)
        return (
            recipient, address if self.list == "global" and recipient == row.contact_name else recipient, address,
            row.subject, row.session_title or "", row.contact_name or "", kind,
            ", ".join([file.filename for file in row.attachments]) if row.attachment_count else "",
        )  # fmt: skip

    def _row(self, row: Row, opened: bool, oob: bool, told: tuple[str, ...]) -> str:
        who, name, address, subject, session, contact, kind, filenames = told
        alone, lines = name == address, broken(address)
        if alone:
            name = lines
        files, changed = row.attachment_count, self.list == "global" and row.changed_later
        has = (
            "sent" if row.sent_at else "", "changed" if changed else "", "event" if row.type in _EVENTS else "",
            "session" if row.session_id else "", "contact" if row.contact_id else "",
            "" if alone else "address", "files" if files else "", "open" if opened else "",
            "oob" if oob else "",
        )  # fmt: skip
        return self._pattern(has) % {  # ids are of our own making
            "id": row.public_id, "who": who, "stamp": self._stamp(row.sent_at or row.created_at),
            "changed": changed and self._short(row.updated_at), "type": kind,
            "session_id": row.session_id, "session": session, "contact_id": row.contact_id, "contact": contact,
            "name": name, "address": address, "lines": lines, "subject": subject,
            "files": files, "filenames": filenames, "status": self._status(row),
        }  # fmt: skip

    def _stamp(self, at: datetime) -> str:
        """The moment as |datetime shows it."""
        iso = at.astimezone(self.zone).isoformat(timespec="seconds")
        date = iso[:10]
        if (day := self._days.get(date)) is None:
            day = self._days[date] = _long_date(self.language, date)
        # Digits, a date's words and a zone's name: nothing of a stranger's.
        return (
            f'<time datetime="{iso}" title="{day} {iso[11:19]} ({self.zone_name})">'
            f"{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:16]}</time>"
        )

    def _short(self, at: datetime) -> str:
        """The same without its long form."""
        iso = at.astimezone(self.zone).isoformat(timespec="seconds")
        return f'<time datetime="{iso}">{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:16]}</time>'

    def status(self, row: Row) -> Markup:
        """The badge, the reason under it, the chips, for another page's cell."""
        return Markup(self._status(row))

    def _status(self, row: Row) -> str:
        """The badge, the reason under it, the chips: of an e-mail that is no longer to leave, the same for many."""
        key = None
        if row.queue_state is None:
            final = row.status is Status.SENT and row.final
            key = (row.status, row.reason, row.marks, row.open_measured, row.is_resend, final)
            if (known := self._statuses.get(key)) is not None:
                return known
        made = self._made_status(row)
        if key is not None:
            self._statuses[key] = made
        return made

    def _made_status(self, row: Row) -> str:
        reason = row.reason if row.status in _EXPLAINED else None
        if reason is not None and reason.silent:
            reason = None
        shown = tuple([(item.chip, self._when(item)) for item in row.chips])
        return _status(self.language, row.status, reason, shown)

    def _when(self, item: Shown) -> str:
        if item.at is None:
            return ""
        local = item.at.astimezone(self.zone)
        return f"{local:%H:%M}" if item.soon else f"{local:%d/%m/%Y %H:%M}"


def _escaped(texts: list[str]) -> list[str]:
    """The texts as markup, escaped at one blow: no text of the database holds what stands between them."""
    told = str.split(escape("\0".join(texts)), "\0")
    return told if len(told) == len(texts) else [str(escape(text)) for text in texts]


@lru_cache(maxsize=64)
def _patterns(
    _language: str, kind: str, columns: tuple[tuple[str, str], ...], contacts: str
) -> Callable[[tuple[str, ...]], str]:
    """The markup of a row by what it has, of such a table; `contacts` tells the root that the house stands under."""
    return lru_cache(maxsize=512)(
        lambda has: keeping.pattern("history/_row.html", list=kind, columns=columns, contacts=contacts, has=has)
    )


def _folder(endpoint: str) -> str:
    """/contacts/ from contacts.emails' address."""
    return url_for(endpoint, public_id="*").partition("*")[0]


@lru_cache(maxsize=4096)
def _long_date(_language: str, day: str) -> str:
    return i18n.long_date(date.fromisoformat(day))


@lru_cache(maxsize=4096)
def _status(_language: str, status: Status, reason: Reason | None, chips: tuple[tuple[Chip, str], ...]) -> str:
    return str(get_template_attribute("history/_status.html", "cell")(status, reason, chips)).strip()
