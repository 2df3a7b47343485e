"""Abonnés › Exports: a person's own exports: asked for, followed, cancelled, fetched.

Short lists are answered at once by the history itself (blueprints.history_views); what is here is made by a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, request, send_file, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from blueprints import whole_lists
from blueprints.own_origin import own_path
from blueprints.support import allow, page
from errors import UserMistake
from extensions import db
from history import Scope, export, export_jobs, sentences
from history.export_cells import Format
from i18n import _, ngettext
from models import AuditAction, Export
from models.words import ExportState, Permission
from people import audit

blueprint = Blueprint("exports", __name__)

TONES = {
    ExportState.WAITING: "neutral", ExportState.RUNNING: "info", ExportState.READY: "success",
    ExportState.CANCELLED: "neutral", ExportState.FAILED: "danger", ExportState.EXPIRED: "neutral",
}  # fmt: skip
_SECONDS_BETWEEN = 2


@dataclass(frozen=True)
class Shown:
    """An export as the list shows it. `around` are the words for where it stands, '' when its state says all."""

    export: Export
    format: Format
    about: str
    sentence: str
    around: str
    tone: str

    @property
    def under_way(self) -> bool:
        return self.export.state in export_jobs.UNDER_WAY

    @property
    def again(self) -> bool:
        """Whether the same may be asked for again."""
        return self.export.state in (ExportState.CANCELLED, ExportState.FAILED, ExportState.EXPIRED)


@blueprint.get("")
@allow(Permission.EXPORT)
def index() -> Response:
    shown = _shown(export_jobs.listed(current_user))
    moving = any(one.under_way for one in shown)
    return page("exports/index.html", "exports/_answer.html", exports=shown, seconds=_SECONDS_BETWEEN if moving else 0)


@blueprint.get("/new")
@allow(Permission.EXPORT)
def new() -> Response:
    """What a job would make, before it is asked for."""
    format_, scope, query = _asked(request.args.get("format", "csv-excel"), whole_lists.query())
    if not format_.is_list:
        return redirect(f"{url_for('proofs.offer')}?{query}", 303)
    return _offer(format_, scope, query)


@blueprint.post("")
@allow(Permission.EXPORT)
def create() -> Response:
    format_, scope, query = _asked(request.form.get("format", ""), request.form.get("query", ""))
    if not format_.is_list and not current_user.may(Permission.AUDIT):
        abort(403)
    filter_, columns = export_jobs.read_query(query)[1], export_jobs.columns_of(query)
    try:
        made = export_jobs.ask(current_user, scope, filter_, format_, columns)
        audit.note(AuditAction.EXPORT_ASKED, made, format=format_.value, query=query)
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        return _offer(format_, scope, query, mistake)
    flash(_("L'export se prépare. Vous pouvez continuer : un message vous dira quand il est prêt."), "success")
    return redirect(url_for("exports.index"), 303)


@blueprint.post("/<public_id>/cancel")
@allow(Permission.EXPORT)
def cancel(public_id: str) -> Response:
    if export_jobs.cancel(_own(public_id)):
        audit.note(AuditAction.EXPORT_CANCELLED, public_id)
        db.session.commit()
    else:
        flash(_("Cet export était déjà terminé."))
    return redirect(url_for("exports.index"), 303)


@blueprint.post("/<public_id>/fetch")
@allow(Permission.EXPORT)
def fetch(public_id: str) -> Response:
    """From the notice: it has been seen, here is the file."""
    found = _own(public_id)
    found.seen_at = found.seen_at or datetime.now(UTC)
    db.session.commit()
    return redirect(url_for("exports.file", public_id=public_id), 303)


@blueprint.post("/seen")
@allow(Permission.EXPORT)
def seen() -> Response:
    """Put the notices aside; the files stay in the list."""
    for found in export_jobs.unseen(current_user):
        found.seen_at = datetime.now(UTC)
    db.session.commit()
    came, host = request.referrer or "", request.host_url.rstrip("/")
    default = url_for("exports.index")
    back = own_path(came.removeprefix(host), default) if came.startswith(host + "/") else default
    return redirect(back, 303)


@blueprint.get("/<public_id>/file")
@allow(Permission.EXPORT)
def file(public_id: str) -> Response:
    found = _own(public_id)
    late = found.expires_at is not None and found.expires_at <= datetime.now(UTC)
    path = export_jobs.file_of(found)
    if found.state is ExportState.EXPIRED or late:
        abort(410)
    if found.state is not ExportState.READY or not path.is_file():
        abort(404)
    format_ = Format(found.format)
    if format_.is_list:
        audit.taken(AuditAction.EXPORT_FETCHED, found, rows=found.row_count, format=found.format)
    elif current_user.may(Permission.AUDIT):
        about = export_jobs.read_query(found.query)[0]
        audit.taken(AuditAction.PROOF_TAKEN, found, also=[about] if about else [], emails=found.row_count,
                    query=found.query)
    else:  # no manager any more
        abort(403)
    response = send_file(
        path, format_.media_type, as_attachment=True, download_name=found.filename, etag=found.public_id, max_age=0
    )  # fmt: skip
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _own(public_id: str) -> Export:
    """The person's own export; 404 for everyone else's, a colleague's too."""
    query = select(Export).where(
        Export.public_id == public_id, Export.user_id == current_user.id,
        Export.organisation_id == current_user.organisation_id,
    )  # fmt: skip
    return db.session.scalar(query) or abort(404)


