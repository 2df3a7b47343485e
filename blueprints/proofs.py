"""Dossier de preuve, for managers and admins: what was sent, what became of it, who acted, as an archive that whoever
it is handed to can check; of one e-mail, or of a list, which a job makes where it is long. Taking it is noted in the
log."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints import whole_lists
from blueprints.downloads import archived
from blueprints.support import allow, page
from errors import UserMistake
from extensions import db
from history import HistoryFilter, Scope, export, export_jobs, proof, sentences
from history.export_cells import Format
from i18n import _
from models import AuditAction
from models.words import Permission
from people import audit
from proofs import many, one
from proofs.taker import Taker

blueprint = Blueprint("proofs", __name__)
_NAMED = 50  # e-mails that a line of the log names one by one


@blueprint.get("/<public_id>/proof.zip")
@allow(Permission.AUDIT)
def of_email(public_id: str) -> Response:
    """All about one e-mail."""
    taker = Taker.of(current_user.organisation_id, current_user.name, datetime.now(UTC))
    found = one.of_email(taker, public_id) or abort(404)
    audit.taken(AuditAction.PROOF_TAKEN, public_id)
    return archived(proof.stream(found.members), _("Preuve %(number)s", number=public_id) + ".zip")


@blueprint.get("/proofs")
@allow(Permission.AUDIT)
def offer() -> Response:
    """What the archive of a list's proofs would hold, before it is asked for."""
    scope, filter_ = whole_lists.asked(whole_lists.query())
    now = datetime.now(UTC)
    return _offer(scope, filter_, now, many.wanted(scope, filter_, now))


@blueprint.post("/proofs.zip")
@allow(Permission.AUDIT)
def of_list() -> Response:
    """A folder an e-mail: at once where they are few, else a job's."""
    scope, filter_ = whole_lists.asked(request.form.get("query", ""))
    now = datetime.now(UTC)
    found = many.wanted(scope, filter_, now)
    if not found.ids:
        return _offer(scope, filter_, now, found, status=422)
    key, query = export_jobs.scope_key(scope), export_jobs.query_of(scope, filter_)
    if not found.at_once:
        return _by_job(scope, filter_, now, found, query)
    named = many.public_ids(scope.organisation_id, found.ids) if len(found.ids) <= _NAMED else ()
    audit.note(AuditAction.PROOF_TAKEN, key, also=named, emails=len(found.ids), query=query)
    asked = many.Asked.of(current_user, scope, filter_, now, found.more)
    name = export.filename(filter_, now, scope.zone, Format.PROOF, "preuves", export_jobs.name_of(scope))
    db.session.commit()
    return archived(many.stream(asked, found.ids), name)


def _by_job(scope: Scope, filter_: HistoryFilter, now: datetime, found: many.Wanted, query: str) -> Response:
    try:
        made = export_jobs.ask(current_user, scope, filter_, Format.PROOF)
        audit.note(AuditAction.EXPORT_ASKED, made, emails=len(found.ids), query=query)
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        return _offer(scope, filter_, now, found, _(mistake.message, **mistake.values), 422)
    flash(_("Le dossier se prépare. Vous pouvez continuer : un message vous dira quand il est prêt."), "success")
    return redirect(url_for("exports.index"), 303)


def _offer(
    scope: Scope, filter_: HistoryFilter, now: datetime, found: many.Wanted, said: str = "", status: int = 200
) -> Response:
    return page(
        "proofs/offer.html", status=status, found=found, most=many.MOST, said=said,
        sentence=sentences.sentence(filter_, now, scope.zone), query=export_jobs.query_of(scope, filter_),
        about=sentences.about(scope), training_session=scope.training_session,
    )  # fmt: skip
