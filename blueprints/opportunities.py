"""Opportunities: the pipeline, one opportunity with the stages it went through, its form, its stage by a button."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import flask_babel
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import DateField, SelectField, StringField, TextAreaField, ValidationError

from blueprints import downloads, writing
from blueprints.deals import Deal, framed, quotes
from blueprints.forms import BaseForm, Line, Needed, Text
from blueprints.history_views import render_history
from blueprints.support import allow, get_or_404, page
from documents import blobs, store
from extensions import db
from history import Scope
from i18n import N_, _
from models import AuditAction, Contact, Opportunity, Stage
from models.words import ContactKind, EmailType, Permission
from people import audit, contacts, opportunities

blueprint = Blueprint("opportunities", __name__)
# Who a sale may be made to.
KINDS = (ContactKind.COMPANY, ContactKind.CUSTOMER, ContactKind.LEARNER, ContactKind.FUNDER)


@blueprint.app_template_filter("euros")
def euros(amount: Decimal) -> str:
    """12 500 €, 12 500,50 €: an amount as the page's language writes it, cents only where there are some."""
    pattern = "#,##0" if amount == amount.to_integral_value() else "#,##0.00"
    return f"{flask_babel.format_decimal(amount, format=pattern)}\u00a0€"


class OpportunityForm(BaseForm):
    """One opportunity; its contact is chosen before."""

    title = StringField(N_("Intitulé"), [Needed(N_("Donnez un intitulé.")), Line(200)])
    stage = SelectField(N_("Étape"))
    amount = StringField(N_("Montant hors taxes (€)"), [Line(30)])
    expected_on = DateField(N_("Signature attendue le"), description=N_("Au format 22/11/2026."))
    owner_id = SelectField(N_("Suivie par"), coerce=int)
    notes = TextAreaField(N_("Notes internes"), [Text(5000)], description=N_("Jamais envoyées."))

    def __init__(self, opportunity: Opportunity | None) -> None:
        super().__init__(obj=opportunity)
        self.stage.choices = [(stage.value, _(stage.label)) for stage in Stage]
        people = [(user.id, user.name) for user in opportunities.owners(current_user.organisation)]
        kept = self.owner_id.object_data
        if opportunity and kept and kept not in dict(people) and opportunity.owner:
            people.append((kept, opportunity.owner.name))
        self.owner_id.choices = [(0, "—"), *people]
        if not self.is_submitted():
            self.stage.data = opportunity.stage.value if opportunity else Stage.LEAD.value
            self.owner_id.data = (kept or 0) if opportunity else current_user.id
            amount = opportunity.amount if opportunity else None
            self.amount.data = f"{amount:f}".replace(".", ",").removesuffix(",00") if amount is not None else ""

    def validate_amount(self, field: StringField) -> None:
        try:
            self.read = opportunities.read_amount(field.data or "")
        except ValueError as error:
            raise ValidationError(_("Écrivez un montant comme 12 500 ou 12 500,50.")) from error

    def validate_expected_on(self, field: DateField) -> None:
        if field.data and not 2000 <= field.data.year <= 2100:
            raise ValidationError(_("Cette date n'existe pas : écrivez-la comme 22/11/2026."))

    read: Decimal | None = None

    def values(self) -> dict[str, Any]:
        """The columns, without the stage (moved apart)."""
        return {
            "title": self.title.data or "", "amount": self.read, "expected_on": self.expected_on.data,
            "owner_id": self.owner_id.data or None, "notes": self.notes.data or "",
        }  # fmt: skip


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    organisation = current_user.organisation
    words = request.args.get("q", "").strip()[:200]
    people = opportunities.owners(organisation)
    asked = request.args.get("owner", "")
    owner_id = int(asked) if asked.isdigit() and int(asked) in {user.id for user in people} else None
    stage = {one.value: one for one in Stage}.get(request.args.get("stage", ""))
    kept = {"q": words or None, "owner": owner_id}
    shown: dict[str, Any] = {"lanes": [], "found": None}
    if stage is None:
        shown["lanes"] = opportunities.pipeline(organisation, words, owner_id)
    else:
        shown["found"] = opportunities.listed(organisation, stage, words, owner_id, request.args.get("cursor"))
    response = page(
        "opportunities/index.html", partial="opportunities/_list.html", words=words, owner_id=owner_id, people=people,
        stage=stage, stages=list(Stage), kept=kept, **shown,
    )  # fmt: skip
    response.headers["HX-Push-Url"] = url_for("opportunities.index", **kept, stage=stage.value if stage else None)
    return response


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.WRITE)
def new() -> Response:
    """First whom it is about, then what."""
    if not request.args.get("contact"):
        words = request.args.get("q", "").strip()[:200]
        found = contacts.found(current_user.organisation_id, words, KINDS) if words else []
        return page("opportunities/pick.html", partial="opportunities/_found.html", words=words, found=found)
    contact = get_or_404(Contact, request.args["contact"][:40])
    if contact.kind not in KINDS:
        abort(404)
    return _form(None, contact)


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.WRITE)
def edit(public_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    return _form(opportunity, opportunity.contact)


def _form(opportunity: Opportunity | None, contact: Contact) -> Response:
    form = OpportunityForm(opportunity)
    if form.validate_on_submit():
        stage = Stage(form.stage.data)
        saved = opportunity or Opportunity(
            organisation_id=current_user.organisation_id, contact_id=contact.id, stage=stage
        )
        opportunities.save(saved, current_user, **form.values())
        action = AuditAction.OPPORTUNITY_CHANGED if opportunity else AuditAction.OPPORTUNITY_CREATED
        audit.note(action, saved, stage=stage.value)
        opportunities.move(saved, stage, current_user)
        db.session.commit()
        flash(_("L'opportunité est enregistrée."), "success")
        return redirect(url_for("opportunities.record", public_id=saved.public_id), 303)  # type: ignore[return-value]
    return page(
        "opportunities/form.html", status=422 if request.method == "POST" else 200, form=form, contact=contact,
        opportunity=opportunity,
    )  # fmt: skip


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def record(public_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    return page(
        "opportunities/record.html", **framed(opportunity), stages=list(Stage), quotes=quotes(opportunity),
        changes=opportunities.changes(opportunity),
    )  # fmt: skip


@blueprint.post("/<public_id>/stage")
@allow(Permission.WRITE)
def move(public_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    stage = {one.value: one for one in Stage}.get(request.form.get("stage", ""))
    if stage is None:
        abort(400)
    if opportunities.move(opportunity, stage, current_user):
        flash(_("L'opportunité est à l'étape « %(stage)s ».", stage=_(stage.label)), "success")
        audit.note(AuditAction.OPPORTUNITY_MOVED, opportunity, stage=stage.value)
    db.session.commit()
    return redirect(url_for("opportunities.record", public_id=public_id), 303)  # type: ignore[return-value]


@blueprint.get("/<public_id>/emails")
@allow(Permission.READ)
def emails(public_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    scope = Scope(current_user.organisation_id, opportunity=opportunity)
    return render_history(scope, "opportunities/history.html", **framed(opportunity))


@blueprint.route("/<public_id>/emails/new", methods=["GET", "POST"])
@allow(Permission.SEND)
def write(public_id: str) -> Response:
    return writing.write(Deal.of(get_or_404(Opportunity, public_id), EmailType.FREE, current_user))


@blueprint.route("/<public_id>/quote", methods=["GET", "POST"])
@allow(Permission.SEND)
def quote(public_id: str) -> Response:
    return writing.write(Deal.of(get_or_404(Opportunity, public_id), EmailType.QUOTE, current_user))


@blueprint.get("/<public_id>/documents/<document_id>")
@allow(Permission.READ)
def file(public_id: str, document_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    document = next((one for one in quotes(opportunity) if one.public_id == document_id), None) or abort(404)
    media_type = document.blob.media_type
    shown = blobs.may_show(document.sha256, media_type)
    deliver = downloads.shown_in_place if shown else downloads.download
    return deliver(Response(blobs.open(document.sha256)), document.filename, media_type)


@blueprint.post("/<public_id>/documents/<document_id>/withdraw")
@allow(Permission.WRITE)
def withdraw(public_id: str, document_id: str) -> Response:
    opportunity = get_or_404(Opportunity, public_id)
    document = next((one for one in quotes(opportunity) if one.public_id == document_id), None) or abort(404)
    store.withdraw(document)
    audit.note(AuditAction.DOCUMENT_WITHDRAWN, opportunity, kind=document.kind.value, filename=document.filename)
    db.session.commit()
    flash(_("Le fichier est retiré ; ce qui en a été envoyé reste dans l'historique."), "success")
    return redirect(url_for("opportunities.record", public_id=public_id), 303)  # type: ignore[return-value]
