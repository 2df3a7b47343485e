"""E-mails as the rest of the house would have made them, put straight into the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from extensions import db
from models import (
    Address,
    Attachment,
    Blob,
    Contact,
    DeliveryEvent,
    Email,
    EmailContent,
    OutboxEntry,
    TrainingSession,
)
from models.words import ContactKind, EventKind, Mark, QueueState, Reason, Status

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
_SKELETON = (
    b"From: Atelier <formation@cassiopee.example>\r\nTo: x@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
)


def make_contact(house: Any, name: str, kind: ContactKind = ContactKind.LEARNER, **values: Any) -> Contact:
    first, _blank, last = name.rpartition(" ")
    contact = Contact(
        organisation_id=house.id, kind=kind, name=name, first_name=first, last_name=last,
        sort_name=db.func.fold_text(f"{last} {first}".strip()), **values,
    )  # fmt: skip
    db.session.add(contact)
    db.session.commit()
    return contact


def make_session(house: Any, title: str, **values: Any) -> TrainingSession:
    session = TrainingSession(organisation_id=house.id, title=title, **values)
    db.session.add(session)
    db.session.commit()
    return session


def make_email(
    house: Any,
    address: str = "camille.petit@example.org",
    name: str = "Camille Petit",
    *,
    ago: timedelta = timedelta(),
    at: datetime | None = None,
    status: Status = Status.SENT,
    reason: Reason | None = None,
    files: tuple[tuple[str, str, str], ...] = (),  # (file name, media type, sha256)
    html: str | None = None,
    queue: QueueState | None = None,
    attempts: int = 0,
    next_attempt_at: datetime | None = None,
    events: tuple[EventKind, ...] = (),
    **values: Any,
) -> Email:
    """One committed e-mail. `at` (or NOW - `ago`) is when it was asked for; it left a minute later unless it failed."""
    created = at or NOW - ago
    found = db.session.scalar(
        select(Address).where(
            Address.organisation_id == house.id, Address.address == address, Address.name == name
        )
    )  # fmt: skip
    if found is None:
        found = Address(organisation_id=house.id, address=address, name=name, domain=address.rpartition("@")[2])
        db.session.add(found)
        db.session.flush()
    left = status in (Status.SENT, Status.DELIVERED, Status.OPENED, Status.UNDELIVERABLE)
    values.setdefault("type", "convocation")
    values.setdefault("subject", "Convocation : Sécurité incendie")
    values.setdefault("sent_at", created + timedelta(minutes=1) if left else None)
    values.setdefault("updated_at", created + timedelta(minutes=2))
    values.setdefault("marks", Mark(0))
    email = Email(
        organisation_id=house.id, address_id=found.id, sender_id=house.sender.id, requested_by_id=house.staff.id,
        created_at=created, status=status, reason=reason, attachment_count=len(files), **values,
    )  # fmt: skip
    db.session.add(email)
    db.session.flush()
    body = html if html is not None else "<p>Bonjour</p>"
    db.session.add(EmailContent(email_id=email.id, skeleton=_SKELETON + body.encode(), sha256="0" * 64, size=500))
    for position, (filename, media_type, sha256) in enumerate(files, 1):
        db.session.merge(Blob(sha256=sha256, size=12, media_type=media_type))
        db.session.flush()
        db.session.add(Attachment(email_id=email.id, position=position, filename=filename, sha256=sha256))
    if queue:
        db.session.add(
            OutboxEntry(
                email_id=email.id, organisation_id=house.id, sender_id=house.sender.id, recipient=address, priority=0,
                state=queue, attempt_count=attempts, next_attempt_at=next_attempt_at or created,
                give_up_at=created + timedelta(days=2),
                owner=None if queue is QueueState.WAITING else "w", lease_until=None,
            )
        )  # fmt: skip
    for number, kind in enumerate(events):
        db.session.add(
            DeliveryEvent(
                organisation_id=house.id, email_id=email.id, kind=kind, source="smtp", source_event_id=str(number),
                occurred_at=created + timedelta(minutes=number), reason=reason, smtp_code=550,
                enhanced_code="5.1.1", diagnostic="<b>No such user</b>", remote_host="mx.example.org", attempt=1,
            )
        )  # fmt: skip
    db.session.commit()
    return email
