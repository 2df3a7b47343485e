"""The versions of a template: what changed, by whom, going back to one, copying words to another template.

Everyone sees them; who may configure brings one back (as a new version: nothing is ever taken away).
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, url_for
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from blueprints.support import allow, done, get_or_404, page, posted
from blueprints.template_forms import format_labels, told
from extensions import db
from i18n import _
from mail import template_versions, templates
from mail.template_versions import Conflict
from models import AuditAction, Template, TemplateVersion
from models.words import ContactKind, EmailType, Permission
from people import audit

blueprint = Blueprint("template_versions", __name__)
_MOST_NUMBER = 2**31 - 1


@blueprint.get("/<public_id>/versions")
@allow(Permission.READ)
def versions(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    listed = _versions(found)
    changes = {new.number: _changes(old, new) for new, old in zip(listed, listed[1:], strict=False)}
    return page("templates/versions.html", edited=found, versions=listed, changes=changes)


@blueprint.get("/<public_id>/versions/<int:number>")
@allow(Permission.READ)
def version(public_id: str, number: int) -> Response:
    found = get_or_404(Template, public_id)
    shown, latest = _version_or_404(found, number), templates.newest(found)
    return page(
        "templates/version.html", edited=found, version=shown, latest=latest,
        changes=_changes(shown, latest) if shown is not latest else [], parts=template_versions.PARTS,
    )  # fmt: skip


@blueprint.post("/<public_id>/versions/<int:number>/restore")
@allow(Permission.CONFIGURE)
def restore(public_id: str, number: int) -> Response:
    found = get_or_404(Template, public_id)
    old = _version_or_404(found, number)
    columns = template_versions.columns_of(old)
    words = templates.words_of(old)
    problems = template_versions.problems(found.type, templates.kinds_of(found), words)
    if problems:
        flash(_("Cette version ne peut plus être reprise : %(why)s", why=told(problems[0])), "danger")
        return redirect(url_for("template_versions.version", public_id=public_id, number=number), 303)  # type: ignore[return-value]
    return _replaced(found, columns, _("Reprise de la version %(number)s", number=number))


@blueprint.post("/<public_id>/reset")
@allow(Permission.CONFIGURE)
def reset(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    return _replaced(found, templates.default_version(found.type), _("Retour au texte d'origine"))


def _replaced(found: Template, columns: dict[str, Any], note: str) -> Response:
    """These words in use; whatever was in use stays among the versions."""
    base = template_versions.latest_number(found)
    try:
        saved = template_versions.save(found, columns, base=base, by=current_user, note=note)
    except Conflict:
        db.session.rollback()
        flash(_("Quelqu'un vient d'enregistrer une autre version : regardez-la d'abord."), "warning")
        return redirect(url_for("template_versions.versions", public_id=found.public_id), 303)  # type: ignore[return-value]
    same = saved.number == base
    if not same:
        audit.note(AuditAction.TEMPLATE_RESTORED, found, name=found.name, version=saved.number, note=note)
    said = _("C'est déjà le texte en service.") if same else _("La version %(number)s est en service.", number=base + 1)
    return done(said, url_for("templates.template", public_id=found.public_id))


@blueprint.post("/<public_id>/copies")
@allow(Permission.CONFIGURE)
def copies(public_id: str) -> Response:
    found = get_or_404(Template, public_id)
    type, kind = posted("type") or found.type, posted("kind")
    fits = type in {one.value for one in templates.TYPES} and (not kind or kind in _kinds(type))
    if not fits or (type, kind) == (found.type, found.kind):
        flash(_("Choisissez un autre type d'e-mail, ou un autre destinataire."), "danger")
        return redirect(url_for("templates.template", public_id=public_id), 303)  # type: ignore[return-value]
    kinds = (ContactKind(kind),) if kind else templates.recipients(type)
    problems = template_versions.problems(type, kinds, templates.words_of(templates.newest(found)))
    if problems:
        flash(_("Ce texte ne convient pas à cet e-mail : %(why)s", why=told(problems[0])), "danger")
        return redirect(url_for("templates.template", public_id=public_id), 303)  # type: ignore[return-value]
    name = EmailType(type).label if type != found.type else found.name
    made = template_versions.copy(
        found, type, kind, name=name, by=current_user, note=_("Copie de « %(name)s »", name=_(found.name))[:200]
    )
    audit.note(AuditAction.TEMPLATE_CHANGED, made, also=[found.public_id], name=made.name, copy_of=found.public_id)
    return done(
        _("Le texte est copié : voici l'autre modèle."), url_for("templates.template", public_id=made.public_id)
    )


def _kinds(type: str) -> set[str]:
    return {kind.value for kind in templates.recipients(type)}


def _versions(found: Template) -> list[TemplateVersion]:
    query = select(TemplateVersion).where(TemplateVersion.template_id == found.id)
    query = query.options(selectinload(TemplateVersion.author)).order_by(TemplateVersion.number.desc()).limit(101)
    return list(db.session.scalars(query))


def _version_or_404(found: Template, number: int) -> TemplateVersion:
    query = select(TemplateVersion).where(
        TemplateVersion.template_id == found.id, TemplateVersion.number == min(number, _MOST_NUMBER)
    )
    return db.session.scalar(query) or abort(404)


def _changes(old: TemplateVersion, new: TemplateVersion) -> list[tuple[str, list[template_versions.Piece]]]:
    return _differences(template_versions.columns_of(old), template_versions.columns_of(new))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, list[template_versions.Piece]]]:
    return template_versions.differences(old, new, format_labels())
