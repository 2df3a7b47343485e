"""Filters of the history that stand under no column: segment, sender, who asked, reason, operator, resent, dealt with,
where it stands in the outbox, and the numbers of chosen e-mails.

Their words are history.sentences', their inputs stand in the panel "Plus de filtres" (templates/history/_more.html);
the numbers have none: a selection writes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, any_, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from extensions import db
from history import segments, untreated
from history.conditions import Among, AmongOwners, Belongs, Test
from models import Address, Email, OutboxEntry, Segment, Sender, User
from models.standing import STANDING
from models.words import Mark

if TYPE_CHECKING:
    from history.columns import Ask

# What the panel holds, in order; the segment on the global list alone.
FIELDS = ("segment", "sender", "by", "reason", "operator", "resent", "treated", "queue")
# Written out: the planner must see that a partial index holds just these (models.email).
_FAILURE = literal_column("email.status IN ('undeliverable', 'failed')")
_RESENT = literal_column(f"(email.marks & {Mark.RESENT.value}) <> 0")
_NOT_RESENT = literal_column(f"(email.marks & {Mark.RESENT.value}) = 0")


def conditions(ask: Ask) -> Iterable[Any]:
    """The conditions of those filters. A segment is looked up here: its rule makes the SQL."""
    asked, organisation_id = ask.filter, ask.scope.organisation_id
    if asked.segment:
        members, listed = _segment(organisation_id, asked.segment)
        yield AmongOwners("contact_id", members, listed=listed)
    if asked.sender:
        theirs = select(Sender.id).where(
            Sender.organisation_id == organisation_id, func.lower(Sender.address) == asked.sender
        )
        yield Test(Email.sender_id == theirs.limit(1).scalar_subquery(), indexed=True, owned=True)
    if asked.by:
        who = select(User.id).where(User.organisation_id == organisation_id, func.lower(User.email) == asked.by)
        yield Test(Email.requested_by_id == who.scalar_subquery(), indexed=True, owned=True)
    if asked.reason:
        yield Among("reason", asked.reason)
    if asked.operator:
        there = select(Address.id.label("id")).where(
            Address.organisation_id == organisation_id, Address.domain == asked.operator
        )
        yield AmongOwners("address_id", there)
    if asked.number:
        # An array, not IN: exports compile their statement once, with its values.
        chosen_ids = any_(cast(literal(list(asked.number)), ARRAY(Text)))
        chosen = select(Email.id).where(Email.organisation_id == organisation_id, Email.public_id == chosen_ids)
        yield Belongs("id", chosen)
    if asked.queue:
        stands = literal_column(STANDING, Text) == literal(asked.queue, Text)
        there = select(OutboxEntry.email_id.label("id")).where(OutboxEntry.organisation_id == organisation_id, stands)
        yield Belongs("id", there)
    yield from _flags(asked.resent, asked.treated)


def _flags(resent: str, treated: str) -> Iterable[Test]:
    if resent:
        yield Test(_RESENT, indexed=True) if resent == "yes" else Test(_NOT_RESENT)
    if treated == "yes":
        yield Test(Email.treated_at.is_not(None), indexed=True)
    elif treated == "no":  # failures nobody has dealt with; what a person or the calendar decided is none
        counted = literal_column(f"{untreated.COUNTS} AND NOT {untreated.CARRIED_ON}")
        yield Test(_FAILURE & Email.treated_at.is_(None) & counted, indexed=True)


def _segment(organisation_id: int, public_id: str) -> tuple[Any, bool]:
    """(the ids of its contacts, whether they are found otherwise than by testing each contact)."""
    found = db.session.scalar(
        select(Segment).where(Segment.public_id == public_id, Segment.organisation_id == organisation_id)
    )
    return (segments.contact_ids(found), segments.by_sessions(found)) if found else (select(segments.NOBODY), False)
