"""Accusé de réception: the link to a page where the recipient confirms, by one press, that the e-mail arrived.

Words ask for it by a merge tag, filled with PLACE while nobody knows the e-mail's number; post puts each e-mail's own
address there. The page's GET writes nothing, so that scanners which follow links confirm nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from extensions import db, settings
from mail import tokens
from mail.fold import Fact
from mail.tracking import record
from models import Email
from models.words import EventKind, Mark

if TYPE_CHECKING:
    from mail.compose import Draft

_KIND = "receipt"
_PATH = "/t/r/"
PLACE_TOKEN = "a" * tokens.LENGTH  # of no e-mail: what a preview leads to
_TOKEN = re.compile(re.escape(_PATH) + rf"([a-z2-7]{{{tokens.LENGTH}}})(?![a-z2-7])")


def place() -> str:
    """What the merge tag says before the e-mail has a number."""
    return f"{settings().base_url}{_PATH}{PLACE_TOKEN}"


def addressed(draft: Draft, email_id: int) -> tuple[Draft, bool]:
    """The draft with its own address in the place kept for it, and whether it asks for a receipt at all."""
    kept = place()
    if kept not in draft.html and kept not in draft.text:
        return draft, False
    mine = f"{settings().base_url}{_PATH}{tokens.token(_KIND, email_id)}"
    return replace(draft, html=draft.html.replace(kept, mine), text=draft.text.replace(kept, mine)), True


def asks(words: str) -> bool:
    """Whether these words hold an address to confirm at."""
    return bool(_TOKEN.search(words))


def readdressed(words: str, email_id: int) -> str:
    """Words of an earlier e-mail, for a copy of it: what confirmed that one confirms the copy."""
    mine = tokens.token(_KIND, email_id)
    return _TOKEN.sub(lambda found: _PATH + mine if tokens.read(_KIND, found[1]) else found[0], words)


def unaddressed(words: str) -> str:
    """Words of an earlier e-mail with the place kept for a new e-mail's own address."""
    return _TOKEN.sub(lambda found: _PATH + PLACE_TOKEN if tokens.read(_KIND, found[1]) else found[0], words)


def email_of(token: str) -> Email | None:
    """The e-mail whose receipt that token confirms."""
    email_id = tokens.read(_KIND, token)
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
