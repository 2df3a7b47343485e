"""One worker's drain: claims due e-mails over all senders in turn and moves them over a few lines at once.

It never waits on one socket while others can move, settles the last and marks the next in one statement for all its
lines, keeps its lines while it lives, ends after a minute (or when nothing is left) and rings again if more is due.
No database connection is held while it waits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from flask import current_app
from rq import get_current_job
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from extensions import db, ring, settings
from mail import mime, outbox, tokens
from mail.away import Away
from mail.conversation import Conversation, Envelope, Outcome, Wait
from mail.outbox import Claimed, Settlement
from mail.outcomes import Outcomes
from mail.transport import CannotOpen, Line, LineLost, TrackedMail
from models import Sender

log = logging.getLogger("sillage.send")

# How often an idle drain looks for new work; a ring also starts another worker's drain at once.
_LOOK = 0.25
# At its end a drain waits so long for lines in mid-message before it goes on for another while.
_GRACE = 3.0
# A server that cannot be reached is left in peace for so long.
_REST = 30.0
# The database away for longer than this: give up and let the reaper tell what is not known.
_PATIENCE = 60.0


class Drain:
    """Run once with `run()`. `stopping()` is asked at each turn whether to finish early (a warm shutdown)."""

    def __init__(self, mail: TrackedMail, stopping: Callable[[], bool] = lambda: False) -> None:
        config = settings()
        self.config, self.mail, self.stopping = config, mail, stopping
        job = get_current_job()  # its id, so that what it held is found again should it end before its time
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}:{job.id if job else ''}"
        self.ready: deque[Claimed] = deque()
        self.held: dict[int, Claimed] = {}
        self.senders: dict[int, Any] = {}  # rows: address, return_path, bounce_address
        self.talks: dict[Conversation, float] = {}  # → deadline of what it waits for
        self.idle: set[Conversation] = set()
        self.marking: dict[int, Conversation] = {}
        self.settlement = Settlement()
        self.outcomes = Outcomes(self.settlement)
        self.away = Away()
        self.opening: set[Future[Line]] = set()
        self.most_lines = config.drain_connections
        self.selector = selectors.DefaultSelector()
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.selector.register(self.wake, selectors.EVENT_READ, None)
        self.pool = ThreadPoolExecutor(self.most_lines, "smtp-open")
        self.sent = 0
        self._recent = 0
        self._next_look = 0.0
        self._away_since: float | None = None

    def run(self) -> int:
        """Send until nothing is due or the time is over. Returns how many e-mails got an outcome."""
        started = last = renewed = rate_at = time.monotonic()
        more = False
        try:
            while True:
                now = time.monotonic()
                over = self.stopping() or now - started > self.config.drain_time
                if over:
                    more = True
                    self._hand_back()
                    if now - started > self.config.drain_time + _GRACE and not self.stopping():
                        started = now  # a line hangs on a slow server: the others go on meanwhile
                elif now >= self._next_look:
                    self._claim(now)
                self._give_work()
                if self.held or self.opening:
                    last = now
                # It lingers with nothing to send, so that the next e-mail finds an open line.
                if not self.held and not self.settlement and (over or now - last > self.config.drain_linger):
                    break
                self._turn()
                self._expire()
                self._flush()
                now = time.monotonic()
                if now - renewed > self.config.lease / 3 and self.held:
                    renewed = now
                    self._renew()
                if now - rate_at > 1:
                    rate_at, self._recent = now, 0
        finally:
            self._end()
        if more and outbox.due():
            ring("drain", "send")
        return self.sent

    # claiming

    def _claim(self, now: float) -> None:
        """Keep about a second of work at hand: what is claimed too early waits behind what comes later."""
        lines = max(1, len(self.talks))
        wanted = max(2 * lines, min(self.config.drain_batch, self._recent)) - len(self.ready)
        if len(self.ready) > lines:
            return
        if not self.talks and not self.ready:
            wanted = max(wanted, self.most_lines)
        try:
            claimed = outbox.claim(self.owner, wanted)
            unknown = {job.sender_id for job in claimed} - set(self.senders)
            if unknown:
                with db.engine.connect() as connection:
                    columns = (Sender.id, Sender.address, Sender.return_path, Sender.bounce_address)
                    for row in connection.execute(select(*columns).where(Sender.id.in_(unknown))):
                        self.senders[row.id] = row
        except (DBAPIError, PoolTimeout):
            self._next_look = now + 1
            return
        for job in claimed:
            self.held[job.email_id] = job
            self.ready.append(job)
        if len(claimed) >= wanted:
            if len(claimed) >= self.config.drain_batch:
                ring("drain", "send")
        else:
            self._next_look = now + _LOOK

    def _hand_back(self) -> None:
        for job in self.ready:
            self.settlement.freed.append((job.email_id, 0))
            self.held.pop(job.email_id, None)
        self.ready.clear()

    def _give_work(self) -> None:
        """Wake idle lines, open new ones while work waits."""
        while self.ready and self.idle:
            talk = self.idle.pop()
            talk.again()
            self._move(talk)
        lines = len(self.talks) + len(self.opening)
        while self.ready and lines < min(self.most_lines, len(self.ready) + len(self.talks)):
            lines += 1
            future = self.pool.submit(_open, self.mail)
            self.opening.add(future)
            future.add_done_callback(lambda _: self._ring_bell())

    def _take(self) -> Envelope | None:
        while self.ready:
            job = self.ready.popleft()
            sender = self.senders[job.sender_id]
            try:
                body = mime.join(job.skeleton, job.cuts)
            except Exception as error:  # a blob is missing or changed on disk: nothing may be sent in its place
                log.error("e-mail %s cannot be put together: %s", job.email_id, error)
                self.outcomes.not_prepared(job, f"{type(error).__name__}: {error}")
                self._forget(job)
                continue
            return Envelope(
                job,
                mime.wire_address(outbox.return_path(sender, job.email_id))[0],
                tokens.token("envid", job.email_id),
                [stuffed(body)],
            )
        return None

    # moving

    def _turn(self) -> None:
        """Wait a moment for any socket, then move what can move."""
        timeout = 0.0 if self.settlement else min(_LOOK, max(0.01, self._next_look - time.monotonic()))
        for key, mask in self.selector.select(timeout):
            if key.data is None:
                self.wake.recv(4096)
                continue
            talk: Conversation = key.data
            writing = talk.line.writing
            try:
                talk.line.pump(bool(mask & selectors.EVENT_READ), bool(mask & selectors.EVENT_WRITE))
            except LineLost as error:
                # What arrived before the line broke is heard first.
                if talk.line.replies and talk not in self.idle:
                    self._move(talk)
                self._lose(talk, error)
                continue
            if talk in self.idle:
                if talk.line.replies:  # an unasked 421: the server is closing
                    self._lose(talk, LineLost("closed while idle"))
            elif talk.line.replies or writing:  # half a reply is no news and puts no deadline off
                self._move(talk)
        for future in [future for future in self.opening if future.done()]:
            self.opening.discard(future)
            self._opened(future)

    def _opened(self, future: Future[Line]) -> None:
        try:
            line = future.result()
        except CannotOpen as error:
            self.most_lines = max(1, len(self.talks))
            if not self.talks and not self.opening:
                self._cannot_open(error)
            return
        self.away.back(None)
        talk = Conversation(line, self._take, self._report)
        self.selector.register(line, selectors.EVENT_READ, talk)
        self._move(talk)

    def _move(self, talk: Conversation, granted: bool | None = None) -> None:
        """Let a conversation go on until it waits again."""
        if talk.over:
            return
        try:
            wait = talk.steps.send(granted)
        except StopIteration:
            if talk.served >= talk.most:
                self._drop(talk, politely=True)
            else:
                self.idle.add(talk)
                self.talks[talk] = float("inf")
            return
        except LineLost as error:
            self._lose(talk, error)
            return
        self.idle.discard(talk)
        if wait is Wait.MARK:
            assert talk.begun is not None
            self.settlement.begun.append(talk.begun.job.email_id)
            self.marking[talk.begun.job.email_id] = talk
            self.talks[talk] = float("inf")
        else:
            slow = wait is Wait.FINAL_REPLY
            patience = self.config.smtp_data_timeout if slow else self.config.smtp_timeout
            self.talks[talk] = time.monotonic() + patience
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if talk.line.writing else 0)
        if self.selector.get_key(talk.line).events != events:
            self.selector.modify(talk.line, events, talk)

    def _lose(self, talk: Conversation, error: LineLost) -> None:
        if talk.over:
            return
        begun = talk.begun.job.email_id if talk.begun else None
        if begun in self.marking:
            del self.marking[begun]
            self.settlement.begun.remove(begun)
        talk.lost(error)
        self._drop(talk, politely=False)

    def _drop(self, talk: Conversation, politely: bool) -> None:
        talk.over = True
        self.talks.pop(talk, None)
        self.idle.discard(talk)
        self.selector.unregister(talk.line)
        talk.line.close() if politely else talk.line.drop()

    def _expire(self) -> None:
        now = time.monotonic()
        for talk in [talk for talk, deadline in self.talks.items() if deadline < now]:
            self._lose(talk, LineLost("the server did not answer in time"))

    # what became of it

    def _report(self, outcome: Outcome) -> None:
        job = outcome.job
        if outcome.kind == "broken" and outcome.phase == "mail" and outcome.reused:
            # The server closed a line we kept open: no fault of this e-mail, which goes over another at once.
            self.ready.appendleft(job)
            return
        self.outcomes.take(outcome)
        self._forget(job)
        self.sent += 1
        self._recent += 1
        if self.outcomes.refused_sender:
            self._pause(job.sender_id, self.outcomes.refused_sender)
            self.outcomes.refused_sender = None

    def _forget(self, job: Claimed) -> None:
        self.held.pop(job.email_id, None)

    def _pause(self, sender_id: int, why: str) -> None:
        outbox.pause(sender_id, why)
        for job in [job for job in self.ready if job.sender_id == sender_id]:
            self.ready.remove(job)
            self.settlement.freed.append((job.email_id, 0))
            self._forget(job)

    def _cannot_open(self, error: CannotOpen) -> None:
        """No line at all: the first e-mail says so in its history, the others wait uncounted."""
        if error.phase == "auth" and error.reply and error.reply.permanent:
            for sender_id in {job.sender_id for job in self.ready}:
                self._pause(sender_id, f"{error.reply.code} {error.reply.text}")
            return
        self.away.lost(None, error.words)
        if self.ready:
            job = self.ready.popleft()
            self.outcomes.unreachable(job, error)
            self._forget(job)
        for job in self.ready:
            self.settlement.freed.append((job.email_id, _REST))
            self._forget(job)
        self.ready.clear()
        self._next_look = time.monotonic() + _REST

    # the database

    def _flush(self) -> None:
        if not self.settlement:
            return
        try:
            granted = outbox.settle(self.owner, self.settlement)
        except (DBAPIError, PoolTimeout) as error:
            now = time.monotonic()
            self._away_since = self._away_since or now
            if now - self._away_since > _PATIENCE:
                raise
            log.warning("the database is away, the settlement waits: %s", type(error).__name__)
            time.sleep(0.2)
            return
        self._away_since = None
        marking, self.marking = self.marking, {}
        self.settlement.clear()
        for email_id, talk in marking.items():
            if email_id not in granted:
                self.held.pop(email_id, None)
            self._move(talk, email_id in granted)

    def _renew(self) -> None:
        try:
            outbox.renew(self.owner)
        except (DBAPIError, PoolTimeout):
            log.warning("leases not renewed: the database is away")

    def _end(self) -> None:
        for talk in list(self.talks):
            self._drop(talk, politely=talk in self.idle)
        for future in self.opening:
            future.add_done_callback(_close_opened)
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.selector.close()
        self.wake.close()
        self.waker.close()

    def _ring_bell(self) -> None:
        with contextlib.suppress(OSError):  # the drain has ended meanwhile
            self.waker.send(b"x")


def _open(mail: TrackedMail) -> Line:
    connection = mail.connect()
    connection.__enter__()
    return connection.line()


def _close_opened(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


def stuffed(body: bytes) -> bytes:
    """Transparency (RFC 5321 4.5.2): a dot at a line's start is doubled; the body ends in CRLF."""
    if b"\r\n." in body:
        body = body.replace(b"\r\n.", b"\r\n..")
    if body.startswith(b"."):
        body = b"." + body
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def drain(stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due over the house's account. Returns how many e-mails got an outcome."""
    return Drain(current_app.extensions["tracked_mail"], stopping).run()
