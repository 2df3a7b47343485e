"""What to publish in a domain's DNS, word by word, so that what was found wrong is right. PURE.

What is there is kept: a proposal for SPF is the domain's own record, completed. Where only a person can choose (too
many includes) there is no proposal, and the flaw's remedy says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from mail import dmarc, spf
from mail.domains import Finding, Service
from models.domain_words import DomainCheckKind, Flaw

_SPF_FLAWS = {
    Flaw.SPF_NONE, Flaw.SPF_SEVERAL, Flaw.SPF_NOT_US, Flaw.SPF_OPEN, Flaw.SPF_NO_END, Flaw.SPF_SYNTAX,
    Flaw.SPF_BROKEN_INCLUDE,
}  # fmt: skip
_KEY_FLAWS = {
    Flaw.DKIM_NONE, Flaw.DKIM_SEVERAL, Flaw.DKIM_SYNTAX, Flaw.DKIM_REVOKED, Flaw.DKIM_OTHER, Flaw.DKIM_TEST,
}  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """A record to publish: its whole name and value, and the records at that name it takes the place of."""

    name: str
    kind: str
    value: str
    replaces: tuple[str, ...] = ()


def proposal(finding: Finding, domain: str, service: Service) -> Proposal | None:
    """What to publish for that finding about `domain`; None where nothing is wrong or no record can be told."""
    flaws = set(finding.flaws)
    if finding.check is DomainCheckKind.SPF and flaws & _SPF_FLAWS:
        value = spf_record(finding, service)
        wrong = value in ("", *finding.records)
        return None if wrong else Proposal(finding.name, "TXT", value, finding.records)
    key = service.public_key(finding.details.get("selector", "")) if finding.check is DomainCheckKind.DKIM else ""
    if flaws & _KEY_FLAWS and key:
        return Proposal(finding.name, "TXT", key_record(key), finding.records)
    if finding.check is DomainCheckKind.DMARC and flaws & {Flaw.DMARC_NONE, Flaw.DMARC_SYNTAX, Flaw.DMARC_SEVERAL}:
        kept = [one for one in finding.records if dmarc.policy_of(one)]
        value = kept[0] if kept else f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"
        return Proposal(f"_dmarc.{domain}", "TXT", value, tuple(one for one in finding.records if one != value))
    return None


def key_record(public_key: str) -> str:
    """The DKIM record of an RSA public key (base64, DER)."""
    return f"v=DKIM1; k=rsa; p={''.join(public_key.split())}"


def spf_record(finding: Finding, service: Service) -> str:
    """The SPF record that should stand there: what stood there and can be read, our service, an end. "" without one."""
    ours = [f"include:{service.spf_include}"] if service.spf_include else [_network(ip) for ip in service.ips]
    kept: list[str] = []
    ends: list[str] = []
    for word in (word for record in finding.records for word in record.split()[1:]):
        try:
            term = spf.parse(f"v=spf1 {word}")[0]
        except spf.Wrong:
            continue
        broken = Flaw.SPF_BROKEN_INCLUDE in finding.flaws and term.value.lower() == finding.details.get("fault")
        if term.name == "all":
            ends.append(term.sign)
        elif word not in kept and not broken:
            kept.append(word)
    if finding.details.get("allowed") is not True:
        kept = [word for word in ours if word not in kept] + kept
    if not finding.records and not kept:
        return ""
    redirected = any(word.lower().startswith("redirect=") for word in kept) and not ends
    end = "~" if not ends or "~" in ends or not set(ends) <= {"-"} else "-"
    return " ".join(["v=spf1", *kept, *([] if redirected else [f"{end}all"])])


def _network(ip: str) -> str:
    return f"ip6:{ip}" if ":" in ip else f"ip4:{ip}"
