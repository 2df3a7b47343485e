"""What an organisation's outbox is doing now: how many e-mails stand where, by sender and by recipient domain, since
when the oldest waits, and how many left in each minute of the last hour. Reads only.

The outbox is small, so it is read whole up to MOST entries; e-mails are read along indexes and never beyond a cap, so
ten million of them cost what ten thousand do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text

from extensions import db
from models.standing import FIRST_DUE, QUEUED, STANDING, Standing
from models.words import Status

MOST = 100_000  # entries of the outbox that are read; e-mails of the last hour that are counted
MOST_UNCERTAIN = 1_000
DOMAINS = 12  # recipient domains that are told apart
MINUTES = 60
# A retry that is due within this is on its way: the screen follows it.
_SOON = timedelta(minutes=2)

_ENTRIES = f"""
entries AS MATERIALIZED (
  SELECT outbox_entry.* FROM sender CROSS JOIN LATERAL (
    SELECT sender_id, lower(split_part(recipient, '@', 2)) AS domain, {STANDING} AS standing, next_attempt_at,
           {FIRST_DUE} AS first_due
    FROM outbox_entry WHERE sender_id = sender.id AND state = 'waiting' LIMIT :most
  ) AS outbox_entry WHERE sender.organisation_id = :o LIMIT :most
), leased AS (
  SELECT sender_id, lower(split_part(recipient, '@', 2)), {STANDING}, next_attempt_at, {FIRST_DUE}
  FROM outbox_entry WHERE state <> 'waiting' AND organisation_id = :o LIMIT :most
), uncertain AS (
  SELECT email.sender_id, address.domain, '{Standing.UNCERTAIN.value}', NULL::timestamptz, NULL::timestamptz
  FROM (SELECT sender_id, address_id FROM email
        WHERE organisation_id = :o AND status = '{Status.UNCERTAIN.value}' LIMIT :uncertain) AS email
  JOIN address ON address.id = email.address_id
), whole AS (
  SELECT * FROM entries UNION ALL SELECT * FROM leased UNION ALL SELECT * FROM uncertain
)"""
_COUNTS = ", ".join(
    f"count(*) FILTER (WHERE standing = '{one.value}') AS {one.value}" for one in Standing
)  # fmt: skip
_SITUATION = f"""
WITH {_ENTRIES}, told AS (
  SELECT grouping(sender_id, domain) AS level, sender_id, domain, {_COUNTS}, count(*) AS number,
         min(first_due) FILTER (WHERE standing IN ('ready', 'sending', 'retry')) AS oldest,
         min(next_attempt_at) FILTER (WHERE standing = 'retry') AS next_try,
         min(next_attempt_at) FILTER (WHERE standing = 'later') AS next_later
  FROM whole GROUP BY GROUPING SETS ((), (sender_id), (domain))
), placed AS (
  SELECT told.*, row_number() OVER (PARTITION BY level ORDER BY number DESC, domain) AS place,
         count(*) OVER (PARTITION BY level) AS groups
  FROM told
)
SELECT placed.*, now() AS now FROM placed WHERE level <> 2 OR place <= :domains ORDER BY level, place"""
# Along ix_email_sent alone: nothing of an e-mail is looked up.
_HOUR = """
SELECT minute, count(*) AS number FROM (
  SELECT date_trunc('minute', sent_at) AS minute FROM email
  WHERE organisation_id = :o AND coalesce(sent_at, '-infinity'::timestamptz) >= :since
  ORDER BY coalesce(sent_at, '-infinity'::timestamptz) DESC, id DESC LIMIT :most
) AS left_lately GROUP BY minute"""
_SENDERS = """
SELECT sender.id, sender.name, sender.address, sender.paused_at, sender.paused_why, account.public_id AS account,
       account.name AS account_name
