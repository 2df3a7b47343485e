"""Opening an SMTP session with an account: greeting, EHLO, STARTTLS, AUTH, within a time that nothing can stretch.

An organisation's own server is connected to only where mail.network allows. What is said can be followed (`note`),
secrets masked before they are noted. Moving mail over the open session is left to mail.transport and mail.drain.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from config import Config
from errors import Temporary
from mail import network
from mail.accounts import Account, bearer
from models.account import Auth, Security

MASK = "••••••"
_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# Each reply is waited for as long as SMTP_TIMEOUT says, all of them together no longer than so many times that.
_WHOLE = 2

_MOST_CHALLENGES = 5

# (what, words): "phase" connect, ehlo, starttls, tls or auth; "client" and "server": one line each, secrets masked
Note = Callable[[str, str], None]


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
    """No session could be opened. `reply` is what the server said, if it spoke; `phase` connect, ehlo, starttls or
    auth; __cause__ what went wrong."""

    def __init__(self, phase: str, words: str, reply: Reply | None = None) -> None:
        super().__init__(words)
        self.phase, self.words, self.reply = phase, words, reply


def open_session(
    account: Account, config: Config, note: Note = lambda what, words: None, seconds: float | None = None
) -> smtplib.SMTP:
    """A session that has said EHLO, is encrypted and signed in as the account asks. Raises CannotOpen.

    `seconds`: for all of it (default: twice SMTP_TIMEOUT); `note` hears every line.
    """
    whole = _WHOLE * config.smtp_timeout if seconds is None else seconds
    phase, host = "connect", None
    try:
        context = tls_context(config, account.verify) if account.security is not Security.NONE else None
        note("phase", phase)
        kind = _TlsSession if account.security is Security.TLS else Session
        host = kind(account, config, context, note, time.monotonic() + whole)
        host.begin()
        phase = "ehlo"
        note("phase", phase)
        host.ehlo_or_helo_if_needed()
        if account.security is Security.STARTTLS:
            phase = "starttls"
            note("phase", phase)
            host.hurry()
            host.starttls(context=context)
            host.ehlo()
        if account.auth is not Auth.NONE:
            phase = "auth"
            note("phase", phase)
            host.sign_in()
    except smtplib.SMTPResponseException as error:
        if host is not None:
            host.close()
        words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else ""
        words = host.without_secret(words or str(error.smtp_error)) if host is not None else words
        raise CannotOpen(phase, words, Reply(error.smtp_code, words)) from error
    except (OSError, smtplib.SMTPException, ValueError, Temporary) as error:
        if host is not None:
            host.close()
        raise CannotOpen(phase, f"{type(error).__name__}: {error}") from error
    return host


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


class Session(smtplib.SMTP):
    """smtplib's session, connected where it may be, that keeps to its deadline and says what it says."""

    def __init__(
        self, account: Account, config: Config, context: ssl.SSLContext | None, note: Note, deadline: float
    ) -> None:
        self.account, self.config, self.context, self.note, self.deadline = account, config, context, note, deadline
        self.signing_in = False
        super().__init__(local_hostname=config.mail_local_hostname or _our_name(), timeout=config.smtp_timeout)

    def begin(self) -> None:
        """Connect and hear the greeting."""
        self._host = self.account.host
        code, words = self.connect(self.account.host, self.account.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)

    def hurry(self) -> float:
        """Give the socket what is left of the time: seconds. Raises TimeoutError when it is over."""
        left = min(self.deadline - time.monotonic(), self.config.smtp_timeout)
        if left <= 0:
            raise TimeoutError("the server did not answer in time")
        if self.sock is not None:
            self.sock.settimeout(left)
        return left

    def sign_in(self) -> None:
        """AUTH, by the best way that both know. A refused XOAUTH2 token is renewed once."""
        account = self.account
        self.signing_in = True
        try:
            if account.auth is Auth.PASSWORD:
                if account.secret is None:
                    raise Temporary("the account's password cannot be read: ACCOUNT_KEYS has changed")
                self.login(account.username, account.secret)
                return
            if "XOAUTH2" not in self.esmtp_features.get("auth", "").upper().split():
                raise smtplib.SMTPNotSupportedError("the server does not offer XOAUTH2")
            token = bearer(account, self.config)
            try:
                self._bear(token)
            except smtplib.SMTPAuthenticationError:
                renewed = bearer(account, self.config, refused=token)
                if renewed == token:
                    raise
                self._bear(renewed)
        finally:
            self.signing_in, self.password = False, ""

    def _bear(self, token: str) -> None:
        # the form of Google and Microsoft; a refusal comes as a challenge that wants an empty answer
        said = f"user={self.account.username}\x01auth=Bearer {token}\x01\x01"
        self.auth("XOAUTH2", lambda challenge=None: said if challenge is None else "")

    def auth(self, mechanism: str, authobject: Any, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        """As smtplib's, but a name or password may hold any letter (RFC 4616: UTF-8)."""
        first = authobject() if initial_response_ok else None
        code, words = self.docmd("AUTH", mechanism if first is None else f"{mechanism} {_base64(first)}")
        self._auth_challenge_count = int(first is not None)  # auth_login looks at it
        while code == 334 and self._auth_challenge_count < _MOST_CHALLENGES:
            self._auth_challenge_count += 1
            code, words = self.docmd(_base64(authobject(base64.decodebytes(words))))
        if code not in (235, 503):
            raise smtplib.SMTPAuthenticationError(code, words)
        return code, words

    def send(self, s: Any) -> None:
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        self.hurry()
        for line in data.decode("utf-8", "replace").splitlines() or [""]:
            self.note("client", self._masked(line))
        super().send(data)

    def say_message(self, body: bytes) -> tuple[int, bytes]:
        """A message after DATA: its dots doubled (RFC 5321 4.5.2), its end; and the reply. Noted by its size alone."""
        stuffed = re.sub(rb"(?m)^\.", b"..", body)
        signed = re.match(rb"DKIM-Signature:[^=]*=1;[^=]*=[^=]*=[^=]*=[^;]*; s=([^;\s]+)", body)
        self.note("client", f"[{len(body)} bytes{f', DKIM {signed[1].decode()}' if signed else ''}]")
        self.note("client", ".")
        self.hurry()
        super().send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.getreply()

    def _masked(self, line: str) -> str:
        if not self.signing_in:
            return line
        verb, _, rest = line.partition(" ")
        return f"AUTH {rest.partition(' ')[0]} {MASK}".strip() if verb.upper() == "AUTH" else MASK

    def getreply(self) -> tuple[int, bytes]:
        self.hurry()
        if self.file is None:
            self.file = _Heard(io.BufferedReader(_Timed(self)), self._hear)  # type: ignore[assignment]
        return super().getreply()

    def _hear(self, line: bytes) -> None:
        self.note("server", self.without_secret(line.decode("utf-8", "replace").rstrip("\r\n")))

    def without_secret(self, words: str) -> str:
        """The words of a server that may repeat what it was told, without that."""
        secret = self.account.secret
        for shown in (secret, _base64(secret)) if secret else ():
            words = words.replace(shown, MASK)
        return words

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # type: ignore[override]
        if self.account.id is None:  # the house's server is the operator's to choose
            return socket.create_connection((host, port), self.hurry())
        return network.connect(host, port, network.for_accounts(self.config), self.hurry())


class _TlsSession(Session):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # type: ignore[override]
        sock = super()._get_socket(host, port, timeout)
        try:
            self.note("phase", "tls")
            sock.settimeout(self.hurry())
            assert self.context is not None
            return self.context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise


class _Heard:
    """What smtplib needs of a file, each line heard."""

    def __init__(self, file: io.BufferedReader, hear: Callable[[bytes], None]) -> None:
        self._file, self._hear = file, hear

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        if line:
            self._hear(line)
        return line

    def close(self) -> None:
        self._file.close()


class _Timed(io.RawIOBase):
    """A session's socket, each read given only what is left of its time."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._sock = session, session.sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._session.hurry()
        assert self._sock is not None
        return self._sock.recv_into(buffer)


def quit_session(host: smtplib.SMTP) -> None:
    """Leave politely if the server allows; never raises."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        host.quit()
    host.close()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@cache
def _our_name() -> str:
    """What EHLO says; asked once, for a slow name server would be waited for at each opening."""
    return socket.getfqdn()
