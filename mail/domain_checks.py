"""The domains that an organisation's senders write from: checked every six hours and on demand, their history kept.

The only writer of sending_domain and domain_check. Questions to the DNS are asked outside any transaction. A domain
that was in order and breaks is told to the admins, once, by e-mail; the screens show it as long as it lasts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from extensions import db, settings
from i18n import english, french
from mail import dns, domain_keys, letters
from mail.compose import Draft, Writing
from mail.domains import Diagnosis, Finding, Service, check
from mail.outbox import post
from models import Contact, Organisation, Sender, User
from models.domain_check import DomainCheck, SendingDomain
from models.domain_words import DomainState
from models.words import ContactKind, EmailType, ReturnPath, Role

log = logging.getLogger("sillage.domains")

EVERY = timedelta(hours=6)
AGAIN = timedelta(minutes=30)  # after a check that nobody answered
BUDGET = 20.0  # seconds for one domain, in a job
_AT_ONCE = 20
_SOUND = (DomainState.GOOD, DomainState.WEAK)


@dataclass(frozen=True)
class Seen:
    """What was found of a domain about a moment. `before` tells whether that was known then, or found later."""

    check: DomainCheck
    before: bool

    @property
    def findings(self) -> list[Finding]:
        return findings(self.check)


def findings(kept: DomainCheck) -> list[Finding]:
    """What a check found, as it was kept."""
    return [Finding.from_json(one) for one in kept.findings]


def domain_of(address: str) -> str:
    """The domain of an e-mail address in lower-case ASCII; "" for none."""
    try:
        return dns.ascii_name(address.rpartition("@")[2]) if "@" in address else ""
    except ValueError:
        return ""


def senders_of(organisation_id: int) -> dict[str, list[Sender]]:
    """The organisation's senders by their domain, the default one first."""
    query = select(Sender).where(Sender.organisation_id == organisation_id)
    found: dict[str, list[Sender]] = {}
    for sender in db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.address)):
        found.setdefault(domain_of(sender.address), []).append(sender)
    found.pop("", None)
    return dict(sorted(found.items()))


def envelopes(senders: list[Sender]) -> set[str]:
    """The domains that reports about mail from these senders come back to."""
    return {
        domain_of(one.bounce_address if one.return_path is not ReturnPath.OWN and one.bounce_address else one.address)
        for one in senders
    } - {""}


def follow(organisation_id: int) -> dict[str, SendingDomain]:
    """The organisation's domains, those in use that were not known entered, by name. The caller commits."""
    used = list(senders_of(organisation_id))
    if used:
        rows = [{"organisation_id": organisation_id, "domain": domain} for domain in used]
        db.session.execute(insert(SendingDomain).values(rows).on_conflict_do_nothing())
    return known(organisation_id)


def known(organisation_id: int) -> dict[str, SendingDomain]:
    """The organisation's domains by name, as they were last seen; those that no sender uses any more, too."""
    query = select(SendingDomain).where(SendingDomain.organisation_id == organisation_id)
    return {row.domain: row for row in db.session.scalars(query.order_by(SendingDomain.domain))}


def broken(organisation_id: int) -> list[SendingDomain]:
    """The domains in use that were in order and no longer are."""
    query = select(SendingDomain).where(
        SendingDomain.organisation_id == organisation_id, SendingDomain.broken_at.is_not(None)
    )
    listed = list(db.session.scalars(query.order_by(SendingDomain.broken_at)))
    used = senders_of(organisation_id) if listed else {}
    return [row for row in listed if row.domain in used]


def service_of(row: SendingDomain) -> Service:
    """What mail of that domain leaves by."""
    keys = tuple((key.selector, key.public_key) for key in domain_keys.keys_of(row))
    return Service.of(settings(), row.dkim_selector, row.dkim_public_key, keys)


def look(row: SendingDomain, budget: float = BUDGET) -> tuple[Diagnosis, datetime]:
    """Ask the DNS about a domain now, within `budget` seconds; and when that was. Ends the session's transaction."""
    domain, service = row.domain, service_of(row)
    returns = envelopes(senders_of(row.organisation_id).get(domain, []))
    now = db.session.scalar(select(func.now()))
    db.session.commit()
    assert now is not None
    return check(dns.resolver(budget), domain, returns, service), now


def keep(row: SendingDomain, found: Diagnosis, at: datetime) -> DomainCheck:
    """Keep what a look `at` that moment found, and write to the admins where the domain has just broken.

    The caller commits. What was found again prolongs the newest check; an older look than the newest changes nothing.
    """
    db.session.refresh(row, with_for_update=True)
    newest = history(row, 1)
    listed = [finding.as_json() for finding in found.findings]
    if newest and newest[0].confirmed_at >= at:
        return newest[0]
    if newest and newest[0].findings == listed:
        kept = newest[0]
        kept.confirmed_at = at
    else:
        kept = DomainCheck(
            organisation_id=row.organisation_id, domain_id=row.id, checked_at=at, confirmed_at=at, state=found.state,
            findings=listed,
        )  # fmt: skip
        db.session.add(kept)
    domain_keys.seen(row, found.findings, at)
    unknown = found.state is DomainState.UNKNOWN
    row.next_check_at = at + (AGAIN if unknown else EVERY)
    if not unknown and found.state is not DomainState.NONE:
        if found.state is DomainState.BAD and row.state in _SOUND:
            row.broken_at, row.warned_at = at, None
        elif found.state in _SOUND:
            row.broken_at = row.warned_at = None
        row.state = found.state
    if row.broken_at is not None and row.warned_at is None and _warn(row, found):
        row.warned_at = at
    db.session.flush()
    return kept


