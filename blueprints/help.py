"""The help: what each status, reason and mention says, what it does not say, and what to do."""

from __future__ import annotations

from flask import Blueprint, Response

from blueprints import status_help
from blueprints.support import allow, page
from models.words import Permission, Reason, Status

blueprint = Blueprint("help", __name__)
blueprint.add_app_template_global(status_help.NOT_SAID, "not_said")
blueprint.add_app_template_global(status_help.family_of, "reason_family")


@blueprint.get("/help/statuses")
@allow(Permission.READ)
def statuses() -> Response:
    """The whole page; for htmx the statuses alone, as the small help of a list."""
    dead = [reason for reason in Reason if reason.address_dead]
    return page(
        "help/statuses.html", "help/_statuses.html", statuses=list(Status), families=status_help.FAMILIES,
        mentions=status_help.MENTIONS, dead=dead,
    )  # fmt: skip
