"""Configuration › Services d'envoi, for admins: the accounts with them, what to set up there, what they told.

What a call proves and what an event means is mail.providers'; secrets are shown to admins alone and never logged.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response
from wtforms import PasswordField, SelectChoice, SelectField, StringField

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, done, get_or_404, page
from errors import UserMistake
from extensions import db
from i18n import N_, _
from mail.accounts import can_keep_secrets
from mail.providers import PROVIDERS, accounts, signs, tells, trials
from mail.providers.facts import Said
from models import AuditAction, Email, ProviderAccount, ProviderEvent
from models.provider import Heard
from models.words import Permission
from people import audit

blueprint = Blueprint("providers", __name__)

_SHOWN = 50
# How long a page looks again after a trial was asked for, and how often.
_SOON, _EVERY = timedelta(seconds=20), 2


class AccountForm(BaseForm):
    """An account: which provider, under which name."""

    provider = SelectField(
        N_("Service d'envoi"), choices=[SelectChoice(name, module.LABEL) for name, module in PROVIDERS.items()]
    )
    name = StringField(
        N_("Nom"), [Needed(N_("Donnez un nom à ce service d'envoi.")), Line(100)],
        description=N_("Celui sous lequel vous le reconnaîtrez : « Brevo, formations »."),
    )  # fmt: skip


class KeysForm(BaseForm):
    """What an account's provider shows; an empty field keeps what there is."""

    signing = StringField(N_("Ce qui signe les appels"))
    api = PasswordField(N_("Clé d'API"))
    where = StringField(N_("Domaine ou projet"), [Line(300)])


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return page(
        "providers/index.html", accounts=accounts.listed(current_user.organisation_id), providers=PROVIDERS,
        last=_last(), can_keep=can_keep_secrets(),
    )  # fmt: skip


def _last() -> dict[int, datetime]:
    """When each account told something last."""
    newest = select(ProviderEvent.account_id, db.func.max(ProviderEvent.received_at)).where(
        ProviderEvent.organisation_id == current_user.organisation_id, ProviderEvent.outcome != Heard.TRIAL
    )
    return {row[0]: row[1] for row in db.session.execute(newest.group_by(ProviderEvent.account_id))}


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    form = AccountForm()
    if can_keep_secrets() and form.validate_on_submit():
        try:
            made = accounts.make(current_user.organisation_id, form.provider.data or "", form.name.data or "")
        except UserMistake as mistake:
            form.name.errors = [_(mistake.message, **mistake.values)]
        else:
            audit.note(AuditAction.PROVIDER_CREATED, made, provider=made.provider, name=made.name)
            db.session.commit()
            return redirect(url_for("providers.account", public_id=made.public_id), 303)  # type: ignore[return-value]
    status = 422 if request.method == "POST" else 200
    return page("providers/form.html", status=status, form=form, can_keep=can_keep_secrets())


@blueprint.get("/<public_id>")
@allow(Permission.CONFIGURE)
def account(public_id: str) -> Response:
    return _account(get_or_404(ProviderAccount, public_id), KeysForm())


def _account(found: ProviderAccount, form: KeysForm, status: int = 200) -> Response:
    module, keys = PROVIDERS[found.provider], accounts.keys_of(found)
    if request.method == "GET":
        form.where.data = keys.where
    response = page(
        "providers/account.html", "providers/_events.html", status, account=found, module=module, keys=keys, form=form,
        address=accounts.address(found), whole_address=accounts.address_with_password(found, keys),
        tells=tells(module), signs=signs(module), polls=hasattr(module, "poll"), events=_events(found),
        can_try=tells(module) and (found.signed or not signs(module) or trials.cannot_sign(module)),
        live=_EVERY if found.trial_at and datetime.now(UTC) - found.trial_at < _SOON and not _arrived(found) else 0,
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return response


def _events(found: ProviderAccount) -> list[dict[str, Any]]:
    """The last events with what each says and the e-mail it is about."""
    rows = db.session.execute(
        select(ProviderEvent, Email.public_id, Email.subject)
        .outerjoin(Email, Email.id == ProviderEvent.email_id)
        .where(ProviderEvent.account_id == found.id, ProviderEvent.organisation_id == found.organisation_id)
        .order_by(ProviderEvent.id.desc())
        .limit(_SHOWN)
    )
    return [
        {"event": event, "email_id": email_id, "subject": subject,
         "said": Said.of_json(event.said) if event.said else None}
        for event, email_id, subject in rows
    ]  # fmt: skip


def _arrived(found: ProviderAccount) -> bool:
    """Whether the trial last asked for is among the events."""
    asked = select(ProviderEvent.id).where(
        ProviderEvent.account_id == found.id, ProviderEvent.outcome == Heard.TRIAL,
        ProviderEvent.received_at >= found.trial_at,
    )  # fmt: skip
    return db.session.scalar(asked.limit(1)) is not None


@blueprint.post("/<public_id>/keys")
@allow(Permission.CONFIGURE)
def keys(public_id: str) -> Response:
    found, form = get_or_404(ProviderAccount, public_id), KeysForm()
    if form.validate_on_submit():
        try:
            accounts.change(found, form.signing.data or "", form.api.data or "", form.where.data or "")
        except UserMistake as mistake:
            db.session.rollback()
            field = getattr(form, mistake.field or "signing")
            field.errors = [_(mistake.message, **mistake.values)]
        else:
            audit.note(AuditAction.PROVIDER_CHANGED, found, provider=found.provider, name=found.name)
            return _done(found, _("Les clés sont enregistrées."))
    return _account(found, form, 422)


@blueprint.post("/<public_id>/password")
@allow(Permission.CONFIGURE)
def password(public_id: str) -> Response:
    found = get_or_404(ProviderAccount, public_id)
    accounts.renew_password(found)
    audit.note(AuditAction.PROVIDER_CHANGED, found, provider=found.provider, name=found.name)
    return _done(found, _("Le mot de passe est renouvelé : donnez le nouveau au service d'envoi."))


@blueprint.post("/<public_id>/tests")
@allow(Permission.CONFIGURE)
def tests(public_id: str) -> Response:
    found = get_or_404(ProviderAccount, public_id)
    trials.ask(found)
    audit.note(AuditAction.PROVIDER_TRIED, found, provider=found.provider, name=found.name)
    return _done(found, _("L'essai part : il s'affiche ci-dessous dans quelques secondes."))


@blueprint.post("/<public_id>/switch")
@allow(Permission.CONFIGURE)
def switch(public_id: str) -> Response:
    found = get_or_404(ProviderAccount, public_id)
    found.active = not found.active
    audit.note(AuditAction.PROVIDER_SWITCHED, found, provider=found.provider, name=found.name, active=found.active)
    words = _("Ce service d'envoi est écouté.") if found.active else _("Ce service d'envoi n'est plus écouté.")
    return _done(found, words)


@blueprint.post("/<public_id>/delete")
@allow(Permission.CONFIGURE)
def delete(public_id: str) -> Response:
    found = get_or_404(ProviderAccount, public_id)
    audit.note(AuditAction.PROVIDER_DELETED, found, provider=found.provider, name=found.name)
    db.session.delete(found)
    db.session.commit()
    flash(_("Le service d'envoi est supprimé ; ce qu'il a appris des e-mails reste."), "success")
    return redirect(url_for("providers.index"), 303)  # type: ignore[return-value]


def _done(found: ProviderAccount, words: str) -> Response:
    return done(words, url_for("providers.account", public_id=found.public_id))
