"""What came back and waits, for whoever runs the house: everybody's, and above all what is certainly nobody's.

No page shows that: a stranger's report may hold another organisation's mail. The commands are cli's (flask reports).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import defer

from errors import Permanent
from extensions import db
from mail import inbound
from models import InboundMessage, Organisation


def waiting(most: int) -> Iterator[dict[str, Any]]:
    """The newest `most` that wait, a line each."""
    query = (
        select(InboundMessage, Organisation.name)
        .outerjoin(Organisation, Organisation.id == InboundMessage.organisation_id)
        .where(InboundMessage.outcome.in_(inbound.WAITING))
        .order_by(InboundMessage.id.desc()).limit(most).options(defer(InboundMessage.raw))
    )  # fmt: skip
    for message, owner in db.session.execute(query):
        said = message.summary or {}
        yield {
            "id": message.public_id, "state": message.outcome, "kind": message.kind or None, "organisation": owner,
            "mailbox": message.mailbox, "received_at": message.received_at.isoformat(), "size": message.size,
            "from": said.get("from"), "subject": said.get("subject"),
            "recipients": [one[0] for one in said.get("recipients", ())],
        }  # fmt: skip


def one(public_id: str) -> InboundMessage:
    """The message of that id; Permanent without one."""
    found = db.session.scalars(select(InboundMessage).where(InboundMessage.public_id == public_id)).one_or_none()
    if found is None:
        raise Permanent(f"{public_id}: no such message")
    return found


def again(public_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read these anew (all that wait, where none is named), each in a transaction of its own."""
    asked = list(public_ids) or list(
        db.session.scalars(select(InboundMessage.public_id).where(InboundMessage.outcome.in_(inbound.WAITING)))
    )
    for public_id in asked:
        outcome = inbound.look_again(one(public_id))
        db.session.commit()
        yield {"id": public_id, "outcome": outcome}


def dismiss(public_ids: Iterable[str], note: str) -> Iterator[dict[str, Any]]:
    """Put these aside, each in a transaction of its own."""
    for public_id in public_ids:
        inbound.dismiss(one(public_id), by=None, note=note)
        db.session.commit()
        yield {"id": public_id, "outcome": "dismissed"}
