"""Settle the last and mark the next: one statement, one commit, for all the lines of a worker.

A Ledger sends it over a connection of its own without waiting, so that the lines move on meanwhile; it is safe to
repeat when nobody knows whether it was committed. The ordinary batch (e-mails accepted, no more) has a statement of
its own, leaner than mail.tracking's RECORD and held equal to it by a property test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import pq

from extensions import db, settings
from mail.announcing import ANNOUNCED, HEARD
from mail.fold import Fact
from mail.tracking import RECORD, parameters
from models.words import MARK_OF_KIND, EventKind, verdict

# What of tracking.parameters the lean statement takes as it is.
_LEAN_COLUMNS = {
    "email_id": "bigint", "source_event_id": "text", "occurred_at": "timestamptz", "attempt": "smallint",
    "smtp_code": "smallint", "enhanced_code": "text", "diagnostic": "text", "remote_host": "text",
}  # fmt: skip
_ACCEPTED = verdict(EventKind.ACCEPTED, None, None)
assert _ACCEPTED is not None and EventKind.ACCEPTED not in MARK_OF_KIND
_SOURCE = "smtp"
_CONNECT_SECONDS = 5
# Both queues' tables are small and busy, their statistics stale: each row is found by its key, by a plan made once.
_PLANS = "; ".join(
    ["SET plan_cache_mode = force_generic_plan"]
    + [f"SET enable_{way} = off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")]
)


class Unsettled(Exception):
    """The database did not take it: gone, or busy with a conflict. Whether it was committed is not known."""


@dataclass
class Settlement:
    """What one statement writes: facts, and the moves of the entries they are about."""

    facts: list[Fact] = field(default_factory=list)
    done: list[int] = field(default_factory=list)  # outcome known (or unknown for good): the entry goes
    again: list[tuple[int, float]] = field(default_factory=list)  # (e-mail, seconds until the next attempt)
    freed: list[tuple[int, float]] = field(default_factory=list)  # the same, this attempt not counted
    begun: list[int] = field(default_factory=list)  # may write their final dot once this is committed

    def __bool__(self) -> bool:
        return bool(self.facts or self.done or self.again or self.freed or self.begun)

    @property
    def plain(self) -> bool:
        """Whether all it tells is that e-mails, each once, were accepted by the next server."""
        ordinary = all(
            fact.kind is EventKind.ACCEPTED and fact.source == _SOURCE
            and fact.reason is None and fact.data is None and fact.inbound_message_id is None
            for fact in self.facts
        )  # fmt: skip
        return ordinary and len({fact.email_id for fact in self.facts}) == len(self.facts)


# `owner` alone says that an entry is held (a constraint); its state is said so that the planner does not take the
# index of leases, which holds every version of every entry in work, for a short way to a few of them.
_HELD = "owner = %(owner)s AND state || '' <> 'waiting'"
_MOVES = f"""done AS (
  DELETE FROM outbox_entry WHERE email_id = ANY (%(done)s::bigint[]) AND {_HELD}
), again AS (
  UPDATE outbox_entry SET state = 'waiting', owner = NULL, lease_until = NULL,
    attempt_count = attempt_count - uncounted,
    next_attempt_at = clock_timestamp() + make_interval(secs => delay)
  FROM unnest(%(again)s::bigint[], %(delay)s::float[], %(uncounted)s::int[]) AS move (id, delay, uncounted)
  WHERE email_id = move.id AND {_HELD}
), begun AS (
  UPDATE outbox_entry SET state = 'data_begun', lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
  WHERE email_id = ANY (%(begun)s::bigint[]) AND {_HELD} AND lease_until > clock_timestamp()
  RETURNING email_id
)
SELECT email_id FROM begun"""
_WHOLE = f"WITH {RECORD}, {_MOVES}"
# tracking.RECORD for facts that are all acceptances, one an e-mail: nothing to sort, no mark, nobody condemned.
_WINS = f"""({_ACCEPTED.rank}, fresh.occurred_at, '{_SOURCE}' COLLATE "C", fresh.source_event_id COLLATE "C",
         '{_ACCEPTED.status.value}' COLLATE "C", '' COLLATE "C")
        > (email.status_rank, email.status_occurred_at, email.status_source COLLATE "C",
           email.status_event_id COLLATE "C", email.status COLLATE "C", coalesce(email.reason, '') COLLATE "C")"""
_LEAN = f"""WITH incoming AS MATERIALIZED (
  SELECT * FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _LEAN_COLUMNS.items())})
    AS fact ({", ".join(_LEAN_COLUMNS)})
), fresh AS (
  INSERT INTO delivery_event (organisation_id, kind, source, {", ".join(_LEAN_COLUMNS)})
  SELECT email.organisation_id, '{EventKind.ACCEPTED.value}', '{_SOURCE}', fact.*
  FROM incoming AS fact JOIN email ON email.id = fact.email_id
  ON CONFLICT (email_id, source, source_event_id, kind) DO NOTHING
  RETURNING email_id, source_event_id, occurred_at
), {HEARD}, raised AS (
  UPDATE email SET
    sent_at = least(email.sent_at, fresh.occurred_at),
    updated_at = clock_timestamp(),
    status = CASE WHEN {_WINS} THEN '{_ACCEPTED.status.value}' ELSE email.status END,
    reason = CASE WHEN {_WINS} THEN NULL ELSE email.reason END,
    status_rank = CASE WHEN {_WINS} THEN {_ACCEPTED.rank} ELSE email.status_rank END,
    status_occurred_at = CASE WHEN {_WINS} THEN fresh.occurred_at ELSE email.status_occurred_at END,
    status_source = CASE WHEN {_WINS} THEN '{_SOURCE}' ELSE email.status_source END,
    status_event_id = CASE WHEN {_WINS} THEN fresh.source_event_id ELSE email.status_event_id END
  FROM fresh LEFT JOIN heard ON heard.id = fresh.email_id
  WHERE email.id = fresh.email_id
  RETURNING email.id, email.organisation_id, email.status, email.reason, email.status_occurred_at,
    heard.status AS status_before
), {ANNOUNCED}, {_MOVES}"""


def _numbered(statement: str) -> tuple[bytes, list[str]]:
    """A statement of ours with libpq's placeholders, and the names they stand for."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    said = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    return said.replace("%%", "%").encode(), names


