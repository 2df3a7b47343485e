"""What is said over a line for each e-mail, phase by phase, as a generator that the drain moves.

MAIL, RCPT and DATA go in one write where the server offers PIPELINING, the next e-mail's with the last one's dot. The
message follows at once, its final dot alone, by a call of its own, after its mark is committed; whatever breaks before
the dot, the message was surely not taken; whatever breaks after it, nobody knows. No e-mail is blamed for words that
were not about it: where replies and commands may be out of step, the line is left.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from mail.claims import Claimed
from mail.line import Line, LineLost
from mail.opening import Reply


class Wait(Enum):
    """What a conversation waits for: its bytes to be taken, one reply, or its mark to be committed."""

    WRITTEN = "written"
    REPLY = "reply"
    FINAL_REPLY = "final reply"  # to the dot: RFC 5321 4.5.3.2.6 allows ten minutes
    MARK = "mark"


@dataclass
class Envelope:
    """What the wire needs of one e-mail. `pieces` are its bytes, dot-stuffed, ending in CRLF; `envid()` is asked only
    where the server reports (RFC 3461)."""

    job: Claimed
    mail_from: str
    envid: Callable[[], str]
    pieces: Iterable[bytes]


class Outcome(NamedTuple):
    """How one e-mail fared: accepted (250 to the dot), refused (a reply, at `phase`), broken before the dot, unknown
    (the line was lost after it), or unsaid (its address asks for what the server does not offer)."""

    job: Claimed
    kind: str  # accepted, refused, broken, unknown, unsaid
    phase: str  # mail, rcpt, data, body (the dot's reply)
    reply: Reply | None = None
    words: str = ""
    host: str = ""
    reused: bool = False  # the line had served before: a server may close it between two e-mails


Step = Generator[Wait, bool | None, None]
_WAITED = "4.4.2"  # RFC 3463: the server waited too long for a word from us
_WAITED_WORDS = re.compile(r"time-?out|timed out", re.IGNORECASE)
NEEDS_SMTPUTF8 = "5.6.7 the server does not take addresses with such letters (no SMTPUTF8, RFC 6531)"


class Conversation:
    """One line's talk. `take(self)` gives the next envelope or None; `report(self, outcome)` is told each outcome.
    The line is worn, and takes nothing more, after `most` messages or at the moment `until` (monotonic)."""

    def __init__(
        self,
        line: Line,
        take: Callable[[Conversation], Envelope | None],
        report: Callable[[Conversation, Outcome], None],
        most: int = 100,
        until: float = float("inf"),
    ) -> None:
        self.line, self.take, self.report, self.most, self.until = line, take, report, most, until
        self.held: Envelope | None = None  # asked for, its envelope perhaps said; surely not taken
        self.begun: Envelope | None = None  # its mark is or may be committed
        self.dotted = False  # the final dot of `begun` may have left
        self.unsayable = False  # an envelope went out whose e-mail was let go of: only leaving takes it back
        self.refusal: Outcome | None = None  # of `held`, while the rest of its replies is read
        self.phase = "mail"
        self.served = 0
        self.spoke = False  # an envelope was said over it and answered
        self.open = False  # the server may hold an envelope whose message never came: RSET comes first
        self.waits: Wait | None = None  # what for, as whoever moves it was told; None between two talks
        self.over = False  # set once the line is gone
        self.steps = self._talk()

    @property
    def worn(self) -> bool:
        """Whether the line has served its time."""
        return self.served >= self.most or time.monotonic() >= self.until

    def lost(self, error: LineLost) -> None:
        """The line broke: say what that means for what was on it."""
        words = str(error)
        begun, held, refusal, dotted = self.begun, self.held, self.refusal, self.dotted
        self.begun = self.held = self.refusal = None
        if begun is not None:
            kind = "unknown" if dotted else "broken"
            self.report(self, self._outcome(begun, kind, "data" if dotted else "body", None, words))
        if held is not None:
            # While the last one's final reply was awaited, nothing was said of the next.
            phase = "mail" if begun is not None else self.phase
            self.report(self, refusal or self._outcome(held, "broken", phase, None, words))

    def let_go(self) -> Envelope | None:
        """While a final reply is awaited for long: the e-mail that waits behind it, for another line. What was said of
        it is never followed by its message."""
        if not self.dotted or self.held is None:
            return None
        held, self.held = self.held, None
        self.unsayable = self.line.pipelining
        return held

    def again(self) -> None:
        """Begin to talk anew on the same line, once there is more to say."""
        self.steps = self._talk()

    def _next(self) -> Envelope | None:
        """The next e-mail that can be said over this line."""
        while not self.worn and (envelope := self.take(self)) is not None:
            if not envelope.job.smtputf8 or self.line.smtputf8:
                return envelope
            self.report(self, self._outcome(envelope, "unsaid", "mail", None, NEEDS_SMTPUTF8))
        return None

    def _talk(self) -> Step:
        said = False  # the envelope of `held` went out with the last dot
        line = self.line
        while True:
            if self.held is None:
                self.held = self._next()
                said = False
            if self.held is None:
                return
            yield from self._say_envelope([] if said else self._commands(self.held), said)
            said = False
            if self.refusal is not None:
                refused, self.refusal, self.held = self.refusal, None, None
                self.report(self, refused)
                if refused.reply and refused.reply.code == 421:
                    raise LineLost("421 " + refused.reply.text)
                self.open = True
                continue
            # The server waits for the message (354).
            self.begun, self.held, self.dotted = self.held, None, False
            line.send(*self.begun.pieces)
            granted = yield Wait.MARK
            if not granted:
                # Our lease ran out: the e-mail is someone else's now. Breaking the line is the only way out of DATA.
                self.begun = None
                raise LineLost("lease lost")
            while line.writing:
                yield Wait.WRITTEN
            if line.replies:
                # Nothing was asked: the server closes (421), or its words would pass for the reply to the dot.
                raise LineLost(f"{line.replies[0].code} {line.replies[0].text}")
            self.served += 1
            self.held = self._next()
            dot = [b".\r\n"]
            if self.held is not None and line.pipelining:
                dot += self._commands(self.held)
                said = True
            self.dotted = True
            line.send(b"".join(dot))
            while line.writing:
                yield Wait.WRITTEN
            self.phase = "data"
            while not line.replies:
                yield Wait.FINAL_REPLY
            reply = line.replies.pop(0)
            begun, self.begun, self.dotted = self.begun, None, False
            self.phase = "mail"
            self.report(self, self._outcome(begun, "accepted" if reply.positive else "refused", "body", reply))
            if reply.code == 421:
                raise LineLost("421 " + reply.text)
            if self.unsayable:
                raise LineLost("an envelope taken back")

    def _say_envelope(self, commands: list[bytes], said: bool) -> Step:
        """Say RSET?, MAIL, RCPT, DATA; `refusal` is set unless the server answered 354."""
        assert self.held is not None
        line = self.line
        together = line.pipelining
        reset, self.open = self.open, False
        if not said:  # nothing was asked: what the server has said meanwhile answers none of what follows
            line.pump(True, False)
            if line.replies:
                raise LineLost(f"{line.replies[0].code} {line.replies[0].text}")
        if together and not said:
            line.send(b"RSET\r\n" * reset + b"".join(commands))
        if reset:
            if not together:
                line.send(b"RSET\r\n")
            while not line.replies:
                yield Wait.REPLY
            line.replies.pop(0)
        for number, phase in enumerate(("mail", "rcpt", "data")):
            self.phase = phase
            if not together:
                line.send(commands[number])
            while not line.replies:
                yield Wait.REPLY
            reply = line.replies.pop(0)
            good = reply.code == 354 if phase == "data" else reply.positive
            if self._is_the_lines(reply, phase, good):
                raise LineLost(f"{reply.code} {reply.text}")
            if good and phase == "data" and self.refusal is not None:
                if self.refusal.phase == "mail":
                    raise LineLost("MAIL refused, yet DATA taken")
                # RFC 2920 3.1: DATA was taken although the recipient was not. An empty message ends it.
                line.send(b".\r\n")
                while not line.replies:
                    yield Wait.REPLY
                line.replies.pop(0)
            elif not good and self.refusal is None:
                self.refusal = self._outcome(self.held, "refused", phase, reply)
                if not together:
                    break
        self.phase, self.spoke = "mail", True

    def _is_the_lines(self, reply: Reply, phase: str, good: bool) -> bool:
        """Whether a reply to an envelope is about the line and says nothing of the e-mail or its sender."""
        if phase == "mail" and reply.code == 503 and self.spoke:
            return True  # a bad sequence of commands (RFC 5321 4.2.4): the server holds open what we do not
        if reply.code == 421:
            return reply.enhanced == _WAITED or bool(_WAITED_WORDS.search(reply.text))
        return not good and not 400 <= reply.code < 600  # an answer to something else: the two are out of step

    def _outcome(self, envelope: Envelope, kind: str, phase: str, reply: Reply | None, words: str = "") -> Outcome:
        return Outcome(envelope.job, kind, phase, reply, words, self.line.peer, self.spoke)

    def _commands(self, envelope: Envelope) -> list[bytes]:
        job, line = envelope.job, self.line
        mail, rcpt = f"MAIL FROM:<{envelope.mail_from}>", f"RCPT TO:<{job.recipient}>"
        if line.size:
            mail += f" SIZE={job.size}"
        if job.smtputf8:
            mail += " SMTPUTF8"
        if line.dsn:
            mail += f" RET=HDRS ENVID={envelope.envid()}"
            rcpt += f" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT={_orcpt(job.recipient)}"
        return [f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"]


def _orcpt(address: str) -> str:
    """The original recipient in xtext (RFC 3461 4.2, 5); utf-8 addresses by RFC 6533."""
    if address.isascii():
        if address.isprintable() and not {"+", "=", " "} & set(address):
            return f"rfc822;{address}"
        return "rfc822;" + "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in address)
    return "utf-8;" + "".join(c if "!" <= c <= "~" and c not in "+=\\" else f"\\x{{{ord(c):X}}}" for c in address)


def stuffed(pieces: Iterable[bytes]) -> list[bytes]:
    """Transparency (RFC 5321 4.5.2) over the pieces of a message: a dot at a line's start is doubled, wherever the
    message is cut; the whole ends in CRLF. Pieces that need no change are passed on as they are."""
    made, before = [], b"\r\n"  # the last two bytes so far; a message begins at a line's start
    for piece in pieces:
        if not piece:
            continue
        start = (before + piece[:2]).find(b"\r\n.")  # across the cut
        if b"\r\n." in piece:
            piece = piece.replace(b"\r\n.", b"\r\n..")
        if 0 <= start < 2:
            dot = start + 2 - len(before)
            piece = piece[:dot] + b"." + piece[dot:]
        made.append(piece)
        before = (before + piece[-2:])[-2:]
    if before != b"\r\n" or not made:
        made.append(b"\r\n")
    return made
