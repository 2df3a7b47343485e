"""Dossier de preuve, for managers and admins: what was sent, what became of it, who acted, as an archive that whoever
it is handed to can check. Taking it is noted in the log."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, abort
from flask_login import current_user

from blueprints.downloads import download, streamed
from blueprints.support import allow
from history import proof
from i18n import _
from models import AuditAction
from models.words import Permission
from people import audit
from proofs import one
from proofs.taker import Taker

blueprint = Blueprint("proofs", __name__)


@blueprint.get("/<public_id>/proof.zip")
@allow(Permission.AUDIT)
def of_email(public_id: str) -> Response:
    """All about one e-mail."""
    taker = Taker.of(current_user.organisation_id, current_user.name, datetime.now(UTC))
    found = one.of_email(taker, public_id) or abort(404)
    audit.taken(AuditAction.PROOF_TAKEN, public_id)
    return _archived(Response(streamed(proof.stream(found.members))), _("Preuve %(number)s", number=public_id))


def _archived(response: Response, name: str) -> Response:
    response = download(response, f"{name}.zip", "application/zip")
    response.headers["X-Accel-Buffering"] = "no"
    return response
