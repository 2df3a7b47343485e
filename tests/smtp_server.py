"""A scriptable SMTP server on loopback: behaviour by the recipient's local part, a log of what was truly taken.

perm · data5 · temp · quota · throttle · greyN (refused N times, then taken) · from5 (MAIL refused) · slow ·
stall-data (mute after the dot) · drop-rcpt · drop-body · drop-dot (taken, no reply) · lose-dot (not taken, no reply) ·
drop-250 (250, then reset) · multi-line · anything else is taken. At a named place the next one to come waits, so that a
test can kill exactly there.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

_PATH = re.compile(rb"(?:FROM|TO):<([^>]*)>(.*)", re.IGNORECASE)


@dataclass
class Taken:
    """One message the server took for good."""

    mail_from: str
    recipient: str
    options: str
    body: bytes
    at: float

    @property
    def message_id(self) -> str:
        found = re.search(rb"^Message-ID:\s*(<[^>]+>)", self.body, re.MULTILINE | re.IGNORECASE)
        return found[1].decode() if found else ""


@dataclass
class Script:
    """How the server behaves as a whole; change it while it runs."""

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 30000000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN")
    delay: float = 0.0  # before each reply to the dot
    latency: float = 0.0  # before the replies to each batch of commands
    refuse_over: int = 0  # greet with 421 above so many connections
    greeting: str = "220 practice.example ESMTP"
    mute: bool = False
    mail_refused: str = ""  # the whole reply, for every MAIL
    stop_at_dot: threading.Event | None = None  # the next message waits for it between its dot and the reply
    hold: threading.Event | None = None  # each message waits for it between its dot and the reply
    # Where the next to come waits for `go`: accept (nobody is let in), greeting, rcpt (before its reply), dot (the
    # message is whole, not yet taken), taken (before the 250). `stopped` is set once one stands there.
    stop_at: str = ""
    go: threading.Event = field(default_factory=threading.Event)


@dataclass
class SmtpServer:
    """`with SmtpServer() as server:` serves until the end; `taken` lists what it took, `tries` counts RCPTs."""

    script: Script = field(default_factory=Script)
    taken: list[Taken] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    waiting: threading.Event = field(default_factory=threading.Event)  # set once a message stands at stop_at_dot
    open_now: int = 0
    holding: int = 0  # how many messages have come to `hold`
    stopped: threading.Event = field(default_factory=threading.Event)

    def stand(self, place: str) -> None:
        """Wait here if this is where the script says so; one does, the others pass."""
        script = self.script
        if script.stop_at == place:
            script.stop_at = ""
            self.stopped.set()
            script.go.wait()

    def __enter__(self) -> SmtpServer:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        # a small window: a client that writes a large message feels at once that nobody reads it
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.port = self.listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._over = False
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self.script.go.set()
        if self.script.hold is not None:
            self.script.hold.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self._sockets):
            sock.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                select.select([self.listener], [], [])
                self.stand("accept")
                sock, _ = self.listener.accept()
            except OSError:
                return
            self._sockets.add(sock)
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        self.open_now += 1
        try:
            _Session(self, sock).run()
        except OSError:
            pass
        finally:
            self.open_now -= 1
            self._sockets.discard(sock)
            sock.close()


class _Session:
    def __init__(self, server: SmtpServer, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.out = b""
        self.mail_from = self.options = ""
        self.open = False  # a transaction: MAIL was taken, and neither a message nor RSET ended it
        self.recipient: str | None = None

    def run(self) -> None:
        script = self.server.script
        if script.mute:
            self.sock.recv(1)
            return
        if script.refuse_over and self.server.open_now > script.refuse_over:
            self.sock.sendall(b"421 4.7.0 too many connections\r\n")
            return
        self.server.stand("greeting")
        self.say(script.greeting)
        while True:
            line = self.line()
            verb = line.split(b" ", 1)[0].upper().strip()
            if verb in (b"EHLO", b"HELO"):
                self.say("\r\n".join([f"250-{e}" for e in ("practice.example", *script.extensions)] + ["250 HELP"]))
            elif verb == b"MAIL":
                self.mail(line)
            elif verb == b"RCPT":
                if not self.rcpt(line):
                    return
            elif verb == b"DATA":
                if not self.data():
                    return
            elif verb == b"RSET":
                self.recipient, self.open = None, False
                self.say("250 2.0.0 ok")
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                self.flush()
                return
            else:
                self.say("250 2.0.0 ok")

    def mail(self, line: bytes) -> None:
        if self.open:  # as aiosmtpd and Postfix say it
            self.say("503 5.5.1 Error: nested MAIL command")
            return
        path = _PATH.search(line)
        self.mail_from, self.options = path[1].decode(), path[2].decode().strip()
        self.recipient = None
        self.open = not self.server.script.mail_refused
        if self.server.script.mail_refused:
            self.mail_from = ""
        self.say(self.server.script.mail_refused or "250 2.1.0 ok")

    def rcpt(self, line: bytes) -> bool:
        path = _PATH.search(line)
        address, options = path[1].decode(), path[2].decode()
        self.server.tries[address] += 1
        kind = address.split("@")[0].split(".")[0]
        self.server.stand("rcpt")
        grey = re.fullmatch(r"grey(\d+)", kind)
        replies = {
            "perm": "550 5.1.1 no such user",
            "temp": "451 4.3.0 try again later",
            "quota": "452 4.2.2 mailbox full",
            "throttle": "421 4.7.28 too many messages, slow down",
        }
        if not self.mail_from:
            self.say("503 5.5.1 MAIL first")
        elif kind == "drop-rcpt":
            self.reset()
            return False
        elif kind in replies:
            self.say(replies[kind])
        elif grey and self.server.tries[address] <= int(grey[1]):
            self.say("450 4.7.1 greylisted, try again")
        elif kind == "multi-line":
            self.say("550-5.7.1 Réfusé <b>gras</b>\r\n550-5.7.1 " + "x" * 400 + "\r\n550 5.7.1 fin")
        else:
            self.recipient, self.kind = address, kind
            self.options += " " + options.strip()
            self.say("250 2.1.5 ok")
        return True

    def data(self) -> bool:
        script = self.server.script
        if self.recipient is None:
            self.say("503 5.5.1 no valid recipients")
            return True
        self.say("354 go ahead")
        if self.kind == "drop-body":
            self.flush()
            self.sock.recv(1)
            self.reset()
            return False
        body = self.body()
        self.open = False
        recipient, kind, self.recipient = self.recipient, self.kind, None
        if script.hold is not None:
            self.server.holding += 1
            script.hold.wait()
        if script.stop_at_dot is not None:
            stop, script.stop_at_dot = script.stop_at_dot, None
            self.server.waiting.set()
            stop.wait()
        self.server.stand("dot")
        if script.delay or kind == "slow":
            time.sleep(script.delay or 1.0)
        if kind == "data5":
            self.say("554 5.7.1 message refused as spam")
            return True
        if kind == "lose-dot":
            self.reset()
            return False
        if kind != "stall-data":
            self.server.taken.append(Taken(self.mail_from, recipient, self.options, body, time.monotonic()))
        self.server.stand("taken")
        if kind == "drop-dot":
            self.reset()
            return False
        if kind == "stall-data":
            self.flush()
            self.sock.recv(1)
            return False
        self.say(f"250 2.0.0 queued as Q{len(self.server.taken)}")
        self.flush()  # a message taken is told at once, whatever was pipelined after it
        if kind == "drop-250":
            self.reset()
            return False
        return True

    def body(self) -> bytes:
        self.flush()
        while b"\r\n.\r\n" not in self.buffer and not self.buffer.startswith(b".\r\n"):
            self.more()
        if self.buffer.startswith(b".\r\n"):
            self.buffer = self.buffer[3:]
            return b""
        body, self.buffer = self.buffer.split(b"\r\n.\r\n", 1)
        return body.replace(b"\r\n..", b"\r\n.") + b"\r\n"

    def say(self, reply: str) -> None:
        self.out += reply.encode() + b"\r\n"

    def flush(self) -> None:
        if self.out:
            if self.server.script.latency:
                time.sleep(self.server.script.latency)
            out, self.out = self.out, b""
            self.sock.sendall(out)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self.flush()
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def more(self) -> None:
        data = self.sock.recv(262144)
        if not data:
            raise ConnectionError
        self.buffer += data

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
