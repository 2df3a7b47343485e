"""mail.dns against a name server on loopback: what was found, what is not there, what nobody answered."""

import socket

import pytest

from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Record, WrongRecord, Zones
from mail.dns import Answer, Heard, MailHosts, Resolver

LONG = "v=DKIM1; k=rsa; p=" + "A" * 1800
RECORDS = [
    ("entier.example", "MX", "20 deux.entier.example."),
    ("entier.example", "MX", "10 UN.entier.example."),
    ("entier.example", "TXT", "v=spf1 mx -all"),
    ("entier.example", "TXT", '"deux " "morceaux"'),
    ("un.entier.example", "A", "192.0.2.1"),
    ("un.entier.example", "AAAA", "2001:db8::1"),
    ("cle._domainkey.entier.example", "TXT", LONG),
    ("alias.entier.example", "CNAME", "cle._domainkey.entier.example."),
    ("nul.example", "MX", "0 ."),
    ("simple.example", "A", "192.0.2.2"),
    ("muet.example", "SILENT", ""),
    ("panne.example", "FAIL", ""),
    ("10.2.0.192.in-addr.arpa", "PTR", "mta1.Entier.example."),
    ("été.example", "MX", "10 un.entier.example."),
]


@pytest.fixture
def zones():
    return Zones(Record.checked(*one) for one in RECORDS)


@pytest.fixture
def ask(zones):
    with NameServer(zones) as server:
        yield Resolver(server.address, lifetime=1.0)


@pytest.mark.parametrize(
    ("domain", "wanted", "accepts"),
    [
        ("entier.example", MailHosts(Heard.FOUND, ("un.entier.example", "deux.entier.example")), True),
        ("Entier.Example.", MailHosts(Heard.FOUND, ("un.entier.example", "deux.entier.example")), True),
        ("été.example", MailHosts(Heard.FOUND, ("un.entier.example",)), True),
        ("nul.example", MailHosts(Heard.FOUND, null=True), False),
        ("simple.example", MailHosts(Heard.FOUND, ("simple.example",), implicit=True), True),
        ("cle._domainkey.entier.example", MailHosts(Heard.NOTHING), False),
        ("_domainkey.entier.example", MailHosts(Heard.NOTHING), False),  # only names below it
        ("inconnu.example", MailHosts(Heard.NO_DOMAIN), False),
        ("a..example", MailHosts(Heard.NO_DOMAIN), False),
        ("x" * 64 + ".example", MailHosts(Heard.NO_DOMAIN), False),
        ("panne.example", MailHosts(Heard.UNKNOWN), None),
        ("sous.panne.example", MailHosts(Heard.UNKNOWN), None),
    ],
)
def test_who_takes_the_mail(ask, domain, wanted, accepts):
    found = ask.mx(domain)
    assert found == wanted
    assert found.accepts is accepts


def test_texts(ask):
    found = ask.txt("entier.example")
    assert found.heard is Heard.FOUND and set(found.records) == {"v=spf1 mx -all", "deux morceaux"}
    assert ask.txt("simple.example") == Answer(Heard.NOTHING)
    assert ask.txt("inconnu.example") == Answer(Heard.NO_DOMAIN)
    assert ask.txt("panne.example") == Answer(Heard.UNKNOWN) and not ask.txt("panne.example").known


def test_a_long_text_comes_by_tcp_and_by_an_alias(ask):
    assert ask.txt("cle._domainkey.entier.example") == Answer(Heard.FOUND, (LONG,))
    assert ask.txt("alias.entier.example") == Answer(Heard.FOUND, (LONG,))


def test_names_of_addresses(ask):
    assert ask.ptr("192.0.2.10") == Answer(Heard.FOUND, ("mta1.entier.example",))
    assert ask.ptr("192.0.2.11") == Answer(Heard.NO_DOMAIN)
    assert ask.addresses("un.entier.example") == Answer(Heard.FOUND, ("192.0.2.1", "2001:db8::1"))
    with pytest.raises(ValueError, match="not an IP address"):
        ask.ptr("mta1.entier.example")


def test_silence_is_unknown_and_ends_in_time(zones):
    with NameServer(zones) as server:
        patient = Resolver(server.address, lifetime=0.3, budget=0.5)
        assert [patient.txt(f"{n}.muet.example").heard for n in range(5)] == [Heard.UNKNOWN] * 5
        assert patient.txt("entier.example").heard is Heard.UNKNOWN  # the budget is spent


def test_no_server_is_unknown():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert Resolver(f"127.0.0.1:{port}", lifetime=0.3).mx("entier.example").accepts is None
    assert Resolver("none", lifetime=3).mx("entier.example").heard is Heard.UNKNOWN


def test_records_are_kept_and_set_back(tmp_path):
    file, first = tmp_path / "mail" / "zones.json", [Record.checked("a.example", "TXT", "v=spf1 -all")]
    zones = Zones(first, file)
    assert not file.exists()
    better = Record.checked("A.example.", "txt", '"v=spf1" " mx -all"')
    assert better == Record("a.example", "TXT", "v=spf1 mx -all")
    zones.replace(first[0], better)
    assert Zones(first, file).records == (better,)
    zones.reset()
    assert Zones([], file).records == tuple(first)
    file.write_text("{")
    assert Zones(first, file).records == tuple(first)


@pytest.mark.parametrize(
    "wrong",
    [("a.example", "NS", "x."), ("", "TXT", "x"), ("a.example", "MX", "ten x."), ("a.example", "A", "300.1.1.1"),
     ("a.example", "TXT", "é"), ("a..example", "TXT", "x")],
)  # fmt: skip
def test_a_wrong_record_is_refused(wrong):
    with pytest.raises(WrongRecord):
        Record.checked(*wrong)
