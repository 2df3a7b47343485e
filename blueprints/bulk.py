"""What is done with a selection of the history: exported, marked as dealt with, sent again.

A selection is a question (history.HistoryFilter): the e-mails that were ticked by their numbers, or all that the list
answers. Which it is, the form of templates/history/_select.html says; it works without script.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints import history_asked
from blueprints.history_asked import Asked
from blueprints.own_origin import own_path
from blueprints.support import allow
from extensions import db
from history.export_cells import Format
from i18n import _
from models.words import Permission

blueprint = Blueprint("bulk", __name__)


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
    abort(400)


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
    if not current_user.may(Permission.EXPORT):
        abort(403)
    try:
        format_ = Format(request.form["export"])
    except ValueError:
        abort(400)
    asked = asked.keeping(asked.filter)
    db.session.commit()
    return redirect(f"{asked.path}?{urlencode(asked.pairs(asked.filter, format=format_.value))}", 303)


def _back() -> str:
    came, host = request.referrer or "", request.host_url.rstrip("/")
    default = url_for("emails.index")
    return own_path(came.removeprefix(host), default) if came.startswith(host + "/") else default
