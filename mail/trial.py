"""One test message over one account, with all that was said: what a person reads who asks why a sender fails.

Never longer than SECONDS, never an error raised: what goes wrong is the answer. Secrets are masked before a line is
kept (mail.opening). Rows of it are mail.trials'.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from config import Config
from errors import Temporary
from mail import network
from mail.accounts import Account
from mail.opening import CannotOpen, Session, open_session, quit_session
from models.account import Auth, Security
from models.sender_trial import TrialPhase, TrialTrouble

SECONDS = 25.0
# to read the certificate of a server that was not trusted
_CERTIFICATE_SECONDS = 4.0
_MOST_LINES, _LONGEST_LINE = 200, 1000
_PHASES = {one.value: one for one in TrialPhase}


@dataclass
class Told:
    """What a trial came to. `lines` as SenderTrial keeps them, `tls` empty on a connection in clear."""

    arrived: bool = False
    phase: TrialPhase | None = None
    trouble: TrialTrouble | None = None
    lines: list[list[Any]] = field(default_factory=list)
    tls: dict[str, Any] = field(default_factory=dict)


class _Failed(Exception):
    def __init__(self, trouble: TrialTrouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


def run(account: Account, config: Config, mail_from: str, recipient: str, body: bytes, utf8: bool = False) -> Told:
    """Send `body` (CRLF lines) from `mail_from` to `recipient` and tell how it went."""
    began = time.monotonic()
    told = Told()

    def note(what: str, words: str) -> None:
        if what == "phase":
            told.phase = _PHASES[words]
        if len(told.lines) < _MOST_LINES:
            said = words[:_LONGEST_LINE].replace("\x00", "\ufffd")  # no database keeps a NUL
            told.lines.append([round((time.monotonic() - began) * 1000), what, said])

    session = None
    try:
        session = open_session(account, config, note, SECONDS)
        told.tls = _facts(session, account.verify)
        _hand_over(session, note, mail_from, recipient, body, utf8)
        told.arrived, told.phase = True, None
    except CannotOpen as error:
        told.trouble = _why_not_open(error, told.phase, account)
        if told.trouble is TrialTrouble.CERTIFICATE:
            told.tls = _seen_certificate(account, config) | {"why": getattr(error.__cause__, "verify_message", "")}
    except _Failed as error:
        told.trouble = error.trouble
    except (OSError, smtplib.SMTPException, ValueError) as error:
        told.trouble = _why_broken(error)
    finally:
        if session is not None:
            quit_session(session)
    return told


def _hand_over(
    session: smtplib.SMTP, note: Callable[[str, str], None], mail_from: str, recipient: str, body: bytes, utf8: bool
) -> None:
    """MAIL, RCPT, DATA and the message. Raises _Failed for a refusal."""
    assert isinstance(session, Session)
    if utf8:
        session.command_encoding = "utf-8"
    note("phase", "mail")
    _expect(session.mail(mail_from, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []), TrialTrouble.SENDER)
    note("phase", "rcpt")
    _expect(session.rcpt(recipient), TrialTrouble.RECIPIENT)
    note("phase", "data")
    _expect(session.docmd("DATA"), TrialTrouble.MESSAGE)
    _expect(session.say_message(body), TrialTrouble.MESSAGE)


def _expect(reply: tuple[int, bytes], trouble: TrialTrouble) -> None:
    code = reply[0]
    if not 200 <= code < 400:
        raise _Failed(TrialTrouble.BROKEN if code < 200 else TrialTrouble.BUSY if code < 500 else trouble)


def _why_not_open(error: CannotOpen, phase: TrialPhase | None, account: Account) -> TrialTrouble:
    if error.reply is not None and error.reply.code >= 200:
        if not error.reply.permanent:
            return TrialTrouble.BUSY
        return {
            TrialPhase.AUTH: TrialTrouble.CREDENTIALS, TrialPhase.STARTTLS: TrialTrouble.NO_STARTTLS,
        }.get(phase or TrialPhase.CONNECT, TrialTrouble.GREETING)  # fmt: skip
    cause = error.__cause__
    if isinstance(cause, Temporary):
        return TrialTrouble.SECRET if account.auth is Auth.PASSWORD else TrialTrouble.TOKEN
    if phase is TrialPhase.STARTTLS and isinstance(cause, smtplib.SMTPNotSupportedError):
        return TrialTrouble.NO_STARTTLS
    unasked = type(cause) in (smtplib.SMTPNotSupportedError, smtplib.SMTPException)
    return TrialTrouble.NO_AUTH if phase is TrialPhase.AUTH and unasked else _why_broken(cause)


def _why_broken(error: BaseException | None) -> TrialTrouble:
    """Of what kind an error of the network is."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        return TrialTrouble.TIMEOUT
    kinds: tuple[tuple[type[BaseException], TrialTrouble], ...] = (
        (network.Forbidden, TrialTrouble.FORBIDDEN), (network.NameUnknown, TrialTrouble.NAME),
        (socket.gaierror, TrialTrouble.NAME), (ssl.SSLCertVerificationError, TrialTrouble.CERTIFICATE),
        (ssl.SSLError, TrialTrouble.TLS), (TimeoutError, TrialTrouble.TIMEOUT),
        (ConnectionRefusedError, TrialTrouble.REFUSED), (ConnectionError, TrialTrouble.BROKEN),
        (smtplib.SMTPException, TrialTrouble.BROKEN), (OSError, TrialTrouble.UNREACHABLE),
    )  # fmt: skip
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), TrialTrouble.BROKEN)


def _facts(session: smtplib.SMTP, verified: bool) -> dict[str, Any]:
    """What the encrypted connection is made of; empty in clear."""
    sock = session.sock
    if not isinstance(sock, ssl.SSLSocket):
        return {}
    cipher = sock.cipher()
    raw = sock.getpeercert(binary_form=True)
    return {
        "version": sock.version() or "", "cipher": cipher[0] if cipher else "", "bits": cipher[2] if cipher else None,
        "verified": verified, "certificate": certificate(raw) if raw else {},
    }  # fmt: skip


def _seen_certificate(account: Account, config: Config) -> dict[str, Any]:
    """The certificate of a server that was not trusted: shown for what it is, and nothing is said to that server."""
    if account.security is Security.NONE:
        return {}
    try:
        session = open_session(
            replace(account, verify=False, auth=Auth.NONE, secret=None), config, seconds=_CERTIFICATE_SECONDS
        )
    except CannotOpen:
        return {}
    found = _facts(session, False)
    quit_session(session)
    return found


def certificate(raw: bytes) -> dict[str, Any]:
    """The names, issuer and dates of a certificate (DER), JSON as it stands; empty where it cannot be read."""
    try:
        read = x509.load_der_x509_certificate(raw)
        names = _names(read)
    except ValueError:
        return {}
    until = read.not_valid_after_utc
    return {
        "names": names[:20], "more": max(len(names) - 20, 0), "issuer": _common_name(read.issuer),
        "since": read.not_valid_before_utc.isoformat(), "until": until.isoformat(),
        "days": (until - datetime.now(UTC)).days,
    }  # fmt: skip


def _names(read: x509.Certificate) -> list[str]:
    try:
        extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [name for name in [_common_name(read.subject)] if name]
    names = [str(name) for name in extension.get_values_for_type(x509.DNSName)]
    return names + [str(ip) for ip in extension.get_values_for_type(x509.IPAddress)]


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return re.sub(r"[\x00-\x1f]", "", str(found[0].value))[:200] if found else ""