def _asked(name: str, query: str) -> tuple[Format, Scope, str]:
    """(format, scope, canonical query) of what is asked for; 400 for no such format, 404 for a foreign scope."""
    try:
        format_ = Format(name)
    except ValueError:
        abort(400)
    scope, filter_ = whole_lists.asked(query)
    return format_, scope, export_jobs.query_of(scope, filter_, export_jobs.columns_of(query))


def _offer(format_: Format, scope: Scope, query: str, mistake: UserMistake | None = None) -> Response:
    filter_, now = export_jobs.read_query(query)[1], datetime.now(UTC)
    large = export.more_than(scope, filter_, now, export_jobs.AT_ONCE)
    said = _(mistake.message, **mistake.values) if mistake else ""
    allowed = not large or current_user.may(Permission.EXPORT_LARGE)
    if not allowed:
        said = _(export_jobs.NOT_ALLOWED)
    return page(
        "exports/new.html", status=422 if mistake else 200, format=format_, query=query, large=large, allowed=allowed,
        said=said, sentence=sentences.sentence(filter_, now, scope.zone), about=sentences.about(scope),
    )  # fmt: skip


def _shown(exports: list[Export]) -> list[Shown]:
    abouts: dict[str, str] = {"": ""}
    running = any(one.state is ExportState.RUNNING for one in exports)
    shown = []
    for one in exports:
        key, filter_ = export_jobs.read_query(one.query)
        if key not in abouts:
            scope = export_jobs.scope_of(current_user.organisation, key)
            abouts[key] = sentences.about(scope) if scope else ""
        sentence = sentences.sentence(filter_, one.created_at, current_user.organisation.timezone)
        shown.append(Shown(one, Format(one.format), abouts[key], sentence, _around(one, running), TONES[one.state]))
    return shown


def _around(one: Export, running: bool) -> str:
    if one.state is ExportState.WAITING:
        return _("Commence après l'export en cours") if running else _("Commence dans un instant")
    if one.state is ExportState.FAILED:
        return _(one.error)
    if one.state is not ExportState.RUNNING:
        return ""
    if not one.done_count or not one.row_count:
        return _("Lecture des e-mails…")
    gone = (datetime.now(UTC) - (one.started_at or one.created_at)).total_seconds()
    left = gone / one.done_count * max(0, one.row_count - one.done_count)
    if left < 60:
        return _("Encore moins d'une minute")
    return ngettext("Encore environ %(num)s minute", "Encore environ %(num)s minutes", round(left / 60))
