"""Asking for help about an e-mail: a form that is already written, to the organisation's admins or to the support.

The letter goes through the outbox (mail.assistance), once per press, and is noted in the audit log.
"""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, request, url_for
from flask_login import current_user
from wtforms import HiddenField, RadioField, StringField, TextAreaField

from blueprints.forms import BaseForm, Line, Needed, Text
from blueprints.remedies import reply_of
from blueprints.support import allow, done, get_or_404, page
from errors import UserMistake
from extensions import db, limiter, settings
from history import detail
from i18n import N_, _
from mail import assistance
from models import Email
from models.audit import AuditAction
from models.words import Permission, Role
from people import audit

blueprint = Blueprint("assistance", __name__)
_rate = limiter.limit("60 per hour", methods=["POST"])


class AskForm(BaseForm):
    """To whom, and the words; all filled in at first."""

    whom = RadioField(N_("À qui"))
    subject = StringField(N_("Objet"), [Needed(N_("Indiquez un objet.")), Line(200)])
    message = TextAreaField(N_("Message"), [Needed(N_("Écrivez un message.")), Text(assistance.LONGEST)])
    request_key = HiddenField(validators=[Line(64)])


@blueprint.route("/emails/<public_id>/assistance", methods=["GET", "POST"])
@allow(Permission.SEND)
@_rate
def ask(public_id: str) -> Response:
    """The form about one e-mail; ?to= says who is ticked at first."""
    email = get_or_404(Email, public_id)
    found = detail.about(email.organisation_id, public_id, head=False)
    assert found is not None
    form = AskForm(data={
        "whom": request.args.get("to", ""), "subject": _subject(found), "message": _message(found),
        "request_key": str(uuid.uuid4()),
    })  # fmt: skip
    form.whom.choices = _choices(email.organisation_id)
    offered = [value for value, _label in form.whom.choices]
    if request.method == "GET" and form.whom.data not in offered:
        form.whom.data = offered[0] if offered else None
    if offered and form.validate_on_submit():
        try:
            whom = form.whom.data or offered[0]
            sent = assistance.ask(
                email, whom, form.subject.data or "", form.message.data or "", by=current_user,
                request_key=f"assistance:{current_user.id}:{form.request_key.data}",
            )  # fmt: skip
            audit.sent(AuditAction.ASSISTANCE_ASKED, sent, email, whom=whom)
            said = _("Votre demande est partie ; la réponse arrivera à %(address)s.", address=current_user.email)
            return done(said, url_for("emails.email", public_id=public_id))
        except UserMistake as mistake:
            db.session.rollback()
            form.message.errors = [_(mistake.message, **mistake.values)]
    status = 422 if request.method == "POST" else 200
    return page("assistance/ask.html", status=status, form=form, detail=found, offered=offered)


def _choices(organisation_id: int) -> list[tuple[str, str]]:
    """Whom this person may write to: an admin has no need of another to do it, the support only where there is one."""
    choices = []
    if current_user.role is not Role.ADMIN:
        names = ", ".join(user.name for user in assistance.administrators(organisation_id))
        if names:
            choices.append((assistance.ADMINISTRATOR, _("Votre administrateur : %(names)s", names=names)))
    address = settings().support_email
    if address:
        choices.append((assistance.SUPPORT, _("L'assistance : %(address)s", address=address)))
    return choices


def _subject(found: detail.Detail) -> str:
    row = found.row
    return _("E-mail %(number)s, %(status)s", number=row.public_id, status=_(row.status.label).lower())


def _message(found: detail.Detail) -> str:
    """What the reader needs to help, and room for the person's own words above it."""
    row, reply = found.row, reply_of(found)
    status = _(row.status.label) + (f" ({_(row.reason.label)})" if row.reason else "")
    facts = [
        (_("E-mail"), row.public_id),
        (_("Adresse de la page"), url_for("emails.email", public_id=row.public_id, _external=True)),
        (_("Destinataire"), f"{row.recipient_name} <{row.address}>" if row.recipient_name else row.address),
        (_("Session"), row.session_title),
        (_("Objet"), row.subject),
        (_("Statut"), status),
        (_("Réponse du serveur"), reply.server_words if reply else ""),
    ]
    colon = _("%(label)s : %(value)s")
    return "\n".join([
        _("Bonjour,"), "", _("Pouvez-vous m'aider pour cet e-mail ?"), "",
        *(colon % {"label": label, "value": value} for label, value in facts if value), "",
        _("Merci,"), current_user.name,
    ])  # fmt: skip
