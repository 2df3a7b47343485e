"""The practice name server's page, the records it begins with, and the recipient who believes only what is proven."""

import re
import smtplib
import socket
from email.message import EmailMessage

import pytest

from local.plan import Ports, environment
from local.postoffice import PostOffice, demo_zones
from local.postoffice.nameserver import NameServer
from local.postoffice.proving import proven
from local.postoffice.web import create_page
from local.postoffice.zones import Record, Zones
from local.processes import CannotStart
from mail.dns import Resolver
from mail.domains import Service, check
from models.domain_words import DomainState, Flaw
from people.contacts import COMMON_DOMAINS
from places import Places
from seeds.bulk import plain
from seeds.names import COMPANIES, DOMAINS

SERVICE = Service(
    demo_zones.SPF_INCLUDE, (demo_zones.SENDING_IP,), demo_zones.DKIM_SELECTOR, demo_zones.DKIM_PUBLIC_KEY
)  # fmt: skip
FORGOTTEN = Record("cassiopee.example", "TXT", "v=spf1 mx include:_spf.hebergeur.example -all")


@pytest.fixture
def zones(tmp_path):
    return Zones(demo_zones.first(), tmp_path / "zones.json")


@pytest.fixture
def page(zones, tmp_path):
    client = create_page(tmp_path / "mail", lambda content: 0, zones=zones, names_port=5354).test_client()

    def ask(method, path, **options):
        return client.open(path, method=method, base_url="http://127.0.0.1:8025", **options)

    return ask


def test_what_the_demo_begins_with(zones):
    with NameServer(zones) as server:
        ask = Resolver(server.address, lifetime=1.0)

        def flaws(domain):
            found = check(ask, domain, (domain,), SERVICE)
            return found.state, {flaw for one in found.findings for flaw in one.flaws}

        assert flaws("boreale.example") == (DomainState.GOOD, set())
        assert flaws("cassiopee.example") == (DomainState.BAD, {Flaw.SPF_NOT_US, Flaw.DMARC_REFUSED})
        assert flaws("lettres-cassiopee.example") == (DomainState.WEAK, {Flaw.DMARC_NONE})
        assert Flaw.MX_NULL in flaws("sans-courrier.example")[1]
        assert flaws("muet.example") == (DomainState.UNKNOWN, {Flaw.NO_ANSWER})
        assert flaws("gmial.com")[1] == {Flaw.NO_DOMAIN}
        companies = {plain(name)[:30] + ".example" for name in COMPANIES}
        assert companies | set(DOMAINS) | set(COMMON_DOMAINS) <= set(demo_zones.RECEIVING)
        assert ask.mx("gmail.com").accepts is True


def test_records_are_changed_on_the_page(page, zones):
    shown = page("GET", "/names").text
    assert FORGOTTEN.value in shown and "127.0.0.1:5354" in shown
    whole = "v=spf1 mx include:_spf.hebergeur.example include:_spf.sillage.example -all"
    old = {"old_name": FORGOTTEN.name, "old_kind": "TXT", "old_value": FORGOTTEN.value}
    new = {"name": FORGOTTEN.name, "kind": "TXT", "value": whole, "do": "change"}
    changed = page("POST", "/names", data={**old, **new})
    assert (changed.status_code, changed.headers["Location"]) == (303, "/names#cassiopee.example")
    assert FORGOTTEN not in zones.records and Record("cassiopee.example", "TXT", whole) in zones.records
    wrong = page("POST", "/names", data={"name": "a.example", "kind": "MX", "value": "dix", "do": "add"})
    assert wrong.status_code == 422 and "n’est pas valable" in wrong.text
    page("POST", "/names", data={"name": "neuf.example", "kind": "A", "value": "192.0.2.1", "do": "add"})
    assert Record("neuf.example", "A", "192.0.2.1") in zones.records
    gone = {"old_name": "neuf.example", "old_kind": "A", "old_value": "192.0.2.1", "do": "remove"}
    assert page("POST", "/names", data=gone).status_code == 303 and not zones.exists("neuf.example")
    page("POST", "/names", data={"do": "reset"})
    assert FORGOTTEN in zones.records
    assert page("POST", "/names", data={"do": "reset"}, headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_page_speaks_english_and_needs_zones(page, tmp_path):
    english = page("GET", "/names", headers={"Accept-Language": "en"}).text
    assert "Set all records back to the start" in english and "Ajouter" not in re.sub("<[^>]*>", "", english)
    without = create_page(tmp_path / "mail", lambda content: 0).test_client()
    assert without.get("/names", base_url="http://127.0.0.1:8025").status_code == 404
    assert "/names" not in without.get("/", base_url="http://127.0.0.1:8025").text


def test_dmarc_refuses_until_the_sender_is_proven(zones, tmp_path):
    letter = EmailMessage()
    letter["From"], letter["To"] = "Atelier <formation@cassiopee.example>", "paul.dmarc@client.example"
    letter.set_content("Bonjour")

    def send(port, mail_from="retours+t0k@cassiopee.example"):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as line:
            line.ehlo("client.example")
            line.mail(mail_from)
            line.rcpt("paul.dmarc@client.example")
            return line.data(letter.as_bytes())[0]

    with NameServer(zones) as server:
        office = PostOffice(
            tmp_path / "in", tmp_path / "back",
            proven=lambda who, content: proven(server.address, demo_zones.SENDING_IP, who, content),
        )  # fmt: skip
        with office:
            assert send(office.port) == 550
            zones.replace(FORGOTTEN, Record(FORGOTTEN.name, "TXT", "v=spf1 include:_spf.sillage.example -all"))
            assert send(office.port) == 250
            assert send(office.port, "retours@boreale.example") == 550  # SPF passes, for another domain


def test_the_name_server_has_a_port_of_its_own(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        with pytest.raises(CannotStart, match=f"PRACTICE_DNS_PORT={port}"):
            Ports.choose({"PORT": "1" + port[-4:], "PRACTICE_DNS_PORT": port})
    env = environment(Places(tmp_path), Ports(5005, 2626, 8026, 5356), {})
    assert env["DNS_SERVER"] == "127.0.0.1:5356" and env["MAIL_SPF_INCLUDE"] == "_spf.sillage.example"
    assert "DNS_SERVER" not in environment(Places(tmp_path), Ports(5005, None, None), {})
