"""Training programmes: the list, the record, create and edit. A session made from one opens with its words."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import NumberRange, Optional

from blueprints.forms import BaseForm, Line, Needed, Text
from blueprints.support import allow, get_or_404, page
from extensions import db
from i18n import N_, _
from models import AuditAction, Programme, TrainingType
from models.words import Permission
from people import audit, programmes

blueprint = Blueprint("programmes", __name__)


class ProgrammeForm(BaseForm):
    title = StringField(N_("Titre"), [Needed(N_("Donnez un titre au programme.")), Line(200)])
    reference = StringField(N_("Référence"), [Line(60)], description=N_("Reprise par ses sessions."))
    training_type_id = SelectField(N_("Type de formation"), coerce=int)
    duration_hours = IntegerField(
        N_("Durée en heures"), [Optional(), NumberRange(1, 10_000, N_("Entre 1 et 10 000 heures."))]
    )
    audience = TextAreaField(N_("Public"), [Text(2000)])
    prerequisites = TextAreaField(N_("Prérequis"), [Text(2000)])
    objectives = TextAreaField(
        N_("Objectifs"), [Text(10_000)], description=N_("Une ligne vide sépare les paragraphes ; « - » fait une liste.")
    )
    content = TextAreaField(N_("Contenu"), [Text(20_000)])
    methods = TextAreaField(
        N_("Moyens et évaluation"), [Text(10_000)],
        description=N_("Moyens pédagogiques, modalités d'évaluation et de suivi."),
    )  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_type_id.choices = [(0, "—"), *programmes.types(current_user.organisation_id)]
        for validator in self.duration_hours.validators:
            if isinstance(validator, NumberRange):
                validator.message = _("Entre 1 et 10 000 heures.")

    def values(self) -> dict[str, Any]:
        """The columns of the programme."""
        found = {field.name: field.data or "" for field in self if field.name != "csrf_token"}
        found["training_type_id"] = self.training_type_id.data or None
        found["duration_hours"] = self.duration_hours.data
        return found


@blueprint.get("")
@allow(Permission.READ)
def index() -> Response:
    words = request.args.get("q", "").strip()[:200]
    found = programmes.listed(current_user.organisation_id, words, request.args.get("cursor"))
    response = page("programmes/index.html", partial="programmes/_list.html", found=found, words=words)
    response.headers["HX-Replace-Url"] = url_for("programmes.index", q=words or None)
    return response


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.WRITE)
def new() -> Response:
    return _form(None)


@blueprint.route("/<public_id>/edit", methods=["GET", "POST"])
@allow(Permission.WRITE)
def edit(public_id: str) -> Response:
    return _form(get_or_404(Programme, public_id))


def _form(programme: Programme | None) -> Response:
    form = ProgrammeForm(obj=programme)
    if form.validate_on_submit():
        saved = programmes.save(programme or Programme(), current_user.organisation_id, **form.values())
        audit.note(AuditAction.PROGRAMME_CHANGED if programme else AuditAction.PROGRAMME_CREATED, saved)
        db.session.commit()
        flash(_("Le programme est enregistré."), "success")
        return redirect(url_for("programmes.record", public_id=saved.public_id), 303)  # type: ignore[return-value]
    status = 422 if request.method == "POST" else 200
    return page("programmes/form.html", status=status, form=form, programme=programme)


@blueprint.get("/<public_id>")
@allow(Permission.READ)
def record(public_id: str) -> Response:
    programme = get_or_404(Programme, public_id)
    kind = db.session.get(TrainingType, programme.training_type_id) if programme.training_type_id else None
    return page(
        "programmes/record.html", programme=programme, kind=kind, sessions=programmes.sessions_of(programme)
    )  # fmt: skip
