"""Reading the quarantine: pages of addresses in it or out of it again, how many, and the story of one address.

Entering and lifting are mail.quarantine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from extensions import db
from models import Address, Contact, Email, Grounds, Suppression, User
from people import pages

# How far the tabs count.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Filter:
    """What a page shows: those that last, or those that were lifted; by a part of the address and by grounds."""

    lifted: bool = False
    address: str = ""
    grounds: Grounds | None = None


def page(organisation_id: int, asked: Filter, cursor: str | None = None) -> pages.Page:
    """A page of (Suppression, the e-mail that showed it, its recipient's name, its contact's id, who lifted it), newest
    first, in one statement."""
    query = _joined(Suppression.organisation_id == organisation_id)
    if asked.lifted:
        query = query.where(Suppression.lifted_at.is_not(None))
    else:
        query = query.where(Suppression.lifted_at.is_(None))
    if asked.address:
        query = query.where(Suppression.address.contains(asked.address.lower(), autoescape=True))
    if asked.grounds:
        query = query.where(Suppression.reason == asked.grounds)
    at = Suppression.lifted_at if asked.lifted else Suppression.shown_at
    return pages.browse(query, (at, Suppression.id), cursor, descending=True)


def rows(organisation_id: int, *, lifted: bool) -> Iterator[Any]:
    """(Suppression, its e-mail's id, who lifted it), the newest first, for an export; those `lifted` too, or not."""
    query = (
        select(Suppression, Email.public_id, User.name)
        .outerjoin(Email, Email.id == Suppression.email_id)
        .outerjoin(User, User.id == Suppression.lifted_by_id)
        .where(Suppression.organisation_id == organisation_id)
        .order_by(Suppression.shown_at.desc(), Suppression.id.desc())
        .execution_options(yield_per=500)
    )
    if not lifted:
        query = query.where(Suppression.lifted_at.is_(None))
    return iter(db.session.execute(query))


def counts(organisation_id: int) -> tuple[int, int]:
    """(in quarantine, lifted), each counted up to MOST_COUNTED + 1."""
    found = []
    for condition in (Suppression.lifted_at.is_(None), Suppression.lifted_at.is_not(None)):
        some = select(Suppression.id).where(Suppression.organisation_id == organisation_id, condition)
        counted = some.limit(MOST_COUNTED + 1).subquery()
        found.append(select(func.count()).select_from(counted).scalar_subquery())
    held, lifted = db.session.execute(select(*found)).one()
    return held, lifted


def story(held: Suppression) -> list[Any]:
    """Every spell of that address as rows of page(), the newest first."""
    query = _joined(Suppression.organisation_id == held.organisation_id, Suppression.address == held.address)
    newest = query.order_by(Suppression.shown_at.desc(), Suppression.id.desc())
    return list(db.session.execute(newest.limit(pages.PAGE)))


def records(held: Suppression) -> list[Contact]:
    """The contacts whose record has that address: what to correct."""
    query = select(Contact).where(
        Contact.organisation_id == held.organisation_id, func.lower(Contact.email) == held.address,
        Contact.folded.contains(func.fold_text(held.address)),  # along the index of people's words
    )  # fmt: skip
    return list(db.session.scalars(query.order_by(Contact.name, Contact.id).limit(20)))


def _joined(*conditions: Any) -> Select[Any]:
    query: Select[Any] = (
        select(Suppression, Email, Address.name, Contact.public_id, User.name)
        .outerjoin(Email, Email.id == Suppression.email_id)
        .outerjoin(Address, Address.id == Email.address_id)
        .outerjoin(Contact, Contact.id == Email.contact_id)
        .outerjoin(User, User.id == Suppression.lifted_by_id)
        .where(*conditions)
    )
    return query
