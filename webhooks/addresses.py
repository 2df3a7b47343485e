"""Which addresses webhooks may be sent to: https on the public Internet, and nothing that is inside a network.

read() judges the URL a person types, resolve() the IP addresses its name has at the moment of sending; the caller
connects to exactly one of those. `loopback` (a setting of demo and development) lets 127.0.0.1 and ::1 through.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import idna

from errors import UserMistake
from mail import network
from mail.network import Ip, is_public
from models.webhook import Trouble
from models.words import N_

LONGEST = 2000
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
        host, port = ascii_host(parts.hostname or ""), parts.port
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


def may_reach(ip: Ip, loopback: bool) -> bool:
    """Whether a connection to that address is allowed."""
    return is_public(ip) or (loopback and ip.is_loopback)


def resolve(target: Target, loopback: bool, seconds: float) -> list[Ip]:
    """The addresses of the target's name, all of them allowed. Raises Refused: one that is private refuses them all."""
    literal = _ip(target.host)
    ips = [literal] if literal is not None else _looked_up(target.host, target.port, seconds)
    for ip in ips:
        if not may_reach(ip, loopback):
            raise Refused(Trouble.PRIVATE)
    return ips


def ascii_host(host: str) -> str:
    """The host in ASCII. Raises ValueError for what is none, and for an IPv4 address in another spelling."""
    if _ip(host) is not None:
        return str(_ip(host))
    host = host.removesuffix(".").lower()
    ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    last = ascii_host.rpartition(".")[2]
    if not _HOST.fullmatch(ascii_host) or last.isdigit() or last.startswith("0x"):
        raise ValueError(host)
    return ascii_host


def _looked_up(host: str, port: int, seconds: float) -> list[Ip]:
    try:
        return network.look_up(host, port, seconds)
    except TimeoutError:
        raise Refused(Trouble.TIMEOUT) from None
    except network.NameUnknown:
        raise Refused(Trouble.NAME) from None


def _ip(text: str) -> Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _mistake(words: str) -> UserMistake:
    return UserMistake(words, "url")
