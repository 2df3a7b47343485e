"""What every view shares: who may call it, scoped look-ups, full page or partial, headers, errors, Jinja globals."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from redis.exceptions import RedisError
from sqlalchemy import bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, ServiceUnavailable

import i18n
from blueprints import keeping, problems, search_help, slashes
from blueprints.keeping import kept
from errors import Temporary
from extensions import db, login, settings
from history import short_links, views
from history.form import form_of
from history.trouble import Stopped
from i18n import _
from models import Export, User
from models.words import ALLOWED, Permission, Role
from people import first_steps

View = TypeVar("View", bound=Callable[..., Any])
T = TypeVar("T")

_PERSON = select(User).where(User.id == bindparam("id"))  # made once: every page asks it

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
ANYONE = "anyone"
SAME_FOR_ALL = ("static", "sheets.sheet_css")  # files: who asks is not looked at, nor told
# What is raised while the database, Redis or a disk is away; psycopg's own by what is copied past SQLAlchemy.
_AWAY = (
    OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, RedisError,
    Temporary,
)  # fmt: skip
_TO_RECIPIENTS = ("/f/", "/r/", "/t/")  # pages behind an e-mail's own addresses: who reads them has no account
_SHOWN_ERRORS = (400, 401, 403, 404, 405, 410, 413, 415, 422, 429, 500, 503)


def allow(permission: Permission) -> Callable[[View], View]:
    """Guard a view: a signed-in person whose role has `permission`; 403 for another role, sign-in for a stranger."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not current_user.is_authenticated:
                return login.unauthorized()
            if not current_user.may(permission):
                abort(403)
            return view(*args, **kwargs)

        guarded.guard = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def allow_anyone(view: View) -> View:
    """State that a view needs no sign-in."""
    view.guard = ANYONE  # type: ignore[attr-defined]
    return view


def get_or_404(model: type[T], public_id: str) -> T:
    """The row of the person's own organisation with that public id; 404 for none and for another organisation's."""
    query = select(model).where(
        model.public_id == public_id,  # type: ignore[attr-defined]
        model.organisation_id == current_user.organisation_id,  # type: ignore[attr-defined]
    )
    row = db.session.execute(query).scalar_one_or_none()
    if row is None:
        abort(404)
    return row


