"""judge: a person says whether an uncertain e-mail was received, for nothing else ever may.

What they say is a fact like any other (`corrected`, rank 9), with their name and how they know it; it can be taken back
by saying the contrary. From "not received" on, the e-mail may be sent again.
"""

from __future__ import annotations

import uuid

from sqlalchemy import func, select

from errors import UserMistake
from extensions import db
from mail.fold import Fact
from mail.notes import one_line
from mail.tracking import record
from models import DeliveryEvent, Email, User
from models.words import N_, EventKind, Reason, Status

_RANK = EventKind.CORRECTED.rank
# What a failure is filed under when a person alone says so: no server gave a reason.
_REASONS = {Status.DELIVERED: None, Status.FAILED: Reason.UNKNOWN}


def judgeable(email: Email) -> bool:
    """Whether a person's word is asked for: nobody knows, or a person said so before."""
    return email.status is Status.UNCERTAIN or email.status_rank == _RANK


def judge(email: Email, received: bool, *, by: User, note: str) -> bool:
    """Say what became of an e-mail, in the caller's transaction. False where that was said already.

    Raises UserMistake without a note, and where the e-mail's outcome is known otherwise.
    """
    said = one_line(note)
    if not said:
        raise UserMistake(N_("Dites comment vous le savez : au téléphone, de vive voix…"), "note")
    db.session.execute(select(Email.id).where(Email.id == email.id).with_for_update())
    db.session.refresh(email)
    status = Status.DELIVERED if received else Status.FAILED
    if not judgeable(email):
        raise UserMistake(N_("Du nouveau est arrivé entre-temps : on sait maintenant ce que cet e-mail est devenu."))
    if email.status is status:
        return False
    # later than what was said before, should the clock have gone back
    now = db.session.execute(select(func.greatest(func.clock_timestamp(), _last(email.id)))).scalar_one()
    data = {"by": by.name, "status": status.value, "note": said}
    record([Fact(email.id, EventKind.CORRECTED, "user", uuid.uuid4().hex, now, _REASONS[status], data=data)])
    db.session.expire(email)
    return True


def _last(email_id: int) -> object:
    said = DeliveryEvent.email_id == email_id, DeliveryEvent.kind == EventKind.CORRECTED
    step = func.make_interval(0, 0, 0, 0, 0, 0, 0.000001)
    return select(func.max(DeliveryEvent.occurred_at) + step).where(*said).scalar_subquery()
