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
_BEGINNING = 65536  # characters of a message in which a token is looked for
_PLUS = re.compile(r"\+[^@]*@")
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
    for kind, key, texts in _keys(report):
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


def owner(report: Report | None, raw: bytes) -> int | None:
    """The organisation whose message this certainly is, though it matches no attempt: the one whose token it bears
    (signed by us, whatever its age), else the only one that owns the address it came to or the returned message's From.

    Of an unreadable one (`report` None) only tokens in its beginning are looked for. None: nobody's but the operator's.
    """
    if report is None:
        texts = [raw[:_BEGINNING].decode("ascii", "replace")]
        keys = [(kind, texts) for kind in ("verp", "envid", "mid")]
    else:
        keys = [(kind, texts) for kind, _, texts in _keys(report)]
    for kind, texts in keys:
        for email_id in (_read(kind, candidate) for candidate in texts):
            found = (
                email_id
                and db.session.execute(
                    text("SELECT organisation_id FROM email WHERE id = :id"), {"id": email_id}
                ).scalar()
            )
            if found:
                return int(found)
    if report is None:
        return None
    named = {_PLUS.sub("@", a.lower()) for a in (*report.envelope_to, report.returned_from or "") if "@" in a}
    owners = db.session.execute(
        text(
            "SELECT DISTINCT organisation_id FROM sender "
            "WHERE lower(address) = ANY(:named) OR lower(bounce_address) = ANY(:named)"
        ),
        {"named": list(named)},
    ).scalars()
    certain = list(owners)
    return int(certain[0]) if len(certain) == 1 else None


def _keys(report: Report) -> tuple[tuple[str, str, list[str]], ...]:
    """(kind of token, the key's name, the texts that may hold it), the surest first."""
    return (
        ("verp", "verp", report.envelope_to),
        ("envid", "envid", [report.envid or ""]),
        ("mid", "message-id", [report.message_id or ""]),
    )


def _read(kind: str, candidate: str) -> int | None:
    for found in _TOKEN.finditer(candidate[:_BEGINNING]):
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
