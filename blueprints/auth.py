"""Signing in and out, one's own password, and preferences (language, theme, a key, the digest).

Tries are limited per account and per address of the network (RELIABILITY X13). The account's limit holds for
strange browsers only: one that has signed in before carries a signed mark and is counted by itself, so nobody
can be locked out by another's wrong guesses.
"""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, abort, current_app, flash, g, redirect, request, session, url_for
from flask_login import current_user, login_user, logout_user
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import func
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, EmailField, PasswordField

import i18n
from blueprints.forms import BaseForm, Needed
from blueprints.own_origin import own_path
from blueprints.passwords import NewPassword
from blueprints.support import SAME_FOR_ALL, allow, allow_anyone, page
from extensions import db, limiter, settings
from i18n import N_, _
from models import AuditAction, User
from models.words import Permission
from people import accounts, audit, first_steps

blueprint = Blueprint("auth", __name__)
_KNOWN = "known"  # the cookie by which a browser that has signed in before is told from a stranger's
_WRONG = 422


class SignInForm(BaseForm):
    email = EmailField(N_("Adresse e-mail"), [Needed(N_("Indiquez votre adresse e-mail."))])
    password = PasswordField(N_("Mot de passe"), [Needed(N_("Indiquez votre mot de passe."))])
    remember = BooleanField(N_("Rester connecté sur cet appareil"))


class PasswordForm(NewPassword):
    current = PasswordField(N_("Mot de passe actuel"), [Needed(N_("Indiquez votre mot de passe actuel."))])


def _account() -> str:
    """The account that a try is for, as a key: the address typed, folded and hashed."""
    typed = request.form.get("email", "").strip().lower()
    return hashlib.sha256(typed.encode(errors="replace")).hexdigest()[:32]


def _known_browser() -> bool:
    """Whether this browser has signed in to the account before."""
    try:
        return _signer().loads(request.cookies.get(_KNOWN, "")) == _account()
    except BadSignature:
        return False


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().signing_keys, salt="known-browser")


def _tries_key() -> str:
    """Who shares the account's tries: strange browsers together, a known one by itself."""
    who = hashlib.sha256(request.cookies[_KNOWN].encode()).hexdigest()[:16] if _known_browser() else "stranger"
    return f"account:{_account()}:{who}"


def _failed(response: Response) -> bool:
    return response.status_code == _WRONG


_per_account = limiter.limit("100 per hour", key_func=_tries_key, methods=["POST"], deduct_when=_failed)
_per_pair = limiter.limit(
    "10 per 15 minutes", key_func=lambda: f"{_tries_key()}:{request.remote_addr}", methods=["POST"], deduct_when=_failed
)
_per_address = limiter.limit("60 per 5 minutes", methods=["POST"], deduct_when=_failed)

_per_user = limiter.limit(
    "10 per 15 minutes", key_func=lambda: f"user:{current_user.get_id()}", methods=["POST"], deduct_when=_failed
)


@blueprint.route("/sign-in", methods=["GET", "POST"])
@allow_anyone
@_per_address
@_per_account
@_per_pair
def sign_in() -> AnyResponse:
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(_next(), 303)
    if request.method == "GET" and not first_steps.anybody():
        return redirect(url_for("first_run.door"), 303)
    form = SignInForm()
    if form.validate_on_submit():
        user = accounts.authenticate(form.email.data or "", form.password.data or "")
        if user is not None:
            return _enter(user, bool(form.remember.data))
        audit.refused(form.email.data or "")
        form.form_errors.append(_("Adresse ou mot de passe inconnu."))
    status = _WRONG if request.method == "POST" else 200
    return page("auth/sign_in.html", status=status, form=form, demo_accounts=_demo_accounts())


@blueprint.post("/sign-in/demo")
@allow_anyone
@limiter.limit("60 per minute")
def demo() -> AnyResponse:
    email = request.form.get("email", "").lower()
    if not _demo_open() or email not in accounts.DEMO_ACCOUNTS:
        abort(404)
    user = accounts.find_user(email)
    if user is None or not user.active:
        abort(404)
    return _enter(user, False)


@blueprint.post("/sign-out")
@allow_anyone
def sign_out() -> AnyResponse:
    chosen = session.get("language")
    if current_user.is_authenticated:
        audit.note(AuditAction.SIGNED_OUT, current_user.email)
        db.session.commit()
    logout_user()
    session.clear()
    if chosen:
        session["language"] = chosen
    return redirect(url_for("auth.sign_in"), 303)


