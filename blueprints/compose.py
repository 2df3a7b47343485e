"""Writing to the people of a training session: a free e-mail, a convocation."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("compose", __name__)
