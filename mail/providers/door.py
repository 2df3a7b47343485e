"""The one way out to providers' own hosts: https, certificate checked, no redirect, little time, little to read.

Hosts are written down in the providers' files, never taken from a message or a form.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections.abc import Mapping

from errors import Permanent, Temporary
from extensions import settings

TIMEOUT = 10.0
MOST = 8 * 1024 * 1024
_HOSTS = re.compile(
    r"api\.brevo\.com|api(\.eu)?\.mailgun\.net|api\.scaleway\.com|sns\.[a-z]{2}(-[a-z0-9]+){1,3}\.amazonaws\.com(\.cn)?"
)


class Slower(Temporary):
    """The provider asks for fewer questions; `seconds` is for how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__("429")
        self.seconds = seconds


def get(host: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a 200 answer. Raises Slower (429), Permanent (another 4xx), Temporary (all else)."""
    if not _HOSTS.fullmatch(host):
        raise Permanent(f"{host} is no provider's")
    ca_file = settings().webhook_ca_file
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(str(ca_file))
    return ask(http.client.HTTPSConnection(host, timeout=TIMEOUT, context=context), path, headers or {})


def ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> bytes:
    """One question over a connection that is closed afterwards; however slowly the answer drips, it ends in time."""
    deadline = time.monotonic() + 2 * TIMEOUT
    try:
        connection.request("GET", path, headers={"user-agent": "sillage", **headers})
        answer = connection.getresponse()
        if answer.status == 429:
            after = answer.getheader("retry-after") or ""
            raise Slower(min(float(after[:9]), 3600) if after.isascii() and after.isdigit() else 300)
        if answer.status != 200:
            kind = Permanent if 400 <= answer.status < 500 else Temporary
            raise kind(f"HTTP {answer.status}")
        body = b""
        while piece := answer.read1(65536):
            body += piece
            if len(body) > MOST or time.monotonic() > deadline:
                raise Temporary("too long an answer")
        return body
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Temporary(type(error).__name__) from error
    finally:
        connection.close()
