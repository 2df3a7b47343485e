"""Configuration › Expéditeurs › a domain, and the diagnosis beside an e-mail: who may, what is shown, how it heals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import mail
from extensions import db
from local.postoffice.demo_zones import DKIM_PUBLIC_KEY
from local.postoffice.zones import Record, Zones
from mail import domain_checks
from mail.fold import Fact
from models import AuditEntry, Email, Sender
from models.domain_check import SendingDomain
from models.domain_words import DomainState
from models.words import EventKind, Reason, ReturnPath
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.practice_names import BROKEN, WHOLE, served

PAGE = "/settings/domains/cassiopee.example"


@pytest.fixture
def admin(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.admin)


@pytest.fixture
def zones(app: Flask) -> Iterator[Zones]:
    with served(app) as names:
        yield names


def state_of(client: Browser) -> dict[str, str]:
    """{check: state} as the page shows it."""
    return {one.get("data-check"): one.get("data-state") for one in client.html.xpath("//*[@data-check]")}


def values_of(client: Browser) -> list[str]:
    """The values of the records to publish."""
    return [one.text for one in client.html.xpath("//*[@class='publish']//*[starts-with(@id, 'value-')]")]


def test_a_broken_domain_is_repaired_by_what_the_page_says(zones: Zones, admin: Browser) -> None:
    zones.replace(WHOLE, BROKEN)
    assert "n’a pas encore été vérifié" in admin.get(PAGE).text
    admin.post(PAGE + "/checks", {})
    admin.get(PAGE)
    assert state_of(admin) == {"spf": "bad", "dkim": "good", "dmarc": "bad", "mx": "good", "ptr": "good"}
    (value,) = values_of(admin)
    assert value == "v=spf1 include:_spf.sillage.example mx include:_spf.hebergeur.example -all"
    zones.replace(BROKEN, Record(BROKEN.name, "TXT", value))
    admin.post(PAGE + "/checks", {}, htmx=True, status=200)
    assert set(state_of(admin).values()) == {"good"} and values_of(admin) == []
    row = db.session.scalars(select(SendingDomain).where(SendingDomain.domain == "cassiopee.example")).one()
    assert row.state is DomainState.GOOD and len(domain_checks.history(row)) == 2
    of_it = AuditEntry.subject == "cassiopee.example"
    noted = db.session.scalars(select(AuditEntry).where(of_it).order_by(AuditEntry.id)).all()
    assert [(one.action.value, one.data["state"]) for one in noted] == [
        ("domain_checked", "bad"), ("domain_checked", "good"),
    ]  # fmt: skip


def test_a_break_shows_on_every_page_of_configuration(zones: Zones, admin: Browser, cassiopee: House) -> None:
    admin.post(PAGE + "/checks", {})
    assert "n’est plus en ordre" not in admin.get("/settings").text
    zones.replace(WHOLE, BROKEN)
    admin.post(PAGE + "/checks", {})
    for where in ("/settings", "/settings/senders", "/"):
        assert "n’est plus en ordre" in admin.get(where).text, where
    assert "était en ordre et ne l’est plus" in admin.get(PAGE).text
    staff = admin.sign_in(cassiopee.staff)
    assert "n’est plus en ordre" not in staff.get("/").text


def test_nobody_else_may(zones: Zones, client: Browser, cassiopee: House, boreale: House) -> None:
    for person, status in ((cassiopee.staff, 403), (cassiopee.manager, 403), (boreale.admin, 404)):
        client.sign_in(person)
        client.get(PAGE, status=status)
        client.get(PAGE, htmx=True, status=status)
        client.post(PAGE + "/checks", {}, status=status)
        client.post(PAGE + "/key", {"selector": "s1"}, status=status)
    assert db.session.scalars(select(SendingDomain).where(SendingDomain.domain == "cassiopee.example")).all() == []
    client.sign_in(cassiopee.admin)
    for strange in ("inconnu.example", "a..b", "x" * 300):
        client.get(f"/settings/domains/{strange}", status=404)


def test_a_key_of_ones_own(zones: Zones, admin: Browser) -> None:
    key = DKIM_PUBLIC_KEY
    admin.get(PAGE)
    admin.post(PAGE + "/key", {"selector": "deux mots"}, status=422)
    admin.post(PAGE + "/key", {"public_key": key}, status=422)
    admin.post(PAGE + "/key", {"selector": "s1", "public_key": key[:100]}, status=422)
    admin.post(PAGE + "/key", {"selector": "S1", "public_key": f'"v=DKIM1; k=rsa; p={key[:90]}" "{key[90:]}"'})
    row = db.session.scalars(select(SendingDomain)).one()
    assert (row.dkim_selector, row.dkim_public_key) == ("s1", key)
    admin.post(PAGE + "/checks", {})
    shown = admin.get(PAGE)
    assert state_of(admin)["dkim"] == "weak" and "s1._domainkey.cassiopee.example" in shown.text
    zones.add(Record("s1._domainkey.cassiopee.example", "TXT", f"v=DKIM1; p={key}"))
    admin.post(PAGE + "/checks", {})
    admin.get(PAGE)
    assert state_of(admin)["dkim"] == "good"


def test_senders_lead_to_their_domain(zones: Zones, admin: Browser, cassiopee: House) -> None:
    admin.get("/settings/senders/new")
    form = {"name": "Lettres", "address": "bonjour@lettres-cassiopee.example", "return_path": "own"}
    admin.post("/settings/senders/new", form)
    known = domain_checks.known(cassiopee.id)
    assert set(known) == {"cassiopee.example", "lettres-cassiopee.example"}
    admin.get("/settings/senders")
    assert [one.get("href") for one in admin.html.xpath("//td//a[@class='link']")] == [
        "/settings/domains/cassiopee.example", "/settings/domains/lettres-cassiopee.example",
    ]  # fmt: skip


def test_a_provider_s_domain_is_nobody_s_to_publish_in(zones: Zones, admin: Browser, cassiopee: House) -> None:
    db.session.add(
        Sender(organisation_id=cassiopee.id, name="Moi", address="moi@gmail.com", return_path=ReturnPath.OWN)
    )
    db.session.commit()
    admin.get("/settings/domains/gmail.com")
    admin.post("/settings/domains/gmail.com/checks", {})
    shown = admin.get("/settings/domains/gmail.com")
    assert "Ce domaine n’est pas à vous" in shown.text and values_of(admin) == []


def refused(house: House, hours: int) -> Email:
    """An e-mail of so many hours ago that a recipient refused as not authenticated."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    email = make_email(house, at=at, sent_at=at)
    mail.record([Fact(email.id, EventKind.REFUSED, "smtp", "1", at, Reason.AUTHENTICATION, 1, 550, "5.7.26", "no")])
    db.session.commit()
    return email


