"""DMARC (RFC 9989, formerly 7489): the policy that holds for a domain, found by the tree walk, and alignment.

PURE but for the resolver's questions. The organisational domain comes from the walk, so no list of public suffixes is
needed. Whether our mail passes is mail.domains' to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mail.dns import Resolver
from models.domain_words import Flaw

_POLICIES = ("none", "quarantine", "reject")
_MOST_LABELS = 8  # RFC 9989, 4.10: a longer name is cut to seven labels after its first question
_RECORD = re.compile(r"v\s*=\s*DMARC1\s*(;|$)")


@dataclass
class Rules:
    """What holds for a domain. `policy` is "" where no record holds; `name` where the record stands."""

    flaws: list[Flaw] = field(default_factory=list)
    name: str = ""
    records: tuple[str, ...] = ()
    policy: str = ""
    spf_strict: bool = False
    reports: str = ""  # where aggregate reports go (rua)
    _resolver: Resolver | None = None

    def aligned(self, domain: str, other: str, strict: bool) -> bool | None:
        """Whether `other` speaks for the From domain `domain`; None where it can't be told."""
        if domain == other:
            return True
        if strict or self._resolver is None:
            return False
        mine, theirs = organisational(self._resolver, domain), organisational(self._resolver, other)
        return None if None in (mine, theirs) else mine == theirs


def tags(record: str) -> dict[str, str] | None:
    """The tags of a `name=value; …` record (RFC 6376, 3.2); None where it is none, or one stands twice."""
    found: dict[str, str] = {}
    for part in record.strip().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or not name or name in found:
            return None
        found[name] = value.strip()
    return found


def find(resolver: Resolver, domain: str) -> Rules:
    """The rules that hold for mail from `domain`: its own record, else that of its organisational domain."""
    rules = Rules(_resolver=resolver)
    for name in _walk(domain):
        known, records = _records(resolver, name)
        if not known:
            rules.flaws.append(Flaw.NO_ANSWER)
            return rules
        if not records:
            continue
        rules.name, rules.records = f"_dmarc.{name}", records
        if len(records) > 1:
            rules.flaws.append(Flaw.DMARC_SEVERAL)
            return rules
        return _read(rules, records[0], inherited=name != domain)
    rules.flaws.append(Flaw.DMARC_NONE)
    return rules


def policy_of(record: str) -> str:
    """The policy a record asks for; "" where receivers can't read one (RFC 9989, 4.10.1)."""
    said = tags(record) or {}
    policy = said.get("p", "").lower()
    return policy if policy in _POLICIES else "none" if not policy and said.get("rua") else ""


def _read(rules: Rules, record: str, inherited: bool) -> Rules:
    said, policy = tags(record) or {}, policy_of(record)
    if not policy:
        rules.flaws.append(Flaw.DMARC_SYNTAX)
        return rules
    below = said.get("sp", "").lower()
    rules.policy = below if inherited and below in _POLICIES else policy
    rules.spf_strict = said.get("aspf", "r").lower() == "s"
    rules.reports = said.get("rua", "")
    return rules


def organisational(resolver: Resolver, domain: str) -> str | None:
    """The domain that `domain` belongs to by the tree walk, itself where no record says more; None: no answer."""
    found, below = domain, domain
    for name in _walk(domain):
        known, records = _records(resolver, name)
        if not known:
            return None
        said = tags(records[0]) if len(records) == 1 else None
        if said is not None:
            if said.get("psd") == "n":
                return name
            if said.get("psd") == "y" and name != domain:
                return below
            found = name
        below = name
    return found


def _walk(domain: str) -> list[str]:
    """The names to ask about, from the domain up."""
    labels = domain.split(".")
    above = labels[-(_MOST_LABELS - 1) :] if len(labels) >= _MOST_LABELS else labels[1:]
    return [domain, *(".".join(above[at:]) for at in range(len(above)))]


def _records(resolver: Resolver, name: str) -> tuple[bool, tuple[str, ...]]:
    answer = resolver.txt(f"_dmarc.{name}")
    return answer.known, tuple(sorted(text for text in answer.records if _RECORD.match(text)))
