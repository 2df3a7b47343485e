"""Flask-Mail's façade with a connection of our own: replies kept, timeouts, verified TLS, one phase at a time.

mail.opening opens a connection (greeting, EHLO, STARTTLS, AUTH); from then on a Line moves it without ever blocking,
so that one worker can keep several servers busy. What is said over a line is in mail.conversation.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from typing import Any

import flask_mail
from flask import Flask

from config import Config
from mail import accounts
from mail.accounts import Account
from mail.opening import CannotOpen, Reply, open_session, tls_context

__all__ = ["CannotOpen", "Line", "LineLost", "Reply", "TrackedConnection", "TrackedMail", "tls_context"]

_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)(.*)")
# RFC 5321 4.5.3.1.5 allows 512 bytes a reply line; a server that sends megabytes is no server.
_LONGEST_REPLY = 64 * 1024
# At most RSET, MAIL, RCPT, DATA and a dot wait for replies at once.
_MOST_REPLIES = 8


class LineLost(Exception):
    """The connection broke, timed out or talks nonsense."""


class TrackedConnection(flask_mail.Connection):
    """Flask-Mail's connection, opened with timeouts and verified TLS; `line` is its non-blocking side."""

    mail: TrackedMail

    def __init__(self, mail: TrackedMail, account: Account | None = None) -> None:
        super().__init__(mail)
        self.account = account

    def configure_host(self) -> smtplib.SMTP:
        """A session that has said EHLO, is encrypted and signed in as the account asks. Raises CannotOpen."""
        return open_session(self.account or accounts.house_of(self.mail, self.mail.config), self.mail.config)

    def line(self) -> Line:
        """The open session as a Line."""
        assert isinstance(self.host, smtplib.SMTP)
        return Line(self.host)


class TrackedMail(flask_mail.Mail):
    """Flask-Mail whose connections are tracked."""

    config: Config

    def init_app(self, app: Flask) -> Any:
        self.config = app.extensions["sillage"]
        app.config.update(
            MAIL_SERVER=self.config.mail_server,
            MAIL_PORT=self.config.mail_port,
            MAIL_USERNAME=self.config.mail_username,
            MAIL_PASSWORD=self.config.mail_password,
            MAIL_USE_TLS=self.config.mail_use_tls,
            MAIL_USE_SSL=self.config.mail_use_ssl,
            MAIL_SUPPRESS_SEND=False,  # Flask-Mail's default would follow app.testing
        )
        state = super().init_app(app)
        self.server, self.port = self.config.mail_server, self.config.mail_port
        self.username, self.password = self.config.mail_username, self.config.mail_password
        self.use_tls, self.use_ssl = self.config.mail_use_tls, self.config.mail_use_ssl
        self.suppress, self.debug, self.max_emails = False, 0, None
        return state

    def connect(self, account: Account | None = None) -> TrackedConnection:
        """A tracked connection with an account (None: the house's), not yet open."""
        return TrackedConnection(self, account)


class Line:
    """One open SMTP session moved without blocking: `send` queues bytes, `pump` moves what can move, `replies` holds
    what the server said. All errors become LineLost."""

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
        self._out: list[memoryview] = []
        self._in = bytearray()
        self._lines: list[tuple[int, bytes]] = []

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def writing(self) -> bool:
        """Whether bytes still wait to be taken by the socket."""
        return bool(self._out)

    def send(self, *pieces: bytes) -> None:
        """Queue bytes and move what can be moved at once. Raises LineLost."""
        self._out += [memoryview(piece) for piece in pieces if piece]
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
        try:
            while self._out:
                taken = self.sock.send(self._out[0])
                if taken < len(self._out[0]):
                    self._out[0] = self._out[0][taken:]
                else:
                    self._out.pop(0)
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
            if not isinstance(self.sock, ssl.SSLSocket) or not self.sock.pending():
                return

    def _parse(self) -> None:
        while (end := self._in.find(b"\n")) >= 0:
            line = bytes(self._in[:end]).rstrip(b"\r")
            del self._in[: end + 1]
            found = _REPLY_LINE.fullmatch(line)
            if not found:
                raise LineLost(f"no SMTP reply: {line[:80]!r}")
            self._lines.append((int(found[1]), found[3]))
            if found[2] != b"-":
                words = "\n".join(text.decode("utf-8", "replace") for _, text in self._lines)
                self.replies.append(Reply(self._lines[-1][0], words))
                self._lines.clear()
        if len(self.replies) > _MOST_REPLIES:
            raise LineLost("the server says more than it was asked")
        if len(self._in) + sum(len(text) for _, text in self._lines) > _LONGEST_REPLY:
            raise LineLost("the server's reply does not end")


def _peer(sock: socket.socket) -> str:
    try:
        address = sock.getpeername()
        return address[0] if isinstance(address, tuple) else str(address)
    except OSError:
        return ""
