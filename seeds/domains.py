"""The demo's sending domains: Cassiopée's broke three days ago, as a host forgot the service that sends; the others are
as the practice name server has them. What is kept was really asked of it, at a port of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from extensions import db
from local.postoffice import demo_zones
from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Zones
from mail import domain_checks
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
    for domain, row in domain_checks.follow(organisation.id).items():
        before, after = _seen(domain, whole=True), _seen(domain, whole=False)
        if before is None or after is None:
            continue
        if before.findings == after.findings:
            _entry(row, after, began, now)
        else:
            _entry(row, before, began, broke - timedelta(hours=6))
            _entry(row, after, broke, now)
            row.broken_at = row.warned_at = broke
        row.state, row.next_check_at = after.state, now + domain_checks.EVERY


def _seen(domain: str, whole: bool) -> Diagnosis | None:
    """What the practice name server's first records say of a domain, or what they said before it broke."""
    records = demo_zones.first()
    if whole and domain == "cassiopee.example":
        records = [one for one in records if not one.name.endswith(domain)] + demo_zones.whole(domain)
    service = Service(
        demo_zones.SPF_INCLUDE, (demo_zones.SENDING_IP,), demo_zones.DKIM_SELECTOR, demo_zones.DKIM_PUBLIC_KEY
    )  # fmt: skip
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
