"""What is said over a line for each e-mail, phase by phase, as a generator that the drain moves.

MAIL, RCPT and DATA go in one write where the server offers PIPELINING, the next e-mail's with the last one's dot. A
message's final dot is written by a call of its own, after its mark is committed; whatever breaks before it, the
message was surely not taken; whatever breaks after it, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum

from mail.outbox import Claimed
from mail.transport import Line, LineLost, Reply


class Wait(Enum):
    """What a conversation waits for: its bytes to be taken, one reply, or its mark to be committed."""

    WRITTEN = "written"
    REPLY = "reply"
    FINAL_REPLY = "final reply"  # to the dot: RFC 5321 4.5.3.2.6 allows ten minutes
    MARK = "mark"


@dataclass(frozen=True)
class Envelope:
    """What the wire needs of one e-mail. `pieces` are its bytes, dot-stuffed, ending in CRLF."""

    job: Claimed
    mail_from: str
    envid: str
    pieces: Iterable[bytes]


@dataclass(frozen=True)
class Outcome:
    """How one e-mail fared: accepted (250 to the dot), refused (a reply, at `phase`), broken before the dot, or
    unknown (the line was lost after it)."""

    job: Claimed
    kind: str  # accepted, refused, broken, unknown
    phase: str  # mail, rcpt, data, body (the dot's reply)
    reply: Reply | None = None
    words: str = ""
    host: str = ""
    reused: bool = False  # the line had served before: a server may close it between two e-mails


Step = Generator[Wait, bool | None, None]


class Conversation:
    """One line's talk. `take()` gives the next envelope or None; `report(outcome)` is told each outcome."""

    def __init__(
        self, line: Line, take: Callable[[], Envelope | None], report: Callable[[Outcome], None], most: int = 100
    ) -> None:
        self.line, self.take, self.report, self.most = line, take, report, most
        self.held: Envelope | None = None  # asked for, its envelope perhaps said; surely not taken
        self.begun: Envelope | None = None  # its mark is or may be committed
        self.dotted = False  # the final dot of `begun` may have left
        self.refusal: Outcome | None = None  # of `held`, while the rest of its replies is read
        self.phase = "mail"
        self.served = 0
        self.over = False  # set by the drain once the line is gone
        self.steps = self._talk()

    def lost(self, error: LineLost) -> None:
        """The line broke: say what that means for what was on it."""
        words = str(error)
        if self.begun is not None:
            kind = "unknown" if self.dotted else "broken"
            self.report(self._outcome(self.begun, kind, "data" if self.dotted else "body", None, words))
        if self.held is not None:
            # While the last one's final reply was awaited, nothing was said of the next.
            phase = "mail" if self.begun is not None else self.phase
            self.report(self.refusal or self._outcome(self.held, "broken", phase, None, words))
        self.begun = self.held = self.refusal = None

    def again(self) -> None:
        """Begin to talk anew on the same line, once there is more to say."""
        self.steps = self._talk()

    def _talk(self) -> Step:
        said = False  # the envelope of `held` went out with the last dot
        reset = False
        while True:
            if self.held is None:
                self.held = self.take() if self.served < self.most else None
                said = False
            if self.held is None:
                return
            commands = self._commands(self.held)
            if reset:
                commands.insert(0, b"RSET\r\n")
            yield from self._say_envelope(commands, said, reset)
            reset = said = False
            if self.refusal is not None:
                refused, self.refusal, self.held = self.refusal, None, None
                self.report(refused)
                if refused.reply and refused.reply.code == 421:
                    raise LineLost("421 " + refused.reply.text)
                reset = True
                continue
            # The server waits for the message (354).
            self.begun, self.held, self.dotted = self.held, None, False
            granted = yield Wait.MARK
            if not granted:
                # Our lease ran out: the e-mail is someone else's now. Breaking the line is the only way out of DATA.
                self.begun = None
                raise LineLost("lease lost")
            self.line.send(*self.begun.pieces)
            while self.line.writing:
                yield Wait.WRITTEN
            if self.line.replies:
                # Nothing was asked: the server closes (421), or its words would pass for the reply to the dot.
                raise LineLost(f"{self.line.replies[0].code} {self.line.replies[0].text}")
            self.served += 1
            if self.served < self.most:
                self.held = self.take()
            dot = [b".\r\n"]
            if self.held is not None and self.line.pipelining:
                dot += self._commands(self.held)
                said = True
            self.dotted = True
            self.line.send(b"".join(dot))
            while self.line.writing:
                yield Wait.WRITTEN
            self.phase = "data"
            reply = yield from self._reply(Wait.FINAL_REPLY)
            begun, self.begun, self.dotted = self.begun, None, False
            self.phase = "mail"
            assert begun is not None
            self.report(self._outcome(begun, "accepted" if reply.positive else "refused", "body", reply))
            if reply.code == 421:
                raise LineLost("421 " + reply.text)

    def _say_envelope(self, commands: list[bytes], said: bool, reset: bool) -> Step:
        """Say RSET?, MAIL, RCPT, DATA; `refusal` is set unless the server answered 354."""
        assert self.held is not None
        together = self.line.pipelining
        if together and not said:
            self.line.send(b"".join(commands))
        if reset:
            if not together:
                self.line.send(commands.pop(0))
            yield from self._reply()
        for phase, command in zip(("mail", "rcpt", "data"), commands[-3:], strict=True):
            self.phase = phase
            if not together and not said:
                self.line.send(command)
            reply = yield from self._reply()
            good = reply.code == 354 if phase == "data" else reply.positive
            if good and phase == "data" and self.refusal is not None:
                if self.refusal.phase == "mail":
                    raise LineLost("MAIL refused, yet DATA taken")
                # RFC 2920 3.1: DATA was taken although the recipient was not. An empty message ends it.
                self.line.send(b".\r\n")
                yield from self._reply()
            elif not good and self.refusal is None:
                self.refusal = self._outcome(self.held, "refused", phase, reply)
                if not together:
                    break
        self.phase = "mail"

    def _outcome(self, envelope: Envelope, kind: str, phase: str, reply: Reply | None, words: str = "") -> Outcome:
        return Outcome(envelope.job, kind, phase, reply, words, self.line.peer, self.served > 0)

    def _reply(self, wait: Wait = Wait.REPLY) -> Generator[Wait, bool | None, Reply]:
        while not self.line.replies:
            yield wait
        return self.line.replies.pop(0)

    def _commands(self, envelope: Envelope) -> list[bytes]:
        job, line = envelope.job, self.line
        mail = [f"MAIL FROM:<{envelope.mail_from}>"]
        rcpt = [f"RCPT TO:<{job.recipient}>"]
        if line.size:
            mail.append(f"SIZE={job.size}")
        if job.smtputf8 and line.smtputf8:
            mail.append("SMTPUTF8")
        if line.dsn:
            mail += ["RET=HDRS", f"ENVID={envelope.envid}"]
            rcpt += ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT={_orcpt(job.recipient)}"]
        return [" ".join(mail).encode() + b"\r\n", " ".join(rcpt).encode() + b"\r\n", b"DATA\r\n"]


def _orcpt(address: str) -> str:
    """The original recipient in xtext (RFC 3461 4.2, 5); utf-8 addresses by RFC 6533."""
    kind = "rfc822" if address.isascii() else "utf-8"
    safe = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in address if ord(c) < 128)
    if kind == "utf-8":
        safe = "".join(c if "!" <= c <= "~" and c not in "+=\\" else f"\\x{{{ord(c):X}}}" for c in address)
    return f"{kind};{safe}"
