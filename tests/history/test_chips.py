"""Chips beside a status, by the rules of the statuses' table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from history.chips import Shown, chips, is_final
from models.words import Chip, Mark, QueueState, Reason, Status
from tests.history.making import NOW


@dataclass(frozen=True)
class Facts:
    status: Status = Status.SENT
    reason: Reason | None = None
    marks: int = 0
    open_measured: bool = True
    is_resend: bool = False
    created_at: datetime = NOW - timedelta(hours=1)
    sent_at: datetime | None = NOW - timedelta(hours=1)
    queue_state: QueueState | None = None
    attempt_count: int | None = None
    next_attempt_at: datetime | None = None
    sender_paused: bool = False


def waiting(**values: object) -> Facts:
    return replace(Facts(Status.REQUESTED, sent_at=None, queue_state=QueueState.WAITING, attempt_count=0), **values)  # type: ignore[arg-type]


SOON = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), []),
        (waiting(next_attempt_at=NOW), []),
        (waiting(next_attempt_at=LATER), [Shown(Chip.SCHEDULED, LATER)]),
        (waiting(next_attempt_at=SOON, attempt_count=2), [Shown(Chip.RETRY, SOON, soon=True)]),
        (waiting(queue_state=QueueState.CLAIMED), [Shown(Chip.IN_PROGRESS)]),
        (waiting(queue_state=QueueState.DATA_BEGUN), [Shown(Chip.IN_PROGRESS)]),
        (waiting(next_attempt_at=NOW, sender_paused=True), [Shown(Chip.SENDER_PAUSED)]),
        (Facts(Status.FAILED, Reason.CANCELLED), [Shown(Chip.CANCELLED)]),
        (Facts(Status.FAILED, Reason.TOO_LATE), [Shown(Chip.TOO_LATE)]),
        (Facts(Status.FAILED, Reason.USER_UNKNOWN), []),
        (Facts(marks=Mark.DELAYED), [Shown(Chip.DELAYED)]),
        (Facts(Status.DELIVERED, marks=Mark.DELAYED), []),
        (Facts(sent_at=NOW - timedelta(hours=72)), [Shown(Chip.NOT_CONFIRMED)]),
        (Facts(Status.DELIVERED, sent_at=NOW - timedelta(hours=72)), []),
        (Facts(open_measured=False), [Shown(Chip.NOT_MEASURED)]),
        (Facts(Status.OPENED, open_measured=False), []),
        (Facts(Status.DELIVERED, marks=Mark.COMPLAINED | Mark.AUTO_REPLIED),
         [Shown(Chip.COMPLAINT), Shown(Chip.AUTO_REPLY)]),
        (Facts(Status.DELIVERED, marks=Mark.MACHINE_OPENED), [Shown(Chip.MACHINE_OPEN)]),
        (Facts(Status.OPENED, marks=Mark.MACHINE_OPENED | Mark.OPENED), []),
        (Facts(Status.OPENED, marks=Mark.BOUNCED), [Shown(Chip.COPY_FAILED)]),
        (Facts(Status.FAILED, Reason.USER_UNKNOWN, marks=Mark.BOUNCED), []),
        (Facts(marks=Mark.RESENT, is_resend=True), [Shown(Chip.IS_RESEND), Shown(Chip.RESENT)]),
    ],
)  # fmt: skip
def test_chips(facts: Facts, expected: list[Shown]) -> None:
    assert chips(facts, NOW) == expected


def test_final() -> None:
    old = NOW - timedelta(hours=72)
    finals = {s for s in Status if is_final(Facts(s, created_at=old, sent_at=old), NOW)}
    assert finals == {Status.SENT, Status.DELIVERED, Status.OPENED, Status.UNDELIVERABLE, Status.FAILED}
    fresh = {s for s in Status if is_final(Facts(s), NOW)}
    assert fresh == {Status.OPENED, Status.UNDELIVERABLE, Status.FAILED}
