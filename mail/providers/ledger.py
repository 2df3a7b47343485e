"""What providers told: a call is kept raw at once, read by a job, each event heard once and made a fact.

An event about an e-mail whose sending we have not recorded ourselves yet waits for it, up to ten minutes; what matches
none then is kept as an orphan. Webhook and poll of an account share its events: whichever is first counts.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from errors import Permanent, Temporary
from extensions import db, on_commit, ring
from mail.fold import Fact
from mail.providers import PROVIDERS, door, facts, matching
from mail.providers.accounts import Called
from mail.providers.event import Call, ProviderEvent, Unreadable
from mail.providers.facts import Said
from mail.providers.matching import Found
from mail.tracking import record
from models.provider import Heard, Via
from models.words import EventKind

log = logging.getLogger("sillage.inbound")

JOB = "apply_provider_calls"
_BATCH = 50
# An event that comes before our own record is looked at again after so many seconds; then it is an orphan.
RETRIES = (2, 5, 10, 20, 30, 60, 120, 300)
_KEPT_CALLS, _KEPT_EVENTS = timedelta(days=30), timedelta(days=90)
# Headers that parse() looks at; credentials and signatures are never kept.
_NEEDED = ("content-type", "svix-id", "webhook-id")


def keep(called: Called, call: Call, nonce: str | None, trial: bool = False) -> bool:
    """Keep an authentic call, in the caller's transaction; a worker is rung after its commit. False for a replay."""
    kept = db.session.execute(
        text(
            "INSERT INTO provider_call (organisation_id, account_id, nonce, headers, body, trial) "
            "VALUES (:organisation, :account, :nonce, :headers, :body, :trial) "
            "ON CONFLICT (account_id, nonce) WHERE nonce IS NOT NULL DO NOTHING RETURNING id"
        ),
        {
            "organisation": called.organisation_id, "account": called.account_id, "nonce": nonce, "body": call.body,
            "headers": json.dumps({name: call.headers[name] for name in _NEEDED if name in call.headers}),
            "trial": trial,
        },
    ).scalar()  # fmt: skip
    if kept is not None:
        on_commit(lambda: ring(JOB, "inbound"))
    return kept is not None


_CLAIM = """
SELECT call.id, call.organisation_id, call.account_id, call.headers, call.body, call.trial, account.provider
FROM provider_call AS call JOIN provider_account AS account ON account.id = call.account_id
WHERE call.state = 'waiting' ORDER BY call.id LIMIT 1 FOR UPDATE OF call SKIP LOCKED
"""


def apply() -> int:
    """Read the calls that wait, each in a transaction of its own, then look again for what waits for its e-mail.

    Returns how many calls were read.
    """
    count = 0
    while count < _BATCH * 20 and _apply_one():
        count += 1
    retry()
    return count


def _apply_one() -> bool:
    row = db.session.execute(text(_CLAIM)).one_or_none()
    if row is None:
        db.session.rollback()
        return False
    state, module = "applied", PROVIDERS[row.provider]
    call = Call(row.headers, row.body)
    try:
        with db.session.begin_nested():
            hear(row.organisation_id, row.account_id, row.provider, module.parse(call), Via.WEBHOOK, row.id, row.trial)
    except Unreadable:
        state = "unreadable"
    except OperationalError:  # a deadlock, the database away: the call waits, and is read again
        db.session.rollback()
        raise
    except Exception:  # a stranger's text that nobody foresaw must not stop the calls behind it
        log.exception("call %s of %s cannot be read", row.id, row.provider)
        state = "unreadable"
    confirms = getattr(module, "confirmation", None)
    where = confirms(call) if confirms and state == "applied" else None
    db.session.execute(
        text("UPDATE provider_call SET state = :state WHERE id = :id"), {"state": state, "id": row.id}
    )  # fmt: skip
    db.session.commit()
    if where:
        _confirm(*where)
    return True


def _confirm(host: str, path: str) -> None:
    """Confirm a subscription that was asked for in an authentic call. Refused or away: the provider asks again."""
    try:
        door.get(host, path)
    except (Temporary, Permanent) as error:
        log.warning("the subscription at %s was not confirmed: %s", host, error)


_HEAR = """
INSERT INTO provider_event (organisation_id, account_id, call_id, via, key, event_type, recipient, message_id, said,
                            outcome, email_id, next_try_at, occurred_at)
SELECT %(organisation)s, %(account)s, %(call)s, %(via)s, told.key, told.type, told.recipient, told.message_id,
       told.said::jsonb, told.outcome, told.email_id,
       CASE WHEN told.outcome = 'waiting' THEN clock_timestamp() + make_interval(secs => %(soon)s) END, told.occurred_at
FROM unnest(%(keys)s::text[], %(types)s::text[], %(recipients)s::text[], %(message_ids)s::text[], %(said)s::text[],
            %(outcomes)s::text[], %(email_ids)s::bigint[], %(moments)s::timestamptz[])
  AS told (key, type, recipient, message_id, said, outcome, email_id, occurred_at)
ON CONFLICT (account_id, key) DO NOTHING RETURNING key
"""


