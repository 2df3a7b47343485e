"""One POST to a receiver (or GET of a stranger's picture), and what came of it: never longer than the time given,
never elsewhere than checked.

The name is resolved once and the socket opened to the checked address itself, with the name in Host, SNI and the
certificate's check. No redirect is followed, no proxy asked, no cookie kept; at most 64 KB of an answer are read and
2 KB kept. However slowly bytes drip, the deadline is for all of it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from models.webhook import Trouble
from webhooks import addresses
from webhooks.addresses import Refused, Target

READ_AT_MOST = 64 * 1024
KEPT_AT_MOST = 2048
_TRIED_ADDRESSES = 3


@dataclass(frozen=True)
class Answer:
    """What a try came to. `code` is the HTTP status, None without one; `words` the answer's beginning as text;
    `retry_after` the seconds it asks for, None where it does not."""

    code: int | None
    trouble: Trouble | None
    words: str
    milliseconds: int
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return self.trouble is None


def context_for(ca_file: str | None) -> ssl.SSLContext:
    """Certificates of the system's authorities, and of our own `ca_file` beside them."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def post(
    target: Target, headers: Mapping[str, str], body: bytes, *, seconds: float, loopback: bool, context: ssl.SSLContext
) -> Answer:
    """Send the body and hear the answer, within `seconds`. Never raises for what the other side does."""
    began = time.monotonic()
    deadline = began + seconds
    line: _Socket | None = None
    try:
        line = _connect(target, loopback, context, deadline)
        return _ask(target, line, headers, body, began, deadline)
    except Refused as refused:
        return _none(refused.trouble, began, refused.words)
    except TimeoutError:
        return _none(Trouble.TIMEOUT, began)
    except ssl.SSLError as error:  # an OSError too
        return _none(Trouble.TLS, began, getattr(error, "verify_message", "") or error.reason or "")
    except (http.client.HTTPException, ConnectionError, ValueError) as error:
        return _none(Trouble.BROKEN, began, type(error).__name__)
    except OSError as error:
        return _none(Trouble.UNREACHABLE, began, error.strerror or "")
    finally:
        if line is not None:
            line.end()


def get(
    target: Target, headers: Mapping[str, str], *, seconds: float, most: int, loopback: bool, context: ssl.SSLContext
) -> bytes | None:  # fmt: skip
    """What lies there, of `most` bytes at most, within `seconds`; None for any other answer than that, a redirect too.
    Never raises for what the other side does."""
    deadline = time.monotonic() + seconds
    line: _Socket | None = None
    try:
        line = _connect(target, loopback, context, deadline)
        response = _asked(target, line, "GET", headers)
        if response.status != 200:
            return None
        got = b""
        while len(got) <= most and (piece := response.read1(65536)):
            got += piece
        return got if len(got) <= most else None
    except (Refused, http.client.HTTPException, ValueError, OSError):
        return None
    finally:
        if line is not None:
            line.end()


def _asked(
    target: Target, line: _Socket, method: str, headers: Mapping[str, str], body: bytes | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock, connection.auto_open = line, 0  # type: ignore[assignment]
    connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    length = {} if body is None else {"Content-Length": str(len(body))}
    said = {"Host": target.name, **length, "Accept-Encoding": "identity", "Connection": "close"}
    for name, value in {**said, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    return connection.getresponse()


def _connect(target: Target, loopback: bool, context: ssl.SSLContext, deadline: float) -> _Socket:
    ips = addresses.resolve(target, loopback, deadline - time.monotonic())[:_TRIED_ADDRESSES]
    raw = None
    for n, ip in enumerate(ips):
        try:
            # what is left is shared by the addresses still to be tried
            raw = socket.create_connection((str(ip), target.port), _left(deadline) / (len(ips) - n))
            break
        except OSError:
            if n == len(ips) - 1:
                raise
    assert raw is not None
    try:
        if not addresses.may_reach(ipaddress.ip_address(raw.getpeername()[0]), loopback):
            raise Refused(Trouble.PRIVATE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.https:
            raw.settimeout(_left(deadline))
            raw = context.wrap_socket(raw, server_hostname=target.host)
    except BaseException:
        raw.close()
        raise
    return _Socket(raw, deadline)


def _ask(
    target: Target, line: _Socket, headers: Mapping[str, str], body: bytes, began: float, deadline: float
) -> Answer:
    response = _asked(target, line, "POST", headers, body)
    words = _words(response)
    trouble = None
    if not 200 <= response.status < 300:
        trouble = Trouble.REDIRECT if 300 <= response.status < 400 else Trouble.ANSWER
    retry_after = _retry_after(response.getheader("Retry-After")) if trouble else None
    return Answer(response.status, trouble, words, _since(began), retry_after)


def _words(response: http.client.HTTPResponse) -> str:
    """The beginning of the answer's body; what cannot be read, or comes too slowly, is left out."""
    got = b""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        while len(got) < READ_AT_MOST and (piece := response.read1(8192)):
            got += piece
    return got[:KEPT_AT_MOST].decode("utf-8", "replace").replace("\x00", "\ufffd")


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110, 10.2.3); None for neither."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    return None


class _Socket:
    """What http.client needs of a socket, each read given only the time that is left."""

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw, self._deadline = raw, deadline

    def sendall(self, data: Any) -> None:
        self._raw.settimeout(_left(self._deadline))
        self._raw.sendall(data)

    def makefile(self, mode: str, *_: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._raw, self._deadline))

    def close(self) -> None:
        """http.client closes its socket once it has the head of an answer that ends the connection: the body is still
        to be read from it."""

    def end(self) -> None:
        self._raw.close()


class _Reader(io.RawIOBase):
    def __init__(self, raw: socket.socket, deadline: float) -> None:
        super().__init__()
        self._raw, self._deadline = raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._raw.settimeout(_left(self._deadline))
        return self._raw.recv_into(buffer)


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError once it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _none(trouble: Trouble, began: float, words: str = "") -> Answer:
    return Answer(None, trouble, words[:KEPT_AT_MOST], _since(began))
