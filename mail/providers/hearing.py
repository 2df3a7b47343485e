"""Hearing events: each is kept once however it is told, and becomes a fact of the e-mail it is about.

One about an e-mail whose sending we have not recorded ourselves yet waits for it, up to ten minutes; what matches none
then is an orphan, which a person may attach or put aside. All of a batch takes a handful of statements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text, update

from errors import UserMistake
from extensions import db
from mail import leaving
from mail.fold import Fact
from mail.inbound import has_left
from mail.notes import one_line
from mail.providers import facts, matching
from mail.providers.event import ProviderEvent
from mail.providers.facts import Said
from mail.providers.matching import Found
from mail.tracking import jsonb, kept, record
from models import Email, User
from models import ProviderEvent as Event
from models.provider import Heard, Via
from models.words import N_, EventKind

# An event that comes before our own record is looked at again after so many seconds; then it is an orphan.
RETRIES = (2, 5, 10, 20, 30, 60, 120, 300)

_HEAR = """
INSERT INTO provider_event (organisation_id, account_id, call_id, via, key, event_type, recipient, message_id, said,
                            outcome, email_id, next_try_at, occurred_at)
SELECT %(organisation)s, %(account)s, told.call_id, %(via)s, told.key, told.type, told.recipient, told.message_id,
       told.said::jsonb, told.outcome, told.email_id,
       CASE WHEN told.outcome = 'waiting' THEN clock_timestamp() + make_interval(secs => %(soon)s) END, told.occurred_at
FROM unnest(%(calls)s::bigint[], %(keys)s::text[], %(types)s::text[], %(recipients)s::text[], %(message_ids)s::text[],
            %(said)s::text[], %(outcomes)s::text[], %(email_ids)s::bigint[], %(moments)s::timestamptz[])
  AS told (call_id, key, type, recipient, message_id, said, outcome, email_id, occurred_at)
ON CONFLICT (account_id, key) DO NOTHING RETURNING key
"""


@dataclass(frozen=True)
class Told:
    """One event as it came: by which call (None: a poll), and whether that was a trial of our own."""

    event: ProviderEvent
    call_id: int | None = None
    trial: bool = False


def hear(organisation_id: int, account_id: int, provider: str, told: Iterable[Told], via: Via) -> int:
    """Take in events of an account, in the caller's transaction: what is new is kept, and recorded as facts.

    Returns how many were new.
    """
    unique: dict[str, Told] = {}
    for one in told:
        unique.setdefault(facts.key(one.event), one)
    if not unique:
        return 0
    now, source = datetime.now(UTC), f"{via.value}:{provider}"
    # always in the same order: two workers with the same events never wait for each other
    keys = sorted(unique, key=lambda key: (unique[key].event.timestamp or now, key))
    some = [unique[key] for key in keys]
    events = [one.event for one in some]
    said = [facts.said(event, source, now) for event in events]
    found = matching.match(organisation_id, events)
    outcomes = [_outcome(*each) for each in zip(some, said, found, strict=True)]
    both = zip(said, events, strict=True)
    values = {
        "organisation": organisation_id, "account": account_id, "via": via.value, "soon": RETRIES[0],
        "calls": [one.call_id for one in some], "keys": keys, "types": [event.event_type.value for event in events],
        "recipients": [_text(event.recipient, 320) for event in events],
        "message_ids": [_text(event.header_id or event.message_id, 500) for event in events],
        "said": [jsonb(one.as_json() if one else {}) for one in said],
        "outcomes": [outcome.value for outcome in outcomes],
        "email_ids": [match.email_id if match else None for match in found],
        "moments": [one.occurred_at if one else event.timestamp or now for one, event in both],
    }  # fmt: skip
    new = set(db.session.connection().exec_driver_sql(_HEAR, values).scalars())
    _record(
        fact
        for key, one, match, event, outcome in zip(keys, said, found, events, outcomes, strict=True)
        if key in new and outcome is Heard.APPLIED and one and match
        if (fact := _fact(one, match, event.recipient or ""))
    )
    return len(new)


def _record(batch: Iterable[Fact]) -> None:
    known = list(batch)
    record(known)
    for fact in known:
        if fact.kind is EventKind.UNSUBSCRIBED:
            leaving.left_elsewhere(fact)


def _outcome(told: Told, said: Said | None, found: Found | None) -> Heard:
    if told.trial:
        return Heard.TRIAL
    if said is None:
        return Heard.IGNORED
    if found is None:
        return Heard.ORPHAN
    if not found.left:
        return Heard.WAITING
    return Heard.APPLIED if found.ours or said.kind is EventKind.BOUNCED else Heard.IGNORED


def _fact(said: Said, found: Found, recipient: str) -> Fact | None:
    if found.ours:
        return said.about(found.email_id, found.key)
    return said.about_a_copy(found.email_id, recipient) if said.kind is EventKind.BOUNCED else None


_WAITING = """
SELECT event.id, event.email_id, event.said, event.recipient, event.tries,
  EXISTS (SELECT FROM delivery_event AS own WHERE own.email_id = event.email_id
          AND own.kind IN ('accepted', 'outcome_unknown'))
  OR EXISTS (SELECT FROM outbox_entry AS entry WHERE entry.email_id = event.email_id AND entry.state = 'data_begun')
    AS left
