"""Business events: taken in at once and once, then each led to an e-mail or to the reason why there is none.

take() keeps what came and rings; a job applies it: the customer, the template of its type if it is switched on, the
files it brought, the e-mail. Event and e-mail change in one transaction, so a crash neither loses nor doubles.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

import mail
from errors import Temporary, UserMistake
from extensions import db, on_commit, ring
from mail import templates
from mail.compose import File, unreachable
from mail.tag_list import is_event
from models import BusinessEvent, Contact, EventOutcome, Organisation
from models.words import N_, EmailType
from planning import customers, preparing
from planning.plans import BROKEN

log = logging.getLogger("sillage.planning")

TYPES = tuple(type for type in EmailType if is_event(type.value))
NOBODY = N_("L'évènement ne dit ni la référence ni l'adresse du client.")
# What stays as it is when asked to be looked at again.
_SETTLED = (EventOutcome.SENT, EventOutcome.RECEIVED)


def known(organisation: Organisation, source: str, event_id: str) -> BusinessEvent | None:
    """The event of that id, if it came before."""
    query = select(BusinessEvent).where(
        BusinessEvent.organisation_id == organisation.id, BusinessEvent.source == source,
        BusinessEvent.event_id == event_id,
    )  # fmt: skip
    return db.session.scalar(query)


def take(
    organisation: Organisation, source: str, payload: Mapping[str, Any], files: Sequence[File] = ()
) -> BusinessEvent:
    """Keep an event in the caller's transaction; workers are rung after its commit. The same id again gives what was
    kept the first time.

    `payload` is what came without its attachments: id, type, occurred_at (a datetime), customer, data. `files` are
    the attachments, kept in documents.blobs already.
    """
    occurred_at: datetime = payload["occurred_at"]
    row = {
        "organisation_id": organisation.id, "source": source, "event_id": payload["id"], "type": payload["type"],
        "occurred_at": occurred_at, "outcome": EventOutcome.RECEIVED,
        "payload": dict(payload) | {"occurred_at": occurred_at.isoformat()},
        "files": [
            {"filename": file.filename, "sha256": file.sha256, "size": file.size, "media_type": file.media_type}
            for file in files
        ],
    }  # fmt: skip
    statement = insert(BusinessEvent).values(row).on_conflict_do_nothing(
        index_elements=["organisation_id", "source", "event_id"]
    )  # fmt: skip
    made = db.session.scalar(statement.returning(BusinessEvent.id))
    if made is not None:
        on_commit(lambda: ring("apply_events", "inbound"))
        return db.session.get_one(BusinessEvent, made)
    kept = known(organisation, source, payload["id"])
    assert kept is not None
    return kept


def apply_waiting(seconds: float = 20.0) -> int:
    """Lead what waits to its outcome, in the order it came, each in a transaction of its own; returns how many."""
    began, done = time.monotonic(), 0
    query = select(BusinessEvent.id).where(BusinessEvent.outcome == EventOutcome.RECEIVED).order_by(BusinessEvent.id)
    while ids := list(db.session.scalars(query.limit(500))):
        moved = 0
        for event_id in ids:
            if time.monotonic() - began > seconds:
                return done + moved
            moved += _apply_one(event_id)
        done += moved
        if not moved:  # the rest is in other hands, or has to wait
            break
    return done


def _apply_one(event_id: int) -> bool:
    query = select(BusinessEvent).where(BusinessEvent.id == event_id, BusinessEvent.outcome == EventOutcome.RECEIVED)
    event = db.session.scalar(query.with_for_update(skip_locked=True, of=BusinessEvent))
    if event is None:
        db.session.rollback()
        return False
    try:
        _lead(event)
    except (DBAPIError, Temporary) as error:
        db.session.rollback()  # the next run tries again
        log.warning("event %s waits: %s", event_id, type(error).__name__)
        return False
    db.session.commit()
    return True


def again(event: BusinessEvent) -> bool:
    """Look at an event that led to nothing once more, because a person asks: its template may be on by now. The
    caller commits. False where it has led to an e-mail, or is still to be looked at."""
    query = select(BusinessEvent).where(BusinessEvent.id == event.id)
    held = db.session.scalars(
        query.with_for_update(of=BusinessEvent).execution_options(populate_existing=True)
    ).one()  # fmt: skip
    if held.outcome in _SETTLED:
        return False
    _lead(held)
    return True


def _lead(event: BusinessEvent) -> None:
    """Say what a locked event led to. Nothing half-made stays behind a failure, but whom it is about is known."""
    values: dict[str, Any] = {}
    try:
        with db.session.begin_nested():
            contact = customers.of_event(event)
        event.contact_id = contact.id if contact else None
        with db.session.begin_nested():
            outcome, why = _outcome(event, contact)
    except UserMistake as mistake:
        outcome, why = EventOutcome.NOT_PREPARED, mistake.message
        values = {name: str(value) for name, value in mistake.values.items()}
    except (DBAPIError, Temporary):
        raise
    except Exception as error:  # whatever a program may send: shown, logged, never tried for ever
        log.error("event %s cannot be applied", event.public_id, exc_info=error)
        outcome, why = EventOutcome.NOT_PREPARED, BROKEN
    event.outcome, event.why, event.values = outcome, why, values
    event.applied_at = db.session.scalar(select(func.clock_timestamp()))


def _outcome(event: BusinessEvent, contact: Contact | None) -> tuple[EventOutcome, str]:
    template = templates.find(event.organisation_id, event.type, contact.kind.value if contact else "")
    if template is None or not templates.is_event(template):
        return EventOutcome.UNKNOWN_TYPE, ""
    if not template.enabled:
        return EventOutcome.SWITCHED_OFF, ""
    if contact is None:
        return EventOutcome.NO_ADDRESS, NOBODY
    if trouble := unreachable(contact):
        return EventOutcome.NO_ADDRESS, trouble
    organisation = db.session.get_one(Organisation, event.organisation_id)
    made = preparing.of_event(event, contact, template, organisation)
    (email,) = mail.post(
        [made.draft], organisation=organisation, sender=made.sender, by=None, bulk=False,
        request_key=f"event:{event.public_id}",
    )  # fmt: skip
    event.email_id = email.id
    return EventOutcome.SENT, ""
