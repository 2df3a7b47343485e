"""Configuration, for admins: its first page, the organisation, the senders, the users."""

from __future__ import annotations

from typing import TypeVar

from flask import Blueprint, abort, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

import mail
from blueprints import configuration
from blueprints.settings_forms import OrganisationForm, SenderForm, UserForm, keep_sender
from blueprints.support import allow, done, page
from extensions import db
from i18n import _
from mail import domain_checks
from mail.accounts import house
from models import AuditAction, Sender, SmtpAccount, User
from models.words import Permission, Role
from people import accounts, audit

blueprint = Blueprint("settings", __name__)
blueprint.add_app_template_global(configuration.standing, "configuration_of")
Row = TypeVar("Row", Sender, User)


def _own_or_404(model: type[Row], row_id: int) -> Row:
    """The row of the person's own organisation with that id."""
    row = db.session.scalar(
        select(model).where(model.id == row_id, model.organisation_id == current_user.organisation_id)
    )
    return row or abort(404)


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page("settings/index.html", headings=configuration.HEADINGS)


@blueprint.route("/organisation", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def organisation() -> Response:
    mine = current_user.organisation
    form = OrganisationForm(obj=mine)
    if form.validate_on_submit():
        form.populate_obj(mine)
        audit.note(AuditAction.ORGANISATION_CHANGED, **audit.changed(mine))
        return done(_("Les réglages de l'organisme sont enregistrés."), url_for("settings.organisation"))
    return page("settings/organisation.html", status=_status(), form=form)


@blueprint.get("/senders")
@allow(Permission.CONFIGURE)
def senders() -> Response:
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    listed = list(db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.name, Sender.id)))
    accounts = select(SmtpAccount).where(SmtpAccount.organisation_id == current_user.organisation_id)
    return page(
        "settings/senders.html", senders=listed, domain_of=domain_checks.domain_of, house=house(),
        domains=domain_checks.known(current_user.organisation_id),
        accounts=list(db.session.scalars(accounts.order_by(SmtpAccount.name))),
    )  # fmt: skip


@blueprint.route("/senders/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new_sender() -> Response:
    return _sender_form(None)


@blueprint.route("/senders/<int:sender_id>", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def sender(sender_id: int) -> Response:
    return _sender_form(_own_or_404(Sender, sender_id))


def _sender_form(sender: Sender | None) -> Response:
    form = SenderForm(sender)
    if form.validate_on_submit():
        saved = keep_sender(form, sender)
        return done(_("L'expéditeur %(address)s est enregistré.", address=saved.address), url_for("settings.senders"))
    return page("settings/sender.html", status=_status(), form=form, sender=sender, domain_of=domain_checks.domain_of)


@blueprint.post("/senders/<int:sender_id>/resume")
@allow(Permission.CONFIGURE)
def resume_sender(sender_id: int) -> Response:
    sender = _own_or_404(Sender, sender_id)
    mail.resume(sender)
    audit.note(AuditAction.SENDER_RESUMED, sender.address)
    return done(_("%(address)s envoie de nouveau.", address=sender.address), url_for("settings.senders"))


@blueprint.get("/users")
@allow(Permission.CONFIGURE)
def users() -> Response:
    query = select(User).where(User.organisation_id == current_user.organisation_id)
    listed = list(db.session.scalars(query.order_by(User.active.desc(), User.name, User.id)))
    return page("settings/users.html", users=listed)


@blueprint.route("/users/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new_user() -> Response:
    form = UserForm()
    if form.validate_on_submit():
        user = User(organisation_id=current_user.organisation_id, role=Role.STAFF)
        form.save(user)
        password = accounts.one_time_password(user)
        db.session.add(user)
        audit.note(AuditAction.USER_CREATED, user.email, role=user.role.value)
        db.session.commit()
        return _password(user, password)
    return page("settings/user.html", status=_status(), form=form, user=None)


@blueprint.route("/users/<int:user_id>", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def user(user_id: int) -> Response:
    user = _own_or_404(User, user_id)
    form = UserForm(user)
    if form.validate_on_submit():
        form.save(user)
        audit.note(AuditAction.USER_CHANGED, user.email, **audit.changed(user, "email", "role", "active"))
        return done(_("Le compte de %(name)s est enregistré.", name=user.name), url_for("settings.users"))
    return page("settings/user.html", status=_status(), form=form, user=user)


@blueprint.post("/users/<int:user_id>/password")
@allow(Permission.CONFIGURE)
def reset_password(user_id: int) -> Response:
    user = _own_or_404(User, user_id)
    password = accounts.one_time_password(user)
    audit.note(AuditAction.PASSWORD_RESET, user.email)
    db.session.commit()
    return _password(user, password)


def _password(user: User, password: str) -> Response:
    """The page that shows a new password, this once."""
    response = page("settings/password.html", user=user, password=password)
    response.headers["Cache-Control"] = "no-store"
    return response


def _status() -> int:
    return 422 if request.method == "POST" else 200