_STATEMENTS = {b"settle_whole": _numbered(_WHOLE), b"settle_lean": _numbered(_LEAN)}


class Ledger:
    """One worker's settlements, one at a time: `begin` sends, `pump` hears. `sock` is what to wait on between them."""

    def __init__(self, owner: str) -> None:
        self.owner, self.lease = owner.encode(), str(settings().lease).encode()
        _, self._address = db.engine.dialect.create_connect_args(db.engine.url)
        self._connection: psycopg.Connection[Any] | None = None
        self.busy = False
        self._granted: set[int] = set()

    def begin(self, settlement: Settlement) -> None:
        """Send a settlement, connecting where there is no connection (that alone waits). Raises Unsettled."""
        assert not self.busy
        lean = settlement.plain
        values = _values(settlement, lean) | {"owner": self.owner, "lease": self.lease}
        name = b"settle_lean" if lean else b"settle_whole"
        try:
            wire = self._open()
            wire.send_query_prepared(name, [values[parameter] for parameter in _STATEMENTS[name][1]])
            self.busy = True
            wire.flush()
        except psycopg.Error as error:
            self.close()
            raise Unsettled(str(error)) from error
        self._granted = set()

    @property
    def sock(self) -> int:
        """The socket to wait on while `busy`, to be read from (and written to while `writing`)."""
        assert self._connection is not None
        return self._connection.pgconn.socket

    def pump(self) -> set[int] | None:
        """The e-mails whose final dot may now be written, once it is committed; None while not. Raises Unsettled."""
        assert self._connection is not None
        wire = self._connection.pgconn
        try:
            wire.flush()
            wire.consume_input()
            while not wire.is_busy():
                result = wire.get_result()
                if result is None:
                    self.busy = False
                    return self._granted
                if result.status != pq.ExecStatus.TUPLES_OK:
                    raise Unsettled(result.error_message.decode("utf-8", "replace"))
                self._granted.update(int(result.get_value(row, 0) or 0) for row in range(result.ntuples))
        except psycopg.Error as error:
            self.close()
            raise Unsettled(str(error)) from error
        except Unsettled:
            self.close()
            raise
        return None

    def close(self) -> None:
        """Leave the connection; what was under way may be committed or not."""
        connection, self._connection, self.busy = self._connection, None, False
        if connection is not None:
            connection.close()

    def _open(self) -> pq.abc.PGconn:
        if self._connection is None:
            opened = psycopg.connect(autocommit=True, connect_timeout=_CONNECT_SECONDS, **self._address)
            try:
                opened.execute(_PLANS)  # type: ignore[arg-type]
                for name, (statement, _) in _STATEMENTS.items():
                    result = opened.pgconn.prepare(name, statement)
                    if result.status != pq.ExecStatus.COMMAND_OK:
                        raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
                opened.pgconn.nonblocking = 1
            except BaseException:
                opened.close()
                raise
            self._connection = opened
        return self._connection.pgconn


def settle(owner: str, settlement: Settlement) -> set[int]:
    """The same for whoever has nothing else to move: gives the e-mails whose final dot may now be written.

    Raises Unsettled.
    """
    from select import select

    ledger = Ledger(owner)
    try:
        ledger.begin(settlement)
        while (granted := ledger.pump()) is None:
            select([ledger.sock], [], [])
        return granted
    finally:
        ledger.close()


def _values(settlement: Settlement, lean: bool) -> dict[str, bytes]:
    facts = settlement.facts
    if lean:
        told: dict[str, list[Any]] = {
            "email_id": [fact.email_id for fact in facts],
            "source_event_id": [fact.source_event_id for fact in facts],
            "occurred_at": [fact.occurred_at for fact in facts],
            "attempt": [fact.attempt for fact in facts],
            "smtp_code": [fact.smtp_code for fact in facts],
            "enhanced_code": [fact.enhanced_code for fact in facts],
            "diagnostic": [fact.diagnostic for fact in facts],
            "remote_host": [fact.remote_host for fact in facts],
        }
    else:
        told = parameters(facts)
    moves = [(*move, 0) for move in settlement.again] + [(*move, 1) for move in settlement.freed]
    told |= {
        "done": settlement.done,
        "again": [move[0] for move in moves],
        "delay": [move[1] for move in moves],
        "uncounted": [move[2] for move in moves],
        "begun": settlement.begun,
    }
    return {name: array(values) for name, values in told.items()}


def array(values: Iterable[Any]) -> bytes:
    """An array as PostgreSQL reads it from text: numbers, moments, words and None. What words cannot hold there (NUL,
    lone surrogates) stands replaced."""
    return f"{{{','.join(map(_element, values))}}}".encode("utf-8", "replace")


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if "\\" in value or '"' in value or "\x00" in value:
            value = value.replace("\x00", "\ufffd").replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    return f'"{value.isoformat()}"' if type(value) is datetime else str(value)
