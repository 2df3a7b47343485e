"""Who a business event is about: the customer found by reference, else by address, else made; and their segments.

A program knows its customers better than we do, and a person here may have corrected what it knows: so of a customer
we have, an event changes only what it says otherwise than the event before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from extensions import db
from models import BusinessEvent, Contact, Segment, SegmentMember
from models.words import ContactKind
from people import contacts

# A subscription belongs to a customer, seldom to a company that is trained as well.
_KINDS = (ContactKind.CUSTOMER, ContactKind.COMPANY)


def found(organisation_id: int, said: Mapping[str, Any]) -> Contact | None:
    """The customer with that reference, else with that address; None where there is none, or nothing is said."""
    query = select(Contact).where(Contact.organisation_id == organisation_id, Contact.kind.in_(_KINDS))
    first = query.order_by(Contact.kind == ContactKind.COMPANY, Contact.id).limit(1)
    reference, address = said.get("reference") or "", said.get("email") or ""
    contact = db.session.scalar(first.where(Contact.reference == reference)) if reference else None
    if contact is None and address:
        same = first.where(func.lower(Contact.email) == address.strip().lower())
        # another reference is another customer, though they share an address
        contact = db.session.scalar(same.where(Contact.reference.in_({"", reference})) if reference else same)
    return contact


def of_event(event: BusinessEvent) -> Contact | None:
    """The customer of an event, found or made, brought up to date and put in their segments; the caller commits.

    None where the event says neither reference nor address.
    """
    said: Mapping[str, Any] = event.payload.get("customer") or {}
    if not (said.get("reference") or said.get("email")):
        return None
    _one_at_a_time(event.organisation_id)
    contact = found(event.organisation_id, said)
    if contact is None:
        contact = Contact(organisation_id=event.organisation_id, kind=ContactKind.CUSTOMER, first_name="")
        fresh = {name: said.get(name) or "" for name in ("reference", "email")}
        name = said.get("name") or said.get("email") or said.get("reference")
        contacts.save(contact, last_name=name, language=said.get("language") or "fr", **fresh)
        db.session.flush()
    else:
        _bring_up_to_date(contact, said, event)
    _join(event.organisation_id, contact, said.get("segments") or ())
    return contact


def _one_at_a_time(organisation_id: int) -> None:
    """Two events of one new customer make one customer: the second waits for the first."""
    key = func.hashtextextended(f"customers/{organisation_id}", 0)
    db.session.execute(select(func.pg_advisory_xact_lock(key)))


def _bring_up_to_date(contact: Contact, said: Mapping[str, Any], event: BusinessEvent) -> None:
    before = db.session.scalar(
        select(BusinessEvent.payload["customer"])
        .where(BusinessEvent.contact_id == contact.id, BusinessEvent.source == event.source,
               BusinessEvent.id != event.id)
        .order_by(BusinessEvent.created_at.desc(), BusinessEvent.id.desc()).limit(1)
    ) or {}  # fmt: skip
    ours = {"name": contact.name, "email": contact.email, "language": contact.language}
    changed = {}
    for name, own in ours.items():
        told = said.get(name)
        news = not own or before.get(name, told) != told
        if told and told != own and news:
            changed[name] = told
    if said.get("reference") and not contact.reference:
        contact.reference = said["reference"]
    if "name" in changed:
        name = changed.pop("name")
        changed |= {"name": name} if contact.kind is ContactKind.COMPANY else {"first_name": "", "last_name": name}
    if changed:
        contacts.save(contact, **changed)


def _join(organisation_id: int, contact: Contact, names: Sequence[str]) -> None:
    """Put the contact in the segments of those names, made where there are none; one made by a rule is left alone."""
    for name in dict.fromkeys(" ".join(name.split()) for name in names):
        if not name:
            continue
        db.session.execute(insert(Segment).values(organisation_id=organisation_id, name=name).on_conflict_do_nothing())
        db.session.execute(
            insert(SegmentMember)
            .from_select(
                ["segment_id", "contact_id"],
                select(Segment.id, text(str(int(contact.id)))).where(
                    Segment.organisation_id == organisation_id, Segment.name == name, Segment.rule.is_(None)
                ),
            )
            .on_conflict_do_nothing()
        )
