"""Saved views of the history: save, change, delete; short links; the columns a person wants."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints.history_views import render_history
from blueprints.own_origin import own_path
from blueprints.support import allow, page
from extensions import db
from history import Scope, sentences, views
from i18n import _
from models.words import Permission

blueprint = Blueprint("views", __name__)


@blueprint.get("/views")
@allow(Permission.READ)
def index() -> Response:
    return _page()


@blueprint.post("/views")
@allow(Permission.READ)
def keep() -> Response:
    """Save the filter in `query` under a name."""
    name = _name()
    if not name:
        return _page(_("Donnez un nom à la vue."), 422, request.form.get("query", ""))
    view = views.keep(
        current_user, name, request.form.get("query", ""), shared="shared" in request.form,
        pinned="pinned" in request.form,
    )  # fmt: skip
    db.session.commit()
    flash(_("La vue « %(name)s » est enregistrée.", name=view.name), "success")
    return redirect(_address(view.query), 303)  # type: ignore[return-value]


@blueprint.post("/views/<public_id>")
@allow(Permission.READ)
def change(public_id: str) -> Response:
    """Rename, share, pin, prefer; whoever may only see a shared view may prefer it."""
    view = views.find(current_user, public_id) or abort(404)
    if views.may_change(current_user, view):
        name = _name()
        if not name:
            return _page(_("Donnez un nom à la vue."), 422)
        view.name, view.shared, view.pinned = name, "shared" in request.form, "pinned" in request.form
    if "preferred" in request.form:
        views.prefer_view(current_user, public_id)
    elif views.default_view(current_user) == public_id:
        views.prefer_view(current_user, "")
    db.session.commit()
    flash(_("La vue « %(name)s » est enregistrée.", name=view.name), "success")
    return redirect(url_for("views.index"), 303)  # type: ignore[return-value]


@blueprint.post("/views/<public_id>/delete")
@allow(Permission.READ)
def delete(public_id: str) -> Response:
    view = views.find(current_user, public_id) or abort(404)
    if not views.may_change(current_user, view):
        abort(403)
    db.session.delete(view)
    db.session.commit()
    flash(_("La vue « %(name)s » est supprimée.", name=view.name), "success")
    return redirect(url_for("views.index"), 303)  # type: ignore[return-value]


@blueprint.post("/views/links")
@allow(Permission.READ)
def shorten() -> Response:
    """Keep the filter in `query` under a random id and go to its short address."""
    view = views.shorten(current_user, request.form.get("query", ""))
    db.session.commit()
    return redirect(url_for("views.short", public_id=view.public_id), 303)  # type: ignore[return-value]


@blueprint.get("/v/<public_id>")
@allow(Permission.READ)
def short(public_id: str) -> Response:
    """What a short link stands for, to people of the organisation."""
    view = views.linked(current_user, public_id) or abort(404)
    address = url_for("views.short", public_id=public_id, _external=True)
    scope = Scope(current_user.organisation_id)
    return render_history(scope, "emails/index.html", views.filter_of(view.query), short_address=address)


@blueprint.post("/views/columns")
@allow(Permission.READ)
def columns() -> Response:
    """The columns of one kind of history, in the order of their places; `reset` gives the usual ones back."""
    kind = request.form.get("list", "")
    if kind not in ("global", "session", "contact"):
        abort(400)
    chosen = [] if "reset" in request.form else request.form.getlist("column")
    ordered = sorted(chosen[:50], key=lambda key: (_place(key), chosen.index(key)))
    views.prefer_columns(current_user, kind, ordered)  # type: ignore[arg-type]
    db.session.commit()
    return redirect(own_path(request.form.get("next"), url_for("emails.index")), 303)  # type: ignore[return-value]


def _place(key: str) -> int:
    raw = request.form.get(f"place-{key}", "")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 4 else 999


def _name() -> str:
    return " ".join(request.form.get("name", "").replace("\0", "").split())[: views.LONGEST_NAME].strip()


def _address(query: str) -> str:
    return f"{url_for('emails.index')}?{query or 'view=all'}"


def _page(error: str | None = None, status: int = 200, query: str = "") -> Response:
    return page(
        "views/index.html", status=status, listed=views.listed(current_user), error=error, query=query,
        preferred=views.default_view(current_user), may_change=lambda view: views.may_change(current_user, view),
        chips=lambda view: sentences.chips(views.filter_of(view.query)), address=_address,
    )  # fmt: skip
