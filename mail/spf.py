"""SPF (RFC 7208): what a domain's record says, how many DNS questions it costs, whether it lets an address send.

`survey` reads the whole record with everything it includes, for people; `allows` judges one address as a receiver does.
PURE but for the resolver's questions. What a macro would make of a name is not followed: such a judgment is None.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mail.dns import Answer, Heard, Resolver
from models.domain_words import Flaw

MOST_LOOKUPS = 10  # RFC 7208, 4.6.4
MOST_VOIDS = 2
_GIVE_UP = 40  # questions after which nothing more is counted
_DEEPEST = 12
_ASKING = {"include", "a", "mx", "ptr", "exists", "redirect"}
_MECHANISMS = _ASKING - {"redirect"} | {"all", "ip4", "ip6"}
_WORD = re.compile(r"(?P<sign>[+\-?~]?)(?P<name>[a-z][a-z0-9_.-]*)(?P<mark>[:=/]?)(?P<rest>.*)", re.IGNORECASE)
_MASKS = re.compile(r"(?P<name>.*?)(?:/(?P<four>\d{1,2}))?(?://(?P<six>\d{1,3}))?")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Term:
    """One word of a record. `name` is a mechanism or a modifier; `value` what follows its colon or equals sign."""

    text: str
    sign: str
    name: str
    value: str
    modifier: bool = False

    @property
    def asks(self) -> bool:
        """Whether reading it takes DNS questions that count."""
        return self.name == "redirect" if self.modifier else self.name in _ASKING


@dataclass(frozen=True)
class Step:
    """One line of the walk: a term that asks, how deep it stands, how many questions it costs with all below it."""

    depth: int
    text: str
    lookups: int


@dataclass
class Survey:
    """What a domain's SPF comes to. `fault`: the word or name that the first flaw is about."""

    records: tuple[str, ...] = ()
    flaws: list[Flaw] = field(default_factory=list)
    fault: str = ""
    lookups: int = 0
    voids: int = 0
    steps: list[Step] = field(default_factory=list)
    included: set[str] = field(default_factory=set)  # every domain whose servers may send too
    terms: tuple[Term, ...] = ()


class Wrong(ValueError):
    """A record that no receiver reads (RFC 7208's permerror); its text is the word at fault."""


def parse(record: str) -> tuple[Term, ...]:
    """The terms of one record. Raises Wrong."""
    return tuple(_term(word) for word in record.split()[1:])


def records(answer: Answer) -> tuple[str, ...]:
    """The SPF records among a name's texts."""
    return tuple(sorted(text for text in answer.records if re.match(r"v=spf1( |$)", text, re.IGNORECASE)))


def survey(resolver: Resolver, domain: str) -> Survey:
    """Read `domain`'s record and all it includes; its flaws, those that void it first."""
    answer = resolver.txt(domain)
    found = Survey(records(answer))
    if len(found.records) != 1:
        several = Flaw.SPF_SEVERAL if found.records else Flaw.SPF_NONE
        found.flaws.append(Flaw.NO_ANSWER if not answer.known else several)
        return found
    try:
        found.terms = parse(found.records[0])
        _walk(resolver, domain, found.terms, found, 0, (domain.lower(),))
    except Wrong as wrong:
        _note(found, Flaw.SPF_SYNTAX, str(wrong))
    if found.lookups > MOST_LOOKUPS:
        _note(found, Flaw.SPF_LOOKUPS, str(found.lookups))
    if found.voids > MOST_VOIDS:
        _note(found, Flaw.SPF_VOIDS, str(found.voids))
    if Flaw.SPF_SYNTAX not in found.flaws:
        _style(found)
    found.flaws.sort(key=lambda flaw: -flaw.state.rank)
    return found


def _style(found: Survey) -> None:
    """What receivers put up with, but protects nobody."""
    names = {(term.sign, term.name) for term in found.terms}
    if any(sign in ("", "+") and name == "all" for sign, name in names):
        _note(found, Flaw.SPF_OPEN)
    elif not any(name in ("all", "redirect") for _sign, name in names):
        _note(found, Flaw.SPF_NO_END)
    if any(name == "ptr" for _sign, name in names):
        _note(found, Flaw.SPF_PTR)


def _note(found: Survey, flaw: Flaw, fault: str = "") -> None:
    if flaw not in found.flaws:
        found.flaws.append(flaw)
        found.fault = found.fault or fault


def _walk(
    resolver: Resolver, domain: str, terms: tuple[Term, ...], found: Survey, depth: int, above: tuple[str, ...]
) -> None:
    """Count what the terms ask, and go into what they include."""
    everything = any(term.name == "all" for term in terms)
    for term in terms:
        if not term.asks or (term.name == "redirect" and everything):  # 6.1: all makes redirect idle
            continue
        place, before = len(found.steps), found.lookups
        found.steps.append(Step(depth, term.text, 0))
        found.lookups += 1
        if found.lookups <= _GIVE_UP and "%" not in term.value:
            _follow(resolver, domain, term, found, depth, above)
        found.steps[place] = Step(depth, term.text, found.lookups - before)


def _follow(
    resolver: Resolver, domain: str, term: Term, found: Survey, depth: int, above: tuple[str, ...]
) -> None:
    name = _host(term, domain)
    if term.name not in ("include", "redirect"):
        answer = _named(resolver, term, name)
        if not answer.known:
            _note(found, Flaw.NO_ANSWER, name)
        found.voids += answer.heard in (Heard.NOTHING, Heard.NO_DOMAIN)
        return
    if name in above or depth >= _DEEPEST:  # round in circles: every receiver runs out of questions
        found.lookups = max(found.lookups, MOST_LOOKUPS + 1)
        return
    answer = resolver.txt(name)
    theirs = records(answer)
    if len(theirs) != 1:
        _note(found, Flaw.SPF_BROKEN_INCLUDE if answer.known else Flaw.NO_ANSWER, name)
        return
    if term.sign in ("", "+"):
        found.included.add(name)
    _walk(resolver, name, parse(theirs[0]), found, depth + 1, (*above, name))


