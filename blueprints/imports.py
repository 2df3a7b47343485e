"""CSV imports on screen: give a file or a text, read what would happen line by line, confirm exactly that.

Between preview and confirmation the text waits in Redis for two hours, under a random key of that person's.
"""

from __future__ import annotations

import secrets
import zlib
from typing import Any

from flask import Blueprint, current_app, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import FileField, SelectField, TextAreaField

from blueprints.forms import BaseForm
from blueprints.support import allow, get_or_404, page
from extensions import db
from i18n import N_, _, ngettext
from models import AuditAction, TrainingSession
from models.words import ContactKind, Permission
from people import audit, csv_text, imports
from planning import plans

blueprint = Blueprint("imports", __name__)
KINDS = {
    "learners": ContactKind.LEARNER,
    "companies": ContactKind.COMPANY,
    "trainers": ContactKind.TRAINER,
    "customers": ContactKind.CUSTOMER,
    "funders": ContactKind.FUNDER,
}
_KEPT_FOR = 2 * 3600
_SHOWN = 200


class ImportForm(BaseForm):
    kind = SelectField(N_("Ce que contient le fichier"))
    file = FileField(N_("Fichier CSV"), description=N_("5 Mo au plus, avec une ligne d'en-têtes."))
    text = TextAreaField(N_("Ou collez les lignes ici"))

    def __init__(self, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind.choices = [(plural, _(KINDS[plural].plural)) for plural in kinds]


@blueprint.route("/contacts/import", methods=["GET", "POST"])
@allow(Permission.WRITE)
def contacts() -> Response:
    return _import(None)


@blueprint.route("/sessions/<public_id>/people/import", methods=["GET", "POST"])
@allow(Permission.WRITE)
def enrolments(public_id: str) -> Response:
    return _import(get_or_404(TrainingSession, public_id))


def _import(training_session: TrainingSession | None) -> Response:
    if request.form.get("confirm"):
        return _confirm(training_session)
    kinds = [plural for plural in KINDS if training_session is None or plural != "customers"]
    asked = request.args.get("kind", "")
    form = ImportForm(kinds, data={"kind": asked if asked in kinds else kinds[0]})
    if form.validate_on_submit():
        try:
            text = _given(form)
            return _preview(training_session, KINDS[form.kind.data], text)
        except csv_text.Unreadable as problem:
            form.file.errors = [_(csv_text.UNREADABLE[problem.code])]
    status = 422 if request.method == "POST" else 200
    return page("contacts/import.html", status=status, form=form, training_session=training_session)


def _given(form: ImportForm) -> str:
    file = form.file.data
    if file is not None and file.filename:
        return csv_text.decode(file.stream.read(csv_text.MOST_BYTES + 1))
    return form.text.data or ""


def _preview(training_session: TrainingSession | None, kind: ContactKind, text: str, moved: bool = False) -> Response:
    planned = imports.plan(current_user.organisation, text, kind, training_session)
    key = secrets.token_urlsafe(24)
    kept = kind.value.encode() + b"\n" + planned.fingerprint.encode() + b"\n" + zlib.compress(text.encode(), 1)
    current_app.extensions["redis"].set(_place(key), kept, ex=_KEPT_FOR)
    return page(
        "contacts/import_preview.html", training_session=training_session, kind=kind, plan=planned, key=key,
        shown=_SHOWN, moved=moved,
    )  # fmt: skip


def _confirm(training_session: TrainingSession | None) -> Response:
    """Do what was shown; where the contacts have moved since, show again what would now happen."""
    place = _place(request.form["confirm"][:64])
    kept = current_app.extensions["redis"].get(place)
    if kept is None:
        flash(_("Cet aperçu a expiré ou a déjà servi : donnez de nouveau le fichier."), "warning")
        return redirect(request.path, 303)  # type: ignore[return-value]
    word, fingerprint, packed = kept.split(b"\n", 2)
    kind, text = ContactKind(word.decode()), zlib.decompress(packed).decode()
    imports.one_at_a_time(current_user.organisation)
    planned = imports.plan(current_user.organisation, text, kind, training_session)
    if planned.fingerprint != fingerprint.decode():
        return _preview(training_session, kind, text, moved=True)
    imports.carry_out(current_user.organisation, planned, training_session)
    if training_session is not None:
        plans.replan(training_session.id)
    created, updated = len(planned.of("new")), len(planned.of("updated"))
    audit.note(
        AuditAction.CONTACTS_IMPORTED, training_session or "", kind=kind.value, created=created, updated=updated
    )  # fmt: skip
    db.session.commit()
    current_app.extensions["redis"].delete(place)
    flash(
        _("Import terminé : %(created)s, %(updated)s.",
          created=ngettext("%(num)s fiche créée", "%(num)s fiches créées", created),
          updated=ngettext("%(num)s mise à jour", "%(num)s mises à jour", updated)),
        "success",
    )  # fmt: skip
    if training_session is not None:
        return redirect(url_for("sessions.people", public_id=training_session.public_id), 303)  # type: ignore[return-value]
    plural = next(plural for plural, of in KINDS.items() if of is kind)
    return redirect(url_for("contacts.index", kind=plural), 303)  # type: ignore[return-value]


def _place(key: str) -> str:
    return f"import:{current_user.organisation_id}:{current_user.id}:{key}"
