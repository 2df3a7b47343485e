"""Which e-mails a worker takes next: fair between organisations, interactive before bulk, within the pace of accounts
and recipient domains. `claim` is one statement, and the only reader of the queue by due time.

E-mails to a domain whose pace is limited are set apart in a lane of their own when they are first met, so that tens of
thousands of them are never walked over again. What a limit is worth now is mail.manners' algebra, said in SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import Engine, create_engine

from extensions import db, settings
from mail.manners import DOUBLING

HOUSE = 0  # the house's account in the tables of pace
_MOST_SORTED = 2000  # entries set apart by one statement
_TRIES = 3


def engine() -> Engine:
    """Connections of the drain's own: each statement is one round trip and one commit, and none is asked first
    whether it still lives (the drain repeats what failed)."""
    engine = current_app.extensions.get("outbox_engine")
    if engine is None:
        made = create_engine(
            db.engine.url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=2,
            connect_args={"connect_timeout": 5, "prepare_threshold": 1},
        )  # fmt: skip
        engine = current_app.extensions.setdefault("outbox_engine", made)  # two threads may come at once
    return engine


@dataclass(frozen=True)
class Claimed:
    """One e-mail a worker holds by lease, with what it needs to send it. `account_id` None is the house's."""

    email_id: int
    organisation_id: int
    sender_id: int
    recipient: str
    attempt: int
    give_up_in: float  # seconds from its claim, by the database's clock: this machine's may be a day off
    skeleton: bytes
    cuts: list[list[Any]]
    size: int
    smtputf8: bool
    account_id: int | None = None
    priority: int = 0  # 0 interactive, 1 bulk

    @property
    def domain(self) -> str:
        """The recipient's domain, in lower case."""
        return self.recipient.rpartition("@")[2].lower()


# Each queue that is not empty, found by descents of ix_outbox_due: as many as there are queues, however long they are.
_QUEUES = """
queue AS (
  (SELECT sender_id, lane, priority FROM outbox_entry WHERE state = 'waiting'
   ORDER BY sender_id, lane, priority LIMIT 1)
  UNION ALL
  SELECT further.* FROM queue CROSS JOIN LATERAL (
    SELECT sender_id, lane, priority FROM outbox_entry
    WHERE state = 'waiting' AND (sender_id, lane, priority) > (queue.sender_id, queue.lane, queue.priority)
    ORDER BY sender_id, lane, priority LIMIT 1
  ) AS further
)"""
_DOMAIN = r"lower(substring(recipient from '[^@]*$'))"


def grown_sql(level: str, most: str) -> str:
    """mail.manners.grown in SQL; NULL once it is whole."""
    age = "greatest(0, extract(epoch FROM now() - pace.slowed_at))"
    now = f"pace.{level} * power(2::float, least(60, {age} / {DOUBLING}))"
    return f"CASE WHEN {now} < pace.{most} THEN {now} END"


