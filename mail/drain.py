"""One worker's drain: claims due e-mails over all senders in turn and moves them over the lines of their accounts.

It never waits on one socket while others can move, settles the last and marks the next in one statement for all its
lines, keeps its lines while it lives, ends after a minute (or when nothing is left) and rings again if more is due.
No database connection is in use while it waits for a server.
"""

from __future__ import annotations

import logging
import os
import secrets
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import current_app
from rq import get_current_job
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from extensions import db, ring, settings
from mail import accounts, claims, mime, outbox, tokens
from mail.accounts import Account
from mail.away import Away
from mail.claims import Claimed
from mail.conversation import Conversation, Envelope, Outcome, stuffed
from mail.lines import REST, Lane, Lines, Manners
from mail.outcomes import Outcomes
from mail.pace import Pace
from mail.settling import Ledger, Settlement, Unsettled
from mail.transport import CannotOpen, TrackedMail
from models import Sender

log = logging.getLogger("sillage.send")

# How often an idle drain looks for new work; a ring also starts another worker's drain at once.
_LOOK = 0.25
# At its end a drain waits so long for lines in mid-message before it goes on for another while.
_GRACE = 3.0
# The database away for longer than this: give up and let the reaper tell what is not known.
_PATIENCE = 60.0
_BEAT = 2.0
_EXPIRE = 0.1  # how often deadlines are looked at
_KNOWN = 10.0  # what is known of senders and accounts is read anew after so long
_RING = 2.0  # other workers are rung for more work no oftener


@dataclass(frozen=True)
class _Claim:
    """What a look at the queue found, with what is needed to send it."""

    wanted: int
    jobs: list[Claimed]
    paths: dict[int, Callable[[int], str]]  # sender → MAIL FROM of an e-mail
    accounts: dict[int, Account]


