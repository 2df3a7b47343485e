"""A worker's lines, kept by account: opened in threads, moved by one selector, left when worn.

No account waits for another: each has its own allowance, its own queue of claimed e-mails and its own rest after a
server that cannot be reached. What to send and what an outcome means is left to mail.drain.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from mail.accounts import Account
from mail.claims import Claimed
from mail.conversation import Conversation, Envelope, Outcome, Wait
from mail.line import Line, LineLost
from mail.transport import CannotOpen, TrackedMail

# What a server could not give (a line, any line) is not asked for again for so many seconds.
REST = 30.0
_OPENERS = 64  # accounts whose servers are mute hold one each
_NEVER = float("inf")
# A worker that looks at its deadlines this late was itself stopped meanwhile (a machine asleep, SIGSTOP).
_STOPPED = 2.0


@dataclass(eq=False)
class Lane:
    """One account as this worker has it: e-mails that wait for a line, lines, and how many are being opened."""

    account: Account
    ready: deque[Claimed] = field(default_factory=deque)
    talks: dict[Conversation, float] = field(default_factory=dict)  # → deadline of what it waits for
    idle: list[Conversation] = field(default_factory=list)
    opening: int = 0
    rest_until: float = 0.0
    most: int = 1_000_000  # what the server was seen to take, until `most_until`
    most_until: float = 0.0
    stuck: frozenset[str] = frozenset()  # domains that keep half of the lines waiting for a final reply

    def add(self, job: Claimed) -> None:
        """Let an e-mail wait for a line: interactive before bulk."""
        place = len(self.ready)
        if job.priority == 0:
            place = next((n for n, other in enumerate(self.ready) if other.priority), place)
        self.ready.insert(place, job)


@dataclass
class Manners:
    """Seconds to wait for a reply, for the one to a whole message; the most lines of this worker to one account."""

    timeout: float
    data_timeout: float
    most: int

    @property
    def slow(self) -> float:
        """A final reply that takes longer keeps no other e-mail from having a line."""
        return min(10.0, self.data_timeout / 3)


class Lines:
    """`take(lane)` gives the next envelope or None, `report(lane, outcome)` is told each outcome, `shut(lane, error)`
    that a line could not be opened, perhaps the only one, `opened(id)` that one was; `allowed(account)` says how
    many may be held now."""

    def __init__(
        self,
        mail: TrackedMail,
        manners: Manners,
        take: Callable[[Lane], Envelope | None],
        report: Callable[[Lane, Outcome], None],
        shut: Callable[[Lane, CannotOpen], None],
        allowed: Callable[[Account], int],
        opened: Callable[[int | None], None],
    ) -> None:
        self.mail, self.manners, self.report, self.shut, self.allowed = mail, manners, report, shut, allowed
        self._take, self._answers = take, opened
        self.lanes: dict[int | None, Lane] = {}
        self.marking: dict[int, Conversation] = {}  # e-mail → the talk that waits until its mark is committed
        self._lane_of: dict[Conversation, Lane] = {}
        self._slow_since: dict[Conversation, float] = {}
        self._events: dict[Conversation, int] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ, self._hear_bell)
        self._openers = ThreadPoolExecutor(_OPENERS, "smtp-open")
        self._opening: dict[Future[Line], Lane] = {}
        self._looked = time.monotonic()  # when deadlines were last looked at

    def lane(self, account: Account) -> Lane:
        """The account's lane; its next lines are opened as the account says now."""
        lane = self.lanes.get(account.id)
        if lane is None:
            lane = self.lanes[account.id] = Lane(account)
        lane.account = account
        return lane

    @property
    def opening(self) -> bool:
        return bool(self._opening)

    def held(self) -> dict[int | None, int]:
        """How many lines there are to each account, those being opened among them."""
        return {id: len(lane.talks) + lane.opening for id, lane in self.lanes.items() if lane.talks or lane.opening}

    def room(self, lane: Lane) -> int:
        """How many more lines may be opened; below 0, how many are to be let go of. Those that wait long for a final
        reply leave room for as many others, up to twice the allowance."""
        allowed = min(self.manners.most, self.allowed(lane.account))
        if lane.most < allowed:
            allowed = lane.most if time.monotonic() < lane.most_until else allowed
        taken = len(lane.talks) + lane.opening
        if taken >= allowed and self._slow_since:
            long_ago = self._looked - self.manners.slow  # by the look that told which domains hold lines up
            slow = sum(self._slow_since.get(talk, _NEVER) < long_ago for talk in lane.talks)
            allowed = min(2 * allowed, allowed + slow)
        return allowed - taken

    def work(self, now: float) -> list[Lane]:
        """Wake idle lines, open new ones while work waits. One at first: a dead server costs a thread, no more. Gives
        the lanes whose e-mails wait in vain: this worker may hold no line there."""
        in_vain = []
        for lane in self.lanes.values():
            while lane.ready and lane.idle:
                talk = lane.idle.pop()
                talk.again()
                self._move(talk)
            if lane.ready and now >= lane.rest_until:
                wanted = min(self.room(lane), len(lane.ready) - lane.opening)
                if not lane.talks:
                    wanted = min(wanted, 1 - lane.opening)
                for _ in range(wanted):
                    self._open(lane)
                if not lane.talks and not lane.opening:
                    in_vain.append(lane)
        return in_vain

    def turn(self, timeout: float) -> None:
        """Wait a moment for any socket, then move what can move."""
        for key, mask in self._selector.select(timeout):
            if type(key.data) is not Conversation:
                key.data()
                continue
            talk: Conversation = key.data
            line = talk.line
            writing = line.writing
            try:
                line.pump(bool(mask & selectors.EVENT_READ), bool(mask & selectors.EVENT_WRITE))
            except LineLost as error:
                # What arrived before the line broke is heard first.
                if line.replies and talk.waits not in (None, Wait.MARK):
                    self._move(talk)
                self._lose(talk, error)
                continue
            if talk.waits is Wait.MARK:  # its body goes out meanwhile; whatever the server says, the mark comes first
                if writing and not line.writing:
                    self._listen(talk)
            elif talk.waits is None:
                if line.replies:  # an unasked 421: the server is closing
                    self._lose(talk, LineLost("closed while idle"))
            elif line.replies or writing:  # half a reply is no news and puts no deadline off
                self._move(talk)
        for future in [future for future in self._opening if future.done()]:
            self._opened(future, self._opening.pop(future))

    def watch(self, sock: int, events: int, call: Callable[[], None]) -> None:
        """Call when that socket can move, until `unwatch`."""
        self._selector.register(sock, events, call)

    def unwatch(self, sock: int) -> None:
        """No longer."""
        self._selector.unregister(sock)

    def rouse(self) -> None:
        """End a turn that waits, from any thread."""
        with contextlib.suppress(OSError):  # the drain has ended meanwhile, or the bell rings already
            self._waker.send(b"x")

    def grant(self, marked: Iterable[tuple[int, Conversation]], granted: set[int]) -> None:
        """The marks of these are committed where their e-mails are among `granted`; the others' leases are lost."""
        for email_id, talk in marked:
            if not talk.over and talk.waits is Wait.MARK:
                self._move(talk, email_id in granted)

    def expire(self, now: float) -> None:
        """Leave the lines whose server did not answer in time; see which domains hold lines up. No server is late for
        the time in which nobody listened, nor with what has arrived and was not read."""
        if (unheard := now - self._looked) > _STOPPED:
            self._put_off(unheard)
        self._looked = now
        if any(deadline < now for lane in self.lanes.values() for deadline in lane.talks.values()):
            self.turn(0)
        slow = now - self.manners.slow
        for lane in self.lanes.values():
            for talk in [talk for talk, deadline in lane.talks.items() if deadline < now]:
                self._lose(talk, LineLost("the server did not answer in time"))
            waiting: Counter[str] = Counter()
            if self._slow_since:
                for talk in lane.talks:
                    if self._slow_since.get(talk, _NEVER) < slow and talk.begun is not None:
                        waiting[talk.begun.job.domain] += 1
                        if behind := talk.let_go():
                            lane.ready.appendleft(behind.job)
            many = max(1, min(self.manners.most, self.allowed(lane.account)) // 2) if waiting else 0
            lane.stuck = frozenset(domain for domain, number in waiting.items() if number >= many)

    def _put_off(self, seconds: float) -> None:
        for lane in self.lanes.values():
            for talk in lane.talks:
                lane.talks[talk] += seconds
        for talk in self._slow_since:
            self._slow_since[talk] += seconds

    def end(self) -> None:
        """Leave every line, politely where nothing is on it."""
        for talk in list(self._lane_of):
            self._drop(talk, politely=talk.waits is None)
        for future in self._opening:
            future.add_done_callback(_close_opened)
        self._openers.shutdown(wait=False, cancel_futures=True)
        self._selector.close()
        self._wake.close()
        self._waker.close()

    # one line

    def _open(self, lane: Lane) -> None:
        lane.opening += 1
        future = self._openers.submit(_open, self.mail, lane.account)
        self._opening[future] = lane
        future.add_done_callback(lambda _: self.rouse())

    def _opened(self, future: Future[Line], lane: Lane) -> None:
        lane.opening -= 1
        now = time.monotonic()
        try:
            line = future.result()
        except CannotOpen as error:
            lane.most, lane.most_until = max(1, len(lane.talks)), now + REST
            if not lane.talks and not lane.opening:
                lane.rest_until = now + REST
            self.shut(lane, error)
            return
        account = lane.account
        self._answers(account.id)
        talk = Conversation(line, self._next, self._told, account.most_messages, now + account.most_seconds)
        self._lane_of[talk] = lane
        lane.talks[talk] = _NEVER
        self._events[talk] = selectors.EVENT_READ
        self._selector.register(line, selectors.EVENT_READ, talk)
        self._move(talk)

    def _next(self, talk: Conversation) -> Envelope | None:
        lane = self._lane_of[talk]
        if self.room(lane) < 0:  # another worker waits for its part
            talk.until = 0.0
            return None
        return self._take(lane)

    def _told(self, talk: Conversation, outcome: Outcome) -> None:
        self.report(self._lane_of[talk], outcome)

    def _move(self, talk: Conversation, granted: bool | None = None) -> None:
        """Let a conversation go on until it waits again."""
        if talk.over:
            return
        lane = self._lane_of[talk]
        self._slow_since.pop(talk, None)
        try:
            wait = talk.waits = talk.steps.send(granted)
        except StopIteration:
            talk.waits = None
            if talk.worn:
                self._drop(talk, politely=True)
            else:
                lane.idle.append(talk)
                lane.talks[talk] = _NEVER
            return
        except LineLost as error:
            self._lose(talk, error)
            return
        if wait is Wait.MARK:
            assert talk.begun is not None
            self.marking[talk.begun.job.email_id] = talk
            lane.talks[talk] = _NEVER
        elif wait is Wait.FINAL_REPLY:
            now = self._slow_since[talk] = time.monotonic()
            lane.talks[talk] = now + self.manners.data_timeout
        else:
            lane.talks[talk] = time.monotonic() + self.manners.timeout
        self._listen(talk)

    def _listen(self, talk: Conversation) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if talk.line.writing else 0)
        if self._events[talk] != events:
            self._events[talk] = events
            self._selector.modify(talk.line, events, talk)

    def _lose(self, talk: Conversation, error: LineLost) -> None:
        if talk.over:
            return
        if talk.begun is not None and self.marking.get(talk.begun.job.email_id) is talk:
            del self.marking[talk.begun.job.email_id]
        talk.lost(error)
        self._drop(talk, politely=False)

    def _drop(self, talk: Conversation, politely: bool) -> None:
        talk.over = True
        lane = self._lane_of.pop(talk)
        del lane.talks[talk], self._events[talk]
        self._slow_since.pop(talk, None)
        if talk in lane.idle:
            lane.idle.remove(talk)
        self._selector.unregister(talk.line)
        talk.line.close() if politely else talk.line.drop()

    def _hear_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake.recv(4096)


def _open(mail: TrackedMail, account: Account) -> Line:
    connection = mail.connect(account)
    connection.__enter__()
    return connection.line()


def _close_opened(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
