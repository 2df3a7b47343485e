"""Configuration › Systèmes de facturation: who may tell events by webhook. A secret is shown once, when it is made."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import StringField

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, get_or_404, page
from errors import UserMistake
from extensions import db, settings
from i18n import N_, _
from models import AuditAction, BillingSource
from models.words import Permission
from people import audit
from planning import billing
from webhooks import signing

blueprint = Blueprint("billing_sources", __name__)


class SourceForm(BaseForm):
    """A billing system."""

    name = StringField(
        N_("Nom"), [Needed(N_("Donnez un nom à ce système.")), Line(100)],
        description=N_("Celui du logiciel ou du prestataire : il s'affichera auprès de ses évènements."),
    )  # fmt: skip


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page("billing/index.html", sources=billing.listed(current_user.organisation_id), address=address)


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    form = SourceForm()
    if form.validate_on_submit():
        secret = signing.new_secret()
        try:
            made = billing.make(current_user.organisation_id, form.name.data or "", signing.seal(secret))
        except UserMistake as mistake:
            form.name.errors = [_(mistake.message, **mistake.values)]
        else:
            audit.note(AuditAction.BILLING_CREATED, made, name=made.name)
            db.session.commit()
            response = page("billing/secret.html", source=made, secret=secret, address=address(made))
            response.headers["Cache-Control"] = "no-store"
            return response
    return page("billing/form.html", status=422 if request.method == "POST" else 200, form=form)


@blueprint.post("/<public_id>/revoke")
@allow(Permission.CONFIGURE)
def revoke(public_id: str) -> Response:
    source = get_or_404(BillingSource, public_id)
    if billing.revoke(source):
        flash(_("« %(name)s » ne peut plus rien annoncer.", name=source.name), "success")
        audit.note(AuditAction.BILLING_REVOKED, source, name=source.name)
    db.session.commit()
    return redirect(url_for("billing_sources.index"), 303)  # type: ignore[return-value]


def address(source: BillingSource) -> str:
    """Where the billing system sends its events."""
    return f"{settings().base_url}{url_for('billing.told', source_id=source.public_id)}"
