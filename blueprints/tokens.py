"""Configuration › Clés d'API, for admins: the list, a new one (its secret shown once), revoking."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, page
from extensions import db
from i18n import N_, _
from models import ApiToken, AuditAction
from models.words import Permission
from people import accounts, audit, tokens

blueprint = Blueprint("tokens", __name__)


class TokenForm(BaseForm):
    """A new token: for what, and what it may do."""

    name = StringField(
        N_("Nom"), [Needed(N_("Indiquez à quoi sert la clé.")), Line(80)],
        description=N_("Le programme qui s'en servira, par exemple « Facturation »."),
    )  # fmt: skip
    scopes = SelectMultipleField(
        N_("Ce qu'elle permet"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scopes.choices = [(one.value, _(one.meaning)) for one in tokens.allowed_to(current_user.role)]

    def validate_scopes(self, field: Any) -> None:
        if not field.data:
            raise ValidationError(_("Choisissez au moins un droit."))


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page("tokens/index.html", tokens=tokens.listed(current_user.organisation_id), access=list(tokens.Access))


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    form = TokenForm(data={"scopes": [tokens.Access.READ.value]})
    if form.validate_on_submit():
        scopes = " ".join(access.value for access in tokens.Access if access.value in (form.scopes.data or ()))
        token, secret = accounts.new_token(current_user, form.name.data or "", scopes)
        audit.note(AuditAction.TOKEN_CREATED, token.prefix, name=token.name, scopes=scopes)
        db.session.commit()
        response = page("tokens/secret.html", token=token, secret=secret)
        response.headers["Cache-Control"] = "no-store"
        return response
    access = {one.value: one for one in tokens.Access}
    return page("tokens/new.html", status=422 if request.method == "POST" else 200, form=form, access=access)


@blueprint.post("/<int:token_id>/revoke")
@allow(Permission.CONFIGURE)
def revoke(token_id: int) -> Response:
    query = select(ApiToken).where(
        ApiToken.id == token_id, ApiToken.organisation_id == current_user.organisation_id
    )  # fmt: skip
    token = (db.session.scalar(query) if token_id < 2**63 else None) or abort(404)
    tokens.revoke(token)
    audit.note(AuditAction.TOKEN_REVOKED, token.prefix, name=token.name)
    db.session.commit()
    flash(_("La clé « %(name)s » est révoquée : les programmes qui s'en servent sont refusés.", name=token.name))
    return redirect(url_for("tokens.index"), 303)  # type: ignore[return-value]
