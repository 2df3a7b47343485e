"""Opening an e-mail as its recipient would: the open pixel is fetched; some also follow a link, press the receipt's
button, or leave by their mail program's button (RFC 8058).

Only an address on loopback or on our own BASE_URL is ever asked, without a proxy and without following
redirects, whatever the e-mail says.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

PIXEL_PATH, LINK_PATH, RECEIPT_PATH, LEAVE_PATH = "/t/o/", "/t/l/", "/t/r/", "/t/u/"
_LONGEST = 200_000  # of a page that is read
_BROWSERS = {
    "person": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Thunderbird/145.0",
    "machine": "Mozilla/5.0",  # all that Apple's Mail Privacy Protection says of itself
}


def pixels(content: bytes, base_url: str) -> list[str]:
    """The open pixels in the HTML parts of the message `content` that we may fetch."""
    return _addresses(content, base_url, "img", PIXEL_PATH)


def act(content: bytes, base_url: str, how: str) -> bool:
    """What a recipient does besides reading: `follows` the first rewritten link, `confirms` the receipt, `leaves` the
    type by one click. False where the message offers no such thing. Raises OSError."""
    if how == "follows":
        found = _addresses(content, base_url, "a", LINK_PATH)
        return bool(found) and fetch(found[0]) == 302
    if how == "confirms":
        found = _addresses(content, base_url, "a", RECEIPT_PATH)
        return bool(found) and _press(found[0])
    said = str(message_from_bytes(content, policy=default).get("List-Unsubscribe", ""))
    found = [url for url in re.findall(r"<([^<>\s]+)>", said) if _is_ours(url, base_url, LEAVE_PATH)]
    return bool(found) and _ask(found[0], "person", {"List-Unsubscribe": "One-Click"})[0] == 200


def fetch(url: str, reader: str = "person") -> int:
    """Ask for one address with a person's (or a machine's) browser; the HTTP status. Raises OSError."""
    return _ask(url, reader)[0]


def _press(url: str) -> bool:
    """Open the page behind a link and press the button of its form, as a browser does."""
    status, cookie, page = _ask(url, "person")
    form = _Form()
    form.feed(page)
    if status != 200 or not form.fields:
        return False
    return _ask(url, "person", form.fields, {"Cookie": cookie, "Referer": url})[0] == 303


def _ask(
    url: str, reader: str, form: dict[str, str] | None = None, more: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """(status, the cookie that was set, the page); with a `form` by POST."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=10)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {
            "User-Agent": _BROWSERS[reader],
            "Accept": "image/avif,image/webp,*/*",
            "Accept-Language": "fr,en;q=0.7",
            **(more or {}),
        }
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urlencode(form), headers)
        answer = connection.getresponse()
        cookie = "; ".join(one.partition(";")[0] for one in answer.headers.get_all("Set-Cookie", []))
        return answer.status, cookie, answer.read(_LONGEST).decode("utf-8", "replace")
    except http.client.HTTPException as problem:
        raise OSError(str(problem)) from problem
    finally:
        connection.close()


def _addresses(content: bytes, base_url: str, tag: str, path: str) -> list[str]:
    """Where images (`img`) or links (`a`) in the HTML parts lead, those of ours under `path` alone, each once."""
    found: list[str] = []
    for part in message_from_bytes(content, policy=default).walk():
        if part.get_content_type() == "text/html" and isinstance(part, EmailMessage):
            finder = _Leads(tag)
            finder.feed(str(part.get_content()))
            found += finder.found
    return [url for url in dict.fromkeys(found) if _is_ours(url, base_url, path)]


def _is_ours(url: str, base_url: str, path: str) -> bool:
    try:
        parts, ours = urlsplit(url), urlsplit(base_url)
        same_house = (parts.scheme, parts.hostname, parts.port) == (ours.scheme, ours.hostname, ours.port)
    except ValueError:
        return False
    allowed = same_house or _is_loopback(parts.hostname or "")
    return parts.scheme in ("http", "https") and allowed and parts.path.startswith(path)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Leads(HTMLParser):
    """Collects where images or links lead."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag, self.found = tag, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == self.tag:
            where = "src" if tag == "img" else "href"
            self.found += [value.strip() for name, value in attrs if name == where and value]


class _Form(HTMLParser):
    """Collects the hidden fields of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "input" and said.get("type") == "hidden" and said.get("name"):
            self.fields[str(said["name"])] = said.get("value") or ""
