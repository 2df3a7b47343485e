"""Whether receivers will take mail from a domain for genuine: SPF, DKIM, DMARC with its alignment, MX, reverse names.

PURE but for the resolver's questions: nothing is read from or written to the database (mail.domain_checks does). What
nobody answered is a finding of its own (NO_ANSWER), never a fault. What to publish instead is mail.domain_records'.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from config import Config
from mail import dmarc, spf
from mail.dns import Heard, Resolver
from models.domain_words import DomainCheckKind, DomainState, Flaw

_SMALLEST_KEY, _FULL_KEY = 1024, 2048  # RFC 8301
_ED25519_BYTES = 32


@dataclass(frozen=True)
class Service:
    """What our mail leaves by, as the settings say; all empty where nobody said."""

    spf_include: str = ""
    ips: tuple[str, ...] = ()
    dkim_selector: str = ""
    dkim_public_key: str = ""
    signs: bool = False
    # the domain's keys that we sign with, once they are published: (selector, public half in base64)
    keys: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, config: Config, selector: str = "", public_key: str = "", keys: tuple[tuple[str, str], ...] = ()
    ) -> Service:
        """The house's service, with a domain's own DKIM selector and key, of another service, where it has them; and
        `keys` of ours, beside which the house's own key matters only where mail is signed with it."""
        own = bool(selector or (keys and not config.mail_dkim_signs))
        return cls(
            config.mail_spf_include, config.mail_sending_ips, selector if own else config.mail_dkim_selector,
            public_key if own else config.mail_dkim_public_key, config.mail_dkim_signs, keys,
        )  # fmt: skip

    def public_key(self, selector: str) -> str:
        """What is expected under that selector; "" for anything."""
        return dict(self.keys).get(selector, self.dkim_public_key)

    @property
    def known(self) -> bool:
        """Whether it can be told if an SPF record allows us."""
        return bool(self.spf_include or self.ips)