class Drain:
    """Run once with `run()`. `stopping()` is asked at each turn whether to finish early (a warm shutdown)."""

    def __init__(self, mail: TrackedMail, stopping: Callable[[], bool] = lambda: False) -> None:
        config = settings()
        self.config, self.mail, self.stopping = config, mail, stopping
        self.app = current_app._get_current_object()  # type: ignore[attr-defined]
        job = get_current_job()  # its id, so that what it held is found again should it end before its time
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}:{job.id if job else ''}"
        self.held: dict[int, Claimed] = {}
        self.paths: dict[int, Callable[[int], str]] = {}
        self.house = accounts.house_of(mail, mail.config)
        self.pace, self.away = Pace(self.owner), Away()
        self.lines = Lines(
            mail, Manners(config.smtp_timeout, config.smtp_data_timeout, config.drain_connections),
            self._take, self._report, self._cannot_open, self.pace.lines, self.away.back,
        )  # fmt: skip
        self.settlement = Settlement()
        self.outcomes = Outcomes()
        self.ledger = Ledger(self.owner)
        self.flown: tuple[Settlement, list[tuple[int, Conversation]]] | None = None
        self.clerk = ThreadPoolExecutor(1, "drain-clerk")
        self.looking: Future[_Claim] | None = None
        self.sent = 0
        self._recent, self._rate = 0, 0
        self._next_look = self._known_at = self._rung_at = self._retry_at = 0.0
        self._away_since: float | None = None

    def run(self) -> int:
        """Send until nothing is due or the time is over. Returns how many e-mails got an outcome."""
        started = last = renewed = rate_at = expired = time.monotonic()
        beaten = 0.0
        more = False
        try:
            while True:
                now = time.monotonic()
                if now - beaten > _BEAT:
                    beaten = now
                    self.pace.beat(self.lines.held())
                over = self.stopping() or now - started > self.config.drain_time
                if over:
                    more = True
                    self._hand_back()
                    if now - started > self.config.drain_time + _GRACE and not self.stopping():
                        started = now  # a line hangs on a slow server: the others go on meanwhile
                else:
                    self._look(now)
                for lane in self.lines.work(now):
                    self._free(lane, 0)  # the account's lines are all with other workers, which claim for them
                if self.held or self.lines.opening:
                    last = now
                # It lingers with nothing to send, so that the next e-mail finds an open line.
                idle = not self.held and not self.settlement and self.flown is None and self.looking is None
                if idle and (over or now - last > self.config.drain_linger):
                    break
                self._flush(now)
                self.lines.turn(self._patience(now))
                if self.looking is not None and self.looking.done():
                    self._found(self.looking.result)
                now = time.monotonic()
                if now - expired > _EXPIRE:
                    expired = now
                    self.lines.expire(now)
                if now - renewed > self.config.lease / 3 and self.held:
                    renewed = now
                    self.clerk.submit(self._renew)
                if now - rate_at > 1:
                    rate_at, self._rate, self._recent = now, self._recent, 0
        finally:
            self.lines.end()
            self.clerk.shutdown(wait=True)
            self.ledger.close()
            self.pace.end()
        if more and claims.due():
            ring("drain", "send")
        return self.sent

    def _patience(self, now: float) -> float:
        """Seconds that a turn may wait for sockets; whatever else happens rings the bell."""
        if self.flown is not None and not self.ledger.busy:
            return 0.05  # the database is away
        return _LOOK if self.looking else min(_LOOK, max(0.01, self._next_look - now))

    # claiming

    def _look(self, now: float) -> None:
        """Keep about a second of work at hand: what is claimed too early waits behind what comes later. The queue is
        asked in a thread, so that the lines move on meanwhile."""
        if self.looking is not None or now < self._next_look:
            return
        lines = max(4, sum(len(lane.talks) for lane in self.lines.lanes.values()))
        target = max(lines, min(self.config.drain_batch, max(self._rate, self._recent)))
        ready = sum(len(lane.ready) for lane in self.lines.lanes.values())
        urgent = 2 * ready > target
        if urgent and ready <= max(self._rate, self._recent):
            return
        known = set(self.paths)
        if now - self._known_at > _KNOWN:  # asked anew, and kept meanwhile: what is at hand leaves by them
            self._known_at = now
            known.clear()
        # What is at hand on a slow server is enough for seconds: who is in a hurry is asked for all the same.
        busy = [id for id, lane in self.lines.lanes.items() if len(lane.ready) > max(4 * len(lane.talks), target // 2)]
        full = [id for id, lane in self.lines.lanes.items() if self._full(lane, now)]
        look = partial(claims.claim, self.owner, wanted := lines if urgent else target - ready)
        look = partial(look, full=full, busy=busy, urgent=urgent)
        self.looking = self.clerk.submit(self._claim, wanted, look, known)
        self.looking.add_done_callback(lambda _: self.lines.rouse())

    def _full(self, lane: Lane, now: float) -> bool:
        """Whether an account takes nothing at all for now: it rests, or has no line."""
        return now < lane.rest_until or not (lane.talks or lane.opening or self.lines.room(lane) > 0)

    def _claim(self, wanted: int, look: Callable[[], list[Claimed]], known: set[int]) -> _Claim:
        """In the clerk's thread."""
        with self.app.app_context():
            jobs = look()
            unknown = {job.sender_id for job in jobs} - known
            paths = {}
            if unknown:
                columns = (Sender.id, Sender.address, Sender.return_path, Sender.bounce_address)
                with db.engine.connect() as connection:
                    rows = connection.execute(select(*columns).where(Sender.id.in_(unknown))).all()
                paths = {row.id: _path(row) for row in rows}
            needed = {job.account_id for job in jobs if job.sender_id in unknown} - {None}
            return _Claim(wanted, jobs, paths, accounts.of(id for id in needed if id is not None))

    def _found(self, result: Callable[[], _Claim]) -> None:
        self.looking = None
        now = time.monotonic()
        try:
            claim = result()
        except (DBAPIError, PoolTimeout):
            self._next_look = now + 1
            return
        self.paths |= claim.paths
        for account in claim.accounts.values():
            self.lines.lane(account)
        for job in claim.jobs:
            lane = self.lines.lanes.get(job.account_id)
            if lane is None and job.account_id is None:
                lane = self.lines.lane(self.house)
            if lane is None or job.sender_id not in self.paths:  # gone meanwhile
                self.settlement.freed.append((job.email_id, REST))
            else:
                self.held[job.email_id] = job
                lane.add(job)
        if len(claim.jobs) < claim.wanted:
            self._next_look = now + (_LOOK if len(claim.jobs) * 2 < claim.wanted else 0)
        elif claim.wanted * 2 >= self.config.drain_batch and now - self._rung_at > _RING:
            self._rung_at = now
            ring("drain", "send")

    def _hand_back(self) -> None:
        for lane in self.lines.lanes.values():
            self._free(lane, 0)

    def _free(self, lane: Lane, delay: float, sender_id: int | None = None) -> None:
        """Let go of what waits in a lane (of one sender, if said): tried again after the delay, uncounted."""
        for job in [job for job in lane.ready if sender_id in (None, job.sender_id)]:
            lane.ready.remove(job)
            self._let_go(job, delay)

    def _let_go(self, job: Claimed, delay: float) -> None:
        self.settlement.freed.append((job.email_id, delay))
        self.held.pop(job.email_id, None)

    def _take(self, lane: Lane) -> Envelope | None:
        while lane.ready:
            job = lane.ready.popleft()
            if lane.stuck and job.domain in lane.stuck:
                self._let_go(job, REST)
                continue
            if delay := self.pace.wait(job):
                self._let_go(job, delay)
                continue
            try:
                pieces = stuffed(mime.pieces(job.skeleton, job.cuts))
            except Exception as error:  # a blob is missing or changed on disk: nothing may be sent in its place
                log.error("e-mail %s cannot be put together: %s", job.email_id, error)
                self.outcomes.not_prepared(self.settlement, job, f"{type(error).__name__}: {error}")
                self.held.pop(job.email_id, None)
                continue
            envid = partial(tokens.token, "envid", job.email_id)
            return Envelope(job, self.paths[job.sender_id](job.email_id), envid, pieces)
        return None

    # what became of it

    def _report(self, lane: Lane, outcome: Outcome) -> None:
        job = outcome.job
        if outcome.kind == "broken" and outcome.phase == "mail" and outcome.reused:
            # The server closed a line we kept open: no fault of this e-mail, which goes over another at once.
            lane.ready.appendleft(job)
            return
        refused_sender = self.outcomes.take(self.settlement, outcome)
        self.held.pop(job.email_id, None)
        self.sent += 1
        self._recent += 1
        if outcome.kind != "unsaid":
            self.pace.heard(lane.account, job.domain, outcome.reply, outcome.kind == "accepted")
        if refused_sender:
            self._stop(lambda: outbox.pause(job.sender_id, refused_sender))
            self._free(lane, 0, job.sender_id)

    def _cannot_open(self, lane: Lane, error: CannotOpen) -> None:
        """No line at all: the first e-mail says so in its history, the others wait uncounted. A refused password stops
        every sender of the account. Where other lines carry on, only the pace is told."""
        self.pace.heard(lane.account, "", error.reply, False, len(lane.talks))
        if lane.talks or lane.opening:
            return
        if error.phase == "auth" and error.reply and error.reply.permanent:
            why = f"{error.reply.code} {error.reply.text}"
            self._stop(lambda: outbox.pause_account(lane.account.id, why))
            self._free(lane, 0)
            return
        self.away.lost(lane.account.id, error.words)
        if lane.ready:
            job = lane.ready.popleft()
            self.outcomes.unreachable(self.settlement, job, error)
            self.held.pop(job.email_id, None)
        self._free(lane, REST)

    def _stop(self, pause: Callable[[], None]) -> None:
        """Pause now; while the database is away, as soon as the clerk can."""
        try:
            pause()
        except (DBAPIError, PoolTimeout):
            self.clerk.submit(self._insist, pause)

    def _insist(self, pause: Callable[[], None]) -> None:
        for _ in range(int(_PATIENCE)):
            time.sleep(1)
            try:
                with self.app.app_context():
                    return pause()
            except (DBAPIError, PoolTimeout):
                continue

    # the database

    def _flush(self, now: float) -> None:
        """Send what there is to settle and mark, unless the last is still under way."""
        if self.ledger.busy or now < self._retry_at:
            return
        if self.flown is None:
            if not self.settlement and not self.lines.marking:
                return
            marked, self.lines.marking = list(self.lines.marking.items()), {}
            self.settlement.begun = [email_id for email_id, _ in marked]
            self.flown, self.settlement = (self.settlement, marked), Settlement()
        try:
            self.ledger.begin(self.flown[0])
        except Unsettled as error:
            self._wait(error)
            return
        self._watched = self.ledger.sock
        self.lines.watch(self._watched, selectors.EVENT_READ, self._hear)

    def _hear(self) -> None:
        assert self.flown is not None
        try:
            granted = self.ledger.pump()
        except Unsettled as error:
            self.lines.unwatch(self._watched)
            self._wait(error)
            return
        if granted is None:
            return
        self.lines.unwatch(self._watched)
        self._away_since = None
        (_, marked), self.flown = self.flown, None
        for email_id, _talk in marked:
            if email_id not in granted:
                self.held.pop(email_id, None)
        self.lines.grant(marked, granted)

    def _wait(self, error: Unsettled) -> None:
        """The settlement waits: written again as it is, since nobody knows whether it was."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since > _PATIENCE:
            raise error
        self._retry_at = now + 0.2
        log.warning("the database is away, the settlement waits: %s", error)

    def _renew(self) -> None:
        try:
            with self.app.app_context():
                outbox.renew(self.owner)
        except (DBAPIError, PoolTimeout):
            log.warning("leases not renewed: the database is away")


def _path(sender: Any) -> Callable[[int], str]:
    """MAIL FROM on the wire for a sender's e-mails, its domain read once. `sender` has the columns of a Sender."""
    first = mime.wire_address(outbox.return_path(sender, 0))[0]
    local, plus, rest = first.rpartition(f"+{tokens.token('verp', 0)}@")
    if not plus:
        return lambda email_id: first
    return lambda email_id: f"{local}+{tokens.token('verp', email_id)}@{rest}"


def drain(stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due over every account. Returns how many e-mails got an outcome."""
    return Drain(current_app.extensions["tracked_mail"], stopping).run()
