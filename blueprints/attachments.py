"""The files that e-mails carried: opened, looked at in the page, taken one by one or as an archive.

They are a stranger's: what they are is what their bytes say, and only a PDF or an image that a browser can draw is ever
shown in place. Archives stream; taking one is noted in the audit log.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask_login import current_user

from blueprints import whole_lists
from blueprints.attached import files_of
from blueprints.downloads import archived, download, shown_in_place
from blueprints.erased import gone
from blueprints.support import allow, page
from documents import blobs, pictures
from documents.file_names import readable
from errors import Permanent
from extensions import db
from history import Scope, archive, detail, export, export_jobs, sentences
from history.export_cells import Format
from history.filters import HistoryFilter
from i18n import _
from models.audit import AuditAction
from models.words import Permission
from people import audit

blueprint = Blueprint("attachments", __name__)

# The page in the page that shows one file: nothing of the file runs or loads anything.
_FRAME_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; font-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
_NOTHING = bytes.fromhex(  # a GIF of one transparent pixel
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


@blueprint.get("/<public_id>/attachments/<int:position>")
@allow(Permission.READ)
def file(public_id: str, position: int) -> Response:
    """One file: in the browser where that is safe, else (and with ?download=1) to be saved."""
    found = _file(public_id, position)
    try:
        shown = "download" not in request.args and blobs.may_show(found.sha256, found.media_type)
        response = Response(blobs.open(found.sha256))
    except Permanent:
        abort(410)
    response = (shown_in_place if shown else download)(response, found.filename, found.media_type)
    response.headers["Content-Length"] = str(found.size)
    response.set_etag(found.sha256)
    return response.make_conditional(request)


@blueprint.get("/<public_id>/attachments/<int:position>/thumbnail")
@allow(Permission.READ)
def thumbnail(public_id: str, position: int) -> Response:
    """The image for a place as large as a nail; nothing to see where it is none or asks for too much. (An image element
    draws whatever it gets, whatever its type and disposition say.)"""
    found = _file(public_id, position)
    try:
        if found.media_type.startswith("image/") and blobs.may_show(found.sha256, found.media_type):
            return file(public_id, position)
    except Permanent:  # said where it is opened
        pass
    return shown_in_place(Response(_NOTHING), "nothing.gif", "image/gif")


@blueprint.get("/<public_id>/attachments/<int:position>/view")
@allow(Permission.READ)
def view(public_id: str, position: int) -> Response:
    """One file looked at on a page of its own: what opens over the e-mail where there is script."""
    _file(public_id, position)
    (row,) = detail.rows_of(current_user.organisation_id, [public_id])
    listed = files_of(row)
    here = next((n for n, one in enumerate(listed) if one["position"] == position), 0)
    beside = [listed[n] if 0 <= n < len(listed) else None for n in (here - 1, here + 1)]
    return page(
        "attachments/view.html", email=row, name=listed[here]["name"], shown=listed[here], before=beside[0],
        after=beside[1], number=here + 1, count=len(listed),
    )  # fmt: skip


@blueprint.get("/<public_id>/attachments/<int:position>/frame")
@allow(Permission.READ)
def frame(public_id: str, position: int) -> Response:
    """What the viewer frames: an image, or why there is nothing to see. A PDF is the browser's own to show."""
    found = _file(public_id, position)
    why = ""
    try:
        if not blobs.may_show(found.sha256, found.media_type):
            why = _why_not(found)
        else:
            blobs.open(found.sha256)
    except Permanent:
        why = _("Ce fichier est perdu ou abîmé : il ne peut être ni montré ni téléchargé.")
    if not why and found.media_type == "application/pdf":
        return file(public_id, position)
    address = url_for("attachments.file", public_id=public_id, position=position)
    response = make_response(
        render_template("attachments/frame.html", name=readable(found.filename), address=address, why=why)
    )
    response.headers["Content-Security-Policy"] = _FRAME_POLICY
    response.headers["Cache-Control"] = "private, no-store"
    return response


@blueprint.get("/<public_id>/attachments.zip")
@allow(Permission.READ)
def of_email(public_id: str) -> Response:
    """Every file of one e-mail."""
    found = archive.of_email(current_user.organisation_id, public_id)
    if found is None or not found.file_count:
        abort(404)
    audit.taken(AuditAction.ATTACHMENTS_DOWNLOADED, public_id, count=found.file_count)
    chunks = archive.of_one(current_user.organisation_id, found.ids)
    return archived(chunks, f"{public_id}.zip")


@blueprint.get("/attachments")
@allow(Permission.DOWNLOAD_ALL)
def offer() -> Response:
    """What an archive of the list would hold, before it is asked for."""
    scope, filter_ = whole_lists.asked(whole_lists.query())
    now = datetime.now(UTC)
    return _offer(scope, filter_, now, archive.wanted(scope, filter_, now))


@blueprint.post("/attachments.zip")
@allow(Permission.DOWNLOAD_ALL)
def of_list() -> Response:
    """Every file of the list, a folder an e-mail."""
    scope, filter_ = whole_lists.asked(request.form.get("query", ""))
    now = datetime.now(UTC)
    found = archive.wanted(scope, filter_, now)
    if not found.file_count:
        return _offer(scope, filter_, now, found, 422)
    audit.note(
        AuditAction.ATTACHMENTS_DOWNLOADED, export_jobs.scope_key(scope), count=found.file_count,
        emails=len(found.ids), query=export_jobs.query_of(scope, filter_),
    )  # fmt: skip
    db.session.commit()
    name = export.filename(filter_, now, scope.zone, Format.PROOF, "pieces", export_jobs.name_of(scope))
    return archived(archive.of_list(scope.organisation_id, scope.zone, found.ids), name)


def _file(public_id: str, position: int) -> detail.File:
    found = detail.attachment(current_user.organisation_id, public_id, position) if position < 32_768 else None
    if found is not None and found.erased_at is not None:
        gone(public_id, found.erased_at)
    return found or abort(404)


def _why_not(found: detail.File) -> str:
    if found.media_type not in blobs.SHOWN_IN_PLACE:
        return _("Ce type de fichier ne s'affiche pas ici : téléchargez-le.")
    sides = pictures.sides(blobs.head(found.sha256, pictures.HEAD), found.media_type)
    if sides is None:
        return _("Cette image ne dit pas ses dimensions : elle n'est pas affichée, vous pouvez la télécharger.")
    message = _(
        "Cette image est trop grande pour être affichée (%(width)s × %(height)s pixels) : vous pouvez la télécharger.",
        width=sides[0], height=sides[1],
    )  # fmt: skip
    return message


def _offer(scope: Scope, filter_: HistoryFilter, now: datetime, found: archive.Wanted, status: int = 200) -> Response:
    return page(
        "attachments/offer.html", status=status, found=found, most=archive.MOST_FILES,
        sentence=sentences.sentence(filter_, now, scope.zone), query=export_jobs.query_of(scope, filter_),
        about=sentences.about(scope), training_session=scope.training_session,
    )  # fmt: skip