@blueprint.route("/account", methods=["GET", "POST"])
@allow(Permission.READ)
@_per_user
def account() -> AnyResponse:
    form = PasswordForm()
    if form.validate_on_submit():
        if accounts.authenticate(current_user.email, form.current.data or ""):
            accounts.set_password(current_user, form.new.data or "")
            audit.note(AuditAction.ACCOUNT_CHANGED, current_user.email, changed=["password"])
            db.session.commit()
            session["stamp"] = accounts.stamp(current_user)
            flash(_("Votre mot de passe est changé. Vos autres appareils sont déconnectés."), "success")
            return redirect(url_for("auth.account"), 303)
        form.current.errors = [_("Ce n'est pas votre mot de passe actuel.")]
    status = _WRONG if request.method == "POST" else 200
    slash = request.cookies.get("slash") != "off"
    return page(
        "auth/account.html", status=status, form=form, digest=accounts.wants_digest(current_user), slash=slash
    )


@blueprint.post("/account/digest")
@allow(Permission.READ)
def digest() -> AnyResponse:
    accounts.prefer_digest(current_user, request.form.get("digest") == "1")
    db.session.commit()
    if accounts.wants_digest(current_user):
        flash(_("Vous recevrez chaque matin ouvré ce qui reste à traiter."), "success")
    else:
        flash(_("Vous ne recevrez plus le récapitulatif du matin."), "success")
    return redirect(url_for("auth.account"), 303)


@blueprint.post("/language")
@allow_anyone
def language() -> AnyResponse:
    chosen = request.form.get("language", "")
    if chosen in i18n.LANGUAGES:
        session["language"] = chosen
        if current_user.is_authenticated and current_user.language != chosen:
            current_user.language = chosen
            db.session.commit()
    return redirect(_next(), 303)


@blueprint.post("/theme")
@allow_anyone
def theme() -> AnyResponse:
    response = redirect(_next(), 303)
    chosen = request.form.get("theme", "")
    if chosen in ("light", "dark", "auto"):
        _remember(response, "theme", chosen)
    return response


@blueprint.post("/account/keys")
@allow(Permission.READ)
def keys() -> AnyResponse:
    """Whether "/" alone goes to the search, in this browser (WCAG 2.1.4): who speaks to a computer turns it off."""
    response = redirect(url_for("auth.account"), 303)
    off = request.form.get("slash") != "1"
    if off:
        flash(_("La touche « / » ne sert plus qu'à écrire. Ctrl-K ouvre la recherche."), "success")
    else:
        flash(_("La touche « / » mène à la recherche."), "success")
    # read by static/js/app.js and search.js: nothing secret
    _remember(response, "slash", "off" if off else "on", httponly=False)
    return response


@blueprint.before_app_request
def _end_stale_session() -> None:
    """A browser session ends when the account's password has changed since."""
    if request.endpoint in SAME_FOR_ALL:
        return
    if "stamp" in session and current_user.is_authenticated and session["stamp"] != accounts.stamp(current_user):
        logout_user()
        session.clear()


def _enter(user: User, remember: bool) -> AnyResponse:
    """A new browser session for that person: nothing of the old one stays but the language."""
    chosen = session.get("language")
    session.clear()
    session.permanent = remember
    login_user(user)
    session["stamp"] = accounts.stamp(user)
    if chosen:
        session["language"] = chosen
    g.pop("language", None)
    user.last_seen_at = func.now()
    audit.note(AuditAction.SIGNED_IN, user.email, by=user)
    db.session.commit()
    response = redirect(_next(), 303)
    _remember(response, _KNOWN, _signer().dumps(hashlib.sha256(user.email.lower().encode()).hexdigest()[:32]))
    return response


def _remember(response: AnyResponse, name: str, value: str, httponly: bool = True) -> None:
    """A cookie of a year, for this site's own requests."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    response.set_cookie(name, value, max_age=365 * 86400, samesite="Lax", secure=secure, httponly=httponly)


def _next() -> str:
    target = request.form.get("next") or request.args.get("next")
    return own_path(target, url_for("dashboard.home"))


def _demo_open() -> bool:
    return settings().env in ("demo", "development")


def _demo_accounts() -> list[dict[str, str]]:
    """What the sign-in page offers for one click; nothing in production."""
    if not _demo_open():
        return []
    found = [accounts.find_user(email) for email in accounts.DEMO_ACCOUNTS]
    return [
        {
            "email": user.email,
            "name": user.name,
            "role": _(user.role.label),
            "organisation": user.organisation.name,
            "action": url_for("auth.demo"),
        }
        for user in found
        if user and user.active
    ]
