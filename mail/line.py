"""One open SMTP session moved without ever blocking: bytes out, replies in. What is said over it is in
mail.conversation; opening it is mail.opening's."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl

from mail.opening import Reply

_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)(.*?)\r*")
# RFC 5321 4.5.3.1.5 allows 512 bytes a reply line; a server that sends megabytes is no server.
_LONGEST_REPLY = 64 * 1024
# At most RSET, MAIL, RCPT, DATA and a dot wait for replies at once.
_MOST_REPLIES = 8
_MOST_PIECES = 64  # well below what a system takes in one call (IOV_MAX)


class LineLost(Exception):
    """The connection broke, timed out or talks nonsense."""


class Line:
    """One open SMTP session: `send` queues bytes, `pump` moves what can move, `replies` holds what the server said.
    All errors become LineLost."""

    def __init__(self, host: smtplib.SMTP) -> None:
        self.host = host
        self.sock: socket.socket = host.sock  # type: ignore[assignment]
        self.sock.setblocking(False)
        if self.sock.family in (socket.AF_INET, socket.AF_INET6):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = _peer(self.sock)
        self.pipelining = host.has_extn("pipelining")
        self.dsn = host.has_extn("dsn")
        self.size = host.has_extn("size")
        self.smtputf8 = host.has_extn("smtputf8")
        self.replies: list[Reply] = []
        self._tls = isinstance(self.sock, ssl.SSLSocket)
        self._out: list[bytes | memoryview] = []
        self._in = b""
        self._said: list[str] = []  # the lines of a reply that goes on

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def writing(self) -> bool:
        """Whether bytes still wait to be taken by the socket."""
        return bool(self._out)

    def send(self, *pieces: bytes) -> None:
        """Queue bytes and move what can be moved at once. Raises LineLost."""
        self._out += filter(None, pieces)
        self._write()

    def pump(self, readable: bool, writable: bool) -> None:
        """Move what the selector says can move. Raises LineLost."""
        if writable:
            self._write()
        if readable:
            self._read()

    def close(self) -> None:
        """Leave politely if the line allows; never raises, for nothing that happens here matters any more."""
        with contextlib.suppress(OSError, ValueError):
            if not self._out:
                self.sock.send(b"QUIT\r\n")
        self.host.close()

    def drop(self) -> None:
        """Break the line at once, so that a message half-sent is not taken."""
        self.host.close()

    def _write(self) -> None:
        out = self._out
        try:
            while out:
                alone = len(out) == 1 or self._tls
                taken = self.sock.send(out[0]) if alone else self.sock.sendmsg(out[:_MOST_PIECES])
                gone = 0
                while gone < len(out) and taken >= len(out[gone]):
                    taken -= len(out[gone])
                    gone += 1
                del out[:gone]
                if taken:
                    out[0] = memoryview(out[0])[taken:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise LineLost(f"{type(error).__name__}: {error}") from error

    def _read(self) -> None:
        while True:
            try:
                data = self.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                raise LineLost(f"{type(error).__name__}: {error}") from error
            if not data:
                raise LineLost("the server closed the connection")
            self._in += data
            self._parse()
            # TLS may hold decrypted bytes that no selector will ever announce.
            if not self._tls or not self.sock.pending():  # type: ignore[attr-defined]
                return

    def _parse(self) -> None:
        *lines, self._in = self._in.split(b"\n")
        for line in lines:
            found = _REPLY_LINE.fullmatch(line)
            if not found:
                raise LineLost(f"no SMTP reply: {line[:80]!r}")
            code, more, text = found.groups()
            self._said.append(text.decode("utf-8", "replace"))
            if more != b"-":
                self.replies.append(Reply(int(code), "\n".join(self._said)))
                self._said.clear()
                if len(self.replies) > _MOST_REPLIES:
                    raise LineLost("the server says more than it was asked")
        if len(self._in) + sum(map(len, self._said)) > _LONGEST_REPLY:
            raise LineLost("the server's reply does not end")


def _peer(sock: socket.socket) -> str:
    try:
        address = sock.getpeername()
        return address[0] if isinstance(address, tuple) else str(address)
    except OSError:
        return ""
