"""What came back by mail takes effect once: a message's sha256 is inserted with its facts in one transaction.

What matches nothing (an orphan) or can't be read (poison: its reader died) waits for a person, who may have it read
again, attach it to an e-mail with a reason, or put it aside. Where messages come from is mail.mailbox's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.exc import InterfaceError, OperationalError

from errors import UserMistake
from extensions import db
from mail import matching, news
from mail.fold import Fact
from mail.matching import Match
from mail.notes import one_line
from mail.reports import Fence, Report
from mail.tracking import jsonb, record
from models import Address, Email, InboundMessage, User
from models.words import N_, EventKind, Reason

log = logging.getLogger("sillage.inbound")

# What is kept of a message: its headers and its words; nobody needs the rest of a 50 MB one.
KEPT = 2 * 1024 * 1024
WAITING = ("orphan", "poison")
FORGOTTEN_AFTER = timedelta(days=30)
# A message whose reader died so many times is filed as poison, and the next one goes on.
_TRIES = 3
_FIELD = re.compile(rb"^(From|Subject):[ \t]*([^\r\n]{0,300})", re.IGNORECASE | re.MULTILINE)
# What a person may say that a message means, when its readers can't.
MEANINGS = (EventKind.BOUNCED, EventKind.DELAYED, EventKind.DELIVERED, EventKind.AUTO_REPLIED)


@dataclass(frozen=True)
class Arrival:
    """A message in a mailbox, its first KEPT bytes; `size` is the whole one's, `done()` flags it there as read."""

    mailbox: str
    raw: bytes
    done: Callable[[], None]
    size: int | None = None


def take(arrivals: Iterator[Arrival], most: int | None = None) -> int:
    """Apply arrivals one by one, each in a transaction of its own; after `most` new ones stop. Returns how many had an
    effect or were filed."""
    count = 0
    with Fence() as fence:
        for arrival in arrivals:
            digest = hashlib.sha256(arrival.raw).hexdigest()
            if not _known(digest):
                count += _filed(arrival, digest, _read(fence, arrival.raw))
            arrival.done()
            if count == most:
                break
    return count


def look_again(message: InboundMessage) -> str:
    """Read a waiting message anew, with the readers of today, in the caller's transaction. Returns its outcome."""
    held = _held(message)
    with Fence() as fence:
        report = _read(fence, held.raw)
    about, facts = _facts(report, held.sha256, held.id)
    record(facts)
    held.outcome, held.kind = _outcome(report, about, facts), report.kind if report else ""
    held.summary, held.tries = json.loads(jsonb(_summary(report, held.raw))), min(held.tries + 1, 1000)
    held.organisation_id = about.organisation_id if about else matching.owner(report, held.raw)
    return held.outcome


def attach(
    message: InboundMessage, email: Email, *, by: User, note: str, meaning: EventKind | None = None,
    reason: Reason | None = None,
) -> None:  # fmt: skip
    """Say by hand that a waiting message is about an e-mail, in the caller's transaction: what it says becomes facts,
    or (`meaning`, with a `reason` for a failure) what the person says that it means. The message is the evidence.

    A failure told so closes no address: only a report that matched by a key of ours does. UserMistake without a note,
    for an e-mail that never left, and for a message that says nothing while the person doesn't either.
    """
    note = one_line(note)
    if not note:
        raise UserMistake(N_("Dites comment vous savez que ce message parle de cet e-mail."), "note")
    if not has_left(email):
        raise UserMistake(N_("Cet e-mail n'est jamais parti : rien ne peut en revenir."), "email")
    held = _held(message)
    said = {"key": "by-hand", "by": by.name, "note": note}
    facts = [_stated(email, held, meaning, reason, note)] if meaning else _read_facts(email, held)
    if not facts:
        raise UserMistake(N_("Ce message ne dit rien d'un e-mail : dites ce qu'il signifie."), "meaning")
    record(replace(fact, data=(fact.data or {}) | said | {"address_dead": None}) for fact in facts)
    _handled(held, "applied", by, note)


def dismiss(message: InboundMessage, *, by: User | None, note: str = "") -> None:
    """Put a waiting message aside, in the caller's transaction; without `by` by the operator."""
    _handled(_held(message), "dismissed", by, one_line(note))


def forget() -> int:
    """Delete what had no effect and is older than FORGOTTEN_AFTER. What is evidence of a fact stays with it."""
    gone = db.session.execute(
        text(
            "DELETE FROM inbound_message WHERE id IN (SELECT id FROM inbound_message "
            "WHERE outcome IN ('orphan', 'poison', 'ignored', 'dismissed') AND received_at < now() - :age LIMIT 10000)"
        ),
        {"age": FORGOTTEN_AFTER},
    ).rowcount  # type: ignore[attr-defined]
    db.session.commit()
    return int(gone)


def _read(fence: Fence, raw: bytes) -> Report | None:
    return next((report for report in (fence.read(raw) for _ in range(_TRIES)) if report), None)


def _known(digest: str) -> bool:
    found = db.session.execute(text("SELECT 1 FROM inbound_message WHERE sha256 = :sha256"), {"sha256": digest})
    known = found.scalar() is not None
    db.session.rollback()
    return known


