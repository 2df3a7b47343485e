"""Désinscription: types of e-mail that people may leave, by a link and by their mail program's button (RFC 2369, 8058).

Which types those are is the organisation's word; all others are transactional and say nothing of leaving. An e-mail
asked for to an address that left its type exists, and is called off at once: the recipient decided, nobody has to act.
The e-mail that was left says so in its story.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from extensions import db
from mail import tokens
from mail.fold import Fact
from mail.own_address import LEAVE
from mail.scheduled import call_off_type
from mail.tracking import record
from models import Email, LeftBy, OptOut, Organisation, User
from models.base import public_id
from models.suppression import CANONICAL
from models.words import EventKind, Mark, Reason

SOURCE = "opt_out"
# For a statement about address rows beside `wanted.type`: the opt-out that lasts.
LEFT = f"""LEFT JOIN opt_out AS gone ON gone.organisation_id = address.organisation_id
    AND gone.address = {CANONICAL} AND gone.type = wanted.type AND gone.restored_at IS NULL"""
STORY = "CASE WHEN gone.id IS NOT NULL THEN jsonb_build_object('because', 'opt_out', 'since', gone.created_at) END"
_ADDRESS = text(f"SELECT {CANONICAL} FROM address WHERE id = :id")


def may_leave(organisation: Organisation, type: str) -> bool:
    """Whether people may leave this type of e-mail."""
    return str(type) in organisation.optional_types


def email_of(token: str) -> Email | None:
    """The e-mail whose type that token leaves."""
    email_id = tokens.read(LEAVE.kind, token)
    return db.session.get(Email, email_id) if email_id else None


def lasting(email: Email) -> OptOut | None:
    """The opt-out of that e-mail's address from its type, None where it still gets them."""
    query = select(OptOut).where(
        OptOut.organisation_id == email.organisation_id, OptOut.address == _address_of(email),
        OptOut.type == email.type, OptOut.restored_at.is_(None),
    )  # fmt: skip
    return db.session.scalar(query)


def leave(email: Email, by: LeftBy) -> None:
    """No more e-mails of that type to that address, in the caller's transaction; what waits for it is called off. Twice
    is once; a copy that somebody sent to themselves leaves nothing."""
    if email.has(Mark.OWN_COPY):
        return
    left = _entered(email, _address_of(email), by)
    if left is not None:
        at = datetime.now(UTC)
        record([Fact(email.id, EventKind.UNSUBSCRIBED, "recipient", left, at, data={"left_by": by.value})])


def left_elsewhere(told: Fact) -> None:
    """A provider told that the recipient of an e-mail unsubscribed there, in the caller's transaction. Of a type that
    people may leave it is as if they had told us, unless they came back since; of another nothing changes here."""
    email = db.session.get_one(Email, told.email_id)
    organisation = db.session.get_one(Organisation, email.organisation_id)
    if email.has(Mark.OWN_COPY) or not may_leave(organisation, email.type):
        return
    address = _address_of(email)
    since = select(OptOut.id).where(
        OptOut.organisation_id == email.organisation_id, OptOut.address == address, OptOut.type == email.type,
        OptOut.restored_at >= told.occurred_at,
    )  # fmt: skip
    if db.session.scalar(since.limit(1)) is None:
        _entered(email, address, LeftBy.PROVIDER)


def _entered(email: Email, address: str, by: LeftBy) -> str | None:
    """Write it down, and call off what waits. Gives the opt-out's public id, None where one lasts already."""
    values = {
        "organisation_id": email.organisation_id, "public_id": public_id("U", 10), "address": address,
        "type": email.type, "email_id": email.id, "left_by": by,
    }  # fmt: skip
    entered = db.session.scalar(
        insert(OptOut).values(values).on_conflict_do_nothing(
            index_elements=["organisation_id", "address", "type"], index_where=OptOut.restored_at.is_(None)
        ).returning(OptOut.public_id)
    )  # fmt: skip
    story = {"because": "opt_out"}
    call_off_type(email.organisation_id, address, email.type, lambda id, now: called_off(id, now, story))
    return entered


def back(held: OptOut, by: User | None = None) -> bool:
    """Write to that address again, in the caller's transaction: the person came back, or asked somebody. False where
    that was done already."""
    done = update(OptOut).where(OptOut.id == held.id, OptOut.restored_at.is_(None))
    done = done.values(restored_at=db.func.now(), restored_by_id=by.id if by else None).returning(OptOut.id)
    restored = db.session.scalar(done.execution_options(synchronize_session=False))
    db.session.expire(held)
    return restored is not None


def called_off(email_id: int, at: Any, story: dict[str, Any]) -> Fact:
    """The fact about an e-mail of a type its recipient has left; `story` is what STORY says of it."""
    return Fact(email_id, EventKind.NOT_SENT, SOURCE, "opt_out", at, Reason.CANCELLED, data=story)


def _address_of(email: Email) -> str:
    return str(db.session.execute(_ADDRESS, {"id": email.address_id}).scalar_one())
