"""Which e-mail a report is about: the VERP token, else the ENVID, else the Message-ID *and* our recipient.

What matches none changes nothing. A report is accepted only for an attempt really made, at most 14 days old.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from extensions import db
from mail import tokens
from mail.reports.report import Report

OLDEST = timedelta(days=14)
_TOKEN = re.compile(rf"(?<![a-z2-7])([a-z2-7]{{{tokens.LENGTH}}})(?![a-z2-7])", re.IGNORECASE)


@dataclass(frozen=True)
class Match:
    """The e-mail a report is about, and the key that said so."""

    email_id: int
    organisation_id: int
    recipient: str  # the envelope's, in lower case
    key: str  # verp, envid, message-id


def match(report: Report) -> Match | None:
    """The e-mail, None for an orphan."""
    for kind, key, texts in (
        ("verp", "verp", report.envelope_to),
        ("envid", "envid", [report.envid or ""]),
        ("mid", "message-id", [report.message_id or ""]),
    ):
        for candidate in texts:
            email_id = _read(kind, candidate)
            found = _attempted(email_id) if email_id else None
            if found is None:
                continue
            organisation_id, recipient = found
            if kind == "mid" and not _names(report, recipient):
                continue
            return Match(email_id, organisation_id, recipient.lower(), key)
    return None


def _read(kind: str, candidate: str) -> int | None:
    for found in _TOKEN.finditer(candidate[:1000]):
        email_id = tokens.read(kind, found[1])
        if email_id is not None:
            return email_id
    return None


def _names(report: Report, recipient: str) -> bool:
    """Whether the report is about our recipient: anyone who got a copy knows the Message-ID."""
    said = {address.lower() for r in report.recipients for address in (r.address, r.original_address) if address}
    return recipient.lower() in said


def _attempted(email_id: int) -> tuple[int, str] | None:
    """(organisation, recipient) when an attempt was really made in the last 14 days."""
    row = db.session.execute(
        text(
            "SELECT email.organisation_id, coalesce(entry.recipient, address.address) FROM email "
            "JOIN address ON address.id = email.address_id LEFT JOIN outbox_entry entry ON entry.email_id = email.id "
            "WHERE email.id = :id AND (entry.state = 'data_begun' OR EXISTS (SELECT FROM delivery_event AS event "
            "WHERE event.email_id = email.id AND event.kind IN ('accepted', 'outcome_unknown') "
            "AND event.occurred_at > now() - :oldest))"
        ),
        {"id": email_id, "oldest": OLDEST},
    ).one_or_none()
    return (row[0], row[1]) if row else None
