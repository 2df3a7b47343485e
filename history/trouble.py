"""What keeps an organisation's e-mails from leaving: senders that are paused, servers that do not answer.

One scalar of the statement that stands beside every page (history.views, history.around), so that it costs none of its
own; a server counts only while something waits for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ScalarSelect, Text, column, text

# mail.away forgets no row that nobody tries any more: tries are four hours apart at most
_FRESH = "interval '5 hours'"
_LINES = f"""
SELECT jsonb_agg(jsonb_build_array(
  sender.id, sender.address, extract(epoch FROM sender.paused_at), sender.paused_why,
  extract(epoch FROM away.since), away.words) ORDER BY sender.address)::text AS trouble
FROM sender LEFT JOIN server_away AS away ON away.account_id = coalesce(sender.account_id, 0)
  AND away.seen_at > now() - {_FRESH}
  AND EXISTS (SELECT FROM outbox_entry WHERE outbox_entry.sender_id = sender.id AND state = 'waiting')
WHERE sender.organisation_id = :o AND (sender.paused_at IS NOT NULL OR away.account_id IS NOT NULL)"""


@dataclass(frozen=True)
class Stopped:
    """A sender whose e-mails wait: paused by a person (no words) or by its server's refusal, or its server is away."""

    sender_id: int
    address: str
    paused_at: datetime | None
    paused_why: str
    away_since: datetime | None
    away_words: str


def lines() -> ScalarSelect[Any]:
    """The text that told() reads, for the organisation `:o`; NULL for no trouble."""
    return text(_LINES).columns(column("trouble", Text)).scalar_subquery()


def told(raw: str | None) -> tuple[Stopped, ...]:
    """The senders that are stopped."""
    return tuple(
        Stopped(sender_id, address, _moment(paused_at), why or "", _moment(since), words or "")
        for sender_id, address, paused_at, why, since, words in json.loads(raw or "[]")
    )


def _moment(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