def _filed(arrival: Arrival, digest: str, report: Report | None) -> int:
    try:
        return _apply(arrival, digest, report)
    except (OperationalError, InterfaceError):  # the database is away: the message stays where it is
        raise
    except Exception:  # one that nobody foresaw must not stand before all that come behind it
        log.exception("a message cannot be taken in: %s", digest)
        db.session.rollback()
        return _apply(arrival, digest, None)


def _apply(arrival: Arrival, digest: str, report: Report | None) -> int:
    """File the message and record what it says; 0 when another poller was first. `report` None: its reader died."""
    about, facts = _facts(report, digest)
    organisation_id = about.organisation_id if about else None
    outcome = _outcome(report, about, facts)
    if outcome in WAITING:
        organisation_id = matching.owner(report, arrival.raw)
    inbound_id = db.session.execute(
        text(
            "INSERT INTO inbound_message (sha256, mailbox, kind, outcome, organisation_id, size, raw, summary) "
            "VALUES (:sha256, :mailbox, :kind, :outcome, :organisation, :size, :raw, CAST(:summary AS jsonb)) "
            "ON CONFLICT (sha256) DO NOTHING RETURNING id"
        ),
        {
            "sha256": digest, "mailbox": arrival.mailbox, "kind": report.kind if report else "", "outcome": outcome,
            "organisation": organisation_id, "size": arrival.size or len(arrival.raw), "raw": arrival.raw[:KEPT],
            "summary": jsonb(_summary(report, arrival.raw)),
        },
    ).scalar()  # fmt: skip
    if inbound_id is not None:
        record(replace(fact, inbound_message_id=inbound_id) for fact in facts)
    db.session.commit()
    return int(inbound_id is not None)


def _facts(report: Report | None, digest: str, inbound_id: int | None = None) -> tuple[Match | None, list[Fact]]:
    about = matching.match(report) if report and report.kind != "other" else None
    if report is None or about is None:
        return None, []
    return about, news.facts(report, about, digest[:32], datetime.now(UTC), inbound_id)


def _outcome(report: Report | None, about: Match | None, facts: list[Fact]) -> str:
    if report is None:
        return "poison"
    if report.kind == "other" or (about and not facts):
        return "ignored"
    return "applied" if about else "orphan"


def _summary(report: Report | None, raw: bytes) -> dict[str, Any]:
    """What a list shows of the message. Of an unreadable one: its first lines that look like From and Subject."""
    if report is None:
        found = {name.lower(): value.decode("utf-8", "replace") for name, value in _FIELD.findall(raw[:8192])[:2]}
        return {"from": found.get(b"from", ""), "subject": found.get(b"subject", "")}
    return {
        "from": report.sender, "subject": report.subject, "excerpt": report.excerpt[:1000],
        "recipients": [
            [r.address[:320], r.action or "", r.reason.value if r.reason else ""] for r in report.recipients[:10]
        ],
    }  # fmt: skip


def _held(message: InboundMessage) -> InboundMessage:
    """The message, locked; UserMistake where it waits no more."""
    held = db.session.scalars(
        select(InboundMessage).where(InboundMessage.id == message.id).with_for_update()
        .execution_options(populate_existing=True)
    ).one()  # fmt: skip
    if held.outcome not in WAITING:
        raise UserMistake(N_("Quelqu'un s'est déjà occupé de ce message."))
    return held


def _handled(held: InboundMessage, outcome: str, by: User | None, note: str) -> None:
    held.outcome, held.handled_at, held.handled_note = outcome, datetime.now(UTC), note
    held.handled_by_id = by.id if by else None


def _read_facts(email: Email, held: InboundMessage) -> list[Fact]:
    """What the message itself says, as if it had matched: about our recipient, or where it names another (a forwarded
    address), about that one in our recipient's place."""
    with Fence() as fence:
        report = _read(fence, held.raw)
    if report is None:
        return []
    recipient = db.session.get_one(Address, email.address_id).address.lower()
    for name in [recipient, *(r.address.lower() for r in report.recipients)]:
        about = Match(email.id, email.organisation_id, name, "by-hand")
        facts = news.facts(report, about, held.sha256[:32], datetime.now(UTC), held.id)
        if any(fact.kind is not EventKind.COPY_FAILED for fact in facts):
            return facts
    return []


def _stated(email: Email, held: InboundMessage, meaning: EventKind, reason: Reason | None, note: str) -> Fact:
    if meaning not in MEANINGS:
        raise UserMistake(N_("Choisissez ce que le message signifie."), "meaning")
    return Fact(
        email.id, meaning, "user", f"report:{held.sha256[:32]}", datetime.now(UTC),
        (reason or Reason.UNKNOWN) if meaning is EventKind.BOUNCED else None,
        data={"meaning": meaning.value}, inbound_message_id=held.id,
    )  # fmt: skip


def has_left(email: Email) -> bool:
    """Whether an attempt to hand it over was really made: from nothing else can anything come back."""
    left = "SELECT 1 FROM delivery_event WHERE email_id = :id AND kind IN ('accepted', 'outcome_unknown') LIMIT 1"
    return db.session.execute(text(left), {"id": email.id}).scalar() is not None
