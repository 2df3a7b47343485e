"""Switching an endpoint off by ourselves, and telling the admins: on screen (the row says it) and by e-mail.

The e-mail goes through the outbox like any other, from the organisation's default sender; one for each admin, in the
same transaction as the switching, so neither happens without the other.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from flask import current_app
from sqlalchemy import func, select, update

import mail
from extensions import db, settings
from mail import letters
from mail.compose import Draft, Writing
from models import Contact, Organisation, Sender, User
from models.webhook import OffReason, WebhookEndpoint
from models.words import ContactKind, EmailType, Role
from webhooks import ledger

log = logging.getLogger("sillage.webhooks")


def switch_off(endpoint_id: int, why: OffReason) -> bool:
    """Tell that endpoint nothing more, give up what waits for it, write to the admins; committed. False: it was off.

    In a session of its own: the caller may be in the middle of other work.
    """
    with current_app.app_context():
        return _switch_off(endpoint_id, why)


def _switch_off(endpoint_id: int, why: OffReason) -> bool:
    switched = (
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.off_at.is_(None))
        .values(off_at=func.now(), off_why=why)
        .returning(WebhookEndpoint)
    )
    endpoint = db.session.scalars(switched).one_or_none()
    if endpoint is None:
        db.session.rollback()
        return False
    ledger.give_up(db.session.connection(), endpoint_id)
    _write_to_admins(endpoint, why)
    db.session.commit()
    log.warning("webhook %s switched off: %s", endpoint.public_id, why.value)
    return True


def _write_to_admins(endpoint: WebhookEndpoint, why: OffReason) -> None:
    organisation = db.session.get_one(Organisation, endpoint.organisation_id)
    sender = db.session.scalar(
        select(Sender).where(Sender.organisation_id == organisation.id, Sender.is_default)
    )  # fmt: skip
    admins = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id, User.role == Role.ADMIN, User.active)
        .order_by(User.id)
    )  # fmt: skip
    drafts = [_draft(endpoint, why, organisation, admin) for admin in admins]
    if sender is None or not drafts:
        log.warning("webhook %s: nobody can be written to", endpoint.public_id)
        return
    key = f"webhook-off {endpoint.public_id} {endpoint.off_at.isoformat() if endpoint.off_at else ''}"
    mail.post(drafts, organisation=organisation, sender=sender, by=None, request_key=key, bulk=False)


def _draft(endpoint: WebhookEndpoint, why: OffReason, organisation: Organisation, admin: User) -> Draft:
    """A letter of the house to somebody who is a user, not a contact."""
    words = letters.default(f"webhook_{why.value}", admin.language)
    said = {"address": endpoint.url, "link": f"{settings().base_url}/settings/webhooks/{endpoint.public_id}"}
    writing = Writing(
        EmailType.ALERT.value, {admin.language: replace(words, message=words.message % said)}, organisation
    )  # fmt: skip
    return writing.draft(Contact(kind=ContactKind.LEARNER, name=admin.name, email=admin.email, language=admin.language))
