"""The demo's quarantine: what its loaded history would have entered and what people lifted since, as the house would.

An e-mail that left for an address after it was found dead tells that somebody had lifted it in between. Only addresses
that have no spell yet are looked at.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, select, text
from sqlalchemy.orm import aliased

from extensions import db
from mail.fold import Fact
from models import Email, Grounds, Organisation, Suppression, User
from models.suppression import CANONICAL
from models.words import EventKind, Reason, Role, Status
from seeds import stories

_NOTES = (
    "vue au téléphone, son adresse est bien celle-ci",
    "son service informatique a rouvert la boîte",
    "la personne confirme par SMS",
)
_READ = f"""
SELECT email.id, {CANONICAL} AS address, email.created_at, email.reason, email.marks, verdict.kind, verdict.occurred_at
FROM email JOIN address ON address.id = email.address_id
LEFT JOIN LATERAL (
  SELECT kind, occurred_at FROM delivery_event AS event WHERE event.email_id = email.id
    AND (event.kind = 'complained' OR event.kind IN ('refused', 'bounced') AND event.reason = ANY (:dead))
  ORDER BY occurred_at LIMIT 1
) AS verdict ON true
WHERE email.organisation_id = :o AND NOT EXISTS (
  SELECT FROM suppression AS known WHERE known.organisation_id = :o AND known.address = {CANONICAL})
ORDER BY email.created_at, email.id"""


def keep(organisation: Organisation) -> None:
    """Enter what the history says; the caller commits."""
    admin = db.session.scalar(
        select(User).where(User.organisation_id == organisation.id, User.role == Role.ADMIN).order_by(User.id).limit(1)
    )
    assert admin is not None
    dead = [reason.value for reason in Reason if reason.address_dead]
    lasting: dict[str, Suppression] = {}
    lifted = 0
    for row in db.session.execute(text(_READ), {"o": organisation.id, "dead": dead}).all():
        held = lasting.get(row.address)
        if held is not None and row.created_at > held.shown_at and row.reason != Reason.SUPPRESSED:
            held.lifted_at, held.lifted_by_id = _between(held.shown_at, row.created_at), admin.id
            held.lifted_note = _NOTES[lifted % len(_NOTES)]
            del lasting[row.address]
            lifted += 1
        if row.occurred_at is not None and row.address not in lasting:
            complained = row.kind == EventKind.COMPLAINED
            lasting[row.address] = Suppression(
                organisation_id=organisation.id, address=row.address, email_id=row.id, shown_at=row.occurred_at,
                reason=Grounds.COMPLAINT if complained else Grounds(row.reason), lifted_note="",
            )  # fmt: skip
            db.session.add(lasting[row.address])
    db.session.flush()


def complain(organisation: Organisation) -> None:
    """Let one reader of an old e-mail report it as spam, which enters the address; the caller commits."""
    later = aliased(Email)
    was_last = ~exists().where(later.address_id == Email.address_id, later.created_at > Email.created_at)
    query = (
        select(Email)
        .where(Email.organisation_id == organisation.id, Email.status == Status.OPENED, was_last)
        .order_by(Email.created_at.desc(), Email.id)
        .limit(1)
    )
    for email in db.session.scalars(query):
        at = email.updated_at + timedelta(hours=2)
        data = {"key": "verp", "reporting_mta": "mx.destinataire.example"}
        stories.record(Fact(email.id, EventKind.COMPLAINED, "dsn", "seed complaint", at, data=data))
        db.session.expire(email)


def _between(shown: datetime, asked: datetime) -> datetime:
    """When somebody lifted it: the day after, or shortly before the next e-mail."""
    return min(shown + timedelta(days=1), shown + (asked - shown) * 0.9)
