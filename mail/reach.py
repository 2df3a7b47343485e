"""Whether a domain takes mail at all, by the DNS, in words for a person: MX, the null MX, no such domain.

Only an answer counts against an address: where nobody answered in time, nothing is said. That a mailbox exists behind
a domain is known by writing to it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mail import dns
from mail.advice import domain_of
from models.words import N_, Word

BUDGET = 3.0  # seconds for all the domains of a page


class Reach(Word):
    """What the DNS says. `label` is a French message id, filled with the domain; `accepts` None: nobody answered."""

    def __init__(self, _value: str, _label: str, accepts: bool | None) -> None:
        self.accepts = accepts

    TAKES = ("takes", N_("%(domain)s reçoit des e-mails."), True)
    NO_DOMAIN = ("no_domain", N_("Le domaine %(domain)s n'existe pas."), False)
    NULL = ("null", N_("%(domain)s déclare ne recevoir aucun e-mail."), False)
    NO_SERVER = ("no_server", N_("%(domain)s n'a pas de serveur de messagerie."), False)
    UNKNOWN = ("unknown", N_("Le domaine %(domain)s n'a pas pu être vérifié."), None)


@dataclass(frozen=True)
class Checked:
    """A domain and what was heard of it."""

    domain: str
    reach: Reach

    @property
    def refuses(self) -> bool:
        """Whether mail sent there is sure to fail."""
        return self.reach.accepts is False


def check(address: str) -> Checked:
    """What the DNS says of an address's domain, within BUDGET seconds."""
    return check_all([address])[address]


def check_all(addresses: Iterable[str]) -> Mapping[str, Checked]:
    """The same for several, each domain asked once, within BUDGET seconds in all."""
    resolver, known, found = dns.resolver(BUDGET), {}, {}
    for address in addresses:
        domain = domain_of(address)
        if domain not in known:
            known[domain] = Checked(domain, _reach(resolver.mx(domain)) if domain else Reach.NO_DOMAIN)
        found[address] = known[domain]
    return found


def _reach(answer: dns.MailHosts) -> Reach:
    if answer.accepts is None:
        return Reach.UNKNOWN
    if answer.accepts:
        return Reach.TAKES
    if answer.null:
        return Reach.NULL
    return Reach.NO_DOMAIN if answer.heard is dns.Heard.NO_DOMAIN else Reach.NO_SERVER
