"""Which addresses webhooks may be sent to: https on the public Internet, and nothing that is inside a network.

read() judges the URL a person types, resolve() the IP addresses its name has at the moment of sending; the caller
connects to exactly one of those. `loopback` (a setting of demo and development) lets 127.0.0.1 and ::1 through.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import quote, urlsplit

import idna

from errors import UserMistake
from models.webhook import Trouble
from models.words import N_

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 2000
# The special-purpose registries of IANA (RFC 6890) and what carries an IPv4 address inside.
_CLOSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
# Outside it lie ::1, mapped and NAT64 addresses, unique local, link-local, multicast and what nobody was given yet.
_OPEN_V6 = ipaddress.ip_network("2000::/3")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029]")


class Refused(Exception):
    """Nothing may be sent there, or nobody knows where it is; `trouble` says which."""

    def __init__(self, trouble: Trouble, words: str = "") -> None:
        super().__init__(trouble.value)
        self.trouble, self.words = trouble, words


@dataclass(frozen=True)
class Target:
    """A URL taken apart: what to connect to, what to say. `host` is ASCII, an IPv6 one without brackets."""

    https: bool
    host: str
    port: int
    path: str

    @property
    def name(self) -> str:
        """The header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.https else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one spelling."""
        return f"{'https' if self.https else 'http'}://{self.name}{self.path}"


def read(url: str, loopback: bool = False) -> Target:
    """The URL a person typed. Raises UserMistake (field `url`) saying what is wrong with it."""
    url = url.strip()
    if len(url) > LONGEST or _NOT_IN_A_URL.search(url):
        raise _mistake(N_("Cette adresse n'est pas une adresse web valide."))
    try:
        parts = urlsplit(url)
        host, port = _host(parts.hostname or ""), parts.port
    except ValueError as error:  # of idna, of a port, of brackets
        raise _mistake(N_("Cette adresse n'est pas une adresse web valide.")) from error
    if parts.scheme not in ("https", "http") or port == 0:
        raise _mistake(N_("Indiquez une adresse qui commence par https://."))
    if "@" in parts.netloc or "#" in url:
        raise _mistake(N_("L'adresse ne peut contenir ni identifiant, ni mot de passe, ni « # »."))
    ip = _ip(host)
    here = host == "localhost" or (ip is not None and ip.is_loopback)
    if parts.scheme == "http" and not (here and loopback):
        raise _mistake(N_("Indiquez une adresse qui commence par https:// : rien n'est envoyé en clair."))
    if not (here and loopback) and ((ip is None and "." not in host) or (ip is not None and not is_public(ip))):
        raise _mistake(N_("Cette adresse est celle d'un réseau privé : rien n'y est envoyé."))
    path = quote(parts.path, safe="/%:@!$&'()*+,;=-._~") or "/"
    query = "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=-._~[]") if parts.query else ""
    return Target(parts.scheme == "https", host, port or (443 if parts.scheme == "https" else 80), path + query)


def is_public(ip: Ip) -> bool:
    """Whether an address is of the public Internet; what only carries such a one (mapped, 6to4, NAT64) is not."""
    if ip.version == 6 and (ip not in _OPEN_V6 or ip.scope_id):  # type: ignore[union-attr]
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in _CLOSED)


def may_reach(ip: Ip, loopback: bool) -> bool:
    """Whether a connection to that address is allowed."""
    return is_public(ip) or (loopback and ip.is_loopback)


def resolve(target: Target, loopback: bool, seconds: float) -> list[Ip]:
    """The addresses of the target's name, all of them allowed. Raises Refused: one that is private refuses them all."""
    found = [_ip(target.host)] if _ip(target.host) is not None else _looked_up(target.host, target.port, seconds)
    ips = [ip for ip in found if ip is not None]
    for ip in ips:
        if not may_reach(ip, loopback):
            raise Refused(Trouble.PRIVATE)
    return ips


def _looked_up(host: str, port: int, seconds: float) -> list[Ip | None]:
    """getaddrinfo knows no time limit of its own: it is left alone when it takes too long."""
    answer: SimpleQueue[list[Ip | None] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(_ip(str(row[4][0])) for row in rows)))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="webhook-name", daemon=True).start()
    try:
        found = answer.get(timeout=max(seconds, 0))
    except Empty:
        raise Refused(Trouble.TIMEOUT) from None
    if isinstance(found, OSError) or not found or None in found:
        raise Refused(Trouble.NAME)
    return found


def _ip(text: str) -> Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _host(host: str) -> str:
    """The host in ASCII. Raises ValueError for what is none, and for an IPv4 address in another spelling."""
    if _ip(host) is not None:
        return str(_ip(host))
    host = host.removesuffix(".").lower()
    ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    last = ascii_host.rpartition(".")[2]
    if not _HOST.fullmatch(ascii_host) or last.isdigit() or last.startswith("0x"):
        raise ValueError(host)
    return ascii_host


def _mistake(words: str) -> UserMistake:
    return UserMistake(words, "url")
