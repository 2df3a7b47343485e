"""The forms of Configuration: the organisation, a sender, a user."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from flask_login import current_user
from sqlalchemy import func, select, update
from wtforms import (
    BooleanField,
    EmailField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TelField,
    ValidationError,
)
from wtforms.widgets import CheckboxInput, ListWidget

import i18n
from blueprints.forms import BaseForm, Line, MailAddress, Needed
from extensions import db, on_commit, ring
from i18n import N_, _
from mail import domain_checks
from models import AuditAction, Sender, SmtpAccount, User
from models.words import EmailType, ReturnPath, Role
from people import accounts, audit

# Zones of the French-speaking places first, then the rest by name.
_NEAR = (
    "Europe/Paris", "Europe/Brussels", "Europe/Luxembourg", "Europe/Zurich", "America/Guadeloupe",
    "America/Martinique", "America/Cayenne", "Indian/Reunion", "Indian/Mayotte", "Pacific/Noumea", "Pacific/Tahiti",
    "America/Miquelon", "America/Montreal",
)  # fmt: skip


def zones() -> list[str]:
    """Every zone that has a place in it, the near ones first."""
    known = available_timezones()
    others = sorted(name for name in known if "/" in name and not name.startswith(("Etc/", "posix/", "right/")))
    return [name for name in _NEAR if name in known] + [name for name in others if name not in _NEAR]


class OrganisationForm(BaseForm):
    name = StringField(N_("Nom"), [Needed(N_("Indiquez le nom de l'organisme.")), Line(200)])
    address = StringField(N_("Adresse postale"), [Line(300)])
    phone = TelField(N_("Téléphone"), [Line(40)])
    registration = StringField(
        N_("Numéro de déclaration d'activité"), [Line(60)], description=N_("Imprimé sur chaque convocation.")
    )  # fmt: skip
    timezone = SelectField(N_("Fuseau horaire"), description=N_("Celui des jours et des heures affichés."))
    track_opens = BooleanField(N_("Mesurer l'ouverture des e-mails"))
    track_by_consent = BooleanField(N_("Seulement des personnes qui ont donné leur accord"))
    untracked_types = SelectMultipleField(
        N_("E-mails jamais mesurés"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.untracked_types.choices = [(type.value, _(type.label)) for type in EmailType]
        self.timezone.choices = [(name, name.replace("_", " ")) for name in zones()]


class SenderForm(BaseForm):
    name = StringField(N_("Nom affiché"), [Needed(N_("Indiquez le nom que verront les destinataires.")), Line(120)])
    address = EmailField(N_("Adresse d'expédition"), [Needed(N_("Indiquez l'adresse.")), Line(254), MailAddress()])
    reply_to = EmailField(
        N_("Adresse de réponse"), [Line(254), MailAddress()],
        description=N_("Vide : la même que l'adresse d'expédition."),
    )  # fmt: skip
    account = SelectField(
        N_("Compte d'envoi"), description=N_("Le serveur par lequel partent les e-mails de cet expéditeur.")
    )
    return_path = RadioField(N_("Où reviennent les rapports de non-remise"))
    bounce_address = EmailField(
        N_("Adresse de retour"), [Line(254), MailAddress()],
        description=N_("La boîte que Sillage relève. Inutile si les rapports reviennent à l'expéditeur."),
    )  # fmt: skip
    is_default = BooleanField(N_("Expéditeur par défaut"))

    def __init__(self, sender: Sender | None = None, **kwargs: Any) -> None:
        super().__init__(obj=sender, **kwargs)
        self._sender = sender
        mine = select(SmtpAccount).where(SmtpAccount.organisation_id == current_user.organisation_id)
        self._accounts = {one.public_id: one for one in db.session.scalars(mine.order_by(SmtpAccount.name))}
        self.account.choices = [("", _("Celui de Sillage"))]
        self.account.choices += [(key, f"{one.name} ({one.host})") for key, one in self._accounts.items()]
        self.return_path.choices = [(one.value, _(one.label)) for one in ReturnPath]
        used = [key for key, one in self._accounts.items() if sender and one.id == sender.account_id]
        if not self.is_submitted():
            self.return_path.data = (sender.return_path if sender else ReturnPath.OWN).value
        if not self.is_submitted() or self.account.data is None:
            self.account.data = used[0] if used else ""

    def validate_address(self, field: Any) -> None:
        query = select(Sender).where(
            Sender.organisation_id == current_user.organisation_id,
            func.lower(Sender.address) == func.lower(field.data),
        )
        taken = db.session.scalar(query)
        if taken is not None and taken is not self._sender:
            raise ValidationError(_("Vous avez déjà un expéditeur à cette adresse."))

    def validate_bounce_address(self, field: Any) -> None:
        if self.return_path.data != ReturnPath.OWN.value and not field.data:
            raise ValidationError(_("Indiquez l'adresse où reviennent les rapports."))
        if self.return_path.data == ReturnPath.VERP.value and "+" in (field.data or "").partition("@")[0]:
            raise ValidationError(_("Donnez l'adresse sans « + » : Sillage ajoute lui-même un repère à chaque e-mail."))

    def save(self, sender: Sender) -> None:
        """Set the sender's columns."""
        sender.name, sender.address = self.name.data or "", self.address.data or ""
        sender.reply_to, sender.bounce_address = self.reply_to.data or "", self.bounce_address.data or ""
        sender.return_path = ReturnPath(self.return_path.data)
        chosen = self._accounts.get(self.account.data or "")
        sender.account_id = chosen.id if chosen else None


