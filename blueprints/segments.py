"""Abonnés › Listes et exports › Segments: named sets of contacts, chosen one by one or by a rule.

The form of a rule shows how many it fits and the first of them as one edits (htmx), or by the button "Aperçu"; what a
rule means is history.segments'.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, SelectMultipleField, StringField, ValidationError
from wtforms.validators import Optional

from blueprints.forms import BaseForm, Line, Needed
from blueprints.own_origin import own_path
from blueprints.support import allow, get_or_404, page
from extensions import db
from history import segments
from history.segments import Last, Rule
from i18n import N_, _, language
from models import AuditAction, Contact, Segment
from models.words import ContactKind, Permission
from people import audit, contacts

blueprint = Blueprint("segments", __name__)
MODES = {"members": N_("Membres choisis un par un"), "rule": N_("Règle enregistrée")}
_RULE = ("kind", "company", "tag", "country", "offer", "last", "days", "session")


class SegmentForm(BaseForm):
    """The name, and the rule where `rule` is true."""

    name = StringField(N_("Nom du segment"), [Needed(N_("Donnez un nom au segment.")), Line(100)])
    kind = SelectMultipleField(N_("Type de contact"), validate_choice=False)
    company = SelectMultipleField(N_("Entreprise"), validate_choice=False)
    tag = SelectMultipleField(N_("Étiquette"), validate_choice=False)
    country = SelectMultipleField(N_("Pays"), validate_choice=False)
    offer = SelectMultipleField(N_("Offre"), validate_choice=False)
    last = SelectField(N_("Dernière session"), validate_choice=False)
    days = IntegerField(N_("Nombre de jours"), [Optional()])  # a browser sends it empty
    session = SelectField(N_("Session"), validate_choice=False)

    def __init__(self, segment: Segment, rule: Rule | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.segment = segment
        if rule is None:
            for name in _RULE:
                del self[name]
            return
        offered = segments.choices(segment.organisation_id)
        self.kind.choices = [(kind.value, _(kind.label)) for kind in ContactKind]
        for name in ("tag", "country", "offer"):
            known = getattr(offered, name)
            kept = [word for word in getattr(rule, name) if word not in known]
            self[name].choices = [(word, _shown(name, word)) for word in (*known, *kept)]
        named = segments.companies(segment.organisation_id)
        self.company.choices = [*named, *((c, c) for c in rule.company if c not in dict(named))]
        self.last.choices = [("", _("Indifférent")), *((one.value, _(one.label)) for one in Last)]
        sessions = segments.sessions(segment.organisation_id)
        gone = [(rule.session, rule.session)] if rule.session and rule.session not in dict(sessions) else []
        self.session.choices = [("", "—"), *sessions, *gone]

    def validate_name(self, field: Any) -> None:
        if segments.name_taken(self.segment, field.data or ""):
            raise ValidationError(_("Un autre segment porte déjà ce nom."))


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    return page("segments/index.html", listed=segments.listed(current_user.organisation_id))


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.WRITE)
def new() -> Response:
    mode = request.values.get("mode", "rule")
    return _form(Segment(organisation_id=current_user.organisation_id), mode if mode in MODES else "rule")


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def segment(public_id: str) -> Response:
    found = get_or_404(Segment, public_id)
    words = request.args.get("q", "").strip()[:200]
    ids = segments.contact_ids(found)
    shown = segments.preview(ids, segments.SHOWN if found.rule is not None else 500)
    results = []
    if words and found.rule is None:
        known = {contact.id for contact in shown.first}
        results = [c for c in contacts.found(found.organisation_id, words, list(ContactKind)) if c.id not in known]
    return page(
        "segments/segment.html", segment=found, preview=shown, words=words, results=results,
        rule=said(Rule.read(found.rule), found.organisation_id) if found.rule is not None else None,
    )  # fmt: skip


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.WRITE)
def edit(public_id: str) -> Response:
    found = get_or_404(Segment, public_id)
    return _form(found, "members" if found.rule is None else "rule")


@blueprint.post("/preview")
@allow(Permission.READ)
def preview() -> Response:
    """What the rule in the form would hold, saving nothing: the piece that htmx shows beside the form."""
    shown = segments.preview(segments.fitting(current_user.organisation_id, _sent()))
    response = page("segments/preview.html", partial="segments/_preview.html", preview=shown, rule_empty=_sent().empty)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/<public_id>/delete")
@allow(Permission.WRITE)
def delete(public_id: str) -> Response:
    found = get_or_404(Segment, public_id)
    audit.note(AuditAction.SEGMENT_DELETED, found, name=found.name)
    db.session.delete(found)
    db.session.commit()
    flash(_("Le segment « %(name)s » est supprimé. Ses contacts restent.", name=found.name), "success")
    return redirect(url_for("segments.index"), 303)  # type: ignore[return-value]


@blueprint.post("/<public_id>/members")
@allow(Permission.WRITE)
def members(public_id: str) -> Response:
    """Add contacts (`contact`, repeatable) to a static segment, or take them out (`remove`)."""
    found = get_or_404(Segment, public_id)
    if found.rule is not None:
        abort(404)
    asked = [get_or_404(Contact, one) for one in request.form.getlist("contact")[:200]]
    segments.add(found, asked)
    for one in request.form.getlist("remove")[:200]:
        segments.remove(found, get_or_404(Contact, one))
    audit.note(
        AuditAction.SEGMENT_MEMBERS, found, added=[one.public_id for one in asked],
        removed=request.form.getlist("remove")[:200],
    )  # fmt: skip
    db.session.commit()
    default = url_for("segments.segment", public_id=public_id)
    return redirect(own_path(request.form.get("next"), default), 303)  # type: ignore[return-value]


@blueprint.post("/of/<contact_id>")
@allow(Permission.WRITE)
def of_contact(contact_id: str) -> Response:
    """From a contact's record: the static segments that it is to be in (`segment`, repeatable), and no other."""
    contact = get_or_404(Contact, contact_id)
    known = segments.memberships(contact)
    chosen = set(request.form.getlist("segment")) & {one.public_id for one, _member in known}
    for one, member in known:
        if one.public_id in chosen and not member:
            segments.add(one, [contact])
        elif member and one.public_id not in chosen:
            segments.remove(one, contact)
    audit.note(AuditAction.SEGMENT_MEMBERS, contact, segments=sorted(chosen)[:200])
    db.session.commit()
    flash(_("Les segments de %(name)s sont enregistrés.", name=contact.name), "success")
    return redirect(url_for("contacts.record", public_id=contact_id), 303)  # type: ignore[return-value]


