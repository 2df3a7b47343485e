"""A session's Suivi › E-mails › Programmés: what will leave, when and why; cancel it, or send it now."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

import mail
from blueprints.support import allow, get_or_404, page
from extensions import db
from history.sentences import type_label
from i18n import _
from models import AuditAction, Email, PlannedEmail, TrainingSession
from models.words import Permission
from people import audit
from planning import automations, clock, listing, plans, sentences

blueprint = Blueprint("planned", __name__)


@blueprint.get("/<public_id>/planned")
@allow(Permission.READ)
def index(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    past = request.args.get("show") == "past"
    listed, lines = listing.page(training_session, clock.now(), past=past, cursor=request.args.get("cursor"))
    return page(
        "planned/index.html", training_session=training_session, listed=listed, lines=lines, past=past,
        counts=listing.counts(training_session), type_label=type_label, ahead=clock.ahead(), now=clock.now(),
        switched_on=any(one.enabled for one in automations.of_session(training_session).values()),
    )  # fmt: skip


@blueprint.post("/<public_id>/planned/<plan_id>/cancel")
@allow(Permission.SEND)
def cancel(public_id: str, plan_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    what = _own(training_session, plan_id)
    is_plan = isinstance(what, PlannedEmail)
    done = plans.cancel(what, current_user) if is_plan else mail.cancel(what, current_user)  # type: ignore[arg-type]
    if done:
        audit.note(AuditAction.PLAN_CANCELLED, what, also=[public_id])
    db.session.commit()
    if done:
        flash(_("L'envoi est annulé."), "success")
    else:
        flash(_("Trop tard pour annuler : l'e-mail est parti, ou quelqu'un d'autre a décidé."), "warning")
    return _back(training_session)


@blueprint.post("/<public_id>/planned/<plan_id>/send")
@allow(Permission.SEND)
def send(public_id: str, plan_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    what = _own(training_session, plan_id)
    if isinstance(what, PlannedEmail):
        done = plans.send_now(what, current_user)
        why = "" if done or plans.left(what) else " ".join(sentences.of_plan(what)[:1])
    else:
        done, why = mail.send_now(what, current_user), ""
    if done:
        audit.note(AuditAction.PLAN_SENT, what, also=[public_id])
    db.session.commit()
    if done:
        flash(_("L'e-mail est demandé : il part tout de suite."), "success")
    else:
        flash(why or _("Cet e-mail n'attend plus : il est parti, ou a été annulé."), "warning")
    return _back(training_session)


def _own(training_session: TrainingSession, plan_id: str) -> PlannedEmail | Email:
    """The plan or the e-mail of that session."""
    found: PlannedEmail | Email = get_or_404(PlannedEmail if plan_id.startswith("P-") else Email, plan_id)
    if found.training_session_id != training_session.id:
        abort(404)
    return found


def _back(training_session: TrainingSession) -> Response:
    show = "past" if request.form.get("show") == "past" else None
    return redirect(url_for("planned.index", public_id=training_session.public_id, show=show), 303)  # type: ignore[return-value]
