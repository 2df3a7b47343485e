"""Reading what came back and waits for a person: pages of orphans and of unreadable messages, what each may be about,
and the raw messages that are evidence of an e-mail's facts. All are scoped; what is nobody's shows nowhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import defer

from extensions import db
from models import Address, DeliveryEvent, Email, InboundMessage
from people import pages

STATES = ("orphan", "poison")
MOST_COUNTED = 1000
# E-mails offered as what a message may be about: so many, to the addresses it names, of so long before it.
_OFFERED, _BEFORE = 8, timedelta(days=60)


def page(organisation_id: int, state: str, cursor: str | None = None) -> pages.Page:
    """A page of waiting messages of one state, newest first, their bytes left out."""
    query = select(InboundMessage).options(defer(InboundMessage.raw)).where(
        InboundMessage.organisation_id == organisation_id, InboundMessage.outcome == state
    )  # fmt: skip
    return pages.browse(query, (InboundMessage.id,), cursor, descending=True)


def counts(organisation_id: int) -> tuple[int, ...]:
    """How many wait of each state, counted up to MOST_COUNTED + 1."""
    found = []
    for state in STATES:
        some = select(InboundMessage.id).where(
            InboundMessage.organisation_id == organisation_id, InboundMessage.outcome == state
        )
        counted = some.limit(MOST_COUNTED + 1).subquery()
        found.append(select(func.count()).select_from(counted).scalar_subquery())
    return tuple(db.session.execute(select(*found)).one())


def offered(message: InboundMessage) -> list[Any]:
    """(e-mail, address) pairs that the message may be about: the newest to an address that it names."""
    named = {str(one[0]).lower() for one in (message.summary or {}).get("recipients", ())}
    if not named or message.organisation_id is None:
        return []
    return newest(message.organisation_id, Address.address.in_(named), message.received_at)


def newest(organisation_id: int | None, about: ColumnElement[bool], until: datetime) -> list[Any]:
    """The newest (e-mail, address) pairs of an organisation that something which came at `until` may be about."""
    query = (
        select(Email, Address.address)
        .join(Address, Address.id == Email.address_id)
        .where(
            Email.organisation_id == organisation_id, Address.organisation_id == organisation_id, about,
            Email.created_at > until - _BEFORE, Email.created_at <= until,
        )
        .order_by(Email.created_at.desc(), Email.id.desc())
        .limit(_OFFERED)
    )  # fmt: skip
    return list(db.session.execute(query))


def evidence(organisation_id: int, public_id: str, number: int) -> InboundMessage | None:
    """The raw message that facts of an e-mail came from; None where it is none of that e-mail's, or kept no more."""
    query = (
        select(InboundMessage)
        .join(DeliveryEvent, DeliveryEvent.inbound_message_id == InboundMessage.id)
        .join(Email, Email.id == DeliveryEvent.email_id)
        .where(Email.public_id == public_id, Email.organisation_id == organisation_id, InboundMessage.id == number)
        .limit(1)
    )
    return db.session.scalars(query).first()
