"""Gestion of a session: its evaluations, by moment and kind of person: who was asked, who answered, what they said.

Asking and reminding are blueprints.compose's pages; the public form is blueprints.answers'.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user

import i18n
from blueprints.downloads import download
from blueprints.history_cells import Cells
from blueprints.session_lines import Line, Live, with_rows
from blueprints.support import allow, get_or_404, page
from documents import evaluations, questions, sent, sheets
from i18n import _
from mail import templates
from models import Evaluation, EvaluationMoment, TrainingSession
from models.words import ContactKind, Permission

blueprint = Blueprint("evaluations", __name__)
_MOMENTS = {moment.value: moment for moment in EvaluationMoment}


def _moment_or_404(name: str) -> EvaluationMoment:
    return _MOMENTS.get(name) or abort(404)


@blueprint.get("/<public_id>/evaluations")
@allow(Permission.READ)
def index(public_id: str) -> Response:
    """Every moment × kind: how many of how many answered, and the average."""
    training_session = get_or_404(TrainingSession, public_id)
    people = sheets.roll_of(training_session).people
    kinds = [kind for kind in evaluations.ASKED if people.get(kind)]
    cells = {}
    for moment in EvaluationMoment:
        found = evaluations.of_session(training_session, moment)
        asked = sent.last(training_session, [moment.type])
        for kind in kinds:
            ids = {contact.id for contact in people[kind]}
            mine = [found[id] for id in ids if id in found and found[id].answered_at]
            ratings = [evaluation.rating for evaluation in mine if evaluation.rating]
            average = sum(ratings) / len(ratings) if ratings else None
            cells[moment, kind] = (len(ids), len(ids & asked.keys()), len(mine), average)
    return page("evaluations/index.html", training_session=training_session, kinds=kinds, cells=cells,
                moments=list(EvaluationMoment))  # fmt: skip


@blueprint.get("/<public_id>/evaluations/<moment>", endpoint="moment")
@allow(Permission.READ)
def moment_page(public_id: str, moment: str) -> Response:
    training_session, asked = get_or_404(TrainingSession, public_id), _moment_or_404(moment)
    kinds, kind, lines, live = _lines(training_session, asked)
    answered = [line.evaluation for line in lines if line.evaluation and line.evaluation.answered_at]
    asks = questions.asked(asked, kind)
    template = templates.find(training_session.organisation_id, asked.type.value, kind.value)
    return page(
        "evaluations/moment.html", training_session=training_session, moment=asked, kind=kind, kinds=kinds,
        lines=lines, live=live, cells=Cells("session"), moments=list(EvaluationMoment),
        tallies=questions.tallies(asks, [(e.rating, e.answers) for e in answered]),
        words=[(question, _said(lines, question)) for question in asks if not question.rated],
        answered=len(answered), own_form=template.form_url if template else "",
        missing=sum(line.missing and not line.problem and not _done(line) for line in lines),
        waiting=sum(line.sent is not None and not _done(line) and not line.problem for line in lines),
    )  # fmt: skip


def _done(line: Line) -> bool:
    return line.evaluation is not None and line.evaluation.answered_at is not None


def _said(lines: list[Line], question: questions.Question) -> list[tuple[str, str]]:
    """(who, what they wrote) of one question in free words."""
    return [
        (line.contact.name, str(line.evaluation.answers[question.key]))
        for line in lines
        if line.evaluation and line.evaluation.answers.get(question.key)
    ]


def _lines(
    training_session: TrainingSession, moment: EvaluationMoment
) -> tuple[list[ContactKind], ContactKind, list[Line], Live]:
    roll = sheets.roll_of(training_session)
    kinds = [kind for kind in evaluations.ASKED if roll.of(kind)]
    wanted = request.args.get("kind", "")
    first = kinds[0] if kinds else ContactKind.LEARNER
    kind = next((kind for kind in evaluations.ASKED if kind.value == wanted), first)
    known, last = evaluations.of_session(training_session, moment), sent.last(training_session, [moment.type])
    lines = [Line(c, sent=last.get(c.id), evaluation=known.get(c.id)) for c in roll.of(kind)]
    address = url_for(
        "evaluations.changed", public_id=training_session.public_id, moment=moment.value, kind=kind.value
    )  # fmt: skip
    return kinds, kind, with_rows(lines, current_user.organisation_id), Live(address, lines)


@blueprint.get("/<public_id>/evaluations/<moment>/changed")
@allow(Permission.READ)
def changed(public_id: str, moment: str) -> Response:
    training_session, asked = get_or_404(TrainingSession, public_id), _moment_or_404(moment)
    _kinds, _kind, _found, live = _lines(training_session, asked)
    return live.answer("evaluations/_changed.html", training_session=training_session)


@blueprint.get("/<public_id>/evaluations/<moment>/results.csv")
@allow(Permission.EXPORT)
def results(public_id: str, moment: str) -> Response:
    """Every answer of that moment (of ?kind=), a line a person: in the page's language, for a spreadsheet."""
    training_session, asked = get_or_404(TrainingSession, public_id), _moment_or_404(moment)
    _kinds, kind, lines, _live = _lines(training_session, asked)
    asks = questions.asked(asked, kind)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if i18n.language() == "fr" else ",")
    writer.writerow([_("Nom"), _("Adresse e-mail"), _("Demandée le"), _("Répondu le"), *(_(q.label) for q in asks)])
    for line in lines:
        writer.writerow([_harmless(value) for value in _row(line, asks)])
    name = f"{_('Évaluation')} {_(asked.label)} {training_session.reference}".strip() + ".csv"
    response = download(Response("\ufeff" + out.getvalue()), name, "text/csv")
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    return response


def _row(line: Line, asks: tuple[questions.Question, ...]) -> list[Any]:
    evaluation: Evaluation | None = line.evaluation
    said: dict[str, Any] = {}
    if evaluation is not None:
        said = evaluation.answers | {questions.OVERALL: evaluation.rating}
    return [
        line.contact.name, line.contact.email, _stamp(line.sent.created_at) if line.sent else "",
        _stamp(evaluation.answered_at) if evaluation and evaluation.answered_at else "",
        *(said.get(question.key) if said.get(question.key) is not None else "" for question in asks),
    ]  # fmt: skip


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(i18n.zone())):%d/%m/%Y %H:%M}"


def _harmless(value: Any) -> Any:
    """What a spreadsheet would take for a formula becomes text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
