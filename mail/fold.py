"""PURE. Facts → status. Order and repetition cannot matter: the status is the highest key among the facts.

mail.tracking raises the stored status in SQL by the same key; a property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.words import MARK_OF_KIND, EventKind, Mark, Reason, Status, verdict

# Rank 3 to 6: the next server, the operator or the reader had it, so it left.
LEFT_RANKS = range(3, 7)


@dataclass(frozen=True)
class Fact:
    """One thing that happened to an e-mail, as a source says it.

    `occurred_at` (aware) is the source's clock, but for a correction the database's. `source_event_id` is the
    source's own id or a hash: the same (e-mail, source, id, kind) twice is one fact. `data` is kept as JSON; a
    correction's `data["status"]` is the status the person gave.
    """

    email_id: int
    kind: EventKind
    source: str
    source_event_id: str
    occurred_at: datetime
    reason: Reason | None = None
    attempt: int | None = None
    smtp_code: int | None = None
    enhanced_code: str | None = None
    diagnostic: str | None = None
    remote_host: str | None = None
    data: dict[str, Any] | None = None
    inbound_message_id: int | None = None

    @property
    def corrected(self) -> Status | None:
        """The status a person gave, on a correction."""
        return Status(self.data["status"]) if self.data and "status" in self.data else None


Key = tuple[int, datetime, str, str, str, str]


@dataclass(frozen=True)
class Folded:
    """What a set of facts says: `sent_at` is the earliest proof that it left."""

    status: Status
    reason: Reason | None
    marks: Mark
    sent_at: datetime | None


def key(fact: Fact) -> Key | None:
    """What facts are compared by, None for one that only leaves a mark. Text compares by code point (COLLATE "C").

    What they say comes last: a source may give two kinds of news one id, and no order may matter even then.
    """
    said = verdict(fact.kind, fact.reason, fact.corrected)
    if said is None:
        return None
    words = (said.status.value, fact.reason.value if fact.reason else "")
    return (said.rank, fact.occurred_at, fact.source, fact.source_event_id, *words)


def fold(facts: Iterable[Fact]) -> Folded:
    """The status, its reason and the marks of a set of facts about one e-mail."""
    best: tuple[Key, Fact] | None = None
    marks = Mark(0)
    sent_at = None
    for fact in facts:
        marks |= MARK_OF_KIND.get(fact.kind, Mark(0))
        mine = key(fact)
        if mine is None:
            continue
        if mine[0] in LEFT_RANKS and (sent_at is None or fact.occurred_at < sent_at):
            sent_at = fact.occurred_at
        if best is None or mine > best[0]:
            best = (mine, fact)
    if best is None:
        return Folded(Status.REQUESTED, None, marks, sent_at)
    said = verdict(best[1].kind, best[1].reason, best[1].corrected)
    assert said is not None
    return Folded(said.status, best[1].reason, marks, sent_at)
