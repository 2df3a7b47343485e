"""Accusé de réception: the page behind the link of an e-mail, where its recipient confirms that it arrived.

Only the press writes: a scanner that follows links confirms nothing. No account, no script; the token is the key.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, request, url_for

from blueprints.recipient_pages import quiet, speak
from blueprints.support import allow_anyone, page
from extensions import db, limiter
from mail import receipts
from mail.own_address import PLACE_TOKEN
from models import Email, Organisation

blueprint = Blueprint("receipts", __name__)
_slowly = limiter.limit("60 per 10 minutes", methods=["POST"])
_looking = limiter.limit("300 per 10 minutes", methods=["GET"])


@blueprint.get("/r/<token>")
@allow_anyone
@_looking
def show(token: str) -> Response:
    if token == PLACE_TOKEN:
        speak(None)
        return _page(None, False)
    email = _email(token)
    return _page(email, receipts.confirmed(email))


@blueprint.post("/r/<token>")
@allow_anyone
@_slowly
def confirm(token: str) -> Response:
    receipts.confirm(_email(token))
    db.session.commit()
    return redirect(url_for("receipts.show", token=token, language=request.args.get("language")), 303)  # type: ignore[return-value]


def _email(token: str) -> Email:
    """The token's e-mail, the page put into its recipient's language."""
    email = receipts.email_of(token) or abort(404)
    speak(email)
    return email


def _page(email: Email | None, confirmed: bool) -> Response:
    organisation = db.session.get_one(Organisation, email.organisation_id) if email else None
    return quiet(page("receipts/show.html", email=email, confirmed=confirmed, organisation=organisation))
