"""What no column can hold: a NUL typed into an address or a field, wherever it was not looked for.

PostgreSQL refuses it; whoever sent it gets 400, which is their mistake, and not 500, which would be ours.
"""

from __future__ import annotations

from flask import Flask
from sqlalchemy.exc import DataError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Response

from blueprints.support import answered
from extensions import db


def setup(app: Flask) -> None:
    """Answer for every page and the API."""
    app.register_error_handler(DataError, _refused)


def _refused(error: DataError) -> Response | HTTPException:
    if "NUL (0x00)" not in str(error.orig):
        raise error
    db.session.rollback()
    return answered(BadRequest())
