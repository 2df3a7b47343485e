"""Which e-mails a batch of events is about: our token where it comes back, else the Message-ID *and* our recipient.

Only e-mails of the account's own organisation, and only those that were really handed to a server: an event that comes
before our own record of that waits for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from errors import UserMistake
from extensions import db
from mail import tokens
from mail.headers import wire_address
from mail.providers.event import ProviderEvent

_TOKEN = re.compile(rf"(?<![a-z2-7])([a-z2-7]{{{tokens.LENGTH}}})(?![a-z2-7])", re.IGNORECASE)
_MOST_MARKS, _LONGEST_MARK = 20, 1000


@dataclass(frozen=True)
class Found:
    """The e-mail an event is about. `ours` is whether the event's recipient is the e-mail's; `left` whether the e-mail
    is known to have been handed to a server."""

    email_id: int
    key: str  # token or message-id
    ours: bool
    left: bool


def match(organisation_id: int, events: Sequence[ProviderEvent]) -> list[Found | None]:
    """The e-mail of each event, None for an orphan, in one statement for all of them."""
    asked = [_candidates(event) for event in events]
    known = _emails(organisation_id, {email_id for one in asked for email_id, _ in one})
    return [_first(event, one, known) for event, one in zip(events, asked, strict=True)]


def _candidates(event: ProviderEvent) -> list[tuple[int, str]]:
    """The ids our tokens name, the surest first."""
    found = []
    for key, texts in (("token", event.marks), ("message-id", (event.header_id or "", event.message_id or ""))):
        for one in texts[:_MOST_MARKS]:
            for token in _TOKEN.finditer(one[:_LONGEST_MARK]):
                email_id = tokens.read("mid", token[1])
                if email_id is not None:
                    found.append((email_id, key))
    return found


def _emails(organisation_id: int, ids: set[int]) -> dict[int, tuple[str, bool]]:
    if not ids:
        return {}
    rows = db.session.execute(
        text(
            "SELECT email.id, coalesce(entry.recipient, address.address), entry.state = 'data_begun' OR EXISTS ("
            "SELECT FROM delivery_event AS event WHERE event.email_id = email.id "
            "AND event.kind IN ('accepted', 'outcome_unknown')) FROM email "
            "JOIN address ON address.id = email.address_id LEFT JOIN outbox_entry entry ON entry.email_id = email.id "
            "WHERE email.id = ANY(:ids) AND email.organisation_id = :organisation"
        ),
        {"ids": list(ids), "organisation": organisation_id},
    )
    return {email_id: (recipient, bool(left)) for email_id, recipient, left in rows}


def _first(event: ProviderEvent, candidates: list[tuple[int, str]], known: dict[int, tuple[str, bool]]) -> Found | None:
    for email_id, key in candidates:
        if email_id not in known:
            continue
        recipient, left = known[email_id]
        ours = event.recipient is None or _same(event.recipient, recipient)
        if key == "token" or (ours and event.recipient is not None):
            return Found(email_id, key, ours, left)
    return None


def _same(one: str, other: str) -> bool:
    return one == other or _plain(one) == _plain(other)


def _plain(address: str) -> str:
    try:
        return wire_address(address.strip())[0].lower()
    except UserMistake:
        return address.strip().lower()
