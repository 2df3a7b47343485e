"""claim, settle, give up, prune, sweep: the only writer of webhook_delivery once it is announced, and of webhook_try.

The row decides, Redis rings. A worker holds a delivery by lease: `owner`, and `next_attempt_at` put to the lease's end,
so that what a dead one held is due again by itself. Each move names the owner and the try. Every function commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from extensions import db, ring
from models.webhook import TEST, OffReason, Trouble
from models.words import Reason
from webhooks import payload
from webhooks.call import Answer

# How long after the first, second … failed try the next one is made; after the last the delivery is given up.
DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
LONGEST_REST = timedelta(hours=24)  # of what Retry-After may ask for
# An endpoint to which nothing came through for so long, in so many tries, is switched off.
LASTING = timedelta(days=5)
LASTING_TRIES = 10
KEPT_DELIVERED = timedelta(days=30)
KEPT_OTHERWISE = timedelta(days=90)
AT_ONCE = 4  # tries at one endpoint at the same time; one while it fails


@dataclass(frozen=True)
class Claimed:
    """One delivery that a worker holds, with what it takes to send it."""

    id: int
    endpoint_id: int
    message_id: str
    number: int  # of this try, from 1
    since: int  # tries since the list of delays began
    test: bool
    by_hand: bool
    payload: str
    url: str
    secrets: tuple[str, ...]  # sealed, the newest first
    failing: bool


def message_name(message_id: Any) -> str:
    """The webhook-id of a delivery."""
    return f"msg_{message_id.hex}"


_CLAIM = """
WITH due AS (
  SELECT delivery.id FROM webhook_endpoint AS endpoint
  CROSS JOIN (VALUES (true), (false)) AS class (by_hand)
  CROSS JOIN LATERAL (
    SELECT id, next_attempt_at FROM webhook_delivery
    WHERE endpoint_id = endpoint.id AND by_hand = class.by_hand AND state = 'waiting' AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id LIMIT CASE WHEN endpoint.failure_count > 0 THEN 1 ELSE %(each)s::int END
    FOR UPDATE SKIP LOCKED
  ) AS delivery
  WHERE endpoint.id <> ALL (%(busy)s::bigint[]) AND (class.by_hand OR (
    endpoint.paused_at IS NULL AND endpoint.off_at IS NULL
    AND (endpoint.rest_until IS NULL OR endpoint.rest_until <= now())))
  ORDER BY class.by_hand DESC, delivery.next_attempt_at, delivery.id LIMIT %(limit)s
)
UPDATE webhook_delivery AS delivery SET owner = %(owner)s, try_count = try_count + 1,
  next_attempt_at = now() + make_interval(secs => %(lease)s)
FROM due, webhook_endpoint AS endpoint
WHERE delivery.id = due.id AND endpoint.id = delivery.endpoint_id
RETURNING delivery.id, delivery.endpoint_id, delivery.message_id, delivery.try_count, delivery.tries_before,
  delivery.type, delivery.by_hand, delivery.payload, delivery.email_id, delivery.reason, delivery.occurred_at,
  endpoint.url, endpoint.secret, endpoint.failure_count > 0 AS failing,
  CASE WHEN endpoint.old_secret_until > now() THEN endpoint.old_secret END AS old_secret
"""


def claim(owner: str, limit: int, lease: float, busy: Sequence[int] = ()) -> list[Claimed]:
    """Take up to `limit` due deliveries by lease (seconds), what people asked for first; `busy` endpoints are left."""
    values = {"owner": owner, "limit": limit, "each": AT_ONCE, "busy": list(busy), "lease": lease}
    with db.engine.begin() as connection:
        rows = connection.exec_driver_sql(_CLAIM, values).all()
        payloads = _payloads(connection, [row for row in rows if row.payload is None])
    return [
        Claimed(
            row.id, row.endpoint_id, message_name(row.message_id), row.try_count, row.try_count - row.tries_before,
            row.type == TEST, row.by_hand, row.payload or payloads[row.id], row.url,
            tuple(secret for secret in (row.secret, row.old_secret) if secret), row.failing,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]  # fmt: skip


def _payloads(connection: Connection, rows: Sequence[Any]) -> dict[int, str]:
    """Make and keep what those deliveries say; from here on it never changes."""
    if not rows:
        return {}
    emails = payload.rows(connection, {row.email_id for row in rows})
    made = {
        row.id: payload.body(
            row.type, row.occurred_at,
            payload.of_email(row.type, Reason(row.reason) if row.reason else None, emails[row.email_id]),
        )
        for row in rows
    }  # fmt: skip
    connection.exec_driver_sql(
        "UPDATE webhook_delivery SET payload = made.payload "
        "FROM unnest(%(ids)s::bigint[], %(payloads)s::text[]) AS made (id, payload) "
        "WHERE webhook_delivery.id = made.id",
        {"ids": list(made), "payloads": list(made.values())},
    )
    return made


_DUE = """
SELECT EXISTS (
  SELECT FROM webhook_endpoint AS endpoint CROSS JOIN (VALUES (true), (false)) AS class (by_hand)
  CROSS JOIN LATERAL (
    SELECT FROM webhook_delivery WHERE endpoint_id = endpoint.id AND by_hand = class.by_hand AND state = 'waiting'
      AND next_attempt_at <= now() LIMIT 1
  ) AS delivery
  WHERE class.by_hand OR (endpoint.paused_at IS NULL AND endpoint.off_at IS NULL
    AND (endpoint.rest_until IS NULL OR endpoint.rest_until <= now()))
)
"""


def due() -> bool:
    """Whether anything could be claimed now."""
    with db.engine.connect() as connection:
        return bool(connection.exec_driver_sql(_DUE).scalar())


def sweep() -> None:
    """Ring for what no ring announced: called every few seconds, and the net under a lost Redis."""
    if due():
        ring("deliver_webhooks", "work")


_SETTLE = """
WITH moved AS (
  UPDATE webhook_delivery AS delivery SET owner = NULL, by_hand = false,
    last_code = %(code)s, last_trouble = %(trouble)s, state = fate.state,
    finished_at = CASE WHEN fate.state <> 'waiting' THEN clock_timestamp() END,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(delay)s)
  FROM (
    SELECT CASE WHEN %(state)s::text = 'waiting' AND off_at IS NOT NULL THEN 'failed' ELSE %(state)s::text END AS state
    FROM webhook_endpoint WHERE id = %(endpoint)s
  ) AS fate
  WHERE id = %(id)s AND owner = %(owner)s AND try_count = %(number)s AND delivery.state = 'waiting'
), told AS (
  INSERT INTO webhook_try (delivery_id, number, started_at, milliseconds, code, trouble, answer)
  SELECT id, %(number)s, %(started_at)s, %(milliseconds)s, %(code)s::smallint, %(trouble)s::text, %(answer)s
  FROM webhook_delivery WHERE id = %(id)s
)
UPDATE webhook_endpoint SET last_tried_at = clock_timestamp(), last_code = %(code)s, last_trouble = %(trouble)s,
  failing_since = CASE WHEN %(ok)s THEN NULL ELSE coalesce(failing_since, clock_timestamp()) END,
  failure_count = CASE WHEN %(ok)s THEN 0 ELSE failure_count + 1 END,
  rest_until = CASE WHEN %(ok)s THEN NULL ELSE clock_timestamp()
    + make_interval(secs => greatest(%(rest)s::float, least(5 * (failure_count + 1), 300))) END
