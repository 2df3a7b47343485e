"""The quarantine: which addresses nothing is written to any more, and why; entering and lifting."""

from __future__ import annotations

from typing import Literal

from flask import Response, g, url_for
from pydantic import Field
from sqlalchemy import select

from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import LINE, Answer, Moment, PageShape, Query, Request, optional
from blueprints.api.paging import ListQuery, page
from blueprints.api.sending import address_problem
from blueprints.problems import Problem
from extensions import db
from mail import quarantine
from mail.notes import LONGEST_NOTE
from mail.quarantine_entries import Entry, canonical, enter
from models import AuditAction, Email, Grounds, Suppression
from people import audit
from people.tokens import Access

Why = Literal[tuple(str(grounds.value) for grounds in Grounds)]  # type: ignore[valid-type]


class SuppressionQuery(ListQuery):
    """Which addresses."""

    address: str = optional(max_length=254, description="Exactly this address, case aside.")
    reason: Why = optional()
    state: Literal["held", "lifted"] = Field(default="held", description="In quarantine now, or lifted.")


class NewSuppression(Request):
    """An address that nothing is to be written to any more."""

    address: str = Field(max_length=254, json_schema_extra={"format": "email"})
    reason: Why = Field(description="Why: the address itself is dead, or its owner complained.")


class Lift(Query):
    """Why it is lifted."""

    note: str = optional(max_length=LONGEST_NOTE, pattern=LINE, description="Kept with who lifted it.")


class SuppressionShape(Answer):
    """A spell of quarantine: it lasts until it is lifted."""

    id: str
    address: str = Field(description="In lower case, its domain in ASCII.")
    reason: Why
    since: Moment
    email: str | None = Field(description="The e-mail that showed it; null for one entered by hand or by a program.")
    lifted_at: Moment | None
    note: str


class SuppressionPage(PageShape):
    """A page of them."""

    items: list[SuppressionShape]


EXAMPLE = {"address": "parti@entreprise.example", "reason": "user_unknown"}


@blueprint.get("/suppressions")
@scoped(Access.READ)
@blueprint.input(SuppressionQuery, location="query", arg_name="asked")
@blueprint.output(SuppressionPage)
def list_suppressions(asked: SuppressionQuery) -> Response:
    """A page of addresses in quarantine, or of those lifted, in the order in which they entered."""
    query = (
        select(Suppression, Email.public_id)
        .outerjoin(Email, Email.id == Suppression.email_id)
        .where(Suppression.organisation_id == organisation().id)
    )
    lifted = Suppression.lifted_at.is_not(None) if asked.state == "lifted" else Suppression.lifted_at.is_(None)
    query = query.where(lifted)
    if asked.address:
        query = query.where(Suppression.address == (canonical(asked.address.replace("\0", "")) or ""))
    if asked.reason:
        query = query.where(Suppression.reason == Grounds(asked.reason))
    if asked.q:
        words = asked.q.replace("\0", "").lower().split()
        query = query.where(*(Suppression.address.contains(word, autoescape=True) for word in words[:8]))
    said, headers = page(query, Suppression.id, asked, lambda row: shape(row[0], row[1]))
    return answer(SuppressionPage(**said), headers=headers)


@blueprint.get("/suppressions/<suppression_id>")
@scoped(Access.READ)
@blueprint.output(SuppressionShape)
def get_suppression(suppression_id: str) -> Response:
    """One spell of quarantine."""
    return answer(_one(own(Suppression, suppression_id)))


@blueprint.post("/suppressions")
@scoped(Access.ADMIN)
@blueprint.input(NewSuppression, arg_name="asked", example=EXAMPLE)
@blueprint.output(SuppressionShape, 201)
def post_suppression(asked: NewSuppression) -> Response:
    """Put an address into quarantine, from now on. One that is there already is answered as it stands."""
    said = address_problem(asked.address)
    address = None if said else canonical(asked.address)
    if address is None:
        said = said or "The address cannot stand in a message."
        raise Problem(422, said, [{"detail": said, "pointer": "#/address"}])
    entered = enter(organisation().id, [Entry(asked.address, Grounds(asked.reason))])
    found = db.session.scalars(
        select(Suppression).where(
            Suppression.organisation_id == organisation().id, Suppression.address == address,
            Suppression.lifted_at.is_(None),
        )
    ).one()  # fmt: skip
    if entered:
        audit.note(AuditAction.ADDRESS_QUARANTINED, found.address, also=[found.public_id], reason=found.reason.value)
    db.session.commit()
    return answer(_one(found), 201, {"Location": url_for("api.get_suppression", suppression_id=found.public_id)})


@blueprint.delete("/suppressions/<suppression_id>")
@scoped(Access.ADMIN)
@blueprint.input(Lift, location="query", arg_name="asked")
@blueprint.output(SuppressionShape)
def delete_suppression(suppression_id: str, asked: Lift) -> Response:
    """Lift a quarantine: the address is written to again, until another verdict. One lifted already stays as it was."""
    held = own(Suppression, suppression_id)
    if quarantine.lift(held, by=g.token.user, note=asked.note or ""):
        audit.note(
            AuditAction.QUARANTINE_LIFTED,
            held.address,
            also=[held.public_id],
            reason=held.reason.value,
            note=asked.note,
        )
    db.session.commit()
    return answer(_one(held))


def _one(held: Suppression) -> SuppressionShape:
    email = db.session.get(Email, held.email_id) if held.email_id else None
    return shape(held, email.public_id if email else None)


def shape(held: Suppression, email: str | None) -> SuppressionShape:
    """A spell as the API says it; `email` is the id of the one that showed it."""
    return SuppressionShape(
        id=held.public_id, address=held.address, reason=held.reason.value, since=held.shown_at, email=email,
        lifted_at=held.lifted_at, note=held.lifted_note,
    )  # fmt: skip
