"""What providers told: a call is kept raw at once and read by a job, hundreds in one transaction.

What a call's events do is mail.providers.hearing's. A crash, a deadlock or the database away leaves the calls waiting:
they are read again, and what was heard before changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import OperationalError

from errors import Permanent, Temporary
from extensions import db, on_commit, ring
from mail.providers import PROVIDERS, door, signs
from mail.providers.accounts import Called
from mail.providers.event import Call, Unreadable
from mail.providers.hearing import Told, hear, retry
from models.provider import Via

log = logging.getLogger("sillage.inbound")

JOB = "apply_provider_calls"
# One transaction reads so many calls, of so many bytes together (one call at least); a job so many calls.
BATCH, _BYTES, _MOST = 200, 4 * 1024 * 1024, 5000
_KEPT_CALLS, _KEPT_EVENTS = timedelta(days=30), timedelta(days=90)
# Headers that parse() looks at; credentials and signatures are never kept.
_NEEDED = ("content-type", "svix-id", "webhook-id")


def keep(called: Called, call: Call, nonce: str | None, trial: bool = False) -> bool:
    """Keep an authentic call, in the caller's transaction; a worker is rung after its commit. False for a replay.

    Where nothing is signed a replay can't be told from the provider's own repetition: the body that was kept before is
    taken, and not kept again.
    """
    unsigned = nonce is None and not signs(called.module)
    if unsigned:
        nonce = f"body {hashlib.sha256(call.body).hexdigest()}"
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
    return kept is not None or unsigned


_CLAIM = """
WITH waiting AS (
  SELECT id, octet_length(body) AS size FROM provider_call
  WHERE state = 'waiting' ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
), reached AS (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM waiting)
SELECT call.id, call.organisation_id, call.account_id, call.headers, call.body, call.trial, account.provider
FROM reached JOIN provider_call AS call ON call.id = reached.id JOIN provider_account AS account
  ON account.id = call.account_id
WHERE reached.before < :bytes ORDER BY call.id
"""


def apply() -> int:
    """Read the calls that wait, hundreds in a transaction, then look again for what waits for its e-mail.

    Returns how many calls were read.
    """
    count = 0
    while count < _MOST and (read := _apply_some()):
        count += read
    retry()
    return count


def _apply_some() -> int:
    """Read a batch of calls; where something in it can't be taken in, that batch one by one."""
    rows = db.session.execute(text(_CLAIM), {"batch": BATCH, "bytes": _BYTES}).all()
    if not rows:
        db.session.rollback()
        return 0
    try:
        try:
            with db.session.begin_nested():
                states = _hear(rows)
        except OperationalError:
            raise
        except Exception:  # a stranger's text that nobody foresaw must not stop the calls beside it
            log.exception("of %s calls one cannot be taken in", len(rows))
            states = {}
            for row in rows:
                states |= _hear_alone(row)
        db.session.connection().exec_driver_sql(
            "UPDATE provider_call SET state = told.state "
            "FROM unnest(%(ids)s::bigint[], %(states)s::text[]) AS told (id, state) WHERE provider_call.id = told.id",
            {"ids": list(states), "states": list(states.values())},
        )
        db.session.commit()
    except OperationalError:  # a deadlock, the database away: the calls wait, and are read again
        db.session.rollback()
        raise
    for row in rows:
        confirms = getattr(PROVIDERS[row.provider], "confirmation", None)
        if confirms and states[row.id] == "applied" and (where := confirms(Call(row.headers, row.body))):
            _confirm(*where)
    return len(rows)


def _hear(rows: Sequence[Row[Any]]) -> dict[int, str]:
    """Take in calls; says of each whether it could be read."""
    states: dict[int, str] = {}
    told: dict[tuple[int, int, str], list[Told]] = defaultdict(list)
    for row in rows:
        try:
            events = PROVIDERS[row.provider].parse(Call(row.headers, row.body))
        except Unreadable:
            states[row.id] = "unreadable"
            continue
        states[row.id] = "applied"
        told[row.organisation_id, row.account_id, row.provider] += [Told(event, row.id, row.trial) for event in events]
    for account in sorted(told):  # in one order: two workers never wait for each other
        hear(*account, told[account], Via.WEBHOOK)
    return states


def _hear_alone(row: Row[Any]) -> dict[int, str]:
    try:
        with db.session.begin_nested():
            return _hear([row])
    except OperationalError:
        raise
    except Exception:
        log.exception("call %s of %s cannot be read", row.id, row.provider)
        return {row.id: "unreadable"}


def _confirm(host: str, path: str) -> None:
    """Confirm a subscription that was asked for in an authentic call. Refused or away: the provider asks again."""
    try:
        door.get(host, path)
    except (Temporary, Permanent) as error:
        log.warning("the subscription at %s was not confirmed: %s", host, error)


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
