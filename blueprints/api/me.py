"""What a program may ask about itself and about the vocabulary: its token, the types, statuses and reasons."""

from __future__ import annotations

from flask import Response, g

from blueprints.api.door import answer, blueprint, organisation, scoped
from blueprints.api.fields import Answer
from models.words import EmailType, Reason, Status
from people import tokens
from people.tokens import Access


class Me(Answer):
    """The token in use: for whom it acts and what it may do."""

    organisation: str
    timezone: str
    user: str
    token: str
    scopes: list[str]


class Type(Answer):
    """A type of e-mail, with its French label."""

    type: str
    label: str


class StatusShape(Answer):
    """A status, with its French label; the groups it is in as a filter."""

    status: str
    label: str


class ReasonShape(Answer):
    """Why an e-mail failed: French label, the status that a failure with it makes, whether the address is dead."""

    reason: str
    label: str
    status: str
    address_dead: bool


class Vocabulary(Answer):
    """The types that the product knows (a program may use its own), every status, every reason."""

    items: list[Type]
    statuses: list[StatusShape]
    reasons: list[ReasonShape]


@blueprint.get("/me")
@scoped(Access.READ)
@blueprint.output(Me)
def get_me() -> Response:
    """The token in use."""
    scopes = [access.value for access in Access if tokens.may(g.token, access)]
    mine = organisation()
    user, name = g.token.user.email, g.token.name
    return answer(Me(organisation=mine.name, timezone=mine.timezone, user=user, token=name, scopes=scopes))


@blueprint.get("/types")
@scoped(Access.READ)
@blueprint.output(Vocabulary)
def list_types() -> Response:
    """The vocabulary: types of e-mail, statuses, reasons."""
    said = Vocabulary(
        items=[Type(type=one.value, label=one.label) for one in EmailType],
        statuses=[StatusShape(status=one.value, label=one.label) for one in Status],
        reasons=[
            ReasonShape(reason=one.value, label=one.label, status=one.status.value, address_dead=one.address_dead)
            for one in Reason
        ],
    )  # fmt: skip
    return answer(said)
