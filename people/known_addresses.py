"""What is known of a person's addresses, for suggesting the right one: the record's, those e-mails went to and what
became of them, how the colleagues' are written. Judging is mail.advice's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from extensions import db
from models import Address, Contact, Email
from models.words import Mark, Reason, Status

_NEWEST = 300  # of a person's e-mails
_COLLEAGUES = 200
_DEAD = [reason for reason in Reason if reason.address_dead]


@dataclass
class KnownAddresses:
    """Of one person. `others`: (address, when an e-mail last arrived there, if one did), the newest first; `dead`:
    those whose newest news is that they do not exist; `colleagues`: (first name, last name, address)."""

    first_name: str = ""
    last_name: str = ""
    record: str = ""
    others: list[tuple[str, datetime | None]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    colleagues: list[tuple[str, str, str]] = field(default_factory=list)


def of(email: Email, common: tuple[str, ...] = ()) -> KnownAddresses:
    """What is known of whom an e-mail was for; at most four statements. `common` are domains that say nothing of a
    company."""
    to = db.session.get_one(Address, email.address_id)
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    found = KnownAddresses()
    if contact is None:
        found.first_name, _blank, found.last_name = to.name.partition(" ")
    else:
        found.first_name, found.last_name, found.record = contact.first_name, contact.last_name, contact.email
        _read_others(found, contact)
    found.colleagues = _colleagues(email.organisation_id, contact, to.domain if to.domain not in common else "")
    return found


def _read_others(found: KnownAddresses, contact: Contact) -> None:
    arrived = and_(
        Email.status.in_((Status.DELIVERED, Status.OPENED)), Email.marks.op("&")(Mark.OWN_COPY.value) == 0
    )
    newest = (
        select(Email.address_id, Email.reason, Email.created_at, arrived.label("arrived"))
        .where(Email.contact_id == contact.id)
        .order_by(Email.created_at.desc(), Email.id.desc())
        .limit(_NEWEST)
        .subquery()
    )
    query = (
        select(
            Address.address, func.max(newest.c.created_at).filter(newest.c.arrived),
            func.max(newest.c.created_at).filter(newest.c.reason.in_(_DEAD)),
        )
        .join(Address, Address.id == newest.c.address_id)
        .group_by(Address.address)
        .order_by(func.max(newest.c.created_at).desc(), Address.address)
    )  # fmt: skip
    for address, at, died in db.session.execute(query):
        if died is not None and (at is None or died > at):
            found.dead.append(address)
        else:
            found.others.append((address, at))


def _colleagues(organisation_id: int, contact: Contact | None, domain: str) -> list[tuple[str, str, str]]:
    """Those of the same company, and those who write from the same domain."""
    alike = []
    if contact is not None and contact.company_id is not None:
        alike.append(Contact.company_id == contact.company_id)
    if domain:
        named = domain.replace("\\", "").replace("%", "").replace("_", "\\_")
        alike.append(and_(Contact.folded.like(f"%@{named}%"), func.lower(Contact.email).like(f"%@{named}")))
    if not alike:
        return []
    query = select(Contact.first_name, Contact.last_name, Contact.email).where(
        Contact.organisation_id == organisation_id, Contact.email != "", Contact.first_name != "", or_(*alike),
        Contact.id != (contact.id if contact else 0),
    )  # fmt: skip
    return [tuple(row) for row in db.session.execute(query.order_by(Contact.id).limit(_COLLEAGUES))]  # type: ignore[misc]
