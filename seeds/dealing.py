"""What the demo has for À traiter: a failure for the session that starts soon, and two that a person has dealt with."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from extensions import db
from mail import treating
from mail.fold import Fact
from models import Email, Organisation, TrainingSession, User
from models.words import EventKind, Reason, Role, Status
from seeds import stories

_NOTES = ("appelé, viendra", "nouvelle adresse demandée par téléphone")


def keep(organisation: Organisation, soon: TrainingSession) -> None:
    """Give them to a new organisation whose history is written; the caller commits."""
    by = db.session.scalars(
        select(User).where(User.organisation_id == organisation.id, User.role == Role.STAFF)
    ).one()  # fmt: skip
    arrived = Email.status.in_((Status.SENT, Status.DELIVERED))
    theirs = select(Email).where(Email.training_session_id == soon.id, arrived).order_by(Email.id).limit(1)
    for email in db.session.scalars(theirs):
        at = (email.sent_at or email.created_at) + timedelta(minutes=3)
        words = "smtp; 552 5.2.2 The mailbox is full: over quota"
        stories.record(
            Fact(email.id, EventKind.BOUNCED, "dsn", "seed full", at, Reason.MAILBOX_FULL, enhanced_code="5.2.2",
                 diagnostic=words)
        )  # fmt: skip
    failures = select(Email.id).where(
        Email.organisation_id == organisation.id, Email.reason == Reason.USER_UNKNOWN,
        Email.training_session_id != soon.id,
    )  # fmt: skip
    oldest = db.session.scalars(failures.order_by(Email.created_at, Email.id).limit(len(_NOTES))).all()
    for email_id, note in zip(oldest, _NOTES, strict=False):
        treating.treat([email_id], by, note)
