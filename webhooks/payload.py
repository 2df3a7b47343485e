"""What a webhook says: {"type", "timestamp", "data"}, data being the e-mail as an item of GET /emails says it.

The bytes are made once and kept, so that every try carries the same. A test holds the shape equal to the API's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select

from history.rows import COLUMNS, Row, everything_of
from models import Email
from models.webhook import TYPES
from models.words import Reason


def body(type_: str, at: datetime, data: dict[str, Any]) -> str:
    """The JSON of one message; `at` is when what it tells happened."""
    said = {"type": type_, "timestamp": at, "data": data}
    return orjson.dumps(said, option=orjson.OPT_UTC_Z).decode()


def rows(connection: Connection, email_ids: Iterable[int]) -> dict[int, Row]:
    """Those e-mails as the history has them now, by id, in one statement; who asks has seen whose they are."""
    query = select(*COLUMNS).select_from(everything_of(Email.__table__)).where(Email.id.in_(list(email_ids)))
    return {row.id: Row(*row) for row in connection.execute(query)}


def of_email(type_: str, reason: Reason | None, row: Row) -> dict[str, Any]:
    """The e-mail with the status and the reason that this news is about, though more has happened since."""
    then = replace(row, status=TYPES[type_], reason=reason, attachments=())
    return {
        "id": row.public_id, "recipient": row.address, "name": row.recipient_name, "subject": row.subject,
        "type": row.type, "status": then.status, "reason": reason, "chips": [shown.chip for shown in then.chips],
        "final": then.final, "created_at": _utc(row.created_at), "updated_at": _utc(row.updated_at),
        "sent_at": _utc(row.sent_at), "next_attempt_at": _utc(row.next_attempt_at),
        "attempt_count": row.attempt_count, "contact": row.contact_id, "contact_name": row.contact_name,
        "session": row.session_id, "session_title": row.session_title, "attachment_count": row.attachment_count,
        "attachments": [file._asdict() for file in row.attachments], "sender": row.sender_address,
        "requested_by": row.requested_by, "is_resend": row.is_resend,
    }  # fmt: skip


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