def keep_sender(form: SenderForm, sender: Sender | None) -> Sender:
    """Save what the form says of `sender` (None: a new one), flushed; the organisation's first is its default one."""
    saved = sender or Sender(organisation_id=current_user.organisation_id)
    form.save(saved)
    action = AuditAction.SENDER_CHANGED if sender else AuditAction.SENDER_CREATED
    audit.note(action, saved.address, **audit.changed(saved, "address") if sender else {})
    mine = Sender.organisation_id == current_user.organisation_id
    first = db.session.scalar(select(Sender.id).where(mine, Sender.is_default)) is None
    if first or (form.is_default.data and not saved.is_default):
        db.session.execute(update(Sender).where(mine, Sender.is_default).values(is_default=False))
        saved.is_default = True
    db.session.add(saved)
    db.session.flush()
    domain_checks.follow(saved.organisation_id)
    on_commit(lambda: ring("check_domains", "work"))
    return saved


class UserForm(BaseForm):
    name = StringField(N_("Nom"), [Needed(N_("Indiquez le nom de la personne.")), Line(120)])
    email = EmailField(N_("Adresse e-mail"), [Needed(N_("Indiquez l'adresse.")), Line(254), MailAddress()])
    role = RadioField(N_("Rôle"))
    language = SelectField(N_("Langue"))
    active = BooleanField(N_("Peut se connecter"))

    def __init__(self, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(obj=user, **kwargs)
        self._user = user
        self.role.choices = [(role.value, _(role.label)) for role in Role]
        self.language.choices = list(i18n.LANGUAGES.items())
        if not self.is_submitted():
            self.role.data = (user.role if user else Role.STAFF).value
        if user is None:
            del self.active

    def validate_email(self, field: Any) -> None:
        if accounts.address_taken(field.data, but=self._user):
            raise ValidationError(_("Cette adresse a déjà un compte."))

    def validate_role(self, field: Any) -> None:
        if self._user is not None and field.data != Role.ADMIN.value:
            self._keep_an_admin()

    def validate_active(self, field: Any) -> None:
        if self._user is None or field.data:
            return
        if self._user.id == current_user.id:
            raise ValidationError(_("Vous ne pouvez pas fermer votre propre compte."))
        self._keep_an_admin()

    def _keep_an_admin(self) -> None:
        user = self._user
        if user and user.role is Role.ADMIN and user.active and not accounts.admins_left(user.organisation_id, user):
            raise ValidationError(_("C'est le dernier administrateur : nommez-en d'abord un autre."))

    def save(self, user: User) -> None:
        """Set the user's columns; addresses are kept in lower case."""
        user.name, user.email = self.name.data or "", (self.email.data or "").lower()
        user.role, user.language = Role(self.role.data), self.language.data
        if self._user is not None:
            user.active = bool(self.active.data)
