"""How fast a worker may send: lines and messages a minute, per account and per recipient domain, over all workers.

A drain asks `lines` before it opens, `wait` before it lets an e-mail go, tells `heard` what servers answer and beats
every two seconds. What is known is shared through PostgreSQL; the rates themselves are kept by mail.outbox.claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mail.transport import Reply


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

    def lines(self, account: Limited) -> int:
        """How many lines this worker may hold to the account's server now, those it holds included (0: none)."""
        return account.connections

    def wait(self, job: Job) -> float:
        """Seconds until this e-mail may go. 0: now; else the drain frees it with that delay, uncounted."""
        return 0.0

    def heard(self, account: Limited, domain: str, reply: Reply | None, accepted: bool) -> None:
        """Told after each outcome. `domain` is the recipient's; "" where no session was to be had (greeting, AUTH).
        `reply` is what decided (None: the line broke)."""

    def beat(self, lines: Mapping[int | None, int]) -> None:
        """Every two seconds, and once before the first claim: account id → lines held. Errors of the database are
        not raised: the last word holds."""

    def end(self) -> None:
        """The drain ends: its lines are free for the other workers at once."""
