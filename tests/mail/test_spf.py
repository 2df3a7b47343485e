"""mail.spf against records on loopback: what voids a record, what it costs, whom it lets send."""

import pytest

from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Record, Zones
from mail import spf
from mail.dns import Resolver
from models.domain_words import Flaw

RECORDS = {
    "_spf.service.example": "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/32 -all",
    "entier.example": "v=spf1 mx include:_spf.service.example -all",
    "autre.example": "v=spf1 ip4:198.51.100.7 ~all",
    "ouvert.example": "v=spf1 +all",
    "sans-fin.example": "v=spf1 mx",
    "faute.example": "v=spf1 include=_spf.service.example -all",
    "mot.example": "v=spf1 ipv4:192.0.2.1 -all",
    "ip.example": "v=spf1 ip4:192.0.2.400 -all",
    "absent.example": "v=spf1 include:rien.example -all",
    "renvoi.example": "v=spf1 redirect=entier.example",
    "oisif.example": "v=spf1 redirect=rien.example -all",
    "ptr.example": "v=spf1 ptr -all",
    "rond.example": "v=spf1 include:rond.example -all",
    "vides.example": "v=spf1 a:un.vides.example a:deux.vides.example exists:trois.vides.example -all",
    "macro.example": "v=spf1 exists:%{i}._spf.macro.example -all",
    "refus.example": "v=spf1 -include:_spf.service.example +ip4:192.0.2.9 ~all",
    "muet-dessous.example": "v=spf1 include:muet.example -all",
    "profond.example": "v=spf1 " + " ".join(f"include:n{n}.profond.example" for n in range(6)) + " -all",
    **{f"n{n}.profond.example": "v=spf1 a:hote.entier.example -all" for n in range(6)},
    "masque.example": "v=spf1 a:hote.entier.example/24 -all",
}
OTHERS = [
    ("deux.example", "TXT", "v=spf1 -all"),
    ("deux.example", "TXT", "v=spf1 mx -all"),
    ("rien-que-texte.example", "TXT", "v=spf10 -all"),
    ("entier.example", "MX", "10 hote.entier.example."),
    ("sans-fin.example", "MX", "10 hote.entier.example."),
    ("hote.entier.example", "A", "203.0.113.5"),
    ("muet.example", "FAIL", ""),
]


@pytest.fixture(scope="module")
def address():
    records = [(name, "TXT", value) for name, value in RECORDS.items()] + OTHERS
    with NameServer(Zones(Record.checked(*one) for one in records)) as server:
        yield server.address


@pytest.fixture
def ask(address):
    return Resolver(address, lifetime=1.0)


@pytest.mark.parametrize(
    ("domain", "flaws", "fault", "lookups"),
    [
        ("entier.example", [], "", 2),
        ("autre.example", [], "", 0),
        ("inconnu.example", [Flaw.SPF_NONE], "", 0),
        ("rien-que-texte.example", [Flaw.SPF_NONE], "", 0),
        ("deux.example", [Flaw.SPF_SEVERAL], "", 0),
        ("muet.example", [Flaw.NO_ANSWER], "", 0),
        ("ouvert.example", [Flaw.SPF_OPEN], "", 0),
        ("sans-fin.example", [Flaw.SPF_NO_END], "", 1),
        ("faute.example", [], "", 0),  # an unknown modifier, which receivers skip (RFC 7208, 6)
        ("mot.example", [Flaw.SPF_SYNTAX], "ipv4:192.0.2.1", 0),
        ("ip.example", [Flaw.SPF_SYNTAX], "ip4:192.0.2.400", 0),
        ("absent.example", [Flaw.SPF_BROKEN_INCLUDE], "rien.example", 1),
        ("renvoi.example", [], "", 3),
        ("oisif.example", [], "", 0),
        ("ptr.example", [Flaw.SPF_PTR], "", 1),
        ("rond.example", [Flaw.SPF_LOOKUPS], "11", 11),
        ("vides.example", [Flaw.SPF_VOIDS], "3", 3),
        ("profond.example", [Flaw.SPF_LOOKUPS], "12", 12),
        ("muet-dessous.example", [Flaw.NO_ANSWER], "muet.example", 1),
        ("macro.example", [], "", 1),
    ],
)
def test_what_a_record_comes_to(ask, domain, flaws, fault, lookups):
    found = spf.survey(ask, domain)
    assert (found.flaws, found.fault, found.lookups) == (flaws, fault, lookups)


def test_each_step_says_what_it_costs(ask):
    found = spf.survey(ask, "profond.example")
    assert [(step.depth, step.text, step.lookups) for step in found.steps][:3] == [
        (0, "include:n0.profond.example", 2), (1, "a:hote.entier.example", 1), (0, "include:n1.profond.example", 2),
    ]  # fmt: skip
    assert spf.survey(ask, "entier.example").included == {"_spf.service.example"}
    assert spf.survey(ask, "refus.example").included == set()


@pytest.mark.parametrize(
    ("domain", "ip", "wanted"),
    [
        ("entier.example", "192.0.2.10", True),
        ("entier.example", "2001:db8::25", True),
        ("entier.example", "203.0.113.5", True),  # by its MX
        ("entier.example", "198.51.100.7", False),
        ("autre.example", "198.51.100.7", True),
        ("autre.example", "192.0.2.10", False),
        ("sans-fin.example", "192.0.2.10", False),
        ("renvoi.example", "192.0.2.10", True),
        ("ouvert.example", "192.0.2.10", True),
        ("refus.example", "192.0.2.9", False),  # the first that matches decides
        ("masque.example", "203.0.113.77", True),
        ("inconnu.example", "192.0.2.10", False),
        ("deux.example", "192.0.2.10", False),
        ("absent.example", "192.0.2.10", False),
        ("mot.example", "192.0.2.1", False),
        ("rond.example", "192.0.2.10", False),
        ("macro.example", "192.0.2.10", None),
        ("muet.example", "192.0.2.10", None),
        ("muet-dessous.example", "192.0.2.10", None),
    ],
)
def test_whom_it_lets_send(ask, domain, ip, wanted):
    assert spf.allows(ask, domain, ip) is wanted
