"""E-mails: the organisation's list and its exports, one e-mail, its frozen parts, live rows.

What is a stranger's (body, files, source) leaves by routes of its own, each with a policy that lets nothing run.
"""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import quote

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import current_user

from blueprints.email_details import context
from blueprints.erased import gone
from blueprints.history_cells import Cells
from blueprints.history_live import live
from blueprints.history_views import render_history
from blueprints.own_origin import own_path
from blueprints.support import allow, page, wants_partial
from errors import Permanent
from extensions import db, limiter
from history import Scope, columns, detail, safe_html, short_links, views
from i18n import _, ngettext
from mail import links, look, mime
from models.words import Permission
from webhooks import pictures

__all__ = ["blueprint", "render_history"]

blueprint = Blueprint("emails", __name__)

_BODY_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; "
    "base-uri 'none'; sandbox"
)
_FILE_POLICY = "default-src 'none'; frame-ancestors 'self'"
_KINDS = ("session", "contact", "global")
_KNOWN = re.compile(r"(E-[0-9a-zA-Z]{1,20})\.([0-9a-f]{8})")
_MOST_LIVE = 200


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    chosen = views.default_view(current_user) if not request.args and not wants_partial() else ""
    view = views.find(current_user, chosen) if chosen else None
    if view is not None and view.query:
        opening = short_links.opening(current_user, view.public_id, view.query)
        return redirect(f"{url_for('emails.index')}?{opening}", 303)  # type: ignore[return-value]
    return render_history(Scope(current_user.organisation_id), "emails/index.html")


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def email(public_id: str) -> Response:
    found = _about(public_id)
    kind, fold = _kind(), request.args.get("fold") == "1"
    if wants_partial():
        shown = columns.shown(kind, views.columns_of(current_user, kind))
        return page("", "history/_opened.html", columns=shown, cells=Cells(kind), fold=fold, **context(found))
    return page("emails/email.html", back=_back(found), **context(found))


@blueprint.get("/<public_id>/body")
@allow(Permission.READ)
def body(public_id: str) -> Response:
    stored = _frozen(public_id)
    said = mime.shown(stored.skeleton)
    if said.html:
        safe = safe_html.from_html(links.unwrapped(said.html), stored.subject, _images(stored))
    elif said.text:
        safe = safe_html.from_text(said.text, stored.subject)
    else:
        safe = safe_html.nothing(_("Cet e-mail n'a pas de texte."))
    return _shown(safe)


@blueprint.post("/<public_id>/images")
@allow(Permission.READ)
@limiter.limit("60 per 10 minutes")
def images(public_id: str) -> Response:
    """The body once more, with the pictures that are elsewhere: their servers are asked, this once, because a person
    pressed. A POST, so that no address leads anybody into it."""
    stored = _frozen(public_id)
    said = mime.shown(stored.skeleton)
    html = links.unwrapped(said.html or "")
    found: list[str] = []
    db.session.rollback()  # nothing is held while strangers answer
    safe_html.from_html(html, found=found)
    elsewhere = [url for url in dict.fromkeys(found) if not pictures.ours(url)]
    got = pictures.fetched(elsewhere)
    missing = len(elsewhere) - len(got)
    safe = (
        safe_html.from_html(html, stored.subject, _images(stored), got) if html
        else safe_html.from_text(said.text or "", stored.subject)
    )  # fmt: skip
    if not elsewhere:
        safe = safe_html.with_note(safe, _("Cet e-mail ne montre aucune image distante."))
    elif missing:
        left = ngettext(
            "%(num)s image distante n'est pas montrée : introuvable, trop lourde, trop lente ou pas en https.",
            "%(num)s images distantes ne sont pas montrées : introuvables, trop lourdes, trop lentes ou pas en https.",
            missing,
        )
        safe = safe_html.with_note(safe, left)
    return _shown(safe)


@blueprint.get("/<public_id>/source")
@allow(Permission.READ)
def source(public_id: str) -> Response:
    stored = _frozen(public_id)
    try:
        exact = mime.join(stored.skeleton, stored.cuts)
    except Permanent:
        abort(410)
    return _download(Response(exact), f"{stored.public_id}.eml", "message/rfc822")


@blueprint.get("/changed")
@allow(Permission.READ)
def changed() -> Response:
    """Rows among ?rows=E-1.version,… that are no longer as the page knows them; 286 stops the asking."""
    known = dict(_KNOWN.findall(request.args.get("rows", "")[:8000])[:_MOST_LIVE])
    calm = request.args.get("calm", "0")
    rows = detail.rows_of(current_user.organisation_id, list(known)) if known else []
    news = [row for row in rows if row.version != known[row.public_id]]
    again = live(rows, _kind(), 0 if news else min(int(calm) if calm.isdigit() and len(calm) < 4 else 0, 999) + 1)
    answer = render_template(
        "history/_changed.html", news=news, live=again, columns=_columns(), cells=Cells(_kind()),
        open=set(request.args.getlist("open")),
    )  # fmt: skip
    response = make_response(answer, 200 if again else 286)
    response.headers["Cache-Control"] = "no-store"
    return response


def _shown(safe: safe_html.Safe) -> Response:
    response = make_response(str(safe.document))
    response.headers["Content-Security-Policy"] = _BODY_POLICY
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _about(public_id: str) -> detail.Detail:
    return detail.about(current_user.organisation_id, public_id) or abort(404)


def _frozen(public_id: str) -> detail.Frozen:
    found = detail.frozen(current_user.organisation_id, public_id) or abort(404)
    if found.erased_at is not None:
        gone(public_id, found.erased_at)
    return found


def _images(stored: detail.Frozen) -> dict[str, str]:
    """Content-ID → data: address of the images that came within the message; one whose bytes are gone is left out."""
    found = {}
    for cid, (sha256, media_type) in mime.images(stored.skeleton, stored.cuts).items():
        with suppress(Permanent):
            found[cid] = look.data_address(sha256, media_type)
    return found


def _columns() -> list[columns.Column]:
    return columns.shown(_kind(), views.columns_of(current_user, _kind()))


def _kind() -> columns.Kind:
    kind = request.args.get("list", "")
    return kind if kind in _KINDS else "global"  # type: ignore[return-value]


def _back(found: detail.Detail) -> str:
    """The history one came from, with its filter (the browser's Referer, if it is a page of ours), else the list."""
    came = request.referrer or ""
    host = request.host_url.rstrip("/")
    default = url_for("emails.index")
    if found.row.session_id:
        default = url_for("sessions.emails", public_id=found.row.session_id)
    path = own_path(came.removeprefix(host), default) if came.startswith(host + "/") else default
    where = path.partition("?")[0]
    return path if where.endswith("/emails") or where.startswith("/v/") else default


def _download(response: Response, name: str, media_type: str, in_place: bool = False) -> Response:
    """A stranger's bytes: shown in place only where that is safe, under a name by RFC 6266 and 5987."""
    plain = re.sub(r"[^ !#$&+\-.0-9A-Z^_`a-z{}~]", "_", name)[:150] or "piece"
    response.headers["Content-Type"] = media_type
    response.headers["Content-Disposition"] = (
        f"{'inline' if in_place else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    )
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
