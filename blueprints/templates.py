"""Configuration › Modèles d'e-mails: the list, the editor with its preview and its test, what is switched on.

Everyone sees them; who may configure writes them. What a template's words mean is mail.templates' and
mail.template_versions'; what the preview shows is blueprints.template_trial's.
"""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

import mail
from blueprints import template_trial
from blueprints.support import CONTENT_SECURITY_POLICY, allow, done, get_or_404, page, posted
from blueprints.template_forms import TemplateForm, file_label, format_labels, senders, told
from blueprints.template_trial import Trial
from errors import UserMistake
from extensions import db
from i18n import _
from mail import tag_list, template_versions, templates
from mail.template_versions import Conflict
from models import AuditAction, Email, Sender, Template, TemplateVersion, User
from models.words import ContactKind, EmailType, Permission
from people import audit

blueprint = Blueprint("templates", __name__)
blueprint.add_app_template_global(lambda kind: ContactKind(kind).plural, "kind_label")
blueprint.add_app_template_global(lambda type: EmailType(type).label, "type_label")
# A letter carries its styles in itself; it is shown in a frame without any right, which inherits this policy.
_PREVIEW_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    families = templates.listed(current_user.organisation_id)
    have = {line.template.type for _family, lines in families for line in lines if not line.template.kind}
    return page(
        "templates/index.html", families=families, missing=len(templates.TYPES) - len(have), file_label=file_label,
        is_event=templates.is_event,
    )  # fmt: skip


@blueprint.post("/defaults")
@allow(Permission.CONFIGURE)
def defaults() -> Response:
    made = templates.ensure_defaults(current_user.organisation)
    if made:
        audit.note(AuditAction.TEMPLATES_ADDED, count=made)
    return done(_("Modèles créés : %(number)s.", number=made), url_for("templates.index"))


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def template(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    version = templates.newest(found)
    form = TemplateForm.of(found, version)
    return _editor(form, version)


@blueprint.post("/<public_id>")
@allow(Permission.CONFIGURE)
def save(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    version = templates.newest(found)
    form = TemplateForm.of(found, version)
    step = posted("step")
    if not form.validate():
        return _editor(form, version, status=422)
    language = step[-2:] if step[-2:] in ("fr", "en") else "fr"
    try:
        if step.startswith("fill"):
            form.fill_text(language)
        elif step.startswith("clear"):
            form[f"text_{language}"].data = ""
        if step == "test":
            return _test(form, version)
        if step not in ("", "save"):
            return _editor(form, version)
    except UserMistake as mistake:
        db.session.rollback()
        form.form_errors.append(_(mistake.message, **mistake.values))
        return _editor(form, templates.newest(get_or_404(Template, public_id)), status=422)
    problems = template_versions.problems(found.type, templates.kinds_of(found), form.words)
    if problems:
        form.blame(problems)
        return _editor(form, version, status=422)
    try:
        over = posted("over")
        base = int(over) if over.isascii() and over.isdigit() and len(over) < 10 else form.began_from
        saved = template_versions.save(found, form.columns, base=base, by=current_user, note=form.note.data or "")
    except Conflict as conflict:
        db.session.rollback()
        return _editor(form, templates.newest(get_or_404(Template, public_id)), conflict.theirs.number, 409)
    form.settle(found)
    audit.note(AuditAction.TEMPLATE_CHANGED, found, name=found.name, version=saved.number)
    new = saved.number != version.number
    said = _("La version %(number)s est en service.", number=saved.number) if new else _("Le modèle est enregistré.")
    return done(said, url_for("templates.template", public_id=public_id))


@blueprint.post("/<public_id>/preview")
@allow(Permission.CONFIGURE)
def preview(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    form = TemplateForm.of(found, templates.newest(found))
    response = page("templates/preview.html", partial="templates/_trial.html", trial=_trial(form), form=form, told=told,
                    edited=found, file_label=file_label, sender=_sender(form))  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


@blueprint.post("/<public_id>/state")
@allow(Permission.CONFIGURE)
def state(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    if not templates.is_event(found):
        abort(404)
    found.enabled = posted("enabled") == "1"
    audit.note(AuditAction.TEMPLATE_STATE, found, name=found.name, enabled=found.enabled)
    name = _(found.name)
    said = (
        _("« %(name)s » part désormais à chaque évènement.", name=name) if found.enabled
        else _("« %(name)s » ne part plus.", name=name)
    )  # fmt: skip
    back = (
        url_for("templates.index") if posted("from") == "list" else url_for("templates.template", public_id=public_id)
    )
    return done(said, back)


@blueprint.post("/<public_id>/delete")
@allow(Permission.CONFIGURE)
def delete(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    if not found.kind:
        flash(_("Le modèle commun d'un type d'e-mail ne se supprime pas."), "danger")
        return redirect(url_for("templates.template", public_id=public_id), 303)  # type: ignore[return-value]
    name = _(found.name)
    audit.note(AuditAction.TEMPLATE_DELETED, found, name=found.name)
    db.session.delete(found)
    return done(_("La variante « %(name)s » est supprimée.", name=name), url_for("templates.index"))


def _editor(
    form: TemplateForm, version: TemplateVersion, conflict: int | None = None, status: int = 200,
    tested: Email | None = None,
) -> Response:  # fmt: skip
    found = version.template
    kinds = templates.kinds_of(found)
    tags = [tag for tag in tag_list.EVERY if any(tag in tag_list.tags_of_type(found.type, [kind]) for kind in kinds)]
    author = db.session.get(User, version.author_id) if version.author_id else None
    theirs = version if conflict else None
    changes = template_versions.differences(template_versions.columns_of(version), form.columns, format_labels())
    response = page(
        "templates/edit.html" if current_user.may(Permission.CONFIGURE) else "templates/show.html",
        status=status, form=form, edited=found, version=version, author=author, kinds=kinds, tags=tags, theirs=theirs,
        conflict_changes=changes if theirs else [],
        trial=_trial(form), told=told, file_label=file_label, is_event=templates.is_event(found), types=templates.TYPES,
        type_kinds=templates.recipients(found.type), sender=_sender(form),
        words_parts=template_versions.PARTS, tested=tested,
    )  # fmt: skip
    response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
    return response


def _trial(form: TemplateForm) -> Trial:
    form_url = form.form_url.data if "form_url" in form._fields and not form.form_url.errors else ""
    return template_trial.of(form.template, form.words, request.form, form_url or "")


def _test(form: TemplateForm, version: TemplateVersion) -> Response:
    names = form.files.data or () if "files" in form._fields else ()
    draft = template_trial.to_oneself(_trial(form), names)
    sender = _sender(form)
    if sender is None:
        raise UserMistake("Aucune adresse d'expédition n'est configurée : demandez à un administrateur.")
    key = f"test:{(form.request_key.data or '')[:64]}"
    (email,) = mail.post(
        [draft], organisation=current_user.organisation, sender=sender, by=current_user, request_key=key
    )
    audit.sent(AuditAction.EMAILS_SENT, [email], trial=True, template=form.template.public_id)
    db.session.commit()
    form.request_key.data = str(uuid4())
    return _editor(form, version, tested=email)


def _sender(form: TemplateForm) -> Sender | None:
    """Whom it leaves from: the one chosen, else the default one."""
    listed = senders()
    return next((s for s in listed if str(s.id) == form.sender.data), next(iter(listed), None))
