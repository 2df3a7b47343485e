"""Configuration › Expéditeurs › Cadences, for admins: how fast mail leaves, by account and by recipient domain; what is
slowed now, by which words of the server, and until when. An account's own limits are set with the account; what limits
do is mail.claims' and mail.pace's.
"""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField, ValidationError
from wtforms.validators import NumberRange, Optional

from blueprints.forms import BaseForm, Needed
from blueprints.support import allow, done, page
from i18n import N_, _
from mail import paces
from mail.pace import Shown, situation
from models import AuditAction
from models.words import Permission
from people import audit

blueprint = Blueprint("pace", __name__)
HOUSE = "house"  # the house's account in addresses; the others have their public id
_MOST_MINUTE, _MOST_LINES = 100_000, 200


class DomainForm(BaseForm):
    """Limits towards one recipient domain over an account."""

    account = SelectField(N_("Compte d'envoi"))
    domain = StringField(
        N_("Domaine des destinataires"), [Needed(N_("Indiquez un domaine, par exemple orange.fr."))],
        description=N_("Ce qui suit le @ de leurs adresses, par exemple orange.fr."),
    )  # fmt: skip
    per_minute = IntegerField(
        N_("E-mails par minute"),
        [Optional(), NumberRange(1, _MOST_MINUTE, N_("Entre 1 et 100 000 e-mails par minute."))],
        description=N_("Vide : aucune limite propre à ce domaine."),
    )
    lines = IntegerField(
        N_("E-mails en même temps"), [Optional(), NumberRange(1, _MOST_LINES, N_("Entre 1 et 200."))],
        description=N_("Combien d'e-mails vers ce domaine peuvent être en cours d'envoi. Vide : aucune limite."),
    )  # fmt: skip

    def validate_domain(self, field: StringField) -> None:
        domain = paces.wire_domain(field.data or "")
        if domain is None:
            raise ValidationError(_("Ce n'est pas un domaine : écrivez-le comme orange.fr."))
        field.data = domain

    def validate(self, *args: object, **kwargs: object) -> bool:
        good = super().validate(*args, **kwargs)
        if good and self.lines.data is None and self.per_minute.data is None:
            self.per_minute.errors = [_("Indiquez au moins l'une des deux limites.")]
            return False
        return good


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    rows = situation(current_user.organisation_id)
    return page("pace/index.html", rows=rows, ours=any(row.ours for row in rows), house=HOUSE)


@blueprint.route("/domains/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new_domain() -> Response:
    accounts = _settable()
    if not accounts:  # the house's alone: its limits are not ours to set
        return redirect(url_for("pace.index"), 303)
    form = DomainForm(data={"account": request.args.get("account") or next(iter(accounts))})
    form.account.choices = [(key, row.name or _("Compte d'envoi commun")) for key, row in accounts.items()]
    if form.validate_on_submit():
        chosen = accounts[form.account.data]
        taken = {(row.account_id, row.domain) for row in situation(current_user.organisation_id) if _limited(row)}
        if (chosen.account_id, form.domain.data) in taken:
            form.domain.errors = [_("Ce domaine a déjà ses limites : modifiez-les dans la liste.")]
        else:
            return _saved(chosen, form.domain.data, form)
    return page("pace/domain.html", status=_status(), form=form, row=None)


@blueprint.route("/<account_id>/domains/<domain>", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def domain(account_id: str, domain: str) -> Response:
    row = _row_or_404(account_id, domain)
    form = DomainForm(data={"per_minute": row.rate_set, "lines": row.lines_set})
    del form.account, form.domain
    if form.validate_on_submit():
        return _saved(row, domain, form)
    return page("pace/domain.html", status=_status(), form=form, row=row, account_id=account_id)


@blueprint.post("/<account_id>/domains/<domain>/delete")
@allow(Permission.CONFIGURE)
def delete_domain(account_id: str, domain: str) -> Response:
    row = _row_or_404(account_id, domain)
    paces.set_limit(row.account_id, domain, None, None)
    audit.note(AuditAction.PACE_CHANGED, domain, name=row.name, removed=[domain])
    return done(_("%(domain)s n'a plus de limite propre.", domain=domain), url_for("pace.index"))


def _saved(row: Shown, domain: str, form: DomainForm) -> Response:
    paces.set_limit(row.account_id, domain, form.per_minute.data, form.lines.data)
    audit.note(
        AuditAction.PACE_CHANGED, domain, name=row.name, per_minute=form.per_minute.data, connections=form.lines.data
    )
    return done(_("La cadence vers %(domain)s est enregistrée.", domain=domain), url_for("pace.index"))


def _settable() -> dict[str, Shown]:
    """The accounts whose limits may be set here, by their id in addresses."""
    return {
        row.account or HOUSE: row
        for row in situation(current_user.organisation_id) if row.ours and not row.domain
    }  # fmt: skip


def _row_or_404(account_id: str, domain: str) -> Shown:
    for row in situation(current_user.organisation_id):
        if row.ours and row.domain == domain != "" and (row.account or HOUSE) == account_id:
            return row
    return abort(404)


def _limited(row: Shown) -> bool:
    return bool(row.domain and (row.rate_set or row.lines_set))


def _status() -> int:
    return 422 if request.method == "POST" else 200
