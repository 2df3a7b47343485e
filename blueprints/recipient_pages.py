"""What the pages behind an e-mail's own addresses share: the recipient's language, and that nobody keeps them."""

from __future__ import annotations

from flask import Response, g, request

import i18n
from extensions import db
from models import Contact, Email


def speak(email: Email | None) -> None:
    """Put the page into a language: ?language= decides, then the recipient's own, then French."""
    contact = db.session.get(Contact, email.contact_id) if email and email.contact_id else None
    wanted = (request.args.get("language", ""), contact.language if contact else "", "fr")
    g.language = next(one for one in wanted if one in i18n.LANGUAGES)


def quiet(response: Response) -> Response:
    """A page whose address holds a token: kept, indexed and told on by nobody."""
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
