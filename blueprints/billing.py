"""/inbound/billing/B-…: a billing system tells its events by webhook, signed as Standard Webhooks 1.0 says.

The same JSON as POST /api/v1/events; fields we do not know are passed over. What it means is planning.events'.
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request
from flask_limiter.util import get_remote_address
from pydantic import ValidationError

from blueprints import event_shape, problems
from blueprints.event_shape import Customer, EventFile, EventRequest
from blueprints.problems import Problem, of_mistake
from blueprints.support import allow_anyone
from errors import UserMistake
from extensions import csrf, db, limiter
from models import Organisation
from planning import billing
from webhooks import signing

blueprint = Blueprint("billing", __name__)
csrf.exempt(blueprint)
limiter.limit("1200/minute", key_func=get_remote_address)(blueprint)

# The answer is the same for an address that is none, one that was revoked and a signature that is wrong.
_REFUSED = "This is no signature of ours: see webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks)."
_MOST_ERRORS = 20


@blueprint.post("/billing/<source_id>")
@allow_anyone
def told(source_id: str) -> Response:
    try:
        return _told(source_id)
    except Problem as problem:
        db.session.rollback()
        return problems.answer(problem)


def _told(source_id: str) -> Response:
    source = billing.living(source_id[:60])
    body = request.get_data()
    headers = {name.lower(): value for name, value in request.headers}
    # without a source there is something to compare all the same: both take as long
    secret = signing.unseal(source.secret) if source else signing.new_secret()
    if not billing.genuine(headers, lambda id, at: signing.signature([secret], id, at, body)) or source is None:
        raise Problem(401, _REFUSED)
    organisation = db.session.get_one(Organisation, source.organisation_id)
    try:
        event, known = event_shape.take(organisation, billing.name_of(source), _read(body))
    except UserMistake as mistake:
        raise of_mistake(mistake, "#/attachments", 413 if "limit" in mistake.values else 422) from mistake
    db.session.flush()
    billing.heard(source)
    said = {"id": event.public_id, "event_id": event.event_id, "known": known}
    db.session.commit()
    return Response(orjson.dumps(said), 202, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _read(body: bytes) -> EventRequest:
    """The event, its unknown fields left aside. Raises Problem."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"The body is no JSON: {error.msg}.") from error
    if not isinstance(said, dict):
        raise Problem(422, "The body is no JSON object.", [{"detail": "Give an object.", "pointer": "#"}])
    known: dict[str, Any] = _only(said, EventRequest)
    if isinstance(known.get("customer"), dict):
        known["customer"] = _only(known["customer"], Customer)
    if isinstance(known.get("attachments"), list):
        known["attachments"] = [
            _only(one, EventFile) if isinstance(one, dict) else one for one in known["attachments"]
        ]  # fmt: skip
    try:
        return EventRequest.model_validate(known)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
        errors = [{"detail": one["msg"], "pointer": "#/" + "/".join(map(str, one["loc"]))[:100]} for one in wrong]
        raise Problem(422, "Something in the body is not as it must be: see errors.", errors) from error


def _only(said: dict[str, Any], model: type[Any]) -> dict[str, Any]:
    """What the model knows; null is as good as left out."""
    return {name: value for name, value in said.items() if name in model.model_fields and value is not None}