@dataclass(frozen=True)
class Finding:
    """What one check found at one name. `flaws`: the gravest first. `details` is for the screen, JSON as it stands."""

    check: DomainCheckKind
    name: str
    flaws: tuple[Flaw, ...] = ()
    records: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    judged: bool = True

    @property
    def state(self) -> DomainState:
        """How this stands: as its gravest flaw."""
        if not self.judged:
            return DomainState.NONE
        return max((flaw.state for flaw in self.flaws), key=lambda state: state.rank, default=DomainState.GOOD)

    def as_json(self) -> dict[str, Any]:
        """As domain_check keeps it."""
        return {
            "check": self.check.value, "name": self.name, "flaws": [flaw.value for flaw in self.flaws],
            "records": list(self.records), "details": self.details, "judged": self.judged,
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Finding:
        """The finding that was kept."""
        return cls(
            DomainCheckKind(kept["check"]), kept["name"], tuple(Flaw(flaw) for flaw in kept["flaws"]),
            tuple(kept["records"]), kept["details"], kept["judged"],
        )  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """All findings about one domain."""

    findings: tuple[Finding, ...]

    @property
    def state(self) -> DomainState:
        """The gravest of all."""
        return max((finding.state for finding in self.findings), key=lambda state: state.rank, default=DomainState.NONE)


def check(resolver: Resolver, domain: str, envelopes: Iterable[str], service: Service) -> Diagnosis:
    """Look at `domain` (ASCII, of the From address), whose reports come back to the domains `envelopes`."""
    others = sorted(set(envelopes) - {domain})
    post = _mx(resolver, domain)
    if Flaw.NO_DOMAIN in post.flaws:
        return Diagnosis((post,))
    rules = dmarc.find(resolver, domain)
    senders = [_spf(resolver, domain, one, rules, service) for one in sorted(set(envelopes) or {domain})]
    keys = [_dkim(resolver, domain, selector, public_key, True) for selector, public_key in service.keys]
    if not keys or service.dkim_selector:
        keys.append(_dkim(resolver, domain, service.dkim_selector, service.dkim_public_key, False))
    found = [*senders, *keys, _dmarc(domain, rules, senders, keys, service), post]
    found += [_mx(resolver, other) for other in others]
    found += [_ptr(resolver, ip) for ip in service.ips]
    return Diagnosis(tuple(found))


def _spf(resolver: Resolver, domain: str, envelope: str, rules: dmarc.Rules, service: Service) -> Finding:
    """The SPF of the domain that reports come back to, and whether it speaks for the From domain."""
    read = spf.survey(resolver, envelope)
    flaws = list(read.flaws)
    readable = not any(flaw.state.rank >= DomainState.UNKNOWN.rank for flaw in flaws)
    allowed = _allowed(resolver, envelope, read, service) if readable and service.known else None
    if allowed is False:
        flaws.insert(0, Flaw.SPF_NOT_US)
    aligned = rules.aligned(domain, envelope, rules.spf_strict)
    if aligned is False:
        flaws.append(Flaw.SPF_UNALIGNED)
    details = {
        "lookups": read.lookups, "voids": read.voids, "fault": read.fault, "allowed": allowed, "aligned": aligned,
        "steps": [[step.depth, step.text, step.lookups] for step in read.steps],
    }  # fmt: skip
    return Finding(DomainCheckKind.SPF, envelope, _gravest_first(flaws), read.records, details)


def _allowed(resolver: Resolver, domain: str, read: spf.Survey, service: Service) -> bool | None:
    """Whether the record lets our service send: it includes the service's own, or every one of its addresses passes."""
    if service.spf_include and service.spf_include in read.included | {domain}:
        return True
    if not service.ips:
        return False
    told = [spf.allows(resolver, domain, ip) for ip in service.ips]
    return False if False in told else None if None in told else True


def _dkim(resolver: Resolver, domain: str, selector: str, public_key: str, ours: bool) -> Finding:
    """The key under a selector; `ours`: one that we sign with, once it stands there."""
    if not selector:
        return Finding(DomainCheckKind.DKIM, domain, judged=False)
    name = f"{selector}._domainkey.{domain}"
    answer = resolver.txt(name)
    details: dict[str, Any] = {"selector": selector} | ({"ours": True} if ours else {})
    if len(answer.records) != 1:
        flaw = Flaw.DKIM_SEVERAL if answer.records else Flaw.DKIM_NONE if answer.known else Flaw.NO_ANSWER
        return Finding(DomainCheckKind.DKIM, name, (flaw,), answer.records, details)
    flaws, bits = key_flaws(answer.records[0], public_key)
    return Finding(DomainCheckKind.DKIM, name, _gravest_first(flaws), answer.records, details | {"bits": bits})


def key_flaws(record: str, expected: str = "") -> tuple[list[Flaw], int | None]:
    """What is wrong with a DKIM key record (RFC 6376, 3.6.1), and the key's length in bits where it can be read."""
    tags = dmarc.tags(record)
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return [Flaw.DKIM_SYNTAX], None
    key = "".join(tags["p"].split())
    if not key:
        return [Flaw.DKIM_REVOKED], None
    bits = _bits(key, tags.get("k", "rsa").lower())
    if bits is None:
        return [Flaw.DKIM_SYNTAX], None
    flaws = [Flaw.DKIM_OTHER] if expected and key != "".join(expected.split()) else []
    if bits < _SMALLEST_KEY and bits != _ED25519_BYTES * 8:
        flaws.append(Flaw.DKIM_SHORT)
    elif bits < _FULL_KEY and bits != _ED25519_BYTES * 8:
        flaws.append(Flaw.DKIM_SMALL)
    if "y" in tags.get("t", "").lower().split(":"):
        flaws.append(Flaw.DKIM_TEST)
    return flaws, bits


def _bits(key: str, kind: str) -> int | None:
    try:
        content = base64.b64decode(key, validate=True)
        if kind == "ed25519":
            return len(content) * 8 if len(content) == _ED25519_BYTES else None
        loaded = load_der_public_key(content)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return loaded.key_size if kind == "rsa" and isinstance(loaded, RSAPublicKey) else None


def _dmarc(domain: str, rules: dmarc.Rules, senders: list[Finding], keys: list[Finding], service: Service) -> Finding:
    """The policy, and whether our mail passes it: by an aligned SPF that allows us, or by a signature of the domain."""
    by_spf = _all_of(_proves(finding) for finding in senders)
    told = [_signs(key, service) for key in keys]
    by_dkim = True if True in told else None if None in told else False
    flaws = list(rules.flaws)
    unproven = by_spf is False and by_dkim is False
    if unproven and rules.policy:
        flaws.append(Flaw.DMARC_REFUSED if rules.policy != "none" else Flaw.DMARC_UNPROVEN)
    details = {"policy": rules.policy, "by_spf": by_spf, "by_dkim": by_dkim, "reports": rules.reports}
    name = rules.name or f"_dmarc.{domain}"
    return Finding(DomainCheckKind.DMARC, name, _gravest_first(flaws), rules.records, details)


def _signs(key: Finding, service: Service) -> bool | None:
    """Whether our mail is signed by that key and receivers can see so; None where it can't be told."""
    if key.state is DomainState.UNKNOWN:
        return None
    if not (key.details.get("ours") or service.signs):
        return False
    return key.judged and key.state is not DomainState.BAD and Flaw.DKIM_NONE not in key.flaws


def _proves(finding: Finding) -> bool | None:
    """Whether an SPF finding ties our mail to the From domain; None where it can't be told."""
    if finding.state is DomainState.BAD or finding.details["aligned"] is False:
        return False
    if finding.state is DomainState.UNKNOWN or finding.details["aligned"] is None:
        return None
    allowed: bool | None = finding.details["allowed"]
    return allowed


def _all_of(told: Iterable[bool | None]) -> bool | None:
    listed = list(told)
    return False if False in listed else None if None in listed else True


def _mx(resolver: Resolver, domain: str) -> Finding:
    taken = resolver.mx(domain)
    details: dict[str, Any] = {"hosts": list(taken.hosts)}
    if taken.heard is Heard.UNKNOWN:
        flaws = [Flaw.NO_ANSWER]
    elif taken.heard is Heard.NO_DOMAIN:
        flaws = [Flaw.NO_DOMAIN]
    elif taken.null or not taken.hosts:
        flaws = [Flaw.MX_NULL if taken.null else Flaw.MX_NONE]
    else:
        flaws = [Flaw.MX_IMPLICIT] if taken.implicit else []
        heard = {resolver.addresses(host).heard for host in taken.hosts[:5]}
        if Heard.FOUND not in heard:
            flaws = [Flaw.NO_ANSWER if Heard.UNKNOWN in heard else Flaw.MX_LOST]
    return Finding(DomainCheckKind.MX, domain, tuple(flaws), taken.hosts, details)


def _ptr(resolver: Resolver, ip: str) -> Finding:
    """The reverse name of a sending address, confirmed forwards (RFC 8601, 2.7.3)."""
    names = resolver.ptr(ip)
    if not names.records:
        flaw = Flaw.PTR_NONE if names.known else Flaw.NO_ANSWER
        return Finding(DomainCheckKind.PTR, ip, (flaw,))
    back = [resolver.addresses(name) for name in names.records[:5]]
    if any(ip in answer.records for answer in back):
        flaws: tuple[Flaw, ...] = ()
    else:
        flaws = (Flaw.PTR_UNCONFIRMED if all(answer.known for answer in back) else Flaw.NO_ANSWER,)
    return Finding(DomainCheckKind.PTR, ip, flaws, names.records)


def _gravest_first(flaws: list[Flaw]) -> tuple[Flaw, ...]:
    return tuple(sorted(flaws, key=lambda flaw: -flaw.state.rank))
