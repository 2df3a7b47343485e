"""What is slowed, in PostgreSQL: halved when a server asks for it, grown back by itself, and told to people.

The algebra is mail.manners'. A reply in the dialogue halves the messages a minute and the lines towards its recipient's
domain, and the account's lines to its server; where a second domain of the account is slowed within a minute, it is the
account that sends too much, and its messages a minute are halved too. A greeting that refuses halves lines alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from extensions import db, settings
from mail.claims import HOUSE, grown_sql
from mail.manners import FEWEST, MOMENT, SLOWEST, grown, halved

ALIVE = 10.0  # seconds after its last beat at which a worker's lines are free again
_MANY_DOMAINS = 60.0  # seconds within which two slowed domains mean the account
_LONGEST_WORDS = 300
_ADDRESS = re.compile(r"[^\s<>\"@]{1,100}@[^\s<>\"]{1,200}")


@dataclass(frozen=True)
class Slowed:
    """A server asked the worker `owner` to slow down: `account` (0: the house's), the recipient's `domain` ("" for a
    greeting), the server's words, how many messages a minute this worker sent to that domain and over the account,
    and, of a greeting, how many lines it had open (0: not known)."""

    owner: str
    account: int
    domain: str
    words: str
    domain_rate: float
    account_rate: float
    open_now: int = 0


def slow(asked: Slowed) -> None:
    """Halve what a reply is about; nothing where that was done in the same moment."""
    with db.engine.begin() as connection:
        know(connection, [asked.account])
        account = _locked(connection, asked.account, "")
        domain = _locked(connection, asked.account, asked.domain) if asked.domain else None
        seen = connection.execute(_DRAINS, {"key": asked.account, "domain": asked.domain, "owner": asked.owner}).one()
        workers = max(1, seen.workers)
        if domain is not None and not _just_slowed(domain):
            _halve(
                connection, domain, asked.words, rate=max(asked.domain_rate * workers, 2 * SLOWEST),
                lines=account.connections, stop=True,
            )  # fmt: skip
        if not _just_slowed(account):
            many = asked.domain and seen.other_domains
            _halve(
                connection, account, asked.words, rate=max(asked.account_rate * workers, 2 * SLOWEST) if many else None,
                lines=account.connections, open_now=asked.open_now and asked.open_now + seen.others,
            )  # fmt: skip


def know(connection: Connection, accounts: Sequence[int]) -> None:
    """See that these accounts have a row, and all that have a limit of messages a minute."""
    house = [HOUSE] if settings().mail_per_minute else []
    connection.execute(_KNOW, {"keys": [*accounts, *house]})


def lines_of(connection: Connection, accounts: Sequence[int]) -> dict[int, int]:
    """How many lines all workers together may hold now, of each account; the rows stay locked until the commit."""
    rows = connection.execute(_ROWS_LOCKED, _parameters(accounts, [""]))
    return {row.account_id: int(level(row, "lines", row.connections) or row.connections) for row in rows}


def tidy() -> None:
    """Forget what has grown back, and what nobody limits; rows of accounts and workers that are no more."""
    with db.engine.begin() as connection:
        for statement in _TIDY:
            connection.execute(statement)


def _halve(
    connection: Connection, row: Row[Any], words: str, *, rate: float | None, lines: int, open_now: int = 0,
    stop: bool = False,
) -> None:  # fmt: skip
    """Write a halving. `rate` and `lines` are what is whole where nothing is set; `open_now`: how many lines were
    open when one more was refused."""
    values: dict[str, Any] = {
        "key": row.account_id,
        "domain": row.domain,
        "words": _ADDRESS.sub("…@…", " ".join(words.split()))[:_LONGEST_WORDS],
        "slowed_rate": row.slowed_rate,
        "whole_rate": row.whole_rate,
        "stop": MOMENT if stop or rate is not None else 0,
        "fresh": not is_slowed(row),
    }
    if values["fresh"]:
        values |= {"slowed_rate": None, "whole_rate": None}
    elif row.slowed_rate is not None:  # carried on: the moment of the halving is one for rate and lines
        values["slowed_rate"] = grown(row.slowed_rate, row.age, row.whole_rate)
    if rate is not None:
        whole = float(row.configured_rate or (values["whole_rate"] or rate))
        now = min(whole, values["slowed_rate"] or whole)
        values |= {"whole_rate": whole, "slowed_rate": halved(now, min(SLOWEST, whole))}
    whole = float(row.configured_lines or lines)
    now = halved(min(whole, level(row, "lines", whole) or whole), FEWEST)
    values |= {"whole_lines": whole, "slowed_lines": max(FEWEST, min(now, open_now)) if open_now else now}
    connection.execute(_HALVE, values)


def is_slowed(row: Row[Any]) -> bool:
    """Whether a row of pace is slowed still."""
    return row.slowed_at is not None and any(
        slowed is not None and grown(slowed, row.age, most) < most
        for slowed, most in ((row.slowed_rate, row.whole_rate), (row.slowed_lines, row.whole_lines))
    )


def _just_slowed(row: Row[Any]) -> bool:
    return row.slowed_at is not None and 0 <= row.age < MOMENT


def level(row: Row[Any], of: str, configured: float | None) -> float | None:
    """What a rate or lines are worth now; `configured` where they are whole (None: no limit)."""
    slowed, whole = getattr(row, f"slowed_{of}"), getattr(row, f"whole_{of}")
    if row.slowed_at is None or slowed is None:
        return configured
    now = grown(slowed, row.age, whole)
    if now >= whole:
        return configured
    return now if configured is None else min(now, configured)


def _locked(connection: Connection, account: int, domain: str) -> Row[Any]:
    connection.execute(_MAKE, {"key": account, "domain": domain})
    return connection.execute(_ROWS_LOCKED, _parameters([account], [domain])).one()


def _parameters(accounts: Sequence[int], domains: Sequence[str]) -> dict[str, Any]:
    config = settings()
    return {
        "keys": list(accounts), "domains": list(domains), "house_rate": config.mail_per_minute,
        "house_lines": config.mail_connections,
    }  # fmt: skip


_ROWS = f"""
SELECT pace.*, extract(epoch FROM now() - pace.slowed_at)::float AS age,
  CASE WHEN account_id = {HOUSE} THEN :house_lines ELSE coalesce(smtp_account.connections, 1) END AS connections,
  CASE WHEN domain <> '' THEN pace.per_minute WHEN account_id = {HOUSE} THEN CAST(:house_rate AS int)
    ELSE smtp_account.per_minute END AS configured_rate,
  CASE WHEN domain <> '' THEN pace.lines WHEN account_id = {HOUSE} THEN :house_lines
    ELSE smtp_account.connections END AS configured_lines
FROM pace LEFT JOIN smtp_account ON smtp_account.id = pace.account_id
WHERE pace.account_id = ANY (CAST(:keys AS bigint[])) AND domain = ANY (CAST(:domains AS text[]))
ORDER BY account_id, domain"""
_ROWS_LOCKED = text(_ROWS + " FOR UPDATE OF pace")
_MAKE = text("INSERT INTO pace (account_id, domain) VALUES (:key, :domain) ON CONFLICT DO NOTHING")
_KNOW = text(
    "INSERT INTO pace (account_id, domain) SELECT known.id, '' FROM ("
    "SELECT unnest(CAST(:keys AS bigint[])) AS id UNION SELECT id FROM smtp_account WHERE per_minute IS NOT NULL"
    ") AS known WHERE NOT EXISTS (SELECT FROM pace WHERE account_id = known.id AND domain = '') ON CONFLICT DO NOTHING"
)
_DRAINS = text(
    "SELECT count(*) AS workers, coalesce(sum(lines) FILTER (WHERE owner <> :owner), 0)::int AS others, EXISTS ("
    "  SELECT FROM pace WHERE account_id = :key AND domain NOT IN ('', :domain) "
    f"  AND slowed_at > now() - interval '{_MANY_DOMAINS} seconds') AS other_domains "
    f"FROM drain WHERE account_id = :key AND seen_at > now() - interval '{ALIVE} seconds'"
)
_HALVE = text(
    "UPDATE pace SET slowed_since = CASE WHEN :fresh THEN now() ELSE slowed_since END, slowed_at = now(), "
    "slowed_rate = :slowed_rate, whole_rate = :whole_rate, slowed_lines = :slowed_lines, whole_lines = :whole_lines, "
    "words = :words, next_at = greatest(next_at, now() + make_interval(secs => :stop)) "
    "WHERE account_id = :key AND domain = :domain"
)
_WHOLE = f"({grown_sql('slowed_rate', 'whole_rate')}) IS NULL AND ({grown_sql('slowed_lines', 'whole_lines')}) IS NULL"
_GROWN_BACK = f"""
SELECT account_id, domain FROM pace WHERE slowed_at IS NOT NULL AND {_WHOLE}
ORDER BY account_id, domain FOR UPDATE SKIP LOCKED"""
_TIDY = (
    text(
        "UPDATE pace SET slowed_at = NULL, slowed_since = NULL, slowed_rate = NULL, whole_rate = NULL, "
        f"slowed_lines = NULL, whole_lines = NULL, words = '' WHERE (account_id, domain) IN ({_GROWN_BACK})"
    ),
    text("DELETE FROM pace WHERE domain <> '' AND per_minute IS NULL AND lines IS NULL AND slowed_at IS NULL"),
    text(
        f"DELETE FROM pace WHERE account_id <> {HOUSE} AND NOT EXISTS ("
        "SELECT FROM smtp_account WHERE smtp_account.id = pace.account_id)"
    ),
    text("DELETE FROM drain WHERE seen_at < now() - interval '1 minute'"),
)
