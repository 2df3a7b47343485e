"""Abonnés › Évènements reçus: what programs told, what each event led to, and looking at one again."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints.support import allow, get_or_404, page
from extensions import db
from history.periods import read_day
from history.sentences import type_label
from i18n import _
from models import AuditAction, BusinessEvent, EventOutcome
from models.words import Permission
from people import audit
from planning import events, received
from planning.received import Filter

blueprint = Blueprint("events", __name__)
_LONGEST = 200
_ORDER = ("id", "type", "occurred_at", "customer", "data")


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    asked = _asked()
    listed = received.page(current_user.organisation, asked, request.args.get("cursor"))
    return page(
        "events/index.html", "events/_list.html", listed=listed, asked=asked, kept=_kept(asked), why=received.why,
        types=events.TYPES, outcomes=list(EventOutcome), type_label=type_label,
        sources=received.sources(current_user.organisation_id), api=received.API,
    )  # fmt: skip


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def event(public_id: str) -> Response:
    return _shown(get_or_404(BusinessEvent, public_id))


@blueprint.route("/<public_id>/again", methods=["GET", "POST"])
@allow(Permission.SEND)
def again(public_id: str) -> Response:
    """Asks first, for an e-mail may leave."""
    found = get_or_404(BusinessEvent, public_id)
    if request.method == "GET":
        return _shown(found, asking=True)
    done = events.again(found)
    if done:
        audit.note(AuditAction.EVENT_REPEATED, found, outcome=found.outcome.value)
    db.session.commit()
    if not done:
        flash(_("Cet évènement a déjà donné un e-mail, ou va être traité."), "warning")
    elif found.outcome is EventOutcome.SENT:
        flash(_("L'e-mail est demandé : il part tout de suite."), "success")
    else:
        flash(f"{_(found.outcome.label)}. {received.remedy(found)}", "warning")
    return redirect(url_for("events.event", public_id=found.public_id), 303)  # type: ignore[return-value]


def _shown(found: BusinessEvent, asking: bool = False) -> Response:
    told = {name: found.payload[name] for name in _ORDER if name in found.payload}  # as programs write it
    payload = json.dumps(told, ensure_ascii=False, indent=2)
    return page(
        "events/event.html", event=found, asking=asking, payload=payload, why=received.why(found),
        remedy=received.remedy(found), type_label=type_label, api=received.API,
        sources=received.sources(current_user.organisation_id),
        may_again=found.outcome not in (EventOutcome.SENT, EventOutcome.RECEIVED),
    )  # fmt: skip


def _asked() -> Filter:
    outcomes = {one.value: one for one in EventOutcome}
    return Filter(
        type=request.args.get("type", "").replace("\0", "")[:64],
        outcome=outcomes.get(request.args.get("outcome", "")),
        customer=request.args.get("customer", "").replace("\0", "").strip()[:_LONGEST],
        first=_day("from"), last=_day("to"),
    )  # fmt: skip


def _day(name: str) -> date | None:
    return read_day(request.args.get(name, "")[:20])


def _kept(asked: Filter) -> dict[str, Any]:
    """The filter as the address says it."""
    return {
        "type": asked.type or None, "outcome": asked.outcome.value if asked.outcome else None,
        "customer": asked.customer or None, "from": asked.first.isoformat() if asked.first else None,
        "to": asked.last.isoformat() if asked.last else None,
    }  # fmt: skip
