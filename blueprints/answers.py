"""The public evaluation form, behind a signed link: /f/TOKEN shows it, a POST answers, once and for good.

No sign-in, no script, no cookie but the form's own; /f/TOKEN/done is where an organisation's own form leads back to.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, redirect, request, url_for

import i18n
from blueprints.support import allow_anyone, page
from documents import evaluations, questions
from extensions import db, limiter
from i18n import _
from models import Evaluation, Organisation

blueprint = Blueprint("answers", __name__)
_slowly = limiter.limit("60 per 10 minutes", methods=["POST"])
_looking = limiter.limit("300 per 10 minutes", methods=["GET"])


def _evaluation(token: str) -> Evaluation:
    """The evaluation behind a token, the page put into its person's language (?language= decides otherwise)."""
    evaluation = evaluations.read(token) or abort(404)
    wanted = request.args.get("language", "")
    g.language = wanted if wanted in i18n.LANGUAGES else evaluation.contact.language
    if g.language not in i18n.LANGUAGES:
        g.language = "fr"
    return evaluation


@blueprint.get("/<token>")
@allow_anyone
@_looking
def form(token: str) -> Response:
    return _page("answers/form.html", _evaluation(token), token)


@blueprint.post("/<token>")
@allow_anyone
@_slowly
def answer(token: str) -> Response:
    evaluation = _evaluation(token)
    asked = questions.asked(evaluation.moment, evaluation.contact.kind)
    rating, answers = questions.read(asked, request.form)
    if rating is None and not evaluation.answered_at:
        return _page("answers/form.html", evaluation, token, 422, given=request.form)
    evaluations.answer(evaluation, rating, answers)
    db.session.commit()
    return _to("answers.form", token)


@blueprint.get("/<token>/done")
@allow_anyone
@_looking
def done(token: str) -> Response:
    """Where the organisation's own form leads back to: one press takes note of the answer (a GET never writes)."""
    return _page("answers/done.html", _evaluation(token), token)


@blueprint.post("/<token>/done")
@allow_anyone
@_slowly
def confirm(token: str) -> Response:
    evaluations.answer(_evaluation(token))
    db.session.commit()
    return _to("answers.done", token)


def _to(endpoint: str, token: str) -> Response:
    where = url_for(endpoint, token=token, language=request.args.get("language"))
    return redirect(where, 303)  # type: ignore[return-value]


def _page(template: str, evaluation: Evaluation, token: str, status: int = 200, given: object = None) -> Response:
    response = page(
        template, status=status, evaluation=evaluation, token=token, given=given or {},
        organisation=db.session.get_one(Organisation, evaluation.organisation_id), ratings=questions.RATINGS,
        questions=questions.asked(evaluation.moment, evaluation.contact.kind), mistake=status == 422,
        scale={1: _("pas du tout d'accord, très insuffisant"), 5: _("tout à fait d'accord, excellent")},
    )  # fmt: skip
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the token stands in the address
    response.headers["X-Robots-Tag"] = "noindex"
    return response
