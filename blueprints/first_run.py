"""The door of an empty house: its first organisation and the account of its first admin, made once.

Only whoever can read the terminal (or run `flask first-run`) knows the code that is asked for. As soon as there is an
account the page is gone; the same press of two people makes one.
"""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, Response, abort, redirect, request, session, url_for
from flask_login import login_user
from sqlalchemy import func
from werkzeug.wrappers import Response as AnyResponse
from wtforms import EmailField, StringField

import i18n
from blueprints.forms import Line, MailAddress, Needed
from blueprints.passwords import NewPassword
from blueprints.support import allow_anyone, page
from config import first_run_code
from errors import UserMistake
from extensions import db, limiter, settings
from i18n import N_, _
from mail import templates
from models import AuditAction
from models.words import Role
from people import accounts, audit, first_steps

blueprint = Blueprint("first_run", __name__)


class FirstRunForm(NewPassword):
    organisation = StringField(N_("Nom de l'organisme"), [Needed(N_("Indiquez le nom de l'organisme.")), Line(200)])
    name = StringField(N_("Votre nom"), [Needed(N_("Indiquez votre nom.")), Line(120)])
    email = EmailField(
        N_("Votre adresse e-mail"), [Needed(N_("Indiquez votre adresse e-mail.")), Line(254), MailAddress()],
        description=N_("Elle vous servira à vous connecter."),
    )  # fmt: skip
    code = StringField(
        N_("Code de démarrage"), [Needed(N_("Indiquez le code de démarrage.")), Line(80)],
        description=N_("Affiché dans la fenêtre où Sillage a été lancé."),
    )  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for last in ("new", "again", "code"):  # mistakes are told in the order of the page
            self._fields[last] = self._fields.pop(last)


def _failed(response: Response) -> bool:
    return response.status_code == 422


@blueprint.route("/first-run", methods=["GET", "POST"])
@allow_anyone
@limiter.limit("20 per 15 minutes", methods=["POST"], deduct_when=_failed)
def door() -> AnyResponse:
    if first_steps.anybody():
        abort(404)
    form = FirstRunForm(data={"code": request.args.get("code", "")[:80]})
    if form.validate_on_submit():
        if not _knows(form.code.data or ""):
            form.code.errors = [_("Ce n'est pas le code de cette installation.")]
        else:
            try:
                return _begin(form)
            except UserMistake:  # somebody else pressed a moment before
                db.session.rollback()
                return redirect(url_for("auth.sign_in"), 303)
    return page("first_run/door.html", status=422 if request.method == "POST" else 200, form=form)


def _knows(typed: str) -> bool:
    """Whether that is the house's code, however its groups were typed."""
    said = "".join(typed.lower().split()).replace("-", "")
    return hmac.compare_digest(said.encode(), first_run_code(settings().secret_key).replace("-", "").encode())


def _begin(form: FirstRunForm) -> AnyResponse:
    """Make the house, and let its admin in."""
    language = i18n.language()
    user = first_steps.begin(
        organisation=form.organisation.data or "", name=form.name.data or "", email=form.email.data or "",
        password=form.new.data or "", language=language,
    )  # fmt: skip
    templates.ensure_defaults(user.organisation)
    audit.note(AuditAction.USER_CREATED, user.email, by=user, role=Role.ADMIN.value)
    session.clear()
    login_user(user)
    session["stamp"] = accounts.stamp(user)
    session["language"] = language
    user.last_seen_at = func.now()
    audit.note(AuditAction.SIGNED_IN, user.email, by=user)
    db.session.commit()
    return redirect(url_for("start.index"), 303)
