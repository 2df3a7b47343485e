"""The other e-mails that failed at one address: what is offered to be sent again once the right address is known.

What was sent again already is not among them, nor what a person or the calendar decided. One statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from extensions import db
from history.untreated import COUNTS
from models.words import EmailType, Mark, Reason, Status

MOST = 50
# What is of use only until its session ends; a certificate or an opinion's question is as good afterwards.
BEFORE_THE_END = frozenset(type.value for type in (
    EmailType.FREE, EmailType.CONVOCATION, EmailType.CONVOCATION_REMINDER, EmailType.EVALUATION_PRE,
    EmailType.WELCOME_BOOKLET, EmailType.RULES,
))  # fmt: skip
_READ = f"""
SELECT email.public_id, email.created_at, email.type, email.subject, email.status, email.reason, email.attachment_count,
       training.title, training.ends_on, training.state = 'cancelled' AS called_off,
       (SELECT max(later.created_at) FROM email AS later
        WHERE later.contact_id = email.contact_id AND later.type = email.type AND later.id > email.id
          AND later.id <> :new AND later.status NOT IN ('undeliverable', 'failed')
          AND (later.marks & {Mark.OWN_COPY.value}) = 0
          AND later.training_session_id IS NOT DISTINCT FROM email.training_session_id
          AND later.subject = email.subject) AS again_at
FROM email JOIN address ON address.id = email.address_id
LEFT JOIN training_session AS training ON training.id = email.training_session_id
WHERE email.organisation_id = :organisation AND address.organisation_id = :organisation
  AND address.address = ANY(:addresses) AND email.id <> :old AND email.status IN ('undeliverable', 'failed')
  AND (email.marks & {Mark.OWN_COPY | Mark.RESENT}) = 0 AND {COUNTS}
ORDER BY email.created_at DESC, email.id DESC LIMIT :most"""


@dataclass(frozen=True)
class Other:
    """One e-mail that failed at the same address. `again_at`: the same was sent anew since, and has not failed;
    `over`: its session has ended and it is of no
    use then, or the session will not be."""

    public_id: str
    at: datetime
    type: str
    subject: str
    status: Status
    reason: Reason | None
    file_count: int
    session_title: str
    over: bool
    again_at: datetime | None

    @property
    def ticked(self) -> bool:
        """Whether sending it again is what one would want."""
        return not self.over and self.again_at is None

    @property
    def type_label(self) -> str:
        """The type's French label (a message id), or a program's own word."""
        return EmailType(self.type).label if self.type in EmailType._value2member_map_ else self.type


def failed_at(organisation_id: int, address: str, *, old: int, new: int, today: date) -> list[Other]:
    """Those that failed at `address`, the newest first, MOST at most, without the e-mail `old` (an id) and what came of
    it, `new`."""
    found = db.session.execute(text(_READ), {
        "organisation": organisation_id, "addresses": sorted({address, address.lower()}), "old": old, "new": new,
        "most": MOST,
    })  # fmt: skip
    return [
        Other(
            row.public_id, row.created_at, row.type, row.subject, Status(row.status),
            Reason(row.reason) if row.reason else None, row.attachment_count, row.title or "",
            bool(row.called_off)
            or (row.type in BEFORE_THE_END and row.ends_on is not None and row.ends_on < today),
            row.again_at,
        )
        for row in found
    ]  # fmt: skip
