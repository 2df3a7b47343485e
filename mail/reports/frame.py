"""What every kind of report has in common: its own words, its correlation keys, whom it reached, when."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mail.reports import addresses, kinds
from mail.reports.mime import Message
from mail.reports.report import Report
from mail.reports.returned import message_id_of

EXCERPT = 2000  # characters of the human text that are kept
_REACHED_BY = (
    "x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "apparently-to", "to", "cc",
)  # fmt: skip


def ours(message: Message) -> frozenset[str]:
    """Addresses that the report was sent to or from: seldom its subject."""
    values = [message.headers.text(name) for name in ("to", "from", "delivered-to", "return-path")]
    return frozenset(a.lower() for value in values for a in addresses.find(value))


def base_of(message: Message, seen: kinds.Signs, human: str) -> dict:
    """The fields of a Report that its headers and words give whatever its kind."""
    headers = message.headers
    to: list[str] = []
    for name in _REACHED_BY:
        for value in headers.all(name):
            to.extend(a for a in addresses.find(value) if a.lower() not in {t.lower() for t in to})
    return {
        "envelope_to": to[:20],
        "occurred_at": date_of(headers.get("date")),
        "own_id": message_id_of(headers),
        "null_sender": seen.null_sender,
        "excerpt": human.strip()[:EXCERPT],
        "sender": headers.text("from")[:300],
        "subject": headers.text("subject")[:300],
    }


def report_of(base: dict, **values: object) -> Report:
    """The Report made of `base` and what its reader found."""
    return Report(**{**base, **values})  # type: ignore[arg-type]


def id_in_text(human: str) -> str | None:
    """A Message-ID named in the report's own words (PMDF, Exchange, Domino)."""
    match = re.search(r"message[\- ]?id\s{0,4}[:=]?\s{0,4}(<[^<>\s]{3,300}@[^<>\s]{1,200}>)", human[:20000], re.I)
    return match[1] if match else None


def date_of(value: str | None) -> datetime | None:
    """An RFC 5322 date in UTC, None when it is none."""
    try:
        found = parsedate_to_datetime((value or "")[:100])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
