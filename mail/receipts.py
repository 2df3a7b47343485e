"""Accusé de réception: the recipient confirms, by one press on the page behind a link, that the e-mail arrived.

Words ask for it by a merge tag (mail.own_address fills it). The page's GET writes nothing, so that scanners which
follow links confirm nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from extensions import db
from mail import tokens
from mail.fold import Fact
from mail.own_address import RECEIPT
from mail.tracking import record
from models import Email
from models.words import EventKind, Mark


def email_of(token: str) -> Email | None:
    """The e-mail whose receipt that token confirms."""
    email_id = tokens.read(RECEIPT.kind, token)
    return db.session.get(Email, email_id) if email_id else None


def confirmed(email: Email) -> bool:
    """Whether its recipient has confirmed it."""
    found = db.session.connection().exec_driver_sql(
        "SELECT EXISTS (SELECT FROM delivery_event WHERE email_id = %s AND kind = 'confirmed')", (email.id,)
    )
    return bool(found.scalar())


def confirm(email: Email) -> None:
    """The recipient's press, in the caller's transaction; a second one changes nothing. Of a copy that somebody sent to
    themselves nothing is confirmed."""
    if not email.has(Mark.OWN_COPY):
        record([Fact(email.id, EventKind.CONFIRMED, "recipient", "confirmed", datetime.now(UTC))])
