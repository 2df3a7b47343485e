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

from history.rows import COLUMNS, Row, everything_of, item
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
    then = replace(row, status=TYPES[type_], reason=reason)
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in item(then).items()}
