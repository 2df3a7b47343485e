"""mail.domains against records on loopback: each flaw by the record that shows it, and what to publish instead."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Record, Zones
from mail import dmarc
from mail.dns import Resolver
from mail.domain_records import proposal
from mail.domains import Diagnosis, Finding, Service, check
from models.domain_words import DomainCheckKind, DomainState, Flaw


def public_key(bits):
    made = generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return base64.b64encode(made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


KEY, OTHER_KEY, SMALL_KEY = public_key(2048), public_key(2048), public_key(1024)
SERVICE = Service("_spf.service.example", ("192.0.2.10",), "sillage", KEY)
SPF_OK = "v=spf1 include:_spf.service.example -all"
WHOLE = {
    "spf": ("d.example", "TXT", SPF_OK),
    "dkim": ("sillage._domainkey.d.example", "TXT", f"v=DKIM1; k=rsa; p={KEY}"),
    "dmarc": ("_dmarc.d.example", "TXT", "v=DMARC1; p=quarantine; rua=mailto:dmarc@d.example"),
    "mx": ("d.example", "MX", "10 mx.service.example."),
}
HOUSE = [
    ("_spf.service.example", "TXT", "v=spf1 ip4:192.0.2.0/28 -all"),
    ("mx.service.example", "A", "192.0.2.3"),
    ("mta.service.example", "A", "192.0.2.10"),
    ("10.2.0.192.in-addr.arpa", "PTR", "mta.service.example."),
]


def diagnosed(changes, domain="d.example", envelopes=("d.example",), service=SERVICE):
    """The diagnosis of the whole domain but for `changes`: {"spf": value or None, …} or whole records by any name."""
    records = list(HOUSE)
    for name, (where, kind, value) in WHOLE.items():
        told = changes.get(name, value)
        if told is not None:
            records += [(where, kind, one) for one in (told if isinstance(told, list) else [told])]
    records += [one for name, one in changes.items() if isinstance(one, tuple)]
    with NameServer(Zones(Record.checked(*one) for one in records)) as server:
        return check(Resolver(server.address, lifetime=1.0), domain, envelopes, service)


def of(found, kind):
    return next(finding for finding in found.findings if finding.check is DomainCheckKind(kind))


def test_a_whole_domain():
    found = diagnosed({})
    assert found.state is DomainState.GOOD
    assert [(one.check.value, one.name, one.flaws) for one in found.findings] == [
        ("spf", "d.example", ()), ("dkim", "sillage._domainkey.d.example", ()), ("dmarc", "_dmarc.d.example", ()),
        ("mx", "d.example", ()), ("ptr", "192.0.2.10", ()),
    ]  # fmt: skip
    assert of(found, "spf").details["lookups"] == 1 and of(found, "dmarc").details["by_spf"] is True
    assert [proposal(one, "d.example", SERVICE) for one in found.findings] == [None] * 5
    kept = tuple(Finding.from_json(one.as_json()) for one in found.findings)
    assert Diagnosis(kept) == found


FLAWS = [
    ({"spf": None}, "spf", [Flaw.SPF_NONE], "bad", "v=spf1 include:_spf.service.example ~all"),
    (
        {"spf": [SPF_OK, "v=spf1 mx ~all"]}, "spf", [Flaw.SPF_SEVERAL], "bad",
        "v=spf1 include:_spf.service.example mx ~all",
    ),
    (
        {"spf": "v=spf1 ip4:198.51.100.7 -all"}, "spf", [Flaw.SPF_NOT_US], "bad",
        "v=spf1 include:_spf.service.example ip4:198.51.100.7 -all",
    ),
    (
        {"spf": "v=spf1 include:_spf.service.example include:parti.example -all"}, "spf", [Flaw.SPF_BROKEN_INCLUDE],
        "bad", "v=spf1 include:_spf.service.example -all",
    ),
    ({"spf": "v=spf1 ip4:rien -all"}, "spf", [Flaw.SPF_SYNTAX], "bad", "v=spf1 include:_spf.service.example -all"),
    ({"spf": "v=spf1 ip4:192.0.2.10 +all"}, "spf", [Flaw.SPF_OPEN], "weak", "v=spf1 ip4:192.0.2.10 ~all"),
    ({"dkim": None}, "dkim", [Flaw.DKIM_NONE], "weak", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dkim": f"v=DKIM1; p={OTHER_KEY}"}, "dkim", [Flaw.DKIM_OTHER], "bad", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dkim": "v=DKIM1; p="}, "dkim", [Flaw.DKIM_REVOKED], "bad", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dkim": f"v=DKIM1; p={KEY[:200]}"}, "dkim", [Flaw.DKIM_SYNTAX], "bad", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dkim": f"v=DKIM1; t=y; p={KEY}"}, "dkim", [Flaw.DKIM_TEST], "weak", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dkim": [f"v=DKIM1; p={KEY}", "v=DKIM1; p="]}, "dkim", [Flaw.DKIM_SEVERAL], "bad", f"v=DKIM1; k=rsa; p={KEY}"),
    ({"dmarc": None}, "dmarc", [Flaw.DMARC_NONE], "weak", "v=DMARC1; p=none; rua=mailto:postmaster@d.example"),
    ({"dmarc": "v=DMARC1; p=peut-etre"}, "dmarc", [Flaw.DMARC_SYNTAX], "bad",
     "v=DMARC1; p=none; rua=mailto:postmaster@d.example"),
    ({"dmarc": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "dmarc", [Flaw.DMARC_SEVERAL], "bad", "v=DMARC1; p=none"),
    ({"spf": "v=spf1 -all"}, "dmarc", [Flaw.DMARC_REFUSED], "bad", None),
    ({"spf": "v=spf1 -all", "dmarc": "v=DMARC1; p=none"}, "dmarc", [Flaw.DMARC_UNPROVEN], "weak", None),
    ({"mx": None}, "mx", [Flaw.MX_NONE], "bad", None),
    ({"mx": "0 ."}, "mx", [Flaw.MX_NULL], "bad", None),
    ({"mx": "10 parti.example."}, "mx", [Flaw.MX_LOST], "bad", None),
    ({"mx": None, "a": ("d.example", "A", "192.0.2.80")}, "mx", [Flaw.MX_IMPLICIT], "weak", None),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "kind", "flaws", "state", "publish"), FLAWS)
def test_each_flaw_and_its_repair(changes, kind, flaws, state, publish):
    finding = of(diagnosed(changes), kind)
    assert (list(finding.flaws), finding.state.value) == (flaws, state)
    told = proposal(finding, "d.example", SERVICE)
    assert (told.value if told else None) == publish
    if told is not None:  # what is published heals it
        assert of(diagnosed({kind: told.value} if kind != "dkim" else {"dkim": told.value}), kind).flaws == ()


def test_no_answer_is_no_fault():
    found = diagnosed({"silence": ("d.example", "FAIL", "")})
    assert found.state is DomainState.UNKNOWN
    assert {flaw for finding in found.findings for flaw in finding.flaws} == {Flaw.NO_ANSWER}
    assert of(found, "dmarc").details == {"policy": "", "by_spf": None, "by_dkim": None, "reports": ""}


def test_a_domain_that_does_not_exist():
    found = diagnosed({}, domain="rien.example", envelopes=("rien.example",))
    assert [finding.flaws for finding in found.findings] == [(Flaw.NO_DOMAIN,)]


def test_reports_that_come_back_to_another_domain():
    away = {"retours": ("retours.example", "TXT", SPF_OK), "mx2": ("retours.example", "MX", "10 mx.service.example.")}
    found = diagnosed(away, envelopes=("retours.example",))
    assert of(found, "spf").name == "retours.example" and of(found, "spf").flaws == (Flaw.SPF_UNALIGNED,)
    assert of(found, "dmarc").flaws == (Flaw.DMARC_REFUSED,)
    below = {"r": ("retours.d.example", "TXT", SPF_OK), "m": ("retours.d.example", "MX", "10 mx.service.example.")}
    assert diagnosed(below, envelopes=("retours.d.example",)).state is DomainState.GOOD
    strict = below | {"dmarc": "v=DMARC1; p=reject; aspf=s"}
    assert of(diagnosed(strict, envelopes=("retours.d.example",)), "dmarc").flaws == (Flaw.DMARC_REFUSED,)


def test_a_signature_proves_as_well():
    signed = Service(SERVICE.spf_include, SERVICE.ips, "sillage", KEY, signs=True)
    found = diagnosed({"spf": "v=spf1 -all"}, service=signed)
    assert of(found, "dmarc").flaws == () and of(found, "dmarc").details["by_dkim"] is True


def test_a_service_that_nobody_named_is_not_judged():
    found = diagnosed({"spf": "v=spf1 mx -all"}, service=Service())
    assert of(found, "spf").flaws == () and of(found, "spf").details["allowed"] is None
    assert of(found, "dkim").state is DomainState.NONE and of(found, "dmarc").flaws == ()


def test_small_keys_and_reverse_names():
    small = Service(SERVICE.spf_include, ("192.0.2.11",), "sillage", SMALL_KEY)
    found = diagnosed({"dkim": f"p={SMALL_KEY}"}, service=small)
    assert of(found, "dkim").flaws == (Flaw.DKIM_SMALL,) and of(found, "ptr").flaws == (Flaw.PTR_NONE,)
    stray = {"ptr": ("11.2.0.192.in-addr.arpa", "PTR", "mta.service.example.")}
    assert of(diagnosed(stray, service=small), "ptr").flaws == (Flaw.PTR_UNCONFIRMED,)


@pytest.mark.parametrize(
    ("record", "policy"), [("v=DMARC1; p=reject", "reject"), ("v=DMARC1; p=reject; sp=none", "none")]
)
def test_a_domain_below_inherits(record, policy):
    with NameServer(Zones([Record.checked("_dmarc.d.example", "TXT", record)])) as server:
        rules = dmarc.find(Resolver(server.address, 1.0), "lettres.formation.d.example")
    assert (rules.policy, rules.name) == (policy, "_dmarc.d.example")
