"""/metrics for Prometheus: to whoever shows METRICS_TOKEN, without one to this machine alone; times every request."""

from __future__ import annotations

import hmac
import ipaddress
import time

from flask import Blueprint, Response, abort, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST

import metrics
from blueprints.support import allow_anyone
from extensions import settings

blueprint = Blueprint("metrics", __name__)
# Said by proxies: behind one, everybody seems to be on this machine.
_FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


@blueprint.get("/metrics")
@allow_anyone
def index() -> Response:
    if token := settings().metrics_token:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), token.encode()):
            return Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    elif not _on_this_machine():
        abort(404)
    _times().flush()
    body = metrics.exposition(current_app.extensions["redis"])
    return Response(body, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


@blueprint.before_app_request
def _begin() -> None:
    g.began = time.perf_counter()


@blueprint.after_app_request
def _end(response: Response) -> Response:
    if "began" in g:  # a request refused before the first of us was asked has no time
        _times().observe(request.endpoint or "none", response.status_code, time.perf_counter() - g.began)
    return response


def _times() -> metrics.WebTimes:
    known: metrics.WebTimes | None = current_app.extensions.get("web_times")
    if known is None:
        made = metrics.WebTimes(current_app.extensions["redis"], background=settings().env != "test")
        known = current_app.extensions.setdefault("web_times", made)
    return known


def _on_this_machine() -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # a UNIX socket's peer
        return False
