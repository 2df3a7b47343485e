"""The door of /api/v1: Bearer tokens and their scopes, the rate limit, request ids, and how an answer is made.

Cookies are no credentials here, so nothing here needs a CSRF token. What each endpoint does is its own module's.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC
from functools import wraps
from typing import Any, TypeVar

import redis
from apiflask import APIBlueprint
from apiflask.schema_adapters import registry
from flask import Response, current_app, g, request
from flask.blueprints import BlueprintSetupState
from flask_limiter.util import get_remote_address
from pydantic import BaseModel
from sqlalchemy import select

from blueprints import problems
from blueprints.api.reading import StrictReader
from blueprints.problems import Problem
from extensions import csrf, db, limiter, login
from models import ApiToken, Organisation
from people import tokens
from people.tokens import Access

View = TypeVar("View", bound=Callable[..., Any])
T = TypeVar("T")

# Requests a token may make: programs send by the thousand, and one that runs wild must not starve the pages.
RATE = "6000/minute"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_PUBLIC_ID = re.compile(r"[A-Z]-[0-9a-z]{1,20}")
# Pages for people: whoever is signed in sees their navigation there.
_PAGES = ("api.docs",)

blueprint = APIBlueprint("api", __name__)
registry.register("pydantic", StrictReader)  # before any view says what it reads


def _caller() -> str:
    """Who is counted: the token (its hash, so that no secret goes to Redis), else the address."""
    shown = request.headers.get("Authorization", "")
    return hashlib.sha256(shown.encode()).hexdigest()[:24] if shown else get_remote_address()


csrf.exempt(blueprint)
limiter.limit(lambda: current_app.config["API_RATE"], key_func=_caller)(blueprint)


@blueprint.record_once
def _settle(state: BlueprintSetupState) -> None:
    state.app.config.setdefault("API_RATE", RATE)


@blueprint.before_request
def _no_cookies() -> None:
    if request.endpoint not in _PAGES:
        g.language = "en"
        g._login_user = login.anonymous_user()


def scoped(access: Access) -> Callable[[View], View]:
    """Guard a view: a living token with that scope, whose user's role allows it. 401 without one, 403 for another."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            token = _token()
            if not tokens.may(token, access):
                said = f"This needs a token with the scope {access.value}, of a user whose role allows it."
                bearer = f'Bearer realm="sillage", error="insufficient_scope", scope="{access.value}"'
                raise Problem(403, said, headers={"WWW-Authenticate": bearer})
            g.token, g._login_user = token, token.user
            tokens.used(token)
            return view(*args, **kwargs)

        guarded.guard = access  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def _token() -> ApiToken:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        said = "Show a token: Authorization: Bearer sil_…"
        raise Problem(401, said, headers={"WWW-Authenticate": 'Bearer realm="sillage"'})
    token = tokens.find(secret.strip())
    if token is None:
        bearer = 'Bearer realm="sillage", error="invalid_token"'
        raise Problem(401, "This token is not known, or was revoked.", headers={"WWW-Authenticate": bearer})
    return token


def organisation() -> Organisation:
    """The organisation the program acts for."""
    return g.token.user.organisation


def own(model: type[T], public_id: str) -> T:
    """The organisation's own row with that public id; 404 for none and for another organisation's."""
    row = None
    if _PUBLIC_ID.fullmatch(public_id):
        query = select(model).where(
            model.public_id == public_id,  # type: ignore[attr-defined]
            model.organisation_id == organisation().id,  # type: ignore[attr-defined]
        )
        row = db.session.execute(query).scalar_one_or_none()
    return row if row is not None else missing()


def missing() -> Any:
    """There is no such thing, or it is another organisation's."""
    raise Problem(404, "There is no such thing, or it is another organisation's.")


def answer(
    said: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None, *, tagged: bool = True
) -> Response:
    """A model as JSON. What a GET asks for has an ETag (unless not `tagged`): 304 for who shows it in If-None-Match."""
    response = Response(said.model_dump_json(), status, dict(headers or {}), mimetype="application/json")
    response.headers["Cache-Control"] = "private, no-cache"  # kept, but asked about each time
    if tagged and request.method in ("GET", "HEAD"):
        response.add_etag()
        response.make_conditional(request)
    return response


@blueprint.before_app_request
def _request_id() -> None:
    if problems.asked():
        shown = request.headers.get("X-Request-ID", "")
        g.request_id = shown if _REQUEST_ID.fullmatch(shown) else uuid.uuid4().hex


@blueprint.after_app_request
def _finish(response: Response) -> Response:
    for_a_program, limit = problems.asked(), limiter.current_limit
    if for_a_program:
        response.headers["X-Request-ID"] = g.get("request_id") or uuid.uuid4().hex
    if limit is None or not (for_a_program or limit.breached):
        return response
    try:
        left, seconds = max(limit.remaining, 0), max(limit.reset_at - time.time(), 0)
    except (redis.RedisError, OSError):  # gone since it counted: the answer needs no numbers
        return response
    if limit.breached:  # a page's form too
        response.headers.setdefault("Retry-After", str(max(math.ceil(seconds), 1)))
    if for_a_program:
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(left)
        response.headers["RateLimit-Reset"] = str(int(seconds))
    return response


def utc(moment: Any) -> Any:
    """The moment in UTC, so that JSON says Z."""
    return moment.astimezone(UTC) if moment is not None else None