WHERE id = %(endpoint)s
RETURNING off_at IS NULL AND failing_since <= clock_timestamp() - make_interval(secs => %(lasting)s)
  AND failure_count >= %(lasting_tries)s AS lasting
"""


def settle(owner: str, claimed: Claimed, answer: Answer, started_at: datetime) -> OffReason | None:
    """Write what a try came to and when the next one is; why the endpoint must be switched off now, if it must."""
    delay = None if answer.ok or claimed.test else delay_after(claimed.since, answer.retry_after)
    state = "delivered" if answer.ok else "failed" if delay is None else "waiting"
    values = {
        "id": claimed.id, "endpoint": claimed.endpoint_id, "owner": owner, "number": claimed.number,
        "ok": answer.ok, "state": state, "delay": delay or 0.0, "code": answer.code,
        "trouble": answer.trouble.value if answer.trouble else None, "answer": answer.words,
        "milliseconds": answer.milliseconds, "started_at": started_at,
        "rest": _asked_rest(answer.retry_after), "lasting": LASTING.total_seconds(), "lasting_tries": LASTING_TRIES,
    }  # fmt: skip
    with db.engine.begin() as connection:
        lasting = connection.exec_driver_sql(_SETTLE, values).scalar()
    if answer.code == 410:
        return OffReason.GONE
    return OffReason.FAILING if lasting else None


def delay_after(tries: int, retry_after: float | None = None) -> float | None:
    """Seconds from the failed try of that number (from 1) to the next; None when it was the last one."""
    if tries > len(DELAYS):
        return None
    planned = DELAYS[tries - 1].total_seconds()
    return max(planned, _asked_rest(retry_after)) if retry_after is not None else planned


def _asked_rest(retry_after: float | None) -> float:
    return min(retry_after or 0.0, LONGEST_REST.total_seconds())


_GIVE_UP = """
UPDATE webhook_delivery AS delivery SET state = 'failed', finished_at = now(), owner = NULL, by_hand = false
FROM webhook_endpoint AS endpoint
WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'waiting'
  AND (delivery.owner IS NULL OR delivery.next_attempt_at < now())
"""


def give_up(connection: Connection, endpoint_id: int) -> None:
    """What waits for that endpoint is given up, in the caller's transaction; what a worker holds it settles itself."""
    connection.exec_driver_sql(_GIVE_UP + "AND endpoint.id = %(id)s", {"id": endpoint_id})


def prune() -> int:
    """Delete deliveries whose time is over, 30 days after they were delivered, 90 days after they were given up.

    What has waited 30 days for a paused endpoint is given up, and what a worker that died held for one that is off.
    """
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            _GIVE_UP + "AND (endpoint.off_at IS NOT NULL "
            "OR delivery.created_at < now() - make_interval(secs => %(kept)s) AND delivery.tries_before = 0)",
            {"kept": KEPT_DELIVERED.total_seconds()},
        )
        return connection.exec_driver_sql(
            "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE finished_at IS NOT NULL "
            "AND (finished_at < now() - make_interval(secs => %(other)s) OR (state = 'delivered' "
            "AND finished_at < now() - make_interval(secs => %(delivered)s))) LIMIT 50000)",
            {"delivered": KEPT_DELIVERED.total_seconds(), "other": KEPT_OTHERWISE.total_seconds()},
        ).rowcount


def lost(claimed: Claimed) -> Answer:
    """The answer of a try that fell over on our side."""
    return Answer(None, Trouble.LOST, "", 0)
