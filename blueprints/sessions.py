"""Training sessions: the list, create and edit, the overview, the people, the history of their e-mails."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from blueprints.history_views import render_history
from blueprints.session_forms import SessionForm
from blueprints.support import allow, get_or_404, page
from extensions import db
from history import Scope, archive
from i18n import N_, _
from models import AuditAction, Contact, Email, Programme, TrainingSession
from models.words import ContactKind, Permission, SessionState, Status, StatusGroup
from people import audit, contacts, training
from planning import automations, completeness, plans

blueprint = Blueprint("sessions", __name__)
# Who takes part: customers (of the subscription back-office) do not.
KINDS = (ContactKind.LEARNER, ContactKind.TRAINER, ContactKind.COMPANY, ContactKind.FUNDER)


@blueprint.app_template_filter("session_state")
def session_state(session: TrainingSession) -> tuple[str, str]:
    """Where it stands today: (what to say, a French message id; the tone of its chip). What runs stands out."""
    begins, ends = session.starts_on, session.ends_on
    if session.state is not SessionState.PLANNED or not begins or not ends:
        return session.state.label, "danger" if session.state is SessionState.CANCELLED else "neutral"
    if begins <= training.today(current_user.organisation) <= ends:
        return N_("En cours"), "accent"
    return session.state.label, "neutral"


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    words = request.args.get("q", "").strip()[:200]
    period = request.args.get("period", "upcoming")
    period = period if period in training.PERIODS else "upcoming"
    states = {state.value: state for state in SessionState}
    state = states.get(request.args.get("state", ""))
    found = training.listed(
        current_user.organisation, words=words, state=state, period=period, cursor=request.args.get("cursor")
    )
    kept: dict[str, Any] = {"q": words or None, "state": state.value if state else None}
    response = page(
        "sessions/index.html", partial="sessions/_list.html", found=found, words=words, period=period, state=state,
        states=list(SessionState), kept=kept,
        soon=completeness.of_soon(current_user.organisation, (row[0] for row in found.rows)),
    )  # fmt: skip
    shown = period if period != "upcoming" else None
    response.headers["HX-Push-Url"] = url_for("sessions.index", **kept, period=shown)
    return response


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.WRITE)
def new() -> Response:
    return _form(None)


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.WRITE)
def edit(public_id: str) -> Response:
    return _form(get_or_404(TrainingSession, public_id))


def _form(training_session: TrainingSession | None) -> Response:
    programme = None
    if training_session is not None and request.method == "POST":
        training.hold(training_session)
    if training_session is None and request.args.get("programme"):
        programme = get_or_404(Programme, request.args["programme"][:40])
    form = SessionForm.of(training_session, current_user.organisation, programme)
    status = 200
    if form.is_submitted() and "add_row" in request.form:
        form.add_row()
    elif form.is_submitted():
        if form.validate():
            saved = training_session or TrainingSession()
            training.save(saved, current_user.organisation, form.rows(), **form.values())
            action = AuditAction.SESSION_CHANGED if training_session else AuditAction.SESSION_CREATED
            audit.note(action, saved, **audit.changed(saved) if training_session else {})
            if training_session is None:
                automations.copy_to(saved)
            plans.replan(saved.id)
            db.session.commit()
            flash(_("La session est enregistrée."), "success")
            return redirect(url_for("sessions.overview", public_id=saved.public_id), 303)  # type: ignore[return-value]
        status = 422
    return page("sessions/form.html", status=status, form=form, training_session=training_session)


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def overview(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    return page(
        "sessions/overview.html",
        training_session=training_session,
        people=training.participants(training_session),
        outcomes=_outcomes(training_session),
        warned=completeness.about_to_start(training_session, current_user.organisation),
        has_files=current_user.may(Permission.DOWNLOAD_ALL) and archive.session_has_files(training_session.id),
    )


def _outcomes(training_session: TrainingSession) -> list[tuple[StatusGroup, int]]:
    """How the session's e-mails fare, by group of statuses."""
    query = (
        select(Email.status, func.count())
        .where(Email.training_session_id == training_session.id)
        .group_by(Email.status)
    )  # fmt: skip
    counted: dict[Status, int] = {row[0]: row[1] for row in db.session.execute(query)}
    return [(group, sum(counted.get(status, 0) for status in group.statuses)) for group in StatusGroup]


@blueprint.get("/<public_id>/people")
@allow(Permission.READ)
def people(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    words = request.args.get("q", "").strip()[:200]
    organisation_id = current_user.organisation_id
    found = contacts.found(organisation_id, words, KINDS, without=training_session.id) if words else []
    return page(
        "sessions/people.html", partial="sessions/_found.html", training_session=training_session, words=words,
        found=found, people=training.participants(training_session, follows := {}), kinds=KINDS,
        followed=follows,
    )  # fmt: skip


@blueprint.post("/<public_id>/people")
@allow(Permission.WRITE)
def enrol(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    contact = get_or_404(Contact, request.form.get("contact", "")[:40])
    if contact.kind not in KINDS:
        abort(404)
    if training.enrol(training_session, [contact]):
        flash(_("%(name)s est inscrit à la session.", name=contact.name), "success")
        audit.note(AuditAction.ENROLLED, training_session, also=[contact.public_id], count=1)
        plans.replan(training_session.id)
    db.session.commit()
    return _to_people(training_session)


@blueprint.post("/<public_id>/people/<contact_id>/remove")
@allow(Permission.WRITE)
def withdraw(public_id: str, contact_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    contact = get_or_404(Contact, contact_id)
    if training.withdraw(training_session, contact):
        flash(_("%(name)s ne participe plus à la session.", name=contact.name), "success")
        audit.note(AuditAction.WITHDRAWN, training_session, also=[contact.public_id])
        plans.replan(training_session.id)
    db.session.commit()
    return _to_people(training_session)


@blueprint.post("/<public_id>/people/<contact_id>/modules")
@allow(Permission.WRITE)
def follow(public_id: str, contact_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    contact = get_or_404(Contact, contact_id)
    wanted = {int(value) for value in request.form.getlist("module")[:500] if value.isdecimal() and len(value) < 19}
    if training.follow(training_session, contact, wanted):
        flash(_("Les modules que suit %(name)s sont enregistrés.", name=contact.name), "success")
        audit.note(AuditAction.MODULES_CHOSEN, training_session, also=[contact.public_id])
        plans.replan(training_session.id)
    else:
        flash(_("Choisissez au moins un module."), "warning")
    db.session.commit()
    return _to_people(training_session)


def _to_people(training_session: TrainingSession) -> Response:
    words = request.form.get("q", "").strip()[:200] or None
    where = url_for("sessions.people", public_id=training_session.public_id, q=words)
    return redirect(where, 303)  # type: ignore[return-value]


@blueprint.get("/<public_id>/emails")
@allow(Permission.READ)
def emails(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    scope = Scope(current_user.organisation_id, training_session=training_session)
    return render_history(scope, "sessions/history.html", training_session=training_session)
