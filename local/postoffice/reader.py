"""Opening an e-mail as its recipient would: the open pixel is fetched, and nothing else.

Only an address on loopback or on our own BASE_URL is ever asked, without a proxy and without following
redirects, whatever the e-mail says.
"""

from __future__ import annotations

import http.client
import ipaddress
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from urllib.parse import urlsplit

PIXEL_PATH = "/t/o/"
_BROWSERS = {
    "person": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Thunderbird/145.0",
    "machine": "Mozilla/5.0",  # all that Apple's Mail Privacy Protection says of itself
}


def pixels(content: bytes, base_url: str) -> list[str]:
    """The open pixels in the HTML parts of the message `content` that we may fetch."""
    found: list[str] = []
    for part in message_from_bytes(content, policy=default).walk():
        if part.get_content_type() == "text/html" and isinstance(part, EmailMessage):
            finder = _Images()
            finder.feed(str(part.get_content()))
            found += finder.sources
    return [url for url in dict.fromkeys(found) if _is_ours(url, base_url)]


def fetch(url: str, reader: str = "person") -> int:
    """Ask for one pixel with a person's (or a machine's) browser; the HTTP status. Raises OSError."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=10)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {
            "User-Agent": _BROWSERS[reader],
            "Accept": "image/avif,image/webp,*/*",
            "Accept-Language": "fr,en;q=0.7",
        }
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except http.client.HTTPException as problem:
        raise OSError(str(problem)) from problem
    finally:
        connection.close()


def _is_ours(url: str, base_url: str) -> bool:
    try:
        parts, ours = urlsplit(url), urlsplit(base_url)
        same_house = (parts.scheme, parts.hostname, parts.port) == (ours.scheme, ours.hostname, ours.port)
    except ValueError:
        return False
    allowed = same_house or _is_loopback(parts.hostname or "")
    return parts.scheme in ("http", "https") and allowed and parts.path.startswith(PIXEL_PATH)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Images(HTMLParser):
    """Collects the sources of images."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources += [value.strip() for name, value in attrs if name == "src" and value]
