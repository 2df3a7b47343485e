"""The paces of an organisation's accounts for people: what is set, what is slowed now, by which words, until when; and
the limits that an admin sets by hand. How they are kept is mail.slowing's and mail.claims'.

The house's account is shared: an organisation sees of it the account itself and the domains it has written to, and sets
its limits only where it is alone in the house.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from errors import UserMistake
from extensions import db, settings
from mail import headers, slowing
from mail.claims import HOUSE
from mail.manners import grown, whole_after


@dataclass(frozen=True)
class Shown:
    """The pace of an account (`domain` empty) or towards a domain over it.

    `account_id` None is the house's, without a name; `account` is the public id. `lines` are those held now (of an
    account) or e-mails on their way (to a domain), `lines_now` and `rate` what is allowed now (None: no limit),
    `lines_set` and `rate_set` what is set by hand. The last four only while it is slowed. `ours`: may be set here.
    """

    account_id: int | None
    account: str
    name: str
    domain: str
    ours: bool
    lines: int
    lines_now: int | None
    lines_set: int | None
    rate: float | None
    rate_set: int | None
    slowed_since: datetime | None = None
    words: str = ""
    back_at: datetime | None = None

    @property
    def slowed(self) -> bool:
        return self.slowed_since is not None

    @property
    def per_minute(self) -> int | None:
        """`rate` as a whole number of messages."""
        return None if self.rate is None else max(1, math.floor(self.rate))


_ACCOUNTS = """
WITH account AS (
  SELECT id, public_id, name, connections, per_minute, true AS own FROM smtp_account WHERE organisation_id = :o
  UNION ALL
  SELECT {house}, '', '', :house_lines, CAST(:house_rate AS int),
    NOT EXISTS (SELECT FROM organisation WHERE id <> :o)
  WHERE NOT EXISTS (SELECT FROM smtp_account WHERE organisation_id = :o)
    OR EXISTS (SELECT FROM sender WHERE organisation_id = :o AND account_id IS NULL)
)"""
_ACCOUNTS = _ACCOUNTS.format(house=HOUSE)
_SHOWN = text(
    f"""{_ACCOUNTS}
SELECT account.id AS account_id, account.public_id, account.name, account.own, account.connections,
  account.per_minute,
  coalesce(pace.domain, '') AS domain, pace.slowed_at, pace.slowed_since, pace.slowed_rate, pace.whole_rate,
  pace.slowed_lines, pace.whole_lines, pace.words, now() AS now,
  extract(epoch FROM now() - pace.slowed_at)::float AS age,
  CASE WHEN coalesce(pace.domain, '') = '' THEN account.per_minute ELSE pace.per_minute END AS configured_rate,
  CASE WHEN coalesce(pace.domain, '') = '' THEN account.connections ELSE pace.lines END AS configured_lines,
  CASE WHEN coalesce(pace.domain, '') = '' THEN (
      SELECT coalesce(sum(drain.lines), 0) FROM drain
      WHERE drain.account_id = account.id AND seen_at > now() - make_interval(secs => :alive))
    ELSE (
      SELECT count(*) FROM outbox_entry JOIN sender ON sender.id = outbox_entry.sender_id
      WHERE state <> 'waiting' AND lane = pace.domain AND coalesce(sender.account_id, {HOUSE}) = account.id
    ) END AS held
FROM account LEFT JOIN pace ON pace.account_id = account.id AND (
  pace.domain = '' OR ((pace.per_minute IS NOT NULL OR pace.lines IS NOT NULL OR pace.slowed_at IS NOT NULL) AND (
    account.own OR EXISTS (SELECT FROM address WHERE organisation_id = :o AND address.domain = pace.domain))))
ORDER BY account.id = {HOUSE}, account.name, account.id, domain
"""
)


def situation(organisation_id: int) -> list[Shown]:
    """Every account of an organisation with the domains that are limited or slowed over it; one statement."""
    rows = db.session.execute(_SHOWN, _parameters(organisation_id)).all()
    found: list[Shown] = []
    for row in rows:
        if row.domain and (not found or found[-1].account_id != (row.account_id or None)):
            found.append(_shown(row, bare=True))  # the account has no pace of its own yet
        if not row.domain or row.configured_rate or row.configured_lines or slowing.is_slowed(row):
            found.append(_shown(row))
    return found


def set_limit(account_id: int | None, domain: str, per_minute: int | None, lines: int | None) -> None:
    """Set, change or (both None) take away the limits towards a domain, in the caller's transaction."""
    values = {"key": account_id or HOUSE, "domain": domain, "per_minute": per_minute, "lines": lines}
    db.session.execute(
        text(
            "INSERT INTO pace (account_id, domain, per_minute, lines) VALUES (:key, :domain, :per_minute, :lines) "
            "ON CONFLICT (account_id, domain) DO UPDATE SET per_minute = excluded.per_minute, lines = excluded.lines"
        ),
        values,
    )


def wire_domain(given: str) -> str | None:
    """A domain as it stands in envelopes (lower case, IDNA); None for what is none. An address gives its own."""
    domain = given.strip().rpartition("@")[2].rstrip(".").lower()
    if "." not in domain:
        return None
    try:
        return headers.wire_address(f"x@{domain}")[0].rpartition("@")[2].lower()
    except UserMistake:
        return None


def _parameters(organisation_id: int) -> dict[str, Any]:
    config = settings()
    return {
        "o": organisation_id, "house_lines": config.mail_connections, "house_rate": config.mail_per_minute,
        "alive": slowing.ALIVE,
    }  # fmt: skip


def _shown(row: Row[Any], bare: bool = False) -> Shown:
    whose = {"account_id": row.account_id or None, "account": row.public_id, "name": row.name, "ours": row.own}
    if bare:
        return Shown(
            **whose, domain="", lines=0, lines_now=row.connections, lines_set=row.connections, rate=row.per_minute,
            rate_set=row.per_minute,
        )  # fmt: skip
    lines = slowing.level(row, "lines", row.configured_lines)
    shown: dict[str, Any] = {
        **whose, "domain": row.domain, "lines": row.held, "lines_now": None if lines is None else int(lines),
        "lines_set": row.configured_lines, "rate": slowing.level(row, "rate", row.configured_rate),
        "rate_set": row.configured_rate,
    }  # fmt: skip
    if slowing.is_slowed(row):
        after = max(
            whole_after(slowed, whole)
            for slowed, whole in ((row.slowed_rate, row.whole_rate), (row.slowed_lines, row.whole_lines))
            if slowed is not None and grown(slowed, row.age, whole) < whole
        )
        shown |= {
            "slowed_since": row.slowed_since, "words": row.words,
            "back_at": row.slowed_at + timedelta(seconds=after),
        }  # fmt: skip
    return Shown(**shown)
