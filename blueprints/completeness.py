"""Complétude: who has which required e-mail of a session, kept live, and the way to those who miss one."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from uuid import uuid4

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user

import i18n
from blueprints.support import allow, get_or_404, page
from errors import UserMistake
from extensions import db
from i18n import _, ngettext
from models import AuditAction, TrainingSession
from models.words import EmailType, Permission
from people import audit
from planning import completeness
from planning.cells import Cell, CellState
from planning.completeness import Column, Matrix, Row
from planning.missing import Outcome, Sending, keys_of

blueprint = Blueprint("completeness", __name__)
# Live cells: seconds between two questions, how many without news before the next step; then silence.
_RHYTHM = ((4, 30), (15, 20), (60, 30))
# A letter as it will leave, in a frame of its own: it may bring its styles and nothing else.
_LETTER_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; "
    "base-uri 'none'; sandbox"
)


@blueprint.get("/<public_id>/completeness")
@allow(Permission.READ)
def index(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    matrix = completeness.matrix(training_session, current_user.organisation)
    return page("completeness/index.html", training_session=training_session, shown=Shown(matrix))


@blueprint.get("/<public_id>/completeness/changed")
@allow(Permission.READ)
def changed(public_id: str) -> Response:
    """What the page shows, anew, when it is no longer ?seen=; 286 once nothing more is expected."""
    training_session = get_or_404(TrainingSession, public_id)
    calm = request.args.get("calm", "0")
    shown = Shown(completeness.matrix(training_session, current_user.organisation))
    news = request.args.get("seen") != shown.seen
    shown.calm = 0 if news else min(int(calm) if calm.isdigit() and len(calm) < 4 else 0, 999) + 1
    answer = render_template("completeness/_changed.html", s=training_session, shown=shown, news=news)
    response = make_response(answer, 200 if shown.seconds else 286)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/<public_id>/completeness/missing")
@allow(Permission.SEND)
def missing(public_id: str) -> Response:
    """Who would get what; nothing is made yet."""
    return _missing(_sending(public_id))


@blueprint.get("/<public_id>/completeness/missing/letter")
@allow(Permission.SEND)
def letter(public_id: str) -> Response:
    """The letter of ?to=type:person as it will be."""
    sending = _sending(public_id)
    found = sending.find(request.args.get("to", "")[:80])
    if found is None:
        abort(404)
    try:
        html = sending.letter(*found).shown
    except UserMistake as mistake:
        html = render_template("completeness/no_letter.html", words=_(mistake.message, **mistake.values))
    response = make_response(html)
    response.headers["Content-Security-Policy"] = _LETTER_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/<public_id>/completeness/missing")
@allow(Permission.SEND)
def send(public_id: str) -> Response:
    sending = _sending(public_id)
    chosen = keys_of(request.form.getlist("to"))
    if not chosen:
        return _missing(sending, _("Choisissez au moins un destinataire."))
    said = "|".join([request.form.get("request_key", "")[:64], *sorted(chosen)])
    try:
        outcome = sending.send(chosen, current_user, hashlib.sha256(said.encode()).hexdigest())
    except UserMistake as mistake:
        db.session.rollback()
        return _missing(sending, _(mistake.message, **mistake.values))
    if outcome.count:
        audit.note(AuditAction.EMAILS_SENT, public_id, count=outcome.count, missing=True)
    db.session.commit()
    _tell(outcome)
    return redirect(url_for("completeness.index", public_id=public_id), 303)  # type: ignore[return-value]


def _sending(public_id: str) -> Sending:
    training_session = get_or_404(TrainingSession, public_id)
    matrix = completeness.matrix(training_session, current_user.organisation)
    types = [type[:60] for type in request.args.getlist("type")[:20]]
    return Sending(
        training_session, current_user.organisation, matrix, types=types, person=request.args.get("person", "")[:40]
    )


def _missing(sending: Sending, problem: str = "") -> Response:
    return page(
        "completeness/missing.html", status=422 if problem else 200, training_session=sending.session,
        batches=sending.batches, problem=problem, request_key=uuid4(),
    )  # fmt: skip


def _tell(outcome: Outcome) -> None:
    if outcome.count:
        flash(ngettext("%(num)s e-mail demandé", "%(num)s e-mails demandés", outcome.count), "success")
    elif not outcome.left:
        flash(_("Rien n'est parti : entre-temps, plus personne ne manquait de ces e-mails."), "info")
    for name, type, words, values in outcome.left[:20]:
        flash(_("%(name)s (%(type)s) : %(why)s", name=name, type=_(type.label), why=_(words, **values)), "warning")


@dataclass
class Shown:
    """What the templates need of a matrix. `calm` counts the answers without news."""

    matrix: Matrix
    calm: int = 0

    @property
    def states(self) -> list[CellState]:
        return list(CellState)

    @property
    def seen(self) -> str:
        """Changes whenever the cells do."""
        said = [(row.person.id, [(c.type, c.state, c.sent, c.planned) for c in row.cells.values()])
                for row in self.matrix.rows]  # fmt: skip
        return f"{zlib.crc32(repr(said).encode()):08x}"

    @property
    def seconds(self) -> int | None:
        """When to ask again; None when nothing moves."""
        calm = self.calm
        for seconds, times in _RHYTHM if self.matrix.moving else ():
            if calm < times:
                return seconds
            calm -= times
        return None

    @property
    def warned(self) -> bool:
        """Whether the session is about to start with something missing."""
        return self.matrix.warned(i18n.zone())

    def sentence(self, column: Column) -> str:
        return sentence(column)

    def why(self, cell: Cell) -> str:
        """Why a cell failed."""
        return _(cell.sent.reason.label) if cell.sent and cell.sent.reason else _("Non préparé")

    def link(self, row: Row, cell: Cell) -> str:
        """Where a cell leads: to the e-mail, else to the page that sends it."""
        if cell.sent is not None:
            return url_for("emails.email", public_id=cell.sent.public_id)
        if cell.planned is not None and cell.moving:
            return url_for("planned.index", public_id=self.matrix.public_id)
        asked = {"type": cell.type.value, "person": row.person.public_id}
        if cell.state.missing and current_user.may(Permission.SEND):
            return url_for("completeness.missing", public_id=self.matrix.public_id, **asked)
        return url_for("contacts.emails", public_id=row.person.public_id)


def sentence(column: Column) -> str:
    """12 convocations reçues sur 14."""
    received, total = column.counts[CellState.RECEIVED], column.total
    return {
        EmailType.PROGRAMME: lambda: ngettext(
            "%(num)s programme reçu sur %(total)s", "%(num)s programmes reçus sur %(total)s", received, total=total),
        EmailType.EVALUATION_PRE: lambda: ngettext(
            "%(num)s évaluation préformation reçue sur %(total)s",
            "%(num)s évaluations préformation reçues sur %(total)s", received, total=total),
        EmailType.CONVOCATION: lambda: ngettext(
            "%(num)s convocation reçue sur %(total)s", "%(num)s convocations reçues sur %(total)s", received,
            total=total),
        EmailType.RULES: lambda: ngettext(
            "%(num)s règlement intérieur reçu sur %(total)s", "%(num)s règlements intérieurs reçus sur %(total)s",
            received, total=total),
        EmailType.WELCOME_BOOKLET: lambda: ngettext(
            "%(num)s livret d'accueil reçu sur %(total)s", "%(num)s livrets d'accueil reçus sur %(total)s", received,
            total=total),
        EmailType.CONVOCATION_REMINDER: lambda: ngettext(
            "%(num)s rappel reçu sur %(total)s", "%(num)s rappels reçus sur %(total)s", received, total=total),
        EmailType.EVALUATION_HOT: lambda: ngettext(
            "%(num)s évaluation à chaud reçue sur %(total)s", "%(num)s évaluations à chaud reçues sur %(total)s",
            received, total=total),
        EmailType.CERTIFICATE: lambda: ngettext(
            "%(num)s certificat reçu sur %(total)s", "%(num)s certificats reçus sur %(total)s", received, total=total),
        EmailType.ATTENDANCE_CERTIFICATE: lambda: ngettext(
            "%(num)s attestation reçue sur %(total)s", "%(num)s attestations reçues sur %(total)s", received,
            total=total),
        EmailType.EVALUATION_COLD: lambda: ngettext(
            "%(num)s évaluation à froid reçue sur %(total)s", "%(num)s évaluations à froid reçues sur %(total)s",
            received, total=total),
    }[column.type]()  # fmt: skip

