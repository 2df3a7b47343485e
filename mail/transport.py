"""Flask-Mail's façade with a connection of our own: replies kept, timeouts, verified TLS, one phase at a time.

smtplib opens a connection (greeting, EHLO, STARTTLS, AUTH); from then on a Line moves it without ever blocking, so
that one worker can keep several servers busy. What is said over a line is in mail.conversation.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Any

import flask_mail
from flask import Flask

from config import Config

_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)(.*)")
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# RFC 5321 4.5.3.1.5 allows 512 bytes a reply line; a server that sends megabytes is no server.
_LONGEST_REPLY = 64 * 1024
# At most RSET, MAIL, RCPT, DATA and a dot wait for replies at once.
_MOST_REPLIES = 8


@dataclass(frozen=True)
class Reply:
    """A server's reply: code, the enhanced code (RFC 3463) if given, and its words on one or more lines."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        found = _ENHANCED.match(self.text)
        return found[1] if found else None

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 400

    @property
    def permanent(self) -> bool:
        return self.code >= 500


class CannotOpen(Exception):
    """No session could be opened. `reply` is what the server said, if it spoke; `phase` connect, starttls or auth."""

    def __init__(self, phase: str, words: str, reply: Reply | None = None) -> None:
        super().__init__(words)
        self.phase, self.words, self.reply = phase, words, reply


class LineLost(Exception):
    """The connection broke, timed out or talks nonsense."""


class TrackedConnection(flask_mail.Connection):
    """Flask-Mail's connection, opened with timeouts and verified TLS; `line` is its non-blocking side."""

    mail: TrackedMail

    def configure_host(self) -> smtplib.SMTP:
        """A session that has said EHLO, is encrypted and signed in as settings ask. Raises CannotOpen."""
        mail, config = self.mail, self.mail.config
        phase, host = "connect", None
        try:
            context = tls_context(config, config.mail_verify_tls) if mail.use_ssl or mail.use_tls else None
            name = config.mail_local_hostname or _our_name()
            options: dict[str, Any] = {"timeout": config.smtp_timeout, "local_hostname": name}
            if mail.use_ssl:
                host = smtplib.SMTP_SSL(mail.server, mail.port, context=context, **options)
            else:
                host = smtplib.SMTP(mail.server, mail.port, **options)
            phase = "ehlo"
            host.ehlo_or_helo_if_needed()
            if mail.use_tls:
                phase = "starttls"
                host.starttls(context=context)
                host.ehlo()
            if mail.username and mail.password:
                phase = "auth"
                host.login(mail.username, mail.password)
        except smtplib.SMTPResponseException as error:
            if host is not None:
                host.close()
            words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else ""
            words = words or str(error.smtp_error)
            raise CannotOpen(phase, words, Reply(error.smtp_code, words)) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            if host is not None:
                host.close()
            raise CannotOpen(phase, f"{type(error).__name__}: {error}") from error
        return host

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

    def connect(self) -> TrackedConnection:
        """A tracked connection, not yet open."""
        return TrackedConnection(self)


def tls_context(config: Config, verify: bool = True) -> ssl.SSLContext:
    """TLS 1.2 or better with a certificate verified by the system's authorities and the operator's own."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.mail_ca_file:
        context.load_verify_locations(config.mail_ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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


@cache
def _our_name() -> str:
    """What EHLO says; asked once, for a slow name server would be waited for at each opening."""
    return socket.getfqdn()


def _peer(sock: socket.socket) -> str:
    try:
        address = sock.getpeername()
        return address[0] if isinstance(address, tuple) else str(address)
    except OSError:
        return ""
