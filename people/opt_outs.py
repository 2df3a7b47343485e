"""Reading who left which type of e-mail; leaving and coming back are mail.leaving's."""

from __future__ import annotations

from sqlalchemy import select

from models import Email, OptOut, User
from people import pages


def page(organisation_id: int, address: str = "", cursor: str | None = None) -> pages.Page:
    """A page of (OptOut, the e-mail whose link was followed, who restored it), newest first, by a part of the address,
    in one statement."""
    query = (
        select(OptOut, Email, User.name)
        .outerjoin(Email, Email.id == OptOut.email_id)
        .outerjoin(User, User.id == OptOut.restored_by_id)
        .where(OptOut.organisation_id == organisation_id)
    )
    if address:
        query = query.where(OptOut.address.contains(address.lower(), autoescape=True))
    return pages.browse(query, (OptOut.created_at, OptOut.id), cursor, descending=True)