FROM provider_event AS event
WHERE event.outcome = 'waiting' AND event.next_try_at <= clock_timestamp()
ORDER BY event.next_try_at LIMIT 200 FOR UPDATE OF event SKIP LOCKED
"""
_LATER = """
UPDATE provider_event AS event SET tries = tries + 1,
  outcome = CASE WHEN later.wait < 0 THEN 'orphan' ELSE 'waiting' END,
  next_try_at = CASE WHEN later.wait >= 0 THEN clock_timestamp() + make_interval(secs => later.wait) END
FROM unnest(%(ids)s::bigint[], %(waits)s::float8[]) AS later (id, wait) WHERE event.id = later.id
"""


def retry() -> int:
    """Look again at what waits for our own record of its e-mail; committed. Returns how many were applied."""
    rows = db.session.execute(text(_WAITING)).all()
    left, later = [row for row in rows if row.left], [row for row in rows if not row.left]
    _record(Said.of_json(row.said).about(row.email_id, "token") for row in left)
    if left:
        db.session.execute(
            text("UPDATE provider_event SET outcome = 'applied', next_try_at = NULL WHERE id = ANY(:ids)"),
            {"ids": [row.id for row in left]},
        )
    if later:
        waits = [RETRIES[row.tries + 1] if row.tries + 1 < len(RETRIES) else -1 for row in later]
        values: dict[str, Any] = {"ids": [row.id for row in later], "waits": waits}
        db.session.connection().exec_driver_sql(_LATER, values)
    db.session.commit()
    return len(left)


def attach(event: Event, email: Email, *, by: User, note: str) -> None:
    """Say by hand that an orphan is about an e-mail, in the caller's transaction: what it says becomes a fact, with the
    person's name and note. It closes no address, except a complaint's. UserMistake without a note, for an e-mail that
    never left, and where somebody else was faster."""
    note = one_line(note)
    if not note:
        raise UserMistake(N_("Dites comment vous savez que cette nouvelle parle de cet e-mail."), "note")
    if not has_left(email):
        raise UserMistake(N_("Cet e-mail n'est jamais parti : rien ne peut en revenir."), "email")
    held = _held(event)
    fact = Said.of_json(held.said).about(email.id, "by-hand")
    by_hand = {"by": by.name, "note": note, "address_dead": None}
    _record([replace(fact, data=(fact.data or {}) | by_hand)])
    held.email_id = email.id
    _handled(held, Heard.APPLIED, by, note)


def dismiss(event: Event, *, by: User, note: str = "") -> None:
    """Put an orphan aside, in the caller's transaction: it changed nothing and waits no more."""
    _handled(_held(event), Heard.DISMISSED, by, one_line(note))


def dismiss_until(organisation_id: int, newest: int, *, by: User) -> int:
    """Put aside the organisation's orphans up to that one, in the caller's transaction. Returns how many."""
    done = (
        update(Event)
        .where(Event.organisation_id == organisation_id, Event.outcome == Heard.ORPHAN, Event.id <= newest)
        .values(outcome=Heard.DISMISSED, handled_at=datetime.now(UTC), handled_by_id=by.id)
        .execution_options(synchronize_session=False)
    )
    return int(db.session.execute(done).rowcount)  # type: ignore[attr-defined]


def _held(event: Event) -> Event:
    """The event, locked; UserMistake where it waits no more."""
    held = db.session.scalars(
        select(Event).where(Event.id == event.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if held.outcome is not Heard.ORPHAN:
        raise UserMistake(N_("Quelqu'un s'est déjà occupé de cette nouvelle."))
    return held


def _handled(held: Event, outcome: Heard, by: User, note: str) -> None:
    held.outcome, held.handled_at, held.handled_by_id, held.handled_note = outcome, datetime.now(UTC), by.id, note


def _text(value: str | None, longest: int) -> str:
    return kept((value or "")[:longest])
