"""Saved views of the history: save, change, delete; searches and short links; the columns a person wants."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, make_response, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints import history_asked, history_panels
from blueprints.history_views import render_history, show
from blueprints.own_origin import own_path
from blueprints.search_help import known, rendered
from blueprints.support import allow, page, wants_partial
from extensions import db
from history import HistoryFilter, Scope, around, prepared, search, sentences, short_links, views
from history.scope import Kind
from i18n import _, language
from models import SavedView
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
    return redirect(_address(view), 303)  # type: ignore[return-value]


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
    return render_history(scope, "emails/index.html", view, short_address=address)


@blueprint.post("/views/steps")
@allow(Permission.READ)
def step() -> Response:
    """From the search box (`q`), or from the filters where words stay out of addresses: go to what is asked there.

    `in` is the session or contact of the list, `v` the link by which its words are kept.
    """
    asked = history_asked.of_form(request.form.get("in", ""))
    filter_ = asked.filter
    if "q" in request.form:
        filter_ = _searched(asked.scope, request.form["q"]).with_(sort=filter_.sort, limit=filter_.limit)
    asked = asked.keeping(filter_)
    db.session.commit()
    if wants_partial():
        return show(asked, "")
    return redirect(asked.address(filter_), 303)  # type: ignore[return-value]


def _searched(scope: Scope, text: str) -> HistoryFilter:
    """What a search asks for; what was not understood is said on the next page."""
    now = datetime.now(UTC)
    question = prepared.question(scope, HistoryFilter(), now)
    names = known(around.read(question, current_user, tabs=False, count=False, offered=True))
    reading = search.read(text, now.astimezone(ZoneInfo(scope.zone)).date(), language(), names)
    if reading.mistakes:
        said = [_(mistake.message, **mistake.values) for mistake in reading.mistakes]
        history_asked.remember_mistakes(" ".join(text.split()), said)
    return reading.filter


@blueprint.get("/search-help")
@allow(Permission.READ)
def search_help() -> Response:
    """What the search box of ?list=global|session|contact understands."""
    kind = _kind()
    if wants_partial():
        return make_response(rendered(kind))
    return page("history/search_help.html", help=rendered(kind))


@blueprint.get("/more-filters")
@allow(Permission.READ)
def more_filters() -> Response:
    """The panel of further filters of ?list=global|session|contact, nothing chosen."""
    if not wants_partial():
        return redirect(url_for("emails.index", more=1), 303)
    question = prepared.question(Scope(current_user.organisation_id), HistoryFilter(), datetime.now(UTC))
    offered = around.read(question, current_user, tabs=False, count=False, offered=True).offered
    return make_response(history_panels.more_panel(_kind(), offered))


@blueprint.get("/views/columns")
@allow(Permission.READ)
def choose_columns() -> Response:
    """The form of the columns of ?list=global|session|contact; as a page where there is no script."""
    if wants_partial():
        return make_response(history_panels.columns_form(_kind()))
    came = (request.referrer or "").removeprefix(request.host_url.rstrip("/"))
    back = own_path(came, url_for("emails.index"))
    return page("views/columns.html", form=history_panels.columns_form(_kind(), back))


def _kind() -> Kind:
    asked = request.args.get("list", "")
    return "session" if asked == "session" else "contact" if asked == "contact" else "global"


@blueprint.post("/views/addresses")
@allow(Permission.READ)
def addresses() -> Response:
    """Whether this person's searches stay out of addresses."""
    views.prefer_short(current_user, "short" in request.form)
    db.session.commit()
    if views.always_short(current_user):
        flash(_("Les mots que vous cherchez ne paraîtront plus dans les adresses."), "success")
    else:
        flash(_("Les adresses diront de nouveau ce que vous cherchez."), "success")
    return redirect(url_for("views.index"), 303)  # type: ignore[return-value]


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


def _address(view: SavedView) -> str:
    return f"{url_for('emails.index')}?{short_links.opening(current_user, view.public_id, view.query) or 'view=all'}"


def _page(error: str | None = None, status: int = 200, query: str = "") -> Response:
    return page(
        "views/index.html", status=status, listed=views.listed(current_user), error=error, query=query,
        preferred=views.default_view(current_user), short=views.always_short(current_user),
        may_change=lambda view: views.may_change(current_user, view),
        chips=lambda view: sentences.chips(views.filter_of(view.query)), address=_address,
    )  # fmt: skip