def history(row: SendingDomain, most: int = 50) -> list[DomainCheck]:
    """A domain's checks, the newest first."""
    query = select(DomainCheck).where(
        DomainCheck.domain_id == row.id, DomainCheck.organisation_id == row.organisation_id
    )
    return list(db.session.scalars(query.order_by(DomainCheck.checked_at.desc(), DomainCheck.id.desc()).limit(most)))


def about(organisation_id: int, domain: str, moment: datetime) -> Seen | None:
    """What was known of a domain at `moment`: the last check begun before it, else the first after; one statement."""
    before = DomainCheck.checked_at <= moment
    distance = func.abs(func.extract("epoch", DomainCheck.checked_at - moment))
    query = (
        select(DomainCheck, before)
        .join(SendingDomain, SendingDomain.id == DomainCheck.domain_id)
        .where(SendingDomain.organisation_id == organisation_id, SendingDomain.domain == domain)
        .order_by(before.desc(), distance, DomainCheck.id.desc())
        .limit(1)
    )
    found = db.session.execute(query).one_or_none()
    return Seen(*found) if found else None


def check_due(stop: Callable[[], bool] = lambda: False, now: datetime | None = None) -> int:
    """Check every domain in use whose turn has come; how many. Each is committed by itself."""
    for organisation_id in db.session.scalars(select(Sender.organisation_id).distinct()).all():
        follow(organisation_id)
    db.session.commit()
    count = 0
    while not stop():
        due = _claim(now)
        if not due:
            break
        for row_id in due:
            row = db.session.get_one(SendingDomain, row_id)
            if stop() or not senders_of(row.organisation_id).get(row.domain):
                continue
            found, seen_at = look(row)
            keep(row, found, now or seen_at)
            db.session.commit()
            count += 1
    return count


def _claim(now: datetime | None) -> list[int]:
    """Up to _AT_ONCE domains that are due, put off so that no other worker takes them; committed."""
    moment = now or func.now()
    due = (
        select(SendingDomain.id)
        .where(SendingDomain.next_check_at <= moment)
        .order_by(SendingDomain.next_check_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(SendingDomain)
        .where(SendingDomain.id.in_(due.scalar_subquery()))
        .values(next_check_at=moment + EVERY)
        .returning(SendingDomain.id)
    )
    found = list(db.session.scalars(taken))
    db.session.commit()
    return found


def _warn(row: SendingDomain, found: Diagnosis) -> bool:
    """Write to the admins that the domain broke; False where nobody can be written to."""
    organisation = db.session.get_one(Organisation, row.organisation_id)
    sender = _sender(row)
    admins = db.session.scalars(
        select(User)
        .where(User.organisation_id == organisation.id, User.role == Role.ADMIN, User.active)
        .order_by(User.id)
    )
    drafts = [_draft(row, found, organisation, admin) for admin in admins]
    if sender is None or not drafts:
        log.warning("domain %s of organisation %s broke: nobody can be told", row.domain, organisation.id)
        return False
    key = f"domain-broken {row.id} {row.broken_at.isoformat() if row.broken_at else ''}"
    post(drafts, organisation=organisation, sender=sender, by=None, request_key=key, bulk=False)
    return True


def _sender(row: SendingDomain) -> Sender | None:
    """What the warning leaves from: a sender of a domain that is in order where there is one, else the default."""
    others = known(row.organisation_id)
    listed = [sender for senders in senders_of(row.organisation_id).values() for sender in senders]

    def trust(sender: Sender) -> tuple[bool, bool, int]:
        domain = others.get(domain_of(sender.address))
        return domain is not None and domain.state in _SOUND, sender.is_default, -sender.id

    return max(listed, key=trust, default=None)


def _draft(row: SendingDomain, found: Diagnosis, organisation: Organisation, admin: User) -> Draft:
    """The warning in the admin's own language."""
    say = english().gettext if admin.language == "en" else french
    words = letters.default("domain_broken", admin.language)
    flaws = [flaw for finding in found.findings for flaw in finding.flaws if flaw.state is DomainState.BAD]
    said = {
        "domain": row.domain,
        "flaws": "\n".join(f"- {say(flaw.label)}" for flaw in dict.fromkeys(flaws)),
        "link": f"{settings().base_url}/settings/domains/{row.domain}",
    }
    words = replace(words, subject=words.subject % said, message=words.message % said)
    person = Contact(kind=ContactKind.LEARNER, name=admin.name, email=admin.email, language=admin.language)
    return Writing(EmailType.ALERT.value, {admin.language: words}, organisation).draft(person)
