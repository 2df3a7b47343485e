"""What no column can hold, wherever it was not looked for: a NUL, a number beyond bigint, a name somebody just took.

PostgreSQL refuses each; whoever sent it is told of their mistake (400, 404, the form's own words), and never sees 500,
which would be ours.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, g, request
from flask.typing import ResponseReturnValue
from psycopg.errors import UniqueViolation
from sqlalchemy.exc import DataError, IntegrityError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.routing import IntegerConverter, Map

from blueprints.support import answered
from extensions import db

_LARGEST = 2**63 - 1


def setup(app: Flask) -> None:
    """Answer for every page and the API; before any route is made."""
    app.url_map.converters["int"] = _Number
    app.register_error_handler(DataError, _refused)
    app.register_error_handler(IntegrityError, _taken)


class _Number(IntegerConverter):
    """<int:…> as bigint has it: behind a greater one there is no page."""

    def __init__(self, map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(map, *args, **{"max": _LARGEST, **kwargs})


def _refused(error: DataError) -> ResponseReturnValue:
    if "NUL (0x00)" not in str(error.orig):
        raise error
    db.session.rollback()
    return answered(BadRequest())


def _taken(error: IntegrityError) -> ResponseReturnValue:
    """Two sent the same at once, and each looked before the other had written: whoever comes second is asked again,
    sees the first one's row, and says so in the words it has for that."""
    if not isinstance(error.orig, UniqueViolation) or g.get("asked_again") or request.endpoint is None:
        raise error
    g.asked_again = True
    db.session.rollback()
    for file in request.files.values():
        file.stream.seek(0)
    try:
        return current_app.make_response(current_app.view_functions[request.endpoint](**request.view_args or {}))
    except HTTPException as problem:
        return answered(problem)
