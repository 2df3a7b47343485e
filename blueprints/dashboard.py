"""Tableau de bord: the sessions about to start with something missing, the failures to deal with, what leaves today."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_login import current_user
from sqlalchemy import func, select

from blueprints.support import allow, page
from extensions import db
from models import Email, Organisation
from models.words import Permission, Reason, StatusGroup
from planning import agenda, completeness

blueprint = Blueprint("dashboard", __name__)
_COUNTED = 10_000


@blueprint.get("/")
@allow(Permission.READ)
def home() -> Response:
    organisation = current_user.organisation
    return page(
        "dashboard/home.html",
        risks=completeness.at_risk(organisation),
        failures=_untreated(organisation),
        counted=_COUNTED,
        today=agenda.today(organisation),
    )


def _untreated(organisation: Organisation) -> int:
    """How many e-mails failed and nobody has dealt with them, counted to one past _COUNTED."""
    query = select(Email.id).where(
        Email.organisation_id == organisation.id, Email.treated_at.is_(None),
        Email.status.in_(StatusGroup.ERROR.statuses),
        Email.reason.is_(None) | Email.reason.not_in([reason for reason in Reason if reason.silent]),
    )  # fmt: skip
    return db.session.scalar(select(func.count()).select_from(query.limit(_COUNTED + 1).subquery())) or 0
