"""What stands beside a status: chips, and the small line under it. Pure, of a row and a moment (STATUSES.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from models.words import Chip, Mark, QueueState, Reason, Status

# Without news for so long, "sent" says so, and sent and delivered are final.
SETTLED_AFTER = timedelta(hours=72)
# A first try that is due this far ahead was planned so; nearer ones are only about to leave.
_PLANNED_AHEAD = timedelta(minutes=2)
_HOUR_SAYS_IT = timedelta(hours=12)


class Facts(Protocol):
    """What a chip may hang on; history.rows.Row has it all."""

    status: Status
    reason: Reason | None
    marks: int
    open_measured: bool
    is_resend: bool
    created_at: datetime
    sent_at: datetime | None
    queue_state: QueueState | None  # None: nothing left to send
    attempt_count: int | None  # tries made
    next_attempt_at: datetime | None
    sender_paused: bool


@dataclass(frozen=True)
class Shown:
    """A chip as it is shown: the word, and the moment that goes with it (`soon`: the hour alone says it)."""

    chip: Chip
    at: datetime | None = None
    soon: bool = False


def chips(facts: Facts, now: datetime) -> list[Shown]:
    """The chips of an e-mail in a fixed order: what it waits for, what ended it, what was reported, its family."""
    return [*_waiting(facts, now), *_outcome(facts, now), *_reported(facts), *_family(facts)]


def is_final(facts: Facts, now: datetime) -> bool:
    """Opened, undeliverable, failed; sent and delivered once 72 hours old (STATUSES.md)."""
    if facts.status in (Status.SENT, Status.DELIVERED):
        return now - (facts.sent_at or facts.created_at) >= SETTLED_AFTER
    return facts.status in (Status.OPENED, Status.UNDELIVERABLE, Status.FAILED)


def _waiting(facts: Facts, now: datetime) -> Iterator[Shown]:
    if facts.status is not Status.REQUESTED or facts.queue_state is None:
        return
    if facts.queue_state is not QueueState.WAITING:
        yield Shown(Chip.IN_PROGRESS)
        return
    if facts.sender_paused:
        yield Shown(Chip.SENDER_PAUSED)
    if facts.attempt_count:
        yield _at(Chip.RETRY, facts.next_attempt_at, now)
    elif facts.next_attempt_at and facts.next_attempt_at - now > _PLANNED_AHEAD:
        yield _at(Chip.SCHEDULED, facts.next_attempt_at, now)


def _at(chip: Chip, at: datetime | None, now: datetime) -> Shown:
    return Shown(chip, at, soon=at is not None and abs(at - now) < _HOUR_SAYS_IT)


def _outcome(facts: Facts, now: datetime) -> Iterator[Shown]:
    if facts.status is Status.FAILED and facts.reason in (Reason.CANCELLED, Reason.TOO_LATE):
        yield Shown(Chip.CANCELLED if facts.reason is Reason.CANCELLED else Chip.TOO_LATE)
    if facts.status is Status.SENT:
        if facts.marks and facts.marks & Mark.DELAYED:
            yield Shown(Chip.DELAYED)
        if is_final(facts, now):
            yield Shown(Chip.NOT_CONFIRMED)
    if facts.status in (Status.SENT, Status.DELIVERED) and not facts.open_measured:
        yield Shown(Chip.NOT_MEASURED)


def _reported(facts: Facts) -> Iterator[Shown]:
    if not facts.marks:  # most have none, and bits of an enumeration are slow to test
        return
    if facts.marks & Mark.COMPLAINED:
        yield Shown(Chip.COMPLAINT)
    if facts.marks & Mark.AUTO_REPLIED:
        yield Shown(Chip.AUTO_REPLY)
    if facts.marks & Mark.MACHINE_OPENED and facts.status is not Status.OPENED:
        yield Shown(Chip.MACHINE_OPEN)
    # A report of failure after a person's open is about another copy.
    if facts.marks & Mark.COPY_FAILED or (facts.marks & Mark.BOUNCED and facts.status is Status.OPENED):
        yield Shown(Chip.COPY_FAILED)


def _family(facts: Facts) -> Iterator[Shown]:
    if facts.is_resend:
        yield Shown(Chip.OWN_COPY if facts.marks & Mark.OWN_COPY else Chip.IS_RESEND)
    if facts.marks and facts.marks & Mark.RESENT:
        yield Shown(Chip.RESENT)
