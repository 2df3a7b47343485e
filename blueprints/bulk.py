"""What is done with a selection of the history: exported, marked as dealt with, sent again.

A selection is a question (history.HistoryFilter): the e-mails that were ticked by their numbers, or all that the list
answers. Which it is, the form of templates/history/_select.html says; it works without script.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints import history_asked, treated, whole_lists
from blueprints.history_asked import Asked
from blueprints.history_frame import FILES
from blueprints.own_origin import own_path
from blueprints.support import allow, page
from errors import UserMistake
from extensions import db
from history import chosen as chosen_emails
from history import export_jobs, sentences
from history.export_cells import Format
from history.query import Question
from i18n import _, ngettext
from mail import bulk_resend, treating
from models.audit import AuditAction
from models.words import Permission
from people import audit

blueprint = Blueprint("bulk", __name__)
_NAMED = 200  # e-mails that a line of the log names one by one


@blueprint.post("/selections")
@allow(Permission.READ)
def choose() -> Response:
    """Go to what was asked for the selection; 400 for nothing of ours."""
    asked = chosen()
    if asked is None:
        flash(_("Cochez au moins un e-mail."), "warning")
        return redirect(_back(), 303)
    if "export" in request.form:
        return _export(asked)
    do = request.form.get("do", "")
    if do == "resend":
        return _resend(asked)
    if do == "treat":
        return _treat(asked)
    abort(400)


@blueprint.post("/selections/treated")
@allow(Permission.TREAT)
def treat() -> Response:
    """Mark what was shown, as it was then, as dealt with."""
    asked = history_asked.of_selection(request.form)
    seen = treated.moment(request.form.get("seen", ""))
    note = request.form.get("note", "")
    ids = chosen_emails.open_of(current_user.organisation_id, Question(asked.scope, asked.filter, seen).all_ids(), seen)
    batch = treating.treat(ids, current_user, note)
    if batch is not None:
        named = batch.emails if batch.count <= _NAMED else ()
        audit.note(AuditAction.TREATED, also=named, count=batch.count, note=note[:500])
    db.session.commit()
    treated.keep(batch)
    if batch is not None:
        flash(
            ngettext("%(num)s e-mail est marqué comme traité.", "%(num)s e-mails sont marqués comme traités.",
                     batch.count), "success",
        )  # fmt: skip
    return redirect(own_path(request.form.get("back"), url_for("emails.index")), 303)


def chosen() -> Asked | None:
    """The question that the posted form selects by; None where nothing was ticked, 404 for a foreign list."""
    asked = history_asked.of_selection(request.form)
    which = request.form.get("which", "chosen")
    if which == "all":
        return asked
    numbers = request.form.getlist("number") if which == "chosen" else [request.form.get("page", "")]
    by_number = asked.filter.of_numbers(numbers)
    return asked.of(by_number) if by_number.number else None


def _export(asked: Asked) -> Response:
    wanted = request.form["export"]
    if not current_user.may(Permission.DOWNLOAD_ALL if wanted == FILES else Permission.EXPORT):
        abort(403)
    try:
        format_ = None if wanted == FILES else Format(wanted)
    except ValueError:
        abort(400)
    asked = asked.keeping(asked.filter)
    db.session.commit()
    if format_ is None:
        return redirect(whole_lists.address("attachments.offer", asked), 303)
    return redirect(f"{asked.path}?{urlencode(asked.pairs(asked.filter, format=format_.value))}", 303)


def _resend(asked: Asked) -> Response:
    """A preview of sending them again."""
    if not current_user.may(Permission.RESEND):
        abort(403)
    ids = Question(asked.scope, asked.filter, datetime.now(UTC)).all_ids()
    try:
        run = bulk_resend.prepare(current_user, ids, export_jobs.query_of(asked.scope, asked.filter))
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        flash(_(mistake.message, **mistake.values), "warning")
        return redirect(_back(), 303)
    return redirect(url_for("resend_runs.run", run_id=run.public_id), 303)


def _treat(asked: Asked) -> Response:
    """A preview of marking them as dealt with; nothing is written yet."""
    if not current_user.may(Permission.TREAT):
        abort(403)
    now = datetime.now(UTC)
    found = chosen_emails.of_selection(current_user.organisation_id, Question(asked.scope, asked.filter, now).all_ids())
    return page(
        "bulk/treat.html", found=found, seen=now, back=_back(),
        query=export_jobs.query_of(asked.scope, asked.filter),
        sentence=sentences.sentence(asked.filter, now, asked.scope.zone),
    )  # fmt: skip


def _back() -> str:
    came, host = request.referrer or "", request.host_url.rstrip("/")
    default = url_for("emails.index")
    return own_path(came.removeprefix(host), default) if came.startswith(host + "/") else default
