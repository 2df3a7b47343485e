"""cancel, send_now, call_off_…: what a person, the calendar or quarantine decides about what waits in the outbox.

Only an entry that nobody has leased moves, so that no e-mail is cancelled while it may be on the line: from the moment
a worker holds it, the answer is no. Beside mail.outbox the only writer of outbox_entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from sqlalchemy import text

from extensions import db, on_commit, ring
from mail import domain_keys, mime, quarantine, signing
from mail.fold import Fact
from mail.tracking import record
from models import Email, EmailContent, Sender, User
from models.words import EventKind, QueueState, Reason

_WAITING = {"waiting": QueueState.WAITING.value}


def cancel(email: Email, by: User | None) -> bool:
    """Never send an e-mail that has not left, in the caller's transaction: its history says who cancelled it.

    False where it is too late for that: a worker holds it, it has left, or it was cancelled before.
    """
    taken = db.session.execute(
        text("DELETE FROM outbox_entry WHERE email_id = :id AND state = :waiting RETURNING clock_timestamp()"),
        {"id": email.id} | _WAITING,
    ).scalar()
    if taken is None:
        return False
    said = {"by": by.name} if by else None
    record([Fact(email.id, EventKind.NOT_SENT, "user", "cancelled", taken, Reason.CANCELLED, data=said)])
    db.session.expire(email)
    return True


def send_now(email: Email, by: User | None) -> bool:
    """Let an e-mail that was planned for later, or waits for another try, leave at once, in the caller's transaction.

    False where there is nothing to hasten: a worker holds it, it has left, or its time has come already. The Date of
    one never tried becomes today's, and its signature is made anew: a message from the future looks like spam. How
    long it is tried counts from its first moment: hastening a retry takes nothing from that.
    """
    row = db.session.execute(
        text(
            "UPDATE outbox_entry SET next_attempt_at = now(), give_up_at = give_up_at - "
            "  CASE WHEN attempt_count = 0 THEN next_attempt_at - now() ELSE interval '0' END "
            "WHERE email_id = :id AND state = :waiting AND next_attempt_at > now() "
            "RETURNING next_attempt_at, attempt_count"
        ),
        {"id": email.id} | _WAITING,
    ).one_or_none()
    if row is None:
        return False
    content = db.session.get(EmailContent, email.id)
    if content is not None and not row.attempt_count:
        dated = mime.sealed(_dated(content.skeleton, row.next_attempt_at), content.cuts, content.smtputf8)
        frozen = signing.stamped(dated, domain_keys.signer_of(db.session.get_one(Sender, email.sender_id)))
        content.skeleton, content.cuts = frozen.skeleton, frozen.cuts
        content.sha256, content.size = frozen.sha256, frozen.size
    said = {"by": by.name} if by else None
    event_id = f"now {row.next_attempt_at.isoformat()}"
    record([Fact(email.id, EventKind.REQUESTED, "user", event_id, row.next_attempt_at, data=said)])
    on_commit(lambda: ring("drain", "send"))
    return True


def _dated(skeleton: bytes, moment: datetime) -> bytes:
    """The message with another Date, as long as the first: what was cut out of it stays where it was."""
    head, blank, body = skeleton.partition(b"\r\n\r\n")
    line = b"Date: " + format_datetime(moment.astimezone(UTC)).encode()
    return re.sub(rb"(?im)^Date: [^\r\n]*", line, head, count=1) + blank + body


def call_off_late(now: datetime) -> int:
    """Take back what waits past its last moment (not_after), in the caller's transaction: too late, not failed.

    Returns how many e-mails that were. One that a worker holds is left alone: it comes back here, or has left.
    """
    gone = db.session.execute(
        text("DELETE FROM outbox_entry WHERE state = :waiting AND not_after <= :now RETURNING email_id, not_after"),
        {"now": now} | _WAITING,
    ).all()
    record(
        [Fact(row.email_id, EventKind.NOT_SENT, "reaper", "too late", row.not_after, Reason.TOO_LATE) for row in gone]
    )
    return len(gone)


_HELD = """
WITH held AS (
  SELECT entry.email_id, jsonb_build_object(
    'because', held.reason, 'since', held.shown_at, 'shown_by', shown.public_id) AS story
  FROM outbox_entry AS entry
  JOIN suppression AS held ON held.organisation_id = entry.organisation_id AND held.address = lower(entry.recipient)
    AND held.lifted_at IS NULL
  LEFT JOIN email AS shown ON shown.id = held.email_id
  WHERE entry.state = :waiting LIMIT 5000 FOR UPDATE OF entry SKIP LOCKED
), gone AS (
  DELETE FROM outbox_entry USING held WHERE outbox_entry.email_id = held.email_id RETURNING outbox_entry.email_id
)
SELECT held.email_id, held.story, clock_timestamp() AS now FROM held JOIN gone ON gone.email_id = held.email_id
"""


def call_off_held() -> int:
    """Take back what waits for an address that has gone into quarantine meanwhile, in the caller's transaction.

    Returns how many e-mails that were; each has failed with the reason suppressed, as if it were asked for now.
    """
    gone = db.session.execute(text(_HELD), _WAITING).all()
    record([quarantine.not_sent(row.email_id, row.now, row.story) for row in gone])
    return len(gone)


_OF_TYPE = """
DELETE FROM outbox_entry AS entry USING email, address
WHERE entry.state = :waiting AND email.id = entry.email_id AND address.id = email.address_id
  AND email.organisation_id = :organisation AND email.type = :type AND lower(entry.recipient) = :address
RETURNING entry.email_id, clock_timestamp() AS now
"""


def call_off_type(organisation_id: int, address: str, type: str, fact: Callable[[int, datetime], Fact]) -> int:
    """Take back what waits for an address that has left this type of e-mail, in the caller's transaction; `fact` says
    why. Returns how many e-mails that were."""
    values = {"organisation": organisation_id, "address": address, "type": type} | _WAITING
    gone = db.session.execute(text(_OF_TYPE), values).all()
    record([fact(row.email_id, row.now) for row in gone])
    return len(gone)
