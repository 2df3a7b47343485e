"""How fast a worker may send: lines and messages a minute, per account and per recipient domain, over all workers.

A drain asks `lines` before it opens, `wait` before it lets an e-mail go, tells `heard` what servers answer and beats
every two seconds. What is known is shared through PostgreSQL (mail.slowing writes what was slowed); messages a minute
are counted by the claiming statement (mail.claims), so that an e-mail costs no statement of its own.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from extensions import db
from mail import slowing
from mail.claims import HOUSE
from mail.manners import MOMENT, share, slows_down
from mail.paces import Shown, situation
from mail.slowing import ALIVE
from mail.transport import Reply

__all__ = ["ALIVE", "Pace", "Shown", "situation"]
log = logging.getLogger("sillage.send")

_TIDY = 60.0
_ROTATE = 60.0  # seconds of one count of what was accepted


class Limited(Protocol):
    """What of an account matters here. `id` None is the house's own."""

    @property
    def id(self) -> int | None: ...
    @property
    def connections(self) -> int: ...
    @property
    def per_minute(self) -> int | None: ...


class Job(Protocol):
    """What of a claimed e-mail matters here: the account it leaves by and its recipient's domain."""

    @property
    def account_id(self) -> int | None: ...
    @property
    def domain(self) -> str: ...


class Pace:
    """One worker's view of the pace of all. `owner` is the drain's."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._given: dict[int, int] = {}
        self._asked: set[int] = set()
        self._held: Mapping[int | None, int] = {}
        self._sent: Counter[int] = Counter()
        self._lately = _Lately()
        self._until: dict[tuple[int, str], float] = {}  # of the moment in which nothing more leaves
        self._untold: dict[tuple[int, str], slowing.Slowed] = {}  # what the database could not be told yet
        self._tidied = time.monotonic()

    def lines(self, account: Limited) -> int:
        """How many lines this worker may hold to the account's server now, those it holds included (0: none)."""
        key = account.id or HOUSE
        self._asked.add(key)
        if key not in self._given:
            self._share({key})
        return self._given.get(key, 1)

    def wait(self, job: Job) -> float:
        """Seconds until this e-mail may go. 0: now; else the drain frees it with that delay, uncounted."""
        if not self._until:
            return 0.0
        return max(0.0, self._until.get((job.account_id or HOUSE, job.domain), 0.0) - time.monotonic())

    def heard(
        self, account: Limited, domain: str, reply: Reply | None, accepted: bool, open_now: int = 0
    ) -> None:  # fmt: skip
        """Told after each outcome. `domain` is the recipient's; "" where no session was to be had (greeting, AUTH).
        `reply` is what decided (None: the line broke), `open_now` how many lines this worker had open when a greeting
        refused one more. Where it asks to slow down, all workers are told at once."""
        key = account.id or HOUSE
        if accepted:
            self._sent[key] += 1
            self._lately.add(key, domain)
            return
        if reply is None or not slows_down(reply.code, reply.text):
            return
        now = time.monotonic()
        if self._until.get((key, domain), 0.0) > now:
            return
        self._until[key, domain] = now + MOMENT
        self._untold[key, domain] = slowing.Slowed(
            self.owner, key, domain, f"{reply.code} {reply.text}", self._lately.rate(key, domain),
            self._lately.rate(key, None), open_now,
        )  # fmt: skip
        self._tell()

    def beat(self, lines: Mapping[int | None, int]) -> None:
        """Every two seconds, and once before the first claim: account id → lines held. Errors of the database are
        not raised: the last word holds."""
        self._held = dict(lines)
        self._tell()
        wanted = self._asked | {account or HOUSE for account, held in lines.items() if held}
        self._asked = set()
        self._share(wanted, whole=True)
        now = time.monotonic()
        self._until = {of: until for of, until in self._until.items() if until > now}
        if now - self._tidied > _TIDY:
            self._tidied = now
            _quietly(slowing.tidy)

    def end(self) -> None:
        """The drain ends: its lines are free for the other workers at once."""
        self._tell()
        _quietly(lambda: _forget(self.owner))

    def _tell(self) -> None:
        for of, slowed in list(self._untold.items()):
            if _quietly(partial(slowing.slow, slowed)):
                del self._untold[of]

    def _share(self, accounts: Collection[int], whole: bool = False) -> None:
        """Take this worker's part of the lines of these accounts; `whole`: they are all it needs."""
        held = {key: self._held.get(key or None, 0) for key in accounts}
        _quietly(lambda: self._take(held, whole))

    def _take(self, held: Mapping[int, int], whole: bool) -> None:
        keys = sorted(held)
        given: dict[int, int] = {}
        with db.engine.begin() as connection:
            slowing.know(connection, keys)
            # The account's row is locked first: two workers never share out the same lines.
            for key, total in slowing.lines_of(connection, keys).items():
                rows = connection.execute(_OTHERS, {"key": key, "owner": self.owner, "alive": ALIVE}).all()
                place = sum(row.owner < self.owner for row in rows)
                given[key] = share(total, held[key], place, [row.lines for row in rows])
            for key, lines in given.items():
                values = {"owner": self.owner, "key": key, "lines": max(lines, held[key]), "sent": self._sent[key]}
                connection.execute(_BEAT, values)
            if whole:
                connection.execute(_LEAVE, {"owner": self.owner, "keys": keys})
        self._given = given if whole else self._given | given


_OTHERS = text(
    "SELECT owner, lines FROM drain WHERE account_id = :key AND owner <> :owner "
    "AND seen_at > now() - make_interval(secs => :alive)"
)
_BEAT = text(
    "INSERT INTO drain (owner, account_id, lines, sent) VALUES (:owner, :key, :lines, :sent) "
    "ON CONFLICT (owner, account_id) DO UPDATE SET lines = excluded.lines, sent = excluded.sent, seen_at = now()"
)
_LEAVE = text("DELETE FROM drain WHERE owner = :owner AND account_id <> ALL (CAST(:keys AS bigint[]))")


def _forget(owner: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(_LEAVE, {"owner": owner, "keys": []})


def _quietly(call: Callable[[], object]) -> bool:
    """Whether the database took it; the next beat says it again."""
    try:
        call()
    except (DBAPIError, PoolTimeout) as error:
        log.warning("the pace could not be shared: %s", type(error).__name__)
        return False
    return True


class _Lately:
    """How many messages were accepted in about the last minute, by account and domain."""

    def __init__(self) -> None:
        self._turned = time.monotonic()
        self._now: Counter[tuple[int, str]] = Counter()
        self._before: Counter[tuple[int, str]] = Counter()

    def add(self, key: int, domain: str) -> None:
        self._turn()
        self._now[key, domain] += 1

    def rate(self, key: int, domain: str | None) -> float:
        """Messages a minute; of the whole account without a domain."""
        self._turn()
        part = 1 - (time.monotonic() - self._turned) / _ROTATE
        return sum(
            count * weight
            for counts, weight in ((self._now, 1.0), (self._before, part))
            for of, count in counts.items()
            if of[0] == key and (domain is None or of[1] == domain)
        )

    def _turn(self) -> None:
        age = time.monotonic() - self._turned
        if age > _ROTATE:
            self._before = self._now if age < 2 * _ROTATE else Counter()
            self._now, self._turned = Counter(), time.monotonic()
