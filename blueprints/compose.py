"""Writing to the people of a training session: a free e-mail, a document, an evaluation's invitation or reminder.

Two steps without script: write, then see exactly what each will get, then send. What is shown and what is sent come
from the same call (mail.compose); mail.post makes a second press of Send the same mailing. The two steps are
blueprints.writing's, what is written about is blueprints.matters'.
"""

from __future__ import annotations

from flask import Blueprint, abort, request
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints.downloads import shown_in_place
from blueprints.matters import Matter
from blueprints.support import allow, get_or_404
from blueprints.writing import write
from documents import convocation
from models import DocumentKind, EvaluationMoment, TrainingSession
from models.words import ContactKind, EmailType, Permission
from people import training

blueprint = Blueprint("compose", __name__)
_MOMENTS = {moment.value: moment for moment in EvaluationMoment}
_KINDS = {kind.value.replace("_", "-"): kind for kind in DocumentKind}


@blueprint.route("/<public_id>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def new(public_id: str) -> Response:
    return write(Matter(get_or_404(TrainingSession, public_id), current_user.organisation, EmailType.FREE))


@blueprint.route("/<public_id>/convocation", methods=["GET", "POST"], endpoint="convocation")
@allow(Permission.SEND)
def convocation_page(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    kind = DocumentKind.CONVOCATION
    return write(Matter(training_session, current_user.organisation, kind.type, kind=kind))


@blueprint.route("/<public_id>/documents/<slug>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def document(public_id: str, slug: str) -> Response:
    kind = _KINDS.get(slug) or abort(404)
    training_session = get_or_404(TrainingSession, public_id)
    return write(Matter(training_session, current_user.organisation, kind.type, kind=kind))


@blueprint.route("/<public_id>/evaluations/<moment>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def evaluation(public_id: str, moment: str) -> Response:
    """Ask ?kind= of people for their evaluation; ?remind=1 only those who were asked and have not answered."""
    asked = _MOMENTS.get(moment) or abort(404)
    kinds = {kind.value: kind for kind in ContactKind}
    remind = request.args.get("remind") == "1"
    return write(Matter(
        get_or_404(TrainingSession, public_id), current_user.organisation,
        EmailType.EVALUATION_REMINDER if remind else asked.type, moment=asked, remind=remind,
        only=kinds.get(request.args.get("kind", "")),
    ))  # fmt: skip


@blueprint.get("/<public_id>/convocation/<contact_id>.pdf")
@allow(Permission.SEND)
def convocation_pdf(public_id: str, contact_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    learners = training.participants(training_session)[ContactKind.LEARNER]
    learner = next((contact for contact in learners if contact.public_id == contact_id), None)
    if learner is None:
        abort(404)
    pdf = convocation.pdf(training_session, learner, current_user.organisation)
    name = convocation.filename(training_session, learner)
    return shown_in_place(Response(pdf), name, convocation.MEDIA_TYPE)
