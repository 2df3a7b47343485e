"""The global search: people, sessions and e-mails by a few words, as a page and, while one types, in a dialog.

What is typed goes by POST and stays out of addresses and logs. Who sends the form without minding comes to an address
that holds the words and can be kept; who wants no words in addresses (history.views.always_short) is answered at once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, request, url_for
from flask_login import current_user

from blueprints.rows_behind import rows_of
from blueprints.support import allow, page, wants_partial
from history import Scope, views, wanted
from models.words import Permission
from people import global_search, training

blueprint = Blueprint("search", __name__)
_EMAILS, _PEOPLE, _SESSIONS = 6, 6, 4
_MORE = 3  # times as many on the page


@blueprint.get("/search")
@allow(Permission.READ)
def find() -> Response:
    return _answer(request.args.get("q", ""))


@blueprint.post("/search")
@allow(Permission.READ)
def look() -> Response:
    """The same with the words in the form; nothing is written."""
    typed = request.form.get("q", "")
    if wants_partial() or views.always_short(current_user):
        return _answer(typed)
    return redirect(url_for("search.find", q=wanted.clean(typed) or None), 303)  # type: ignore[return-value]


def _answer(typed: str) -> Response:
    organisation, words, discreet = current_user.organisation, wanted.clean(typed), views.always_short(current_user)
    found: dict[str, object] = {}
    if words:
        many = 1 if wants_partial() else _MORE
        scope, now = Scope(organisation.id, zone=organisation.timezone), datetime.now(UTC)
        emails = wanted.emails(scope, words, _EMAILS * many, now)
        # "dupont convocation" is Dupont, too
        said = list(dict.fromkeys(filter(None, (words, wanted.untyped(words)))))
        people = next(filter(None, (global_search.people(organisation.id, one, _PEOPLE * many) for one in said)), [])
        today = training.today(organisation)
        sessions = next(
            filter(None, (wanted.sessions(organisation.id, one, today, _SESSIONS * many) for one in said)), []
        )
        found = {"emails": emails, "people": people, "sessions": sessions, "all": rows_of(emails.filter)}
    found |= {"words": words, "typed": typed[: wanted.LONGEST], "discreet": discreet}
    response = page("search/index.html", "search/_found.html", **found)
    if discreet:
        response.headers["Referrer-Policy"] = "origin"  # what the page loads is logged with where it was asked from
    return response
