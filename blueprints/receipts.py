"""Accusé de réception: the page behind the link of an e-mail, where its recipient confirms that it arrived.

Only the press writes: a scanner that follows links confirms nothing. No account, no script; the token is the key.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, redirect, request, url_for

import i18n
from blueprints.support import allow_anyone, page
from extensions import db, limiter
from mail import receipts
from mail.own_address import PLACE_TOKEN
from models import Contact, Email, Organisation

blueprint = Blueprint("receipts", __name__)
_slowly = limiter.limit("60 per 10 minutes", methods=["POST"])
_looking = limiter.limit("300 per 10 minutes", methods=["GET"])


@blueprint.get("/r/<token>")
@allow_anyone
@_looking
def show(token: str) -> Response:
    if token == PLACE_TOKEN:
        _speak("")
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
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    _speak(contact.language if contact else "")
    return email


def _speak(language: str) -> None:
    """The page's language: ?language= decides, then the recipient's own, then French."""
    wanted = (request.args.get("language", ""), language, "fr")
    g.language = next(one for one in wanted if one in i18n.LANGUAGES)


def _page(email: Email | None, confirmed: bool) -> Response:
    organisation = db.session.get_one(Organisation, email.organisation_id) if email else None
    response = page("receipts/show.html", email=email, confirmed=confirmed, organisation=organisation)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the token stands in the address
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