FROM sender LEFT JOIN smtp_account AS account ON account.id = sender.account_id
WHERE sender.organisation_id = :o ORDER BY sender.is_default DESC, sender.name, sender.id LIMIT 200"""


class Counts(NamedTuple):
    """How many e-mails stand where, of one sender, one domain or the organisation."""

    ready: int = 0
    sending: int = 0
    retry: int = 0
    later: int = 0
    uncertain: int = 0
    oldest: datetime | None = None  # since when the oldest of those that may leave has been due
    next_try: datetime | None = None
    next_later: datetime | None = None

    def of(self, standing: Standing) -> int:
        """The number of those that stand there."""
        return int(getattr(self, standing.value))

    @property
    def queued(self) -> int:
        """All that the outbox holds."""
        return sum(self.of(one) for one in QUEUED)

    @property
    def any(self) -> int:
        return self.queued + self.uncertain


@dataclass(frozen=True)
class SenderNow:
    """A sender and what waits to leave from it."""

    id: int
    name: str
    address: str
    paused_at: datetime | None
    paused_why: str  # the server's own words; empty where a person did it
    account: str | None  # public id and name of the account it leaves by; None: the house's
    account_name: str | None
    counts: Counts


@dataclass(frozen=True)
class Hour:
    """How many e-mails left in each of the last MINUTES minutes, the oldest first; the last one is not over.

    `whole` is false where so many left that only the newest MOST were counted.
    """

    minutes: tuple[tuple[datetime, int], ...] = ()
    whole: bool = True

    @property
    def total(self) -> int:
        return sum(number for _minute, number in self.minutes)

    @property
    def peak(self) -> int:
        return max((number for _minute, number in self.minutes), default=0)

    @property
    def lately(self) -> int:
        """What left in the last full minute and since."""
        return sum(number for _minute, number in self.minutes[-2:])


@dataclass(frozen=True)
class Situation:
    """All of it, as of one moment of the database's clock."""

    now: datetime = field(compare=False, repr=False)
    all: Counts
    senders: tuple[SenderNow, ...]
    domains: tuple[tuple[str, Counts], ...]
    domain_count: int
    whole: bool  # false: only MOST entries of the outbox were read
    hour: Hour

    @property
    def paused(self) -> tuple[SenderNow, ...]:
        return tuple(one for one in self.senders if one.paused_at)

    @property
    def shared(self) -> list[tuple[SenderNow, ...]]:
        """The senders of each account that several leave by."""
        accounts: dict[str | None, list[SenderNow]] = {}
        for one in self.senders:
            accounts.setdefault(one.account, []).append(one)
        return [tuple(of_it) for of_it in accounts.values() if len(of_it) > 1]

    @property
    def quiet(self) -> bool:
        """Nothing waits, nothing is in doubt, no sender is paused."""
        return not self.all.any and not self.paused

    @property
    def moving(self) -> bool:
        """Whether something is about to change by itself."""
        going = sum(one.counts.ready for one in self.senders if not one.paused_at)
        soon = [at for at in (self.all.next_try, self.all.next_later) if at and at - self.now < _SOON]
        return bool(self.all.sending or going or soon or self.hour.lately)


def read(organisation_id: int) -> Situation:
    """The organisation's situation now: three statements, however much waits."""
    values = {"o": organisation_id, "most": MOST, "uncertain": MOST_UNCERTAIN, "domains": DOMAINS}
    rows = db.session.execute(text(_SITUATION), values).all()
    # GROUPING: 3 both left out (the whole), 1 by sender, 2 by domain
    everything = next(row for row in rows if row.level == 3)
    senders = {row.sender_id: _counts(row) for row in rows if row.level == 1}
    domains = [row for row in rows if row.level == 2]
    known = db.session.execute(text(_SENDERS), {"o": organisation_id})
    return Situation(
        everything.now,
        _counts(everything),
        tuple(SenderNow(*row, senders.get(row.id, Counts())) for row in known),
        tuple((row.domain, _counts(row)) for row in domains),
        domains[0].groups if domains else 0,
        everything.number - everything.uncertain < MOST,
        hour(organisation_id, everything.now),
    )


def hour(organisation_id: int, now: datetime) -> Hour:
    """What left in the last hour, minute by minute as the clock has them; one statement."""
    last = now.astimezone(UTC).replace(second=0, microsecond=0)
    first = last - timedelta(minutes=MINUTES - 1)
    found = db.session.execute(text(_HOUR), {"o": organisation_id, "since": first, "most": MOST}).all()
    number = {row.minute.astimezone(UTC): row.number for row in found}
    minutes = tuple((first + timedelta(minutes=n), number.get(first + timedelta(minutes=n), 0)) for n in range(MINUTES))
    return Hour(minutes, sum(number.values()) < MOST)


def _counts(row: Any) -> Counts:
    return Counts(
        row.ready, row.sending, row.retry, row.later, row.uncertain, row.oldest, row.next_try, row.next_later
    )