def _named(resolver: Resolver, term: Term, name: str) -> Answer:
    """What a mechanism that names hosts asks first; ptr asks about the sender's address, which is not known here."""
    if term.name == "mx":
        taken = resolver.mx(name)
        return Answer(Heard.NOTHING if taken.implicit or taken.null else taken.heard, taken.hosts)
    if term.name in ("a", "exists"):
        return resolver.addresses(name)
    return Answer(Heard.FOUND)


def allows(resolver: Resolver, domain: str, ip: str) -> bool | None:
    """Whether `domain`'s SPF lets the address `ip` send ("pass"); None where it can't be told (no answer, a macro)."""
    spent = [0]
    try:
        return _judge(resolver, domain, ipaddress.ip_address(ip), spent) == "+"
    except Wrong:
        return False
    except _Unknown:
        return None


class _Unknown(Exception):
    """It can't be told."""


def _judge(resolver: Resolver, domain: str, ip: _Address, spent: list[int]) -> str:
    """RFC 7208's check_host: the sign of the first mechanism that matches; "?" for none. Raises Wrong, _Unknown."""
    answer = resolver.txt(domain)
    found = records(answer)
    if not answer.known:
        raise _Unknown
    if len(found) != 1:
        if spent[0]:
            raise Wrong(domain)
        return "?"
    terms = parse(found[0])
    for term in terms:
        if not term.modifier and _matches(resolver, domain, term, ip, spent):
            return term.sign or "+"
    onward = next((term for term in terms if term.name == "redirect"), None)
    if onward is None:
        return "?"
    _spend(spent)
    return _judge(resolver, _plain(onward, domain), ip, spent)


def _matches(resolver: Resolver, domain: str, term: Term, ip: _Address, spent: list[int]) -> bool:
    if term.name == "all":
        return True
    if term.name in ("ip4", "ip6"):
        network = ipaddress.ip_network(term.value, strict=False)
        return network.version == ip.version and ip in network
    _spend(spent)
    name = _plain(term, domain)
    if term.name == "include":
        return _judge(resolver, name, ip, spent) == "+"
    if term.name == "exists":
        answer = resolver.addresses(name)
        if not answer.known:
            raise _Unknown
        return bool(answer.records)
    if term.name == "ptr":
        return _reverse(resolver, name, ip)
    return any(ip in network for network in _networks(resolver, term, name, ip.version))


def _networks(resolver: Resolver, term: Term, name: str, version: int) -> Iterator[ipaddress.IPv4Network]:
    """The networks that an `a` or `mx` term names."""
    hosts: tuple[str, ...] = (name,)
    if term.name == "mx":
        taken = resolver.mx(name)
        if taken.heard is Heard.UNKNOWN:
            raise _Unknown
        hosts = () if taken.implicit else taken.hosts[:10]
    masks = _MASKS.fullmatch(term.value)
    mask = (masks and masks["four" if version == 4 else "six"]) or ("32" if version == 4 else "128")
    for host in hosts:
        answer = resolver.addresses(host)
        if not answer.known:
            raise _Unknown
        for address in answer.records:
            if ipaddress.ip_address(address).version == version:
                yield ipaddress.ip_network(f"{address}/{mask}", strict=False)  # type: ignore[misc]


def _reverse(resolver: Resolver, name: str, ip: _Address) -> bool:
    names = resolver.ptr(str(ip))
    if not names.known:
        raise _Unknown
    below = [one for one in names.records[:10] if one == name or one.endswith(f".{name}")]
    return any(str(ip) in resolver.addresses(one).records for one in below)


def _spend(spent: list[int]) -> None:
    spent[0] += 1
    if spent[0] > MOST_LOOKUPS:
        raise Wrong("too many lookups")


def _host(term: Term, domain: str) -> str:
    """The name a term is about: its own, else the record's."""
    masks = _MASKS.fullmatch(term.value)
    return ((masks["name"] if masks else term.value) or domain).rstrip(".").lower()


def _plain(term: Term, domain: str) -> str:
    if "%" in term.value:
        raise _Unknown
    return _host(term, domain)


def _term(text: str) -> Term:
    """One word read. Raises Wrong with the word."""
    word = _WORD.fullmatch(text)
    if word is None:
        raise Wrong(text)
    sign, name, mark, rest = word["sign"], word["name"].lower(), word["mark"], word["rest"]
    if mark == "=":
        if sign or (name == "redirect" and not _is_host(rest)):
            raise Wrong(text)
        return Term(text, "", name, rest, modifier=True)
    value = f"/{rest}" if mark == "/" else rest
    if name not in _MECHANISMS or (mark == ":" and not rest) or (name == "all" and mark):
        raise Wrong(text)
    if name in ("ip4", "ip6"):
        try:
            if ipaddress.ip_network(value, strict=False).version != int(name[2]):
                raise ValueError
        except ValueError:
            raise Wrong(text) from None
    elif name in ("include", "exists"):
        if not _is_host(value):
            raise Wrong(text)
    elif name in ("a", "mx", "ptr"):
        masks = _MASKS.fullmatch(value)
        named = masks["name"] if masks else value
        if masks is None or (named and not _is_host(named)):
            raise Wrong(text)
        if int(masks["four"] or 0) > 32 or int(masks["six"] or 0) > 128:
            raise Wrong(text)
    return Term(text, sign, name, value)


def _is_host(name: str) -> bool:
    return "%" in name or _HOST.fullmatch(name) is not None
