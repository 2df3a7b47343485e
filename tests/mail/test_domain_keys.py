"""Keys that sign for a domain: used once the DNS gives them, left when it does not, taken over by the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from errors import UserMistake
from extensions import db
from local.postoffice.zones import Record
from mail import domain_checks, domain_keys
from mail.domain_records import key_record, proposal
from models import DkimKey, EmailContent
from models.domain_words import DomainCheckKind, DomainState, Flaw
from tests.client import Browser
from tests.dkim_oracle import verifies
from tests.mail.test_sending import ask
from tests.practice_names import served

DOMAIN = "cassiopee.example"


@pytest.fixture
def zones(app):
    with served(app) as names:
        yield names


_clock = iter(range(10_000))


def look(house):
    """The domain after a look, an hour after the one before."""
    row = domain_checks.follow(house.id)[DOMAIN]
    found, _now = domain_checks.look(row)
    domain_checks.keep(row, found, datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=next(_clock)))
    db.session.commit()
    return row, found


def made(house) -> DkimKey:
    key = domain_keys.make(domain_checks.follow(house.id)[DOMAIN])
    db.session.commit()
    return key


def record(key: DkimKey) -> Record:
    return Record(f"{key.record_name}.{DOMAIN}", "TXT", key_record(key.public_key))


def publish(zones, key: DkimKey) -> None:
    zones.add(record(key))


def signature(house) -> str | None:
    """The selector that a new e-mail is signed under, verified against what the DNS gives; None for none."""
    (email,) = ask(house, "zoe@client.example")
    kept = db.session.get_one(EmailContent, email.id).skeleton
    if not kept.startswith(b"DKIM-Signature"):
        return None
    keys = db.session.scalars(select(DkimKey))
    assert verifies(kept, {f"{key.record_name}.{DOMAIN}": key_record(key.public_key) for key in keys})
    return kept.split(b"; s=")[1].split(b";")[0].decode()


def test_nothing_is_signed_before_the_key_is_seen(zones, cassiopee):
    key = made(cassiopee)
    assert signature(cassiopee) is None
    row, found = look(cassiopee)
    (finding,) = [one for one in found.findings if one.check is DomainCheckKind.DKIM]
    assert finding.flaws == (Flaw.DKIM_NONE,) and finding.name == f"{key.record_name}.{DOMAIN}"
    told = proposal(finding, DOMAIN, domain_checks.service_of(row))
    assert told is not None and told.value == key_record(key.public_key)
    assert signature(cassiopee) is None
    publish(zones, key)
    _row, found = look(cassiopee)
    assert found.state is DomainState.GOOD and key.published_at is not None
    assert [one.details["by_dkim"] for one in found.findings if one.check is DomainCheckKind.DMARC] == [True]
    assert signature(cassiopee) == key.selector


@pytest.mark.parametrize("lost", ["gone", "other", "revoked"])
def test_a_record_that_no_longer_matches_stops_the_signing(zones, cassiopee, lost):
    key = made(cassiopee)
    publish(zones, key)
    look(cassiopee)
    assert signature(cassiopee) == key.selector
    zones.remove(record(key))
    if lost != "gone":
        value = "v=DKIM1; k=rsa; p=" if lost == "revoked" else key_record(made(cassiopee).public_key)
        zones.add(Record(f"{key.record_name}.{DOMAIN}", "TXT", value))
    _row, found = look(cassiopee)
    assert (key.published_at, key.lost_at is not None) == (None, True)
    assert signature(cassiopee) is None
    assert found.state is not DomainState.GOOD


def test_a_name_server_that_does_not_answer_changes_nothing(zones, cassiopee):
    key = made(cassiopee)
    publish(zones, key)
    look(cassiopee)
    zones.add(Record(f"{key.record_name}.{DOMAIN}", "FAIL", ""))
    _row, found = look(cassiopee)
    assert Flaw.NO_ANSWER in {flaw for one in found.findings for flaw in one.flaws}
    assert key.published_at is not None and signature(cassiopee) == key.selector


def test_the_next_key_takes_over_once_it_is_seen(zones, cassiopee):
    old = made(cassiopee)
    publish(zones, old)
    look(cassiopee)
    new = made(cassiopee)
    look(cassiopee)
    assert signature(cassiopee) == old.selector
    with pytest.raises(UserMistake):
        made(cassiopee)
    db.session.rollback()
    publish(zones, new)
    look(cassiopee)
    assert signature(cassiopee) == new.selector
    zones.remove(record(new))
    look(cassiopee)
    assert signature(cassiopee) == old.selector


def test_keys_are_made_shown_and_deleted_on_the_page(zones, client: Browser, cassiopee, boreale):
    admin = client.sign_in(cassiopee.admin)
    where = f"/settings/domains/{DOMAIN}"
    admin.get("/settings/senders")
    domain_checks.follow(cassiopee.id)
    db.session.commit()
    admin.post(f"{where}/keys")
    (key,) = db.session.scalars(select(DkimKey))
    admin.get(where)
    assert key.selector in admin.text() and key.public_key in admin.text() and "sans signature" in admin.text()
    publish(zones, key)
    admin.post(f"{where}/checks")
    admin.get(where)
    assert "signe vos e-mails" in admin.text()
    zones.remove(record(key))
    admin.post(f"{where}/checks")
    admin.get(where)
    assert "n’est plus publiée" in admin.text() and "partent sans signature" in admin.text()
    admin.post(f"{where}/keys")
    admin.post(f"{where}/keys")
    admin.get(where)
    assert "deux clés" in admin.text() and len(admin.html.xpath("//*[@data-key]")) == 2
    stranger = Browser(client.app).sign_in(boreale.admin)
    stranger.post(f"{where}/keys/{key.selector}/deletion", status=404)
    admin.post(f"{where}/keys/{key.selector}/deletion")
    assert [one.selector == key.selector for one in db.session.scalars(select(DkimKey))] == [False]