def wants_partial() -> bool:
    """True when htmx asks for a piece of the page (not when it rebuilds a page for Back)."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def posted(field: str) -> str:
    """One word of the posted form, cut to a sane length."""
    return request.form.get(field, "")[:64]


def done(words: str, where: str) -> Response:
    """Keep what was done, say so at the top of the next page, and go there."""
    db.session.commit()
    flash(words, "success")
    return redirect(where, 303)  # type: ignore[return-value]


def page(template: str, partial: str | None = None, status: int = 200, **context: Any) -> Response:
    """Render `template`, or its `partial` (`_name.html`) when htmx asks; partials are never stored."""
    name = partial if partial and wants_partial() else template
    response = make_response(render_template(name, **context), status)
    if name == partial:
        response.headers["Cache-Control"] = "no-store"
    return response


@lru_cache(maxsize=256)
def _version(path: str, stamp: float) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:6]


def asset(path: str) -> str:
    """The address of a static file with a version made of its bytes, so that browsers may keep it for good. Looked at
    once: a page has hundreds of icons (in debug mode each time, for the file may be at work)."""
    known: dict[str, str] = current_app.extensions.setdefault("assets", {})
    if path not in known or current_app.debug:
        known[path] = _asset(path)
    return known[path]


def static(path: str) -> str:
    """The address of a static file whose name tells its version."""
    return url_for("static", filename=path)


def _asset(path: str) -> str:
    file = Path(current_app.static_folder or "", path)
    return url_for("static", filename=path, v=_version(str(file), file.stat().st_mtime))


@login.user_loader
def _load_user(user_id: str) -> User | None:
    user = db.session.scalar(_PERSON, {"id": int(user_id)}) if user_id.isdigit() else None
    return user if user and user.active else None


@login.unauthorized_handler
def _unauthorized() -> Response:
    where = url_for("auth.sign_in", next=request.full_path if request.method == "GET" else None)
    if request.headers.get("HX-Request") == "true":
        return Response(status=401, headers={"HX-Redirect": url_for("auth.sign_in")})
    return Response(status=303, headers={"Location": where})


def _somebody() -> bool:
    """Whether the answer is to a person who is signed in, or who says so while the database is away."""
    try:
        return bool(current_user and current_user.is_authenticated)
    except _AWAY:  # a page that asks no table is finished all the same
        _be_nobody()
        return True


def _be_nobody() -> None:
    """Let nobody be looked up while the database is away and a page is made all the same."""
    try:
        db.session.rollback()
    except Exception:  # the connection is gone; there is nothing left to undo
        db.session.remove()
    g._login_user = login.anonymous_user()


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        if response.status_code == 200 and ("v" in request.args or request.path.startswith("/static/vendor/")):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"  # its address says its version
    elif request.endpoint not in SAME_FOR_ALL:
        response.vary.add("HX-Request")
        if _somebody():
            response.vary.add("Cookie")
            response.headers.setdefault("Cache-Control", "no-cache, private")
    return response


def answered(error: HTTPException) -> Response | HTTPException:
    code = error.code or 500
    if problems.asked():
        return problems.answer(error)
    if code == 404 and (elsewhere := slashes.without_slash()):
        return elsewhere  # type: ignore[return-value]
    if code not in _SHOWN_ERRORS:
        return error
    if code == 503:
        return _away(error)
    return _error_page(code, error)


def _error_page(code: int, error: HTTPException) -> Response:
    try:
        i18n.language()  # it may be the person's own
        bool(current_user.is_authenticated)
    except _AWAY as away:
        return _away(away)
    shown = render_template(
        "errors/error.html", code=code, error=error, stale=isinstance(error, CSRFError),
        recipient=request.path.startswith(_TO_RECIPIENTS),
    )  # fmt: skip
    response = make_response(shown, code)
    if getattr(error, "retry_after", None) is not None:
        response.headers["Retry-After"] = str(error.retry_after)  # type: ignore[attr-defined]
    return response


def _away(error: Exception) -> Response:
    """The database is away: a page of its own, or its sentence as a piece, that needs neither the database nor a
    signed-in person."""
    _be_nobody()
    if problems.asked():
        return problems.answer(ServiceUnavailable())
    response = page("errors/away.html", "errors/_away.html", 503)
    response.headers["Retry-After"] = "10"
    return response


def _disk(error: OSError) -> Response:
    """A full disk where an upload waits while it is read. Any other trouble with a file is a mistake of ours."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return _away(error)


def _csrf_error(error: CSRFError) -> Response:
    return _error_page(403, error)


