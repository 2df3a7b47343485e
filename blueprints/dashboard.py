"""The first page after signing in: for now the training sessions."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from blueprints.support import allow
from models.words import Permission

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
@allow(Permission.READ)
def home() -> Response:
    return redirect(url_for("sessions.index"), 303)
