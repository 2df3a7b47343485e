"""Idempotency-Key: a repeated request does nothing twice and gets the first answer; with another body it is refused.

The key and a hash of the body make the mailing's request_key, an export's key its public id, so that what was made and
what was asked for are one row: there is no moment at which one is known without the other.
"""

from __future__ import annotations

import hashlib
import uuid

import orjson
from sqlalchemy import func, select

from blueprints.api.door import organisation
from blueprints.problems import Problem
from extensions import db
from models import Mailing, User

HEADER = {"Idempotent-Replayed": "true"}


def request_key(key: str | None, body: bytes) -> tuple[str, dict[str, str]]:
    """(the mailing's key, headers to answer with: HEADER for a repeated request). 409 for another body."""
    if key is None:
        return f"api-{uuid.uuid4().hex}", {}
    stem = f"api-{hashlib.sha256(key.encode()).hexdigest()}-"
    made = stem + hashlib.sha256(_canonical(body)).hexdigest()
    mine = organisation().id
    # Two at once with one key: the second waits for the first to commit, and then sees it.
    db.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{mine}/{stem}", 0))))
    between = Mailing.request_key.between(stem + "0" * 64, stem + "f" * 64)
    known = db.session.scalar(select(Mailing.request_key).where(Mailing.organisation_id == mine, between).limit(1))
    if known is not None and known != made:
        raise refused()
    return made, HEADER if known else {}


def public_id(prefix: str, key: str, user: User) -> str:
    """The public id (80 bits) of what that user makes with that key, the same each time."""
    return f"{prefix}-" + hashlib.sha256(f"{prefix}/{user.id}/{key}".encode()).hexdigest()[:20]


def refused(where: str = "another body") -> Problem:
    """The key was used before, for something else."""
    wrong = {"detail": f"Used before with {where}.", "header": "Idempotency-Key"}
    return Problem(409, "This Idempotency-Key was used for another request: take a new one.", [wrong])


def _canonical(body: bytes) -> bytes:
    """The same bytes for the same JSON, whatever the order of its fields."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body