# A worker that comes late may catch up with the slots of one second, or with one slot.
_CATCH_UP = "make_interval(secs => greatest(1, 60 / limits.rate))"
# The limits in force: an account's messages a minute (its lines are mail.pace's), a domain's messages and lines.
# A row that another worker is claiming by right now is passed over: its queues wait for the next look.
_LIMITS = f"""
limits AS MATERIALIZED (
  SELECT pace.account_id, pace.domain,
    least({grown_sql("slowed_rate", "whole_rate")}, CASE WHEN pace.domain <> '' THEN pace.per_minute
      WHEN pace.account_id = {HOUSE} THEN %(house)s::int ELSE smtp_account.per_minute END) AS rate,
    CASE WHEN pace.domain <> '' THEN least(pace.lines, {grown_sql("slowed_lines", "whole_lines")}) END AS lines
  FROM pace LEFT JOIN smtp_account ON smtp_account.id = pace.account_id
), held AS MATERIALIZED (
  SELECT pace.account_id, pace.domain, pace.next_at, pace.turn, limits.rate,
    greatest(pace.next_at, now() - {_CATCH_UP}) AS slot,
    least(
      CASE WHEN pace.next_at > now() THEN 0 WHEN limits.rate IS NOT NULL THEN
        1 + floor(extract(epoch FROM now() - greatest(pace.next_at, now() - {_CATCH_UP})) * limits.rate / 60) END,
      CASE WHEN limits.lines IS NOT NULL THEN greatest(0, floor(limits.lines) - (
        SELECT count(*) FROM outbox_entry JOIN sender ON sender.id = outbox_entry.sender_id
        WHERE state <> 'waiting' AND lane = pace.domain AND coalesce(sender.account_id, {HOUSE}) = pace.account_id
      )) END
    )::int AS room
  FROM limits JOIN pace USING (account_id, domain)
  WHERE limits.rate IS NOT NULL OR limits.lines IS NOT NULL OR pace.next_at > now()
  FOR UPDATE OF pace SKIP LOCKED
)"""
_CLAIM = f"""
WITH RECURSIVE {_QUEUES}, {_LIMITS}, served AS (
  SELECT queue.*, sender.organisation_id, coalesce(sender.account_id, {HOUSE}) AS account_id,
    account.turn AS account_turn, way.turn AS lane_turn, account.room AS account_room, way.room AS lane_room
  FROM queue JOIN sender ON sender.id = queue.sender_id
  LEFT JOIN limits AS account_limit
    ON account_limit.account_id = coalesce(sender.account_id, {HOUSE}) AND account_limit.domain = ''
  LEFT JOIN held AS account
    ON account.account_id = coalesce(sender.account_id, {HOUSE}) AND account.domain = ''
  LEFT JOIN limits AS way_limit
    ON way_limit.account_id = coalesce(sender.account_id, {HOUSE}) AND way_limit.domain = lane AND lane <> ''
  LEFT JOIN held AS way
    ON way.account_id = coalesce(sender.account_id, {HOUSE}) AND way.domain = lane AND lane <> ''
  WHERE sender.paused_at IS NULL AND sender.id <> ALL (%(resting)s::bigint[])
    AND coalesce(sender.account_id, {HOUSE}) <> ALL (%(full)s::bigint[])
    AND (queue.priority = 0 OR NOT %(urgent)s AND coalesce(sender.account_id, {HOUSE}) <> ALL (%(busy)s::bigint[]))
    AND (account.room IS NOT NULL OR account_limit.rate IS NULL)
    AND (way.room IS NOT NULL OR (way_limit.rate IS NULL AND way_limit.lines IS NULL))
), met AS (
  SELECT served.organisation_id, served.account_id, priority, account_turn, account_room, email_id, next_attempt_at,
    way_limit.domain IS NOT NULL AS apart, coalesce(way_limit.domain, served.lane) AS lane,
    CASE WHEN way_limit.domain IS NULL THEN lane_room ELSE coalesce(way.room, 0) END AS lane_room,
    CASE WHEN way_limit.domain IS NULL THEN lane_turn ELSE way.turn END AS lane_turn
  FROM served CROSS JOIN LATERAL (
    SELECT email_id, next_attempt_at, {_DOMAIN} AS domain FROM outbox_entry
    WHERE sender_id = served.sender_id AND lane = served.lane AND priority = served.priority AND state = 'waiting'
      AND next_attempt_at <= now() AND (not_after IS NULL OR not_after > now())
    ORDER BY next_attempt_at LIMIT least(%(limit)s, account_room, lane_room)
  ) AS entry
  LEFT JOIN limits AS way_limit ON served.lane = '' AND way_limit.account_id = served.account_id
    AND way_limit.domain = entry.domain AND (way_limit.rate IS NOT NULL OR way_limit.lines IS NOT NULL)
  LEFT JOIN held AS way ON way.account_id = way_limit.account_id AND way.domain = way_limit.domain
), in_lane AS (
  SELECT met.*, row_number() OVER (
      PARTITION BY account_id, lane, organisation_id, priority ORDER BY next_attempt_at, email_id
    ) AS lane_round, hashint8extended(organisation_id, %(seed)s) AS ring
  FROM met
), in_lanes AS (
  SELECT in_lane.*, CASE WHEN lane_room IS NULL THEN 0 ELSE row_number() OVER (
      PARTITION BY account_id, lane
      ORDER BY priority, lane_round, organisation_id <= lane_turn, organisation_id
    ) END AS lane_place
  FROM in_lane
), in_turn AS (
  SELECT in_lanes.*, row_number() OVER (
      PARTITION BY organisation_id, account_id, priority ORDER BY next_attempt_at, email_id
    ) AS round
  FROM in_lanes WHERE lane_room IS NULL OR lane_place <= lane_room
), in_account AS (
  SELECT in_turn.*, row_number() OVER (
      PARTITION BY account_id ORDER BY priority, round, organisation_id <= account_turn, organisation_id
    ) AS account_place
  FROM in_turn
), chosen AS MATERIALIZED (
  SELECT * FROM in_account WHERE account_room IS NULL OR account_place <= account_room
  ORDER BY priority, round, ring LIMIT %(limit)s
), free AS (
  SELECT email_id FROM outbox_entry
  WHERE email_id = ANY (ARRAY(SELECT email_id FROM chosen)) AND state = 'waiting' FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE outbox_entry SET state = 'claimed', owner = %(owner)s, attempt_count = attempt_count + 1,
    lease_until = now() + make_interval(secs => %(lease)s),
    lane = CASE WHEN email_id = ANY (ARRAY(SELECT email_id FROM chosen WHERE apart)) THEN {_DOMAIN} ELSE lane END
  WHERE email_id = ANY (ARRAY(SELECT email_id FROM free)) AND state = 'waiting'
  RETURNING outbox_entry.*
), taken AS (
  SELECT chosen.account_id, way.domain, count(*) AS number,
    (array_agg(chosen.organisation_id ORDER BY chosen.account_place DESC))[1] AS turn
  FROM claimed JOIN chosen USING (email_id) CROSS JOIN LATERAL (SELECT '' UNION SELECT chosen.lane) AS way (domain)
  GROUP BY chosen.account_id, way.domain
), spent AS (
  UPDATE pace SET turn = taken.turn, next_at = CASE WHEN held.rate IS NULL THEN pace.next_at
    ELSE held.slot + make_interval(secs => taken.number * 60 / held.rate) END
  FROM taken JOIN held USING (account_id, domain)
  WHERE pace.account_id = taken.account_id AND pace.domain = taken.domain
), apart AS (
  SELECT email_id FROM outbox_entry
  WHERE email_id = ANY (ARRAY(SELECT email_id FROM met WHERE apart EXCEPT SELECT email_id FROM chosen))
    AND state = 'waiting' FOR UPDATE SKIP LOCKED
), moved AS (
  UPDATE outbox_entry SET lane = {_DOMAIN} WHERE email_id = ANY (ARRAY(SELECT email_id FROM apart))
  RETURNING email_id
)
SELECT figures.*, claimed.email_id, claimed.organisation_id, claimed.sender_id, claimed.recipient,
  attempt_count, extract(epoch FROM give_up_at - now())::float, skeleton, cuts, size, smtputf8,
  nullif(chosen.account_id, {HOUSE}), claimed.priority
FROM (SELECT (SELECT count(*) FROM chosen) AS chosen, (SELECT count(*) FROM moved) AS moved) AS figures
LEFT JOIN (claimed JOIN chosen USING (email_id) JOIN email_content USING (email_id)) ON true
ORDER BY chosen.priority, chosen.round, chosen.ring
"""


