"""Asking the domain name system: who takes a domain's mail (MX), its texts (TXT), addresses, reverse names (PTR).

Every question ends within `DNS_TIMEOUT` seconds. What nobody answered is UNKNOWN, never "there is none": a judgment
may only rest on an answer. The server asked is DNS_SERVER (`127.0.0.1:5354`; `none`: nobody), else the system's.
What the answers mean for an address or a sender is left to the callers.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from extensions import settings

# RFC 9715: answers larger than this come by TCP.
_LARGEST_DATAGRAM = 1232


class Heard(enum.Enum):
    """How a question ended."""

    FOUND = "found"
    NOTHING = "nothing"  # the name exists, or may; it has no such record
    NO_DOMAIN = "no_domain"  # NXDOMAIN: the name does not exist, nor anything below it (RFC 8020)
    UNKNOWN = "unknown"  # no answer in time, or the name's servers failed


@dataclass(frozen=True)
class Answer:
    """The records found, in the order they came; TXT strings of one record are joined (RFC 7208, 3.3)."""

    heard: Heard
    records: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether somebody who knows answered, be it that there is nothing."""
        return self.heard is not Heard.UNKNOWN


@dataclass(frozen=True)
class MailHosts:
    """Who takes mail for a domain: names, the preferred first. `implicit`: no MX, its own address (RFC 5321, 5.1)."""

    heard: Heard
    hosts: tuple[str, ...] = ()
    null: bool = False  # "this domain takes no mail" (RFC 7505)
    implicit: bool = False

    @property
    def accepts(self) -> bool | None:
        """Whether mail can be sent there; None when nobody answered."""
        return None if self.heard is Heard.UNKNOWN else bool(self.hosts)


class Resolver:
    """Asks one DNS server, or the system's where `server` is None; each question takes at most `lifetime` seconds.

    `budget`: seconds for all questions together, after which each one is UNKNOWN at once. It asks nothing twice, so
    that one look at a domain is one picture: make a new one for a new look.
    """

    def __init__(self, server: str | None, lifetime: float, budget: float | None = None) -> None:
        self._resolver = _resolver(server)
        self._lifetime = lifetime
        self._until = None if budget is None else time.monotonic() + budget
        self._heard: dict[tuple[object, str], tuple[Heard, list]] = {}

    def mx(self, domain: str) -> MailHosts:
        """Who takes mail for `domain` (Unicode or ASCII)."""
        heard, records = self._ask(domain, "MX")
        if heard is Heard.FOUND:
            exchanges = sorted((record.preference, record.exchange.to_text(omit_final_dot=True)) for record in records)
            hosts = tuple(host.lower() for _preference, host in exchanges if host != ".")
            return MailHosts(Heard.FOUND, hosts, null=not hosts)
        if heard is not Heard.NOTHING:
            return MailHosts(heard)
        own = self.addresses(domain)
        return MailHosts(own.heard, (_ascii(domain),) if own.records else (), implicit=bool(own.records))

    def txt(self, name: str) -> Answer:
        """The texts of `name`; bytes outside ASCII come as U+FFFD."""
        heard, records = self._ask(name, "TXT")
        return Answer(heard, tuple(b"".join(record.strings).decode("ascii", "replace") for record in records))

    def addresses(self, name: str) -> Answer:
        """The IPv4, then the IPv6 addresses of `name`. UNKNOWN unless one was found or both questions were answered."""
        four, six = self._ask(name, "A"), self._ask(name, "AAAA")
        found = tuple(record.address for _heard, records in (four, six) for record in records)
        if found:
            return Answer(Heard.FOUND, found)
        ends = {four[0], six[0]}
        worst = (Heard.UNKNOWN, Heard.NOTHING, Heard.NO_DOMAIN)
        return Answer(next(heard for heard in worst if heard in ends))

    def ptr(self, ip: str) -> Answer:
        """The names that the IP address `ip` says it has. Raises ValueError for what is no IP address."""
        try:
            name = dns.reversename.from_address(ip)
        except dns.exception.SyntaxError:
            raise ValueError(f"not an IP address: {ip!r}") from None
        heard, records = self._ask(name, "PTR")
        return Answer(heard, tuple(record.target.to_text(omit_final_dot=True).lower() for record in records))

    def _ask(self, name: str | dns.name.Name, kind: str) -> tuple[Heard, list]:
        if (name, kind) not in self._heard:
            self._heard[name, kind] = self._asked(name, kind)
        return self._heard[name, kind]

    def _asked(self, name: str | dns.name.Name, kind: str) -> tuple[Heard, list]:
        left = self._lifetime if self._until is None else min(self._lifetime, self._until - time.monotonic())
        if left <= 0:
            return Heard.UNKNOWN, []
        try:
            asked = _name(name) if isinstance(name, str) else name
        except dns.exception.DNSException:  # a label over 63 bytes, an empty one: no such name can exist
            return Heard.NO_DOMAIN, []
        try:
            answer = self._resolver.resolve(asked, kind, lifetime=left, search=False)
        except dns.resolver.NXDOMAIN:
            return Heard.NO_DOMAIN, []
        except dns.resolver.NoAnswer:
            return Heard.NOTHING, []
        except (dns.exception.DNSException, OSError):
            return Heard.UNKNOWN, []
        return Heard.FOUND, list(answer)


def resolver(budget: float | None = None) -> Resolver:
    """A resolver as the running app's settings say."""
    config = settings()
    return Resolver(config.dns_server, config.dns_timeout, budget)


def mx(domain: str) -> MailHosts:
    """Who takes mail for `domain`, by the app's resolver."""
    return resolver().mx(domain)


def txt(name: str) -> Answer:
    """The texts of `name`, by the app's resolver."""
    return resolver().txt(name)


def ptr(ip: str) -> Answer:
    """The names of the IP address `ip`, by the app's resolver. Raises ValueError for what is no IP address."""
    return resolver().ptr(ip)


def _resolver(server: str | None) -> dns.resolver.BaseResolver:
    try:
        made = dns.resolver.Resolver(configure=server is None)
    except dns.resolver.NoResolverConfiguration:
        made = dns.resolver.Resolver(configure=False)
    if server and server != "none":
        host, _colon, port = server.rpartition(":")
        made.nameservers, made.port = [host.strip("[]")], int(port)
    made.use_edns(0, 0, _LARGEST_DATAGRAM)
    return made


def _name(name: str) -> dns.name.Name:
    """The absolute name, a Unicode one by IDNA 2008 as browsers and mail programs read it."""
    return dns.name.from_text(name.strip().rstrip(".") + ".", idna_codec=dns.name.IDNA_2008_UTS_46)


def ascii_name(domain: str) -> str:
    """`domain` in lower-case ASCII (IDNA 2008). Raises ValueError for what can be no name."""
    try:
        return _ascii(domain)
    except dns.exception.DNSException:
        raise ValueError(f"no name: {domain!r}") from None


def _ascii(domain: str) -> str:
    return _name(domain).to_text(omit_final_dot=True).lower()
