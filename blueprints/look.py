"""Configuration › Logo et couleur: how the organisation's letters and documents look."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from flask_wtf.file import FileField
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField, ValidationError

from blueprints.forms import BaseForm, Line
from blueprints.support import CONTENT_SECURITY_POLICY, allow, page
from documents import blobs
from errors import UserMistake
from extensions import db
from i18n import N_, _
from mail import look
from mail.compose import Draft, Writing
from mail.letters import Words
from models import AuditAction, Contact
from models.words import ContactKind, Permission
from people import audit

blueprint = Blueprint("look", __name__)
_PREVIEW_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


class LookForm(BaseForm):
    accent = StringField(
        N_("Couleur"), [Line(7)],
        description=N_("Celle du filet, des liens et des boutons de vos e-mails et de vos documents."),
    )  # fmt: skip
    logo = FileField(N_("Logo"))
    remove_logo = BooleanField(N_("Retirer le logo"))

    def validate_accent(self, field: Any) -> None:
        field.data = (field.data or "").lower()
        if not _COLOUR.fullmatch(field.data):
            raise ValidationError(_("Écrivez la couleur comme #0f6e84."))
        ratio = look.contrast(field.data, look.LIGHT)
        if ratio < look.READABLE:
            said = _("Cette couleur est trop claire pour être lue sur du blanc (contraste %(ratio)s, il faut 4,5). "
                     "La plus proche qui convienne : %(nearest)s")  # fmt: skip
            raise ValidationError(
                said % {"ratio": f"{ratio:.1f}".replace(".", ","), "nearest": look.by_day(field.data)}
            )

    def validate_logo(self, field: Any) -> None:
        if not (isinstance(field.data, FileStorage) and field.data.filename):
            field.data = None
            return
        data = field.data.stream.read(look.LARGEST_LOGO + 1)
        try:
            look.measured(data)
        except UserMistake as mistake:
            raise ValidationError(_(mistake.message, **mistake.values)) from mistake
        field.data = data


@blueprint.route("", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def index() -> Response:
    organisation = current_user.organisation
    form = LookForm(data={"accent": look.of(organisation).accent})
    if form.validate_on_submit():
        organisation.accent = form.accent.data
        if form.remove_logo.data:
            organisation.logo_sha256 = None
        if form.logo.data:
            organisation.logo_sha256 = blobs.store(form.logo.data, "logo", in_letters=True).sha256
        audit.note(AuditAction.LOOK_CHANGED, **audit.changed(organisation, "accent"))
        db.session.commit()
        flash(_("L'apparence de vos e-mails est enregistrée."), "success")
        return redirect(url_for("look.index"), 303)  # type: ignore[return-value]
    seen = look.of(organisation)
    response = page(
        "settings/look.html", status=422 if request.method == "POST" else 200, form=form, look=seen, draft=_sample(),
        ratio=look.contrast(seen.accent, look.LIGHT), limit=look.LARGEST_LOGO,
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


def _sample() -> Draft:
    """A letter as it would leave, to nobody."""
    contact = Contact(kind=ContactKind.LEARNER, name="Camille Exemple", first_name="Camille", last_name="Exemple",
                      email="exemple@exemple.example", language="fr")  # fmt: skip
    words = Words(_("Votre prochaine session"), _(
        "Bonjour {{ personne.nom_complet }},\n\nVoici à quoi ressemblent vos e-mails : un paragraphe, "
        "un lien (https://exemple.example), un bouton.\n\n[Un bouton](https://exemple.example)\n\n"
        "Bien cordialement,\n{{ organisme.nom }}"
    ))  # fmt: skip
    return Writing("free", {"fr": words}, current_user.organisation, author=current_user).draft(contact)
