"""A list of e-mails of which all is taken at once (its files, their proofs, an export): how an address names it."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import abort, request, url_for
from flask_login import current_user

from blueprints.history_asked import Asked
from history import HistoryFilter, Scope, export_jobs, short_links


def address(endpoint: str, asked: Asked) -> str:
    """Where that is offered of the list."""
    key = export_jobs.scope_key(asked.scope)
    return f"{url_for(endpoint)}?{urlencode([*([('in', key)] if key else []), *asked.pairs(asked.filter.with_())])}"


def of_session(public_id: str) -> str:
    """The query that names all e-mails of a session."""
    return urlencode({"in": public_id})


def query() -> str:
    """What the request asks about; words kept out of addresses are found again."""
    if "v" not in request.args:
        return request.query_string.decode("ascii", "ignore")
    opened = short_links.read(current_user, request.args.items(multi=True))
    return urlencode([("in", request.args.get("in", "")), *opened.to_query()])


def asked(query: str) -> tuple[Scope, HistoryFilter]:
    """The list that a query names: 400 for more fields than any page of ours sends, 404 for a foreign scope."""
    try:
        key, filter_ = export_jobs.read_query(query)
    except ValueError:
        abort(400)
    return export_jobs.scope_of(current_user.organisation, key) or abort(404), filter_