def setup(app: Flask) -> None:
    """Headers, error pages and Jinja globals."""
    keeping.setup(app)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, answered)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(OSError, _disk)
    for away in _AWAY:
        app.register_error_handler(away, _away)
    app.jinja_env.globals.update(
        asset=asset,
        static=static,
        csrf_token=keeping.csrf_token,
        language=i18n.language,
        languages=i18n.LANGUAGES,
        settings=settings,
        form_of=form_of,
        nav=nav,
        search_offered=search_help.offered,
        sidebar=sidebar,
        ready_exports=ready_exports,
        trouble=trouble,
        theme=theme,
        Permission=Permission,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def ready_exports() -> list[Export]:
    """The person's exports that are ready and not yet fetched; asked once a request."""
    if "ready_exports" not in g:
        known = views.beside(current_user) if current_user.is_authenticated else ([], [], 0, ())
        pinned, g.ready_exports, g.untreated, g.trouble = known
        g.setdefault("pinned_views", pinned)  # a page may have read them already
    return g.ready_exports


def trouble() -> tuple[Stopped, ...]:
    """The senders whose e-mails cannot leave now; asked with the exports."""
    ready_exports()
    return tuple(g.trouble)


def _to_treat() -> str:
    """How many failures nobody has dealt with, as the navigation says it; asked with the exports."""
    ready_exports()
    return f"{views.MOST_COUNTED}+" if g.untreated > views.MOST_COUNTED else str(g.untreated or "")


def _pinned() -> tuple[tuple[str, str, bool], ...]:
    """(name, address, whether it is the page's) of the saved views that stand in the navigation (a page that has read
    them has left them in g)."""
    ready_exports()
    index = url_for("emails.index")
    asked = request.query_string.decode(errors="replace") if request.path == index else None
    opened = [(name, short_links.opening(current_user, public_id, query)) for name, public_id, query in g.pinned_views]
    return tuple((name, f"{index}?{query}", asked == query) for name, query in opened)


def theme() -> str:
    """light, dark or auto, as the person chose."""
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in ("light", "dark") else "auto"


def sidebar() -> Markup:
    """The left-hand column: navigation, language, theme, account."""
    to_treat, path = _to_treat(), request.path
    here = request.full_path if request.query_string else path
    return kept(
        "_sidebar.html",
        {"here": here},
        path="/".join(path.split("/", 3)[:3]),  # no item's address is longer
        chosen=theme(),
        house=current_user.organisation.name,
        person=current_user.name,
        role=current_user.role,
        pinned=_pinned(),
        to_treat=to_treat,
        exports=len(ready_exports()),
        starting=first_steps.shown_to(current_user),
    )


def is_quiet() -> bool:
    """Whether a page has nothing to tell but what it is about: then all around it may be kept (blueprints.keeping)."""
    return not (ready_exports() or g.get("trouble") or "_flashes" in session)


# What a kept page wants of every request.
PAGE: dict[str, Callable[[], Any]] = {
    "house": lambda: current_user.organisation.name, "sidebar": sidebar, "theme": theme,
}  # fmt: skip


def nav(
    here: str, role: Role, pinned: tuple[tuple[str, str, bool], ...], to_treat: str, exports: int, starting: bool
) -> list[Any]:
    """The navigation: what exists for a role, and where the person is (the first two names of the path)."""

    def item(label: str, icon: str, url: str, *children: dict[str, Any]) -> dict[str, Any]:
        active = here == url or here.startswith(url + "/") or any(c["active"] for c in children)
        return {"label": label, "icon": icon, "url": url, "active": active, "children": list(children)}

    contacts = [
        item(_("Apprenants"), "school", url_for("contacts.index", kind="learners")),
        item(_("Entreprises"), "building", url_for("contacts.index", kind="companies")),
        item(_("Intervenants"), "presentation", url_for("contacts.index", kind="trainers")),
        item(_("Clients"), "user", url_for("contacts.index", kind="customers")),
        item(_("Financeurs"), "stack-2", url_for("contacts.index", kind="funders")),
        item(_("Programmes"), "clipboard-list", url_for("programmes.index")),
    ]
    items = [
        *([item(_("Premiers pas"), "list-check", url_for("start.index"))] if starting else []),
        item(_("Tableau de bord"), "layout-dashboard", url_for("dashboard.home")),
        item(_("À traiter"), "clipboard-check", url_for("todo.index")) | {"count": to_treat},
        item(_("Sessions"), "calendar", url_for("sessions.index")),
        item(_("Opportunités"), "briefcase", url_for("opportunities.index")),
        item(_("Données"), "users", url_for("contacts.index", kind="learners"), *contacts),
        item(
            _("Abonnés"), "list-details", url_for("emails.index"),
            item(_("E-mails envoyés"), "mail", url_for("emails.index")),
            *(item(label, "eye", url) | {"active": active} for label, url, active in pinned),
            item(_("Évènements reçus"), "bolt", url_for("events.index")),
            item(_("Segments"), "users-group", url_for("segments.index")),
            item(_("Exports"), "download", url_for("exports.index")) | {"count": exports},
            *(
                (item(_("Renvois"), "repeat", url_for("resend_runs.index")),)
                if Permission.RESEND in ALLOWED[role] else ()
            ),
        ),
    ]  # fmt: skip
    if Permission.CONFIGURE in ALLOWED[role]:
        items.append(item(_("Configuration"), "settings", url_for("settings.index")))
    else:
        items.append(item(_("Modèles d'e-mails"), "template", url_for("templates.index")))
        if Permission.AUDIT in ALLOWED[role]:  # of Configuration, this is a manager's alone
            items.append(item(_("Journal"), "history", url_for("audit.index")))
    return items