# The next of the queues that hold e-mails to limited domains are set apart together.
_SORT = f"""
WITH RECURSIVE {_QUEUES}, {_LIMITS.partition(", held AS")[0]}, limited AS (
  SELECT sender.id AS sender_id, limits.domain FROM limits JOIN sender
    ON coalesce(sender.account_id, {HOUSE}) = limits.account_id
  WHERE limits.domain <> '' AND (limits.rate IS NOT NULL OR limits.lines IS NOT NULL)
), apart AS (
  SELECT email_id FROM outbox_entry WHERE state = 'waiting' AND email_id = ANY (ARRAY(
    SELECT entry.email_id FROM (
      SELECT * FROM queue WHERE lane = '' AND sender_id IN (SELECT sender_id FROM limited)
    ) AS queue CROSS JOIN LATERAL (
      SELECT email_id, {_DOMAIN} AS domain FROM outbox_entry
      WHERE sender_id = queue.sender_id AND lane = '' AND priority = queue.priority AND state = 'waiting'
        AND next_attempt_at <= now()
      ORDER BY next_attempt_at LIMIT {_MOST_SORTED}
    ) AS entry JOIN limited ON limited.sender_id = queue.sender_id AND limited.domain = entry.domain
  )) FOR UPDATE SKIP LOCKED
)
UPDATE outbox_entry SET lane = {_DOMAIN} WHERE email_id = ANY (ARRAY(SELECT email_id FROM apart))"""


def claim(
    owner: str, limit: int, resting: Sequence[int] = (), *, full: Sequence[int | None] = (),
    busy: Sequence[int | None] = (), urgent: bool = False,
) -> list[Claimed]:  # fmt: skip
    """Take up to `limit` due e-mails by lease, interactive before bulk, organisations in turn; committed.

    Senders that are paused or `resting` (their server just failed to answer) are passed over, as are the accounts in
    `full` (None: the house's); those in `busy`, or with `urgent` all of them, give interactive ones alone. What
    accounts and recipient domains may send now is taken from their pace.
    """
    values = {
        "owner": owner,
        "lease": settings().lease,
        "house": settings().mail_per_minute,
        "resting": list(resting),
        "full": [account or HOUSE for account in full],
        "busy": [account or HOUSE for account in busy],
        "urgent": urgent,
        "seed": secrets.randbits(62),
    }
    jobs: list[Claimed] = []
    with engine().connect() as connection:
        for _ in range(_TRIES):
            rows = connection.exec_driver_sql(_CLAIM, values | {"limit": limit - len(jobs)}).all()
            chosen, moved, *_rest = rows[0]
            found = [Claimed(*row[2:]) for row in rows if row[2] is not None]
            jobs += found
            if moved:
                connection.exec_driver_sql(_SORT, values)
            if len(jobs) >= limit or (len(found) == chosen and not moved):
                break
    return jobs


_DUE = f"""
WITH RECURSIVE {_QUEUES}
SELECT EXISTS (
  SELECT FROM queue JOIN sender ON sender.id = queue.sender_id WHERE sender.paused_at IS NULL AND EXISTS (
    SELECT FROM outbox_entry
    WHERE sender_id = queue.sender_id AND lane = queue.lane AND priority = queue.priority AND state = 'waiting'
      AND next_attempt_at <= now() AND (not_after IS NULL OR not_after > now())
  )
)"""


def due() -> bool:
    """Whether anything could be claimed now, or once its pace allows."""
    with db.engine.connect() as connection:
        return bool(connection.exec_driver_sql(_DUE).scalar())
