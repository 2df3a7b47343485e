"""The history table as a page or as htmx's piece of it, made from a scope and the address; its exports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, g, make_response, redirect, request, stream_with_context, url_for
from flask_login import current_user

from blueprints import history_asked, history_panels, whole_lists
from blueprints.history_asked import Asked
from blueprints.history_frame import Values
from blueprints.history_view import View
from blueprints.keeping import HOLLOW, kept
from blueprints.support import is_quiet, page, wants_partial
from history import (
    Scope,
    around,
    export,
    export_jobs,
    pages,
    prepared,
)
from history.rows import Count
from models import AuditAction, SavedView
from models.words import Permission
from people import audit


def render_history(scope: Scope, template: str, opened: SavedView | None = None, **context: Any) -> Response:
    """The history of `scope`: the page `template` (which includes history/_history.html), the rows for htmx, or with
    ?format= the export of exactly what is filtered. `context` is the page's own. `opened` is what a short address
    stands for."""
    asked = history_asked.of_request(scope, opened)
    if "format" in request.args:
        return _export(asked, datetime.now(UTC))
    if asked.exposed:
        return _covered(asked)
    return show(asked, template, **context)


def show(asked: Asked, template: str, **context: Any) -> Response:
    """The page `template` of what is asked, or htmx's piece of it."""
    scope, filter_, now = asked.scope, asked.filter, datetime.now(UTC)
    question, everything = prepared.question(scope, filter_, now), scope.kind == "global"
    found = pages.answer(question, filter_, counted=not everything)
    late = found.count is pages.UNCOUNTED
    whole = not wants_partial()
    # What the panel offers, which names a segment too.
    offered = history_panels.is_unfolded(asked) if whole else bool(filter_.segment or filter_.sender or filter_.by)
    near = around.read(question, current_user, tabs=everything, count=late, beside=whole, offered=offered)
    if whole:
        g.ready_exports, g.untreated, g.trouble = near.exports, near.failures, near.trouble
    g.pinned_views = [(view.name, view.public_id, view.query) for view in near.views if view.pinned]
    if late:
        found = replace(found, count=pages.at_least(near.count or Count(0, exact=False), len(found.rows)))
    typed, mistakes = history_asked.recall_mistakes() if whole else ("", [])
    view = View(asked, found, now, near, typed, mistakes)
    if whole and not context and is_quiet():
        return make_response(kept(template, Values(view), history=HOLLOW))
    response = page(template, "history/_rows.html", history=view, **context)
    if not whole:
        response.headers.update(history_asked.moved(asked))
    return response


def _covered(asked: Asked) -> Response:
    """For a person who wants no words in addresses, come by one that says them: the way to a short one."""
    if wants_partial():  # a page from before that wish: it comes anew
        return Response(status=204, headers={"HX-Refresh": "true"})
    response = page("history/covered.html", asked=asked, scope_key=export_jobs.scope_key(asked.scope))
    response.headers["Referrer-Policy"] = "origin"  # what the page loads is logged with where it was asked from
    return response


def _export(asked: Asked, now: datetime) -> Response:
    scope, filter_ = asked.scope, asked.filter
    if not current_user.may(Permission.EXPORT):
        abort(403)
    try:
        format_ = export.Format(request.args["format"])
    except ValueError:
        abort(400)
    if not format_.is_list:
        if not current_user.may(Permission.AUDIT):
            abort(403)
        return redirect(whole_lists.address("proofs.offer", asked), 303)  # type: ignore[return-value]
    most = export_jobs.at_once(scope, filter_.with_(), now, format_)
    if most is None:  # too long to wait for: a job's
        key = export_jobs.scope_key(scope)
        pairs = [("format", format_.value), *([("in", key)] if key else []), *asked.pairs(filter_.with_())]
        return redirect(f"{url_for('exports.new')}?{urlencode(pairs)}", 303)  # type: ignore[return-value]
    audit.taken(AuditAction.LIST_EXPORTED, format=format_.value, query=export_jobs.query_of(scope, filter_))
    body = stream_with_context(export.stream(scope, filter_.with_(), now, format_, most))
    response = make_response(Response(body, content_type=format_.media_type))
    name = export.filename(filter_, now, scope.zone, format_)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response
