"""An address with a slash too many at its end leads to the page without: people type them, other programs add them.

Looked at once nothing was found, so that no other request pays for it.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import current_app, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from blueprints import problems


def without_slash() -> Response | None:
    """The way to the page that the address names but for its last slash, with its query; None where there is none.
    The answer's address is built from our own route, never from what was typed, so that it leads to nobody else."""
    if request.method not in ("GET", "HEAD") or not request.path.endswith("/") or problems.asked():
        return None
    if request.url_rule is not None:  # there is such a page: it found nothing itself
        return None
    routes = current_app.create_url_adapter(request)
    try:
        endpoint, values = routes.match(request.path.rstrip("/"), method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return None
    where: str = routes.build(endpoint, values)  # type: ignore[union-attr]
    query = quote(request.query_string, safe="%/:?[]@!$&'()*+,;=")
    return redirect(f"{where}?{query}" if query else where, 308)