def _sent() -> Rule:
    return Rule.of({name: request.form.getlist(name) for name in _RULE})


def _form(segment: Segment, mode: str) -> Response:
    rule = None
    if mode == "rule":
        rule = _sent() if request.method == "POST" else Rule.read(segment.rule or {})
    data = {"name": segment.name, **({name: getattr(rule, name) for name in _RULE} if rule else {})}
    form = SegmentForm(segment, rule, data={**data, "days": data.get("days") or None})
    looking = "preview" in request.form
    status = 200
    if request.method == "POST" and not looking:
        valid = form.validate()
        if rule is not None and rule.empty:
            form.form_errors.append(_("Choisissez au moins une condition."))
        if valid and not form.form_errors:
            return _save(segment, form.name.data or "", rule)
        status = 422
    shown = segments.preview(segments.fitting(segment.organisation_id, rule)) if rule is not None else None
    return page(
        "segments/form.html", status=status, form=form, segment=segment, mode=mode, modes=MODES, preview=shown,
        rule_empty=rule is not None and rule.empty,
    )  # fmt: skip


def _save(segment: Segment, name: str, rule: Rule | None) -> Response:
    action = AuditAction.SEGMENT_CHANGED if segment.id else AuditAction.SEGMENT_CREATED
    if segment.id is None:
        segment.created_by_id = current_user.id
        db.session.add(segment)
    segment.name = name
    segment.rule = rule.write() if rule is not None else None
    audit.note(action, segment, name=name)
    db.session.commit()
    flash(_("Le segment « %(name)s » est enregistré.", name=name), "success")
    return redirect(url_for("segments.segment", public_id=segment.public_id), 303)  # type: ignore[return-value]


def _shown(name: str, word: str) -> str:
    return contacts.country_name(word, language()) if name == "country" else word


def said(rule: Rule, organisation_id: int) -> list[tuple[str, str]]:
    """(what, values) of a rule, for a person."""
    either = f" {_('ou')} "
    named = dict(segments.companies(organisation_id)) if rule.company else {}
    lines = [
        (_("Type de contact"), either.join(_(ContactKind(kind).label) for kind in rule.kind)),
        (_("Entreprise"), either.join(named.get(company, company) for company in rule.company)),
        (_("Étiquette"), either.join(rule.tag)),
        (_("Pays"), either.join(_shown("country", code) for code in rule.country)),
        (_("Offre"), either.join(rule.offer)),
    ]
    if rule.last in (Last.WITHIN, Last.MORE):
        words = _("%(what)s %(days)s jours", what=_(rule.last.label), days=rule.days)
        lines.append((_("Dernière session"), words))
    elif rule.last is Last.NONE:
        lines.append((_("Dernière session"), _(rule.last.label)))
    elif rule.last is Last.GIVEN:
        titles = dict(segments.sessions(organisation_id))
        lines.append((_("Inscrit à la session"), titles.get(rule.session, rule.session)))
    return [line for line in lines if line[1]]
