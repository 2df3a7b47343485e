"""Automatic e-mails from dates: the organisation's defaults with its quiet hours, and each session's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import BooleanField, IntegerField, TimeField, ValidationError

from blueprints.forms import BaseForm, Needed, RowForm
from blueprints.support import allow, get_or_404, page
from extensions import db, on_commit, ring
from i18n import N_, _
from models import AuditAction, Rule, TrainingSession
from models.words import Permission
from people import audit
from planning import automations, clock, plans
from planning.automations import MOST_DAYS, Chosen

blueprint = Blueprint("automations", __name__)


class RuleRow(RowForm):
    """How one rule is set."""

    enabled = BooleanField(N_("Allumé"))
    days = IntegerField(N_("Jours"), [Needed(N_("Indiquez un nombre de jours."))])
    at = TimeField(N_("Heure"), [Needed(N_("Indiquez une heure."))])

    def validate_days(self, field: IntegerField) -> None:
        if not 0 <= (field.data or 0) <= MOST_DAYS:
            raise ValidationError(_("De 0 à %(most)s jours.", most=MOST_DAYS))


class RulesForm(BaseForm):
    """Every rule, one row each."""

    def __init__(self, known: Mapping[Rule, Chosen], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = request.form if request.method == "POST" else None
        self.rows = {rule: RuleRow(given, prefix=f"{rule.value}-", obj=chosen) for rule, chosen in known.items()}

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        rows = [row.validate() for row in self.rows.values()]
        return super().validate(*args, **kwargs) and all(rows)

    def chosen(self) -> dict[Rule, Chosen]:
        """What was typed, by rule."""
        return {
            rule: Chosen(bool(row.enabled.data), int(row.days.data or 0), row.at.data)
            for rule, row in self.rows.items()
        }


class DefaultsForm(RulesForm):
    """The defaults, and the organisation's quiet hours."""

    quiet_from = TimeField(N_("De"), [Needed(N_("Indiquez une heure."))])
    quiet_to = TimeField(N_("à"), [Needed(N_("Indiquez une heure."))])


@blueprint.route("/settings/automations", methods=["GET", "POST"])
@allow(Permission.CONFIGURE)
def defaults() -> Response:
    organisation = current_user.organisation
    form = DefaultsForm(automations.defaults(organisation.id), obj=organisation)
    if form.validate_on_submit():
        automations.choose(organisation.id, None, form.chosen())
        audit.note(AuditAction.AUTOMATIONS_CHANGED, on=_on(form))
        hours = (form.quiet_from.data, form.quiet_to.data)
        if hours != (organisation.quiet_from, organisation.quiet_to):
            organisation.quiet_from, organisation.quiet_to = hours
            organisation_id = organisation.id
            on_commit(lambda: ring("replan_organisation", "work", organisation_id))
        db.session.commit()
        flash(_("Les envois automatiques sont enregistrés : les prochaines sessions créées les suivront."), "success")
        return redirect(url_for("automations.defaults"), 303)  # type: ignore[return-value]
    return page("automations/defaults.html", status=_status(), form=form, anchors=_anchors())


@blueprint.route("/sessions/<public_id>/automations", methods=["GET", "POST"])
@allow(Permission.SEND)
def of_session(public_id: str) -> Response:
    training_session = get_or_404(TrainingSession, public_id)
    form = RulesForm(automations.of_session(training_session))
    if form.validate_on_submit():
        automations.choose(training_session.organisation_id, training_session, form.chosen())
        audit.note(AuditAction.SESSION_AUTOMATION, training_session, on=_on(form))
        plans.replan(training_session.id)
        db.session.commit()
        flash(_("Les envois automatiques de la session sont enregistrés."), "success")
        return redirect(url_for("planned.index", public_id=training_session.public_id), 303)  # type: ignore[return-value]
    return page(
        "automations/session.html", status=_status(), form=form, training_session=training_session, anchors=_anchors(),
        ahead=clock.ahead(), now=clock.now(),
    )  # fmt: skip


def _on(form: RulesForm) -> list[str]:
    """The rules that are switched on, for the log."""
    return [rule.value for rule, chosen in form.chosen().items() if chosen.enabled]


def _anchors() -> dict[Rule, str]:
    return {rule: _(rule.anchor.label) for rule in Rule}


def _status() -> int:
    return 422 if request.method == "POST" else 200
