"""POST /events: a program tells what happened to a customer, and the organisation's template for it is sent."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from blueprints import event_shape
from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import Answer, Moment
from blueprints.api.reading import pointer
from blueprints.event_shape import EventRequest
from blueprints.problems import of_mistake
from errors import UserMistake
from extensions import db
from models import AuditAction, BusinessEvent, EventOutcome
from people import audit
from people.tokens import Access

SOURCE = "api"
EXAMPLE = {
    "id": "evt_1042", "type": "card.expired", "occurred_at": "2026-11-20T08:30:00Z",
    "customer": {"reference": "CUS-1042", "name": "Anne Roche", "email": "anne.roche@exemple.fr", "language": "fr",
                 "segments": ["Premium"]},
    "data": {"card": {"last4": "4242", "expires": "2026-10"}},
}  # fmt: skip


class EventShape(Answer):
    """An event as it was kept, and what it led to so far."""

    id: str = Field(description="Ours: see GET /events/{event_id}.")
    event_id: str = Field(description="Yours.")
    type: str
    outcome: str = Field(
        description="received until a worker has looked at it (within seconds), then sent, switched_off, no_address, "
        "unknown_type or not_prepared"
    )
    customer: str | None = Field(description="The contact's id, once it was found or made.")
    email: str | None = Field(description="The e-mail's id, once there is one.")
    occurred_at: Moment
    created_at: Moment


@blueprint.post("/events")
@scoped(Access.SEND)
@blueprint.input(EventRequest, arg_name="told", example=EXAMPLE)
@blueprint.output(EventShape, 202)
def post_event(told: EventRequest) -> Response:
    """Tell a business event: a new invoice, an expired card.

    Accepted means kept for good. Within seconds the customer is found or made and, if the organisation has switched
    the template of this type on, written to. The same id again changes nothing and gives the first event again.
    """
    try:
        event, known = event_shape.take(organisation(), SOURCE, told)
    except UserMistake as mistake:
        too_large = "limit" in mistake.values
        raise of_mistake(mistake, pointer("attachments"), 413 if too_large else 422) from mistake
    shape = _shape(event)
    if not known:
        audit.note(AuditAction.EVENT_TOLD, event, type=event.type)
    db.session.commit()
    return answer(shape, 202, {"Idempotent-Replayed": "true"} if known else {})


@blueprint.get("/events/<event_id>")
@scoped(Access.READ)
@blueprint.output(EventShape)
def get_event(event_id: str) -> Response:
    """An event and what it led to."""
    return answer(_shape(own(BusinessEvent, event_id)))


def _shape(event: BusinessEvent) -> EventShape:
    outcome: EventOutcome = event.outcome
    return EventShape(
        id=event.public_id, event_id=event.event_id, type=event.type, outcome=outcome.value,
        customer=event.contact.public_id if event.contact else None,
        email=event.email.public_id if event.email else None, occurred_at=event.occurred_at,
        created_at=event.created_at,
    )  # fmt: skip
