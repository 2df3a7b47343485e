"""Configuration › Expéditeurs: the organisation's own SMTP accounts, for admins.

A secret is typed and never shown again; what is left empty keeps it, unless it would go to another server.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from flask import Blueprint, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response
from wtforms import IntegerField, PasswordField, RadioField, StringField, ValidationError
from wtforms.validators import NumberRange, Optional

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, done, get_or_404, page
from extensions import db, on_commit, ring, settings
from i18n import N_, _
from mail import accounts, dns, network
from models import AuditAction, Auth, Security, Sender, SmtpAccount
from models.words import Permission
from people import audit

blueprint = Blueprint("accounts", __name__)
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
# What decides to whom a secret is said, and how openly.
_WHERE = ("host", "port", "security", "auth")


def _between(low: int, high: int) -> list[Any]:
    words = N_("Indiquez un nombre entier entre %(low)s et %(high)s.")

    class Range(NumberRange):
        def __call__(self, form: Any, field: Any) -> None:
            self.message = _(words, low=low, high=high)
            super().__call__(form, field)

    return [Range(low, high)]


class AccountForm(BaseForm):
    """An SMTP account; the secret is empty unless it is typed anew."""

    name = StringField(
        N_("Nom du compte"), [Needed(N_("Donnez un nom à ce compte.")), Line(80)],
        description=N_("Pour le reconnaître ici : « Google du secrétariat »."),
    )  # fmt: skip
    host = StringField(
        N_("Serveur SMTP"), [Needed(N_("Indiquez le serveur, par exemple smtp.exemple.fr.")), Line(253)],
        description=N_("Donné par votre service d'envoi, par exemple smtp.exemple.fr."),
    )  # fmt: skip
    port = IntegerField(N_("Port"), [Needed(N_("Indiquez le port.")), *_between(1, 65535)])
    security = RadioField(N_("Chiffrement de la liaison"))
    auth = RadioField(N_("Authentification"))
    username = StringField(N_("Identifiant"), [Line(254)])
    secret = PasswordField(N_("Mot de passe"), [Line(4000)])
    connections = IntegerField(N_("Connexions à la fois"), [Needed(N_("Indiquez un nombre.")), *_between(1, 100)])
    per_minute = IntegerField(
        N_("E-mails par minute, au plus"), [Optional(), *_between(1, 100_000)],
        description=N_("Vide : sans limite, tant que le serveur suit."),
    )  # fmt: skip
    messages_per_connection = IntegerField(
        N_("E-mails par connexion, au plus"), [Needed(N_("Indiquez un nombre.")), *_between(1, 10_000)]
    )
    minutes_per_connection = IntegerField(
        N_("Minutes par connexion, au plus"), [Needed(N_("Indiquez un nombre.")), *_between(1, 60)]
    )

    def __init__(self, account: SmtpAccount | None = None) -> None:
        first = {"port": 587, "connections": 4, "messages_per_connection": 100, "minutes_per_connection": 5}
        super().__init__(obj=account, data=None if account else first)
        self._account = account
        self.security.choices = [(one.value, _(one.label)) for one in Security]
        self.auth.choices = [(one.value, _(one.label)) for one in Auth]
        if not self.is_submitted():
            self.security.data = (account.security if account else Security.STARTTLS).value
            self.auth.data = (account.auth if account else Auth.PASSWORD).value

    def validate_name(self, field: Any) -> None:
        query = select(SmtpAccount).where(
            SmtpAccount.organisation_id == current_user.organisation_id,
            func.lower(SmtpAccount.name) == func.lower(field.data),
        )
        taken = db.session.scalar(query)
        if taken is not None and taken is not self._account:
            raise ValidationError(_("Vous avez déjà un compte de ce nom."))

    def validate_host(self, field: Any) -> None:
        typed = (field.data or "").rstrip(".").lower()
        try:
            ip = ipaddress.ip_address(typed)
        except ValueError:
            field.data = _name(typed)
            return
        field.data = str(ip)
        if not network.for_accounts(settings())(ip):
            raise ValidationError(_("Cette adresse est celle d'un réseau privé : rien n'y est envoyé."))

    def validate_auth(self, field: Any) -> None:
        in_clear = self.security.data == Security.NONE.value and field.data != Auth.NONE.value
        if in_clear and settings().env not in ("demo", "test"):
            raise ValidationError(_("Le mot de passe passerait en clair : choisissez STARTTLS ou TLS."))
        if field.data == Auth.XOAUTH2.value and not settings().xoauth2_token:
            raise ValidationError(_("Rien ne donne de jeton ici (XOAUTH2_TOKEN) : voyez avec qui exploite Sillage."))

    def validate_username(self, field: Any) -> None:
        if self.auth.data != Auth.NONE.value and not field.data:
            raise ValidationError(_("Indiquez l'identifiant."))

    def validate_secret(self, field: Any) -> None:
        if field.data or self.auth.data != Auth.PASSWORD.value:
            return
        if self._account is None or not _has_secret(self._account):
            raise ValidationError(_("Indiquez le mot de passe."))
        if self.moved:
            raise ValidationError(_("Le serveur a changé : retapez le mot de passe, qui ne lui est pas encore confié."))

    @property
    def moved(self) -> bool:
        """Whether the secret would now be said elsewhere, or otherwise, than it was given for."""
        return self._account is not None and any(
            self[name].data != getattr(self._account, name) for name in _WHERE
        )

    def save(self, account: SmtpAccount) -> None:
        """Set the account's columns. A secret that goes nowhere any more is forgotten."""
        kept = not self.secret.data and not self.moved and self.auth.data != Auth.NONE.value
        for name in ("name", "host", "port", "connections", "per_minute", "messages_per_connection",
                     "minutes_per_connection"):  # fmt: skip
            setattr(account, name, self[name].data)
        account.security, account.auth = _SECURITIES[self.security.data], _AUTHS[self.auth.data]
        account.username = (self.username.data or "") if account.auth is not Auth.NONE else ""
        if not kept:
            account.secret = accounts.seal(self.secret.data or "" if account.auth is not Auth.NONE else "")


