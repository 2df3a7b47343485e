"""Configuration › Types de formation: which e-mails each learner of such a session must receive."""

from __future__ import annotations

from flask import Blueprint, abort, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line, Needed
from blueprints.support import allow, done, page
from extensions import db
from i18n import N_, _
from models import AuditAction, Programme, TrainingType
from models.words import Permission
from people import audit
from planning.cells import REQUIRABLE, ordered

blueprint = Blueprint("training_types", __name__)


class RequiredField(SelectMultipleField):
    """Types of e-mail as checkboxes, in the order of a session's life."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class DefaultForm(BaseForm):
    """What sessions without a type require."""

    required = RequiredField(N_("E-mails que chaque apprenant doit recevoir"))

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.required.choices = [(type.value, _(type.label)) for type in REQUIRABLE]

    def values(self) -> list[str]:
        """The chosen types, in order."""
        return [type.value for type in ordered(self.required.data or [])]


class TypeForm(DefaultForm):
    """One type of training."""

    name = StringField(N_("Nom"), [Needed(N_("Donnez un nom à ce type.")), Line(100)])


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    used = (
        select(func.count()).select_from(Programme).where(Programme.training_type_id == TrainingType.id)
    ).scalar_subquery()
    listed = db.session.execute(
        select(TrainingType, used)
        .where(TrainingType.organisation_id == current_user.organisation_id)
        .order_by(func.lower(TrainingType.name), TrainingType.id)
    ).all()
    return page(
        "training_types/index.html", listed=[(kind, ordered(kind.required), number) for kind, number in listed],
        default=ordered(current_user.organisation.required),
    )  # fmt: skip


@blueprint.route("/default", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def default() -> Response:
    organisation = current_user.organisation
    form = DefaultForm(data={"required": organisation.required})
    if form.validate_on_submit():
        organisation.required = form.values()
        audit.note(AuditAction.TRAINING_TYPE_CHANGED, required=form.values())
        return _done(_("Les e-mails requis sont enregistrés."))
    return page("training_types/form.html", status=_status(), form=form, kind=None, default=True)


@blueprint.route("/new", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def new() -> Response:
    return _form(TrainingType(organisation_id=current_user.organisation_id, name="", required=[]))


@blueprint.route("/<int:type_id>", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def edit(type_id: int) -> Response:
    return _form(_own_or_404(type_id))


@blueprint.post("/<int:type_id>/delete")
@allow(Permission.CONFIGURE)
def delete(type_id: int) -> Response:
    kind = _own_or_404(type_id)
    db.session.delete(kind)
    audit.note(AuditAction.TRAINING_TYPE_DELETED, kind.name)
    return _done(_("Le type de formation « %(name)s » est supprimé.", name=kind.name))


def _form(kind: TrainingType) -> Response:
    required = kind.required if kind.id else current_user.organisation.required
    form = TypeForm(data={"name": kind.name, "required": required})
    if form.validate_on_submit():
        name = form.name.data or ""
        if _taken(name, kind.id):
            form.name.errors = [_("Ce nom est déjà pris.")]
        else:
            kind.name, kind.required = name, form.values()
            db.session.add(kind)
            audit.note(AuditAction.TRAINING_TYPE_CHANGED, name, required=kind.required)
            return _done(_("Le type de formation « %(name)s » est enregistré.", name=name))
    return page("training_types/form.html", status=_status(), form=form, kind=kind if kind.id else None, default=False)


def _taken(name: str, own: int | None) -> bool:
    query = select(TrainingType.id).where(
        TrainingType.organisation_id == current_user.organisation_id, TrainingType.name == name
    )
    found = db.session.scalar(query)
    return found is not None and found != own


def _own_or_404(type_id: int) -> TrainingType:
    kind = db.session.scalar(
        select(TrainingType).where(
            TrainingType.id == type_id, TrainingType.organisation_id == current_user.organisation_id
        )
    )  # fmt: skip
    return kind or abort(404)


def _done(words: str) -> Response:
    return done(words, url_for("training_types.index"))


def _status() -> int:
    return 422 if request.method == "POST" else 200