def test_beside_an_email_the_diagnosis_of_its_time(zones: Zones, client: Browser, cassiopee: House) -> None:
    def look(hours: int) -> None:
        row = domain_checks.follow(cassiopee.id)["cassiopee.example"]
        found, now = domain_checks.look(row)
        domain_checks.keep(row, found, now - timedelta(hours=hours))
        db.session.commit()

    before, during = refused(cassiopee, 40), refused(cassiopee, 20)
    look(30)
    zones.replace(WHOLE, BROKEN)
    look(24)
    zones.replace(BROKEN, WHOLE)
    look(2)
    client.sign_in(cassiopee.staff)

    def told(email: Email, **kwargs: Any) -> str:
        client.get(f"/emails/{email.public_id}/diagnosis", **kwargs)
        return client.text()

    assert "SPF : Ce SPF n’autorise pas le service" in told(during).replace("\xa0", " ")
    assert "Aujourd’hui, ce domaine est en ordre" in told(during, htmx=True)
    assert "Rien à redire" in told(before) and "à la première vérification" in told(before)
    assert client.html.xpath("//a[contains(@href, '/settings/domains/')]") == []
    client.sign_in(cassiopee.admin)
    told(during)
    (link,) = client.html.xpath("//a[contains(@href, '/settings/domains/')]")
    client.get(link.get("href"))
    (back,) = client.html.xpath("//a[contains(., 'Revenir à l')]")
    assert back.get("href") == f"/emails/{during.public_id}#resend-{during.public_id}"
    client.get(f"/emails/{during.public_id}")
    assert client.html.xpath(f"//*[@hx-get='/emails/{during.public_id}/diagnosis']")


def test_no_other_organisation_reads_a_diagnosis(client: Browser, cassiopee: House, boreale: House) -> None:
    email = refused(cassiopee, 1)
    client.get(f"/emails/{email.public_id}/diagnosis", status=303)
    client.sign_in(boreale.admin).get(f"/emails/{email.public_id}/diagnosis", status=404)
    client.sign_in(cassiopee.staff).get(f"/emails/{email.public_id}/diagnosis")
    assert "n’avait pas encore été vérifié" in client.text()
