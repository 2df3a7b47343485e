"""The open pixel: the one GET that writes. Whatever the token, the answer is the same."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from blueprints.support import allow_anyone
from extensions import csrf
from mail import marks
from models import SeenMark

blueprint = Blueprint("track", __name__)
csrf.exempt(blueprint)


@blueprint.get("/o/<token>.gif")
@allow_anyone
def pixel(token: str) -> Response:
    """One transparent point, never cached."""
    with contextlib.suppress(DBAPIError, PoolTimeout):  # the database away: an open goes unseen, the letter is whole
        asked = request.headers
        purpose = asked.get("Sec-Purpose") or asked.get("Purpose") or asked.get("X-Moz") or ""
        address = request.remote_addr or ""
        marks.seen(SeenMark.PIXEL, token, request.method, asked.get("User-Agent", ""), address, purpose)
    return Response(marks.PIXEL, mimetype="image/gif", headers={"Cache-Control": "no-store, private"})
