"""The global search's people: contacts by words, each with the newest e-mail they were sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, true
from sqlalchemy import values as sql_values
from sqlalchemy.orm import joinedload

from extensions import db
from models import Contact, Email
from models.words import EmailType, Reason, Status
from people import people_search

_THREE = re.compile(r"[^\W_]{3}")
_SHORT = 200


@dataclass(frozen=True)
class Last:
    """The newest e-mail to a contact."""

    public_id: str
    type: str
    subject: str
    status: Status
    reason: Reason | None
    at: datetime

    @property
    def type_label(self) -> str:
        """The type's French label (a message id), or a program's own word."""
        return EmailType(self.type).label if self.type in EmailType._value2member_map_ else self.type


@dataclass(frozen=True)
class Person:
    """A contact and the newest e-mail to them, None where there is none."""

    contact: Contact
    last: Last | None


def people(organisation_id: int, words: str, most: int) -> list[Person]:
    """The first `most` contacts by name that hold all the words: in name, address, phone, reference or company."""
    # No index has all kinds by name, so they are looked up by their letters and sorted; fenced, so that nothing else is
    # tried. Fewer than three letters are in too many names: of the first that are met.
    held = select(Contact.id, Contact.sort_name).where(
        Contact.organisation_id == organisation_id, *people_search.tests(organisation_id, words)
    )
    if not any(_THREE.search(word) for word in words.split()):
        held = held.limit(_SHORT)
    held_once = held.cte("held").prefix_with("MATERIALIZED")
    first = select(held_once.c.id).order_by(held_once.c.sort_name, held_once.c.id).limit(most)
    query = select(Contact).where(Contact.id.in_(first)).options(joinedload(Contact.company))
    found = list(db.session.scalars(query.order_by(Contact.sort_name, Contact.id)))
    last = _last([contact.id for contact in found])
    return [Person(contact, last.get(contact.id)) for contact in found]


def _last(ids: list[int]) -> dict[int, Last]:
    if not ids:
        return {}
    whose = sql_values(Contact.__table__.c.id, name="whose").data([(one,) for one in ids])
    newest = (
        select(Email.public_id, Email.type, Email.subject, Email.status, Email.reason, Email.created_at)
        .where(Email.contact_id == whose.c.id)
        .order_by(Email.created_at.desc(), Email.id.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = db.session.execute(select(whose.c.id, *newest.c).select_from(whose.join(newest, true())))
    return {row[0]: Last(*row[1:]) for row in rows}