def hear(
    organisation_id: int, account_id: int, provider: str, events: Sequence[ProviderEvent], via: Via,
    call_id: int | None = None, trial: bool = False,
) -> int:  # fmt: skip
    """Take in the events of an account, in the caller's transaction: what is new is kept, and recorded as facts.

    Returns how many were new.
    """
    unique = {facts.key(event): event for event in reversed(events)}
    if not unique:
        return 0
    now, source = datetime.now(UTC), f"{via.value}:{provider}"
    # always in the same order: two calls with the same events never wait for each other
    keys = sorted(unique, key=lambda key: (unique[key].timestamp or now, key))
    told = [unique[key] for key in keys]
    said = [facts.said(event, source, now) for event in told]
    found = matching.match(organisation_id, told)
    outcomes = [_outcome(trial, one, match) for one, match in zip(said, found, strict=True)]
    values = {
        "organisation": organisation_id, "account": account_id, "call": call_id, "via": via.value, "soon": RETRIES[0],
        "keys": keys, "types": [event.event_type.value for event in told],
        "recipients": [_text(event.recipient, 320) for event in told],
        "message_ids": [_text(event.header_id or event.message_id, 500) for event in told],
        "said": [json.dumps(one.as_json() if one else {}).replace("\\u0000", "") for one in said],
        "outcomes": [outcome.value for outcome in outcomes],
        "email_ids": [match.email_id if match else None for match in found],
        "moments": [one.occurred_at if one else event.timestamp or now for one, event in zip(said, told, strict=True)],
    }  # fmt: skip
    connection = db.session.connection()
    new = set(connection.exec_driver_sql(_HEAR, values).scalars())
    batch = [
        fact
        for key, one, match, event, outcome in zip(keys, said, found, told, outcomes, strict=True)
        if key in new and outcome is Heard.APPLIED and one and match
        if (fact := _fact(one, match, event.recipient or ""))
    ]
    record(batch)
    return len(new)


def _outcome(trial: bool, said: Said | None, found: Found | None) -> Heard:
    if trial:
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


def retry() -> int:
    """Look again at what waits for our own record of its e-mail; committed. Returns how many were applied."""
    rows = db.session.execute(text(_WAITING)).all()
    applied: list[int] = []
    batch: list[Fact] = []
    for row in rows:
        if row.left:
            applied.append(row.id)
            batch.append(Said.of_json(row.said).about(row.email_id, "token"))
    record(batch)
    later: list[dict[str, Any]] = [
        {"id": row.id, "wait": RETRIES[row.tries + 1] if row.tries + 1 < len(RETRIES) else -1}
        for row in rows
        if not row.left
    ]
    db.session.execute(
        text("UPDATE provider_event SET outcome = 'applied', next_try_at = NULL WHERE id = ANY(:ids)"), {"ids": applied}
    )
    for one in later:
        db.session.execute(
            text(
                "UPDATE provider_event SET tries = tries + 1, "
                "outcome = CASE WHEN :wait < 0 THEN 'orphan' ELSE 'waiting' END, next_try_at = "
                "CASE WHEN :wait >= 0 THEN clock_timestamp() + make_interval(secs => :wait) END "
                "WHERE id = :id"
            ),
            one,
        )
    db.session.commit()
    return len(applied)


def due() -> bool:
    """Whether something waits to be read or looked at again."""
    asked = (
        "SELECT EXISTS (SELECT FROM provider_call WHERE state = 'waiting') OR EXISTS (SELECT FROM provider_event "
        "WHERE outcome = 'waiting' AND next_try_at <= clock_timestamp())"
    )
    with db.engine.connect() as connection:
        return bool(connection.exec_driver_sql(asked).scalar())


def sweep() -> None:
    """Ring for what no ring announced, and for what waits: called every few seconds."""
    if due():
        ring(JOB, "inbound")


def prune() -> int:
    """Forget calls after 30 days and events after 90; committed. The facts stay."""
    count = 0
    for table, age in (("provider_call", _KEPT_CALLS), ("provider_event", _KEPT_EVENTS)):
        gone = text(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} "
            "WHERE received_at < now() - make_interval(secs => :age) LIMIT 50000)"
        )
        count += db.session.execute(gone, {"age": age.total_seconds()}).rowcount  # type: ignore[attr-defined]
    db.session.commit()
    return count


def _text(value: str | None, longest: int) -> str:
    """A stranger's words as PostgreSQL can keep them."""
    said = (value or "")[:longest].replace("\x00", "\ufffd")
    return said.encode("utf-8", "replace").decode()
