"""Redirects that stay at home: what `next` may name."""

from __future__ import annotations

import re

from flask import current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

# One slash, then what a path and query are made of; no backslash, no blank or control character (browsers drop
# tabs and line ends from addresses), no second slash at the start.
_PATH = re.compile(r"/(?![/\\])[^\\\s\x00-\x1f\x7f]*")


def own_path(target: str | None, default: str) -> str:
    """`target` when it is the path of a page of ours that can be read (GET), else `default`."""
    if not target or len(target) > 2000 or not _PATH.fullmatch(target):
        return default
    path = target.partition("?")[0].partition("#")[0]
    if "//" in path or "%" in path or not target.isascii():
        return default
    adapter = current_app.url_map.bind(request.host)
    try:
        adapter.match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return default
    return target
