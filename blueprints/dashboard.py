"""Tableau de bord: the sessions about to start with something missing, the failures to deal with, what leaves today."""

from __future__ import annotations

from flask import Blueprint, Response
from flask_login import current_user

from blueprints.support import allow, page
from history import untreated
from models.words import Permission
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
        failures=untreated.count(organisation.id, _COUNTED),
        counted=_COUNTED,
        today=agenda.today(organisation),
    )
