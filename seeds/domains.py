"""The demo's sending domains: Cassiopée's broke three days ago, as a host forgot the service that sends; the others are
as the practice name server has them. What is kept was really asked of it, at a port of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import func, select

from extensions import db
from local.postoffice import demo_zones
from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Zones
from mail import accounts, domain_checks, domain_keys
from mail.dns import Resolver
from mail.domains import Diagnosis, Service, check
from models import Organisation, Sender
from models.domain_check import DomainCheck, SendingDomain
from models.domain_words import DomainState
from models.words import ReturnPath

BROKE = timedelta(days=3, hours=2)
_BEGAN = timedelta(days=40)


def keep(organisation: Organisation) -> None:
    """Enter the organisation's domains with their history, where it has none."""
    if domain_checks.known(organisation.id):
        return
    if organisation.name == "Atelier Cassiopée":
        db.session.add(
            Sender(
                organisation_id=organisation.id, name="La lettre de Cassiopée", return_path=ReturnPath.OWN,
                address="bonjour@lettres-cassiopee.example",
            )
        )  # fmt: skip
        db.session.flush()
    now = db.session.scalar(select(func.now()))
    assert now is not None
    began, broke = now - _BEGAN, now - BROKE
    known = domain_checks.follow(organisation.id)
    _sign(known, began)
    for domain, row in known.items():
        before, after = _seen(domain, whole=True), _seen(domain, whole=False)
        if before is None or after is None:
            continue
        if before.findings == after.findings:
            _entry(row, after, began, now)
        else:
            _entry(row, before, began, broke - timedelta(hours=6))
            _entry(row, after, broke, now)
            row.broken_at = row.warned_at = broke
        domain_keys.seen(row, after.findings, began)
        row.state, row.next_check_at = after.state, now + domain_checks.EVERY


def _sign(known: dict[str, SendingDomain], since: datetime) -> None:
    """Give the newsletter's domain the key whose record the practice name server begins with."""
    row = known.get(demo_zones.LETTERS)
    if row is not None and accounts.can_keep_secrets():
        private = load_pem_private_key(Path(__file__).with_name("practice_dkim.pem").read_bytes(), None)
        assert isinstance(private, RSAPrivateKey)
        domain_keys.make(row, private, demo_zones.LETTERS_SELECTOR).created_at = since


def _seen(domain: str, whole: bool) -> Diagnosis | None:
    """What the practice name server's first records say of a domain, or what they said before it broke."""
    records = demo_zones.first()
    if whole and domain == "cassiopee.example":
        records = [one for one in records if not one.name.endswith(domain)] + demo_zones.whole(domain)
    house = (demo_zones.SPF_INCLUDE, (demo_zones.SENDING_IP,))
    if domain == demo_zones.LETTERS:
        service = Service(*house, keys=((demo_zones.LETTERS_SELECTOR, demo_zones.LETTERS_PUBLIC_KEY),))
    else:
        service = Service(*house, demo_zones.DKIM_SELECTOR, demo_zones.DKIM_PUBLIC_KEY)
    with NameServer(Zones(records)) as server:
        found = check(Resolver(server.address, lifetime=2.0), domain, {domain}, service)
    return None if found.state is DomainState.UNKNOWN else found


def _entry(row: SendingDomain, found: Diagnosis, since: datetime, until: datetime) -> None:
    db.session.add(
        DomainCheck(
            organisation_id=row.organisation_id, domain_id=row.id, checked_at=since, confirmed_at=until,
            state=found.state, findings=[finding.as_json() for finding in found.findings],
        )
    )  # fmt: skip