_AUTHS = {one.value: one for one in Auth}
_SECURITIES = {one.value: one for one in Security}


def _name(typed: str) -> str:
    """A host's name in ASCII. Raises ValidationError for what is none."""
    try:
        name = dns.ascii_name(typed)
    except ValueError:
        name = ""
    at_home = typed == "localhost" and settings().env in ("demo", "test")
    last = name.rpartition(".")[2]
    if not at_home and (not _HOST.fullmatch(name) or last.isdigit() or last.startswith("0x")):
        raise ValidationError(_("Ce n'est pas le nom d'un serveur, comme smtp.exemple.fr."))
    return name


def _has_secret(account: SmtpAccount) -> bool:
    query = select(func.length(SmtpAccount.secret) > 0).where(SmtpAccount.id == account.id)
    return bool(db.session.scalar(query))


def _users(account: SmtpAccount) -> list[Sender]:
    """The senders that leave by an account."""
    query = select(Sender).where(Sender.account_id == account.id, Sender.organisation_id == account.organisation_id)
    return list(db.session.scalars(query.order_by(Sender.address)))


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    form = AccountForm()
    if accounts.can_keep_secrets() and form.validate_on_submit():
        made = SmtpAccount(organisation_id=current_user.organisation_id)
        form.save(made)
        db.session.add(made)
        audit.note(AuditAction.SMTP_ACCOUNT_CREATED, made, host=made.host, port=made.port)
        words = _("Le compte %(name)s est enregistré. Envoyez-vous un essai, puis choisissez-le pour un expéditeur.",
                  name=made.name)  # fmt: skip
        return done(words, url_for("accounts.account", public_id=made.public_id))
    return _form(form, None)


@blueprint.route("/<public_id>", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def account(public_id: str) -> Response:
    found = get_or_404(SmtpAccount, public_id)
    form = AccountForm(found)
    if accounts.can_keep_secrets() and form.validate_on_submit():
        form.save(found)
        audit.note(AuditAction.SMTP_ACCOUNT_CHANGED, found, **audit.changed(found, "host", "port", "username"))
        on_commit(lambda: ring("drain", "send"))
        return done(_("Le compte %(name)s est enregistré.", name=found.name), url_for("settings.senders"))
    return _form(form, found)


@blueprint.post("/<public_id>/deletion")
@allow(Permission.CONFIGURE)
def delete(public_id: str) -> Response:
    found = get_or_404(SmtpAccount, public_id)
    if _users(found):
        return _form(AccountForm(found), found)
    audit.note(AuditAction.SMTP_ACCOUNT_DELETED, found, host=found.host)
    db.session.delete(found)
    return done(_("Le compte %(name)s est supprimé.", name=found.name), url_for("settings.senders"))


def _form(form: AccountForm, found: SmtpAccount | None) -> Response:
    return page(
        "settings/account.html", status=422 if request.method == "POST" else 200, form=form, account=found,
        used_by=_users(found) if found else [], can_keep=accounts.can_keep_secrets(),
        has_secret=found is not None and _has_secret(found), ports={one.value: one.port for one in Security},
    )  # fmt: skip
