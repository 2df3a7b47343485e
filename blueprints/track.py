"""The open pixel and the rewritten links: the two GETs that write. Whatever a pixel's token, the answer is the same."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response, abort, redirect, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Response as Answer

from blueprints.support import allow_anyone
from extensions import csrf
from mail import links, marks, tokens
from models import SeenMark

blueprint = Blueprint("track", __name__)
csrf.exempt(blueprint)


@blueprint.get("/o/<token>.gif")
@allow_anyone
def pixel(token: str) -> Response:
    """One transparent point, never cached."""
    _seen(SeenMark.PIXEL, tokens.read("pixel", token) or 0)
    return Response(marks.PIXEL, mimetype="image/gif", headers={"Cache-Control": "no-store, private"})


@blueprint.get("/l/<token>/<packed>")
@allow_anyone
def link(token: str, packed: str) -> Answer:
    """Where a rewritten link leads: to the address that was signed with it, and nowhere else."""
    email_id, target = links.target_of(token, packed) or abort(404)
    _seen(SeenMark.LINK, email_id)
    answer = redirect(target, 302)
    answer.headers["Cache-Control"] = "no-store, private"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _seen(mark: SeenMark, email_id: int) -> None:
    asked = request.headers
    purpose = asked.get("Sec-Purpose") or asked.get("Purpose") or asked.get("X-Moz") or ""
    with contextlib.suppress(DBAPIError, PoolTimeout):  # the database away: a look goes unseen, the letter is whole
        marks.seen(mark, email_id, request.method, asked.get("User-Agent", ""), request.remote_addr or "", purpose)
