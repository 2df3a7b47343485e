"""What a program tells of one business event: the JSON of POST /api/v1/events and of the billing webhook.

Strict in what it needs, and whatever `data` holds becomes something the database can keep. Taking the event in is
planning.events'.
"""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blueprints.patterns import BASE64, FILE_NAME, FILLED_LINE, LINE, MOMENT, TYPE, FileName
from documents import blobs
from errors import UserMistake
from extensions import settings
from i18n import LANGUAGES
from mail.compose import File
from models import BusinessEvent, Organisation
from models.words import N_
from planning import events

MOST_FILES = 20
_DEEPEST = 50
_LARGEST = 10**30
TOO_LARGE = N_("Les pièces jointes sont trop lourdes pour un e-mail.")


def _kept(value: Any, depth: int = 0) -> Any:
    """The JSON as PostgreSQL can keep it: no NUL, no endless number, not nested for ever."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_LARGEST < value < _LARGEST else None
    if isinstance(value, list):
        return [_kept(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key.replace("\0", "\ufffd"): _kept(one, depth + 1) for key, one in value.items()}
    return value


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _no_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _optional(**more: Any) -> Any:
    return Field(default=None, json_schema_extra=_no_default, **more)


class Customer(_Shape):
    """Whom it is about: found by reference, else by e-mail address, else made."""

    reference: str = _optional(max_length=100, pattern=LINE, examples=["CUS-1042"])
    name: str = _optional(max_length=200, pattern=LINE, examples=["Anne Roche"])
    email: str = _optional(max_length=254, pattern=LINE, examples=["anne.roche@exemple.fr"])
    language: Literal[tuple(LANGUAGES)] = _optional()  # type: ignore[valid-type]
    segments: list[Annotated[str, Field(max_length=100, pattern=LINE)]] = Field(
        default=[], max_length=20, description="Names of segments to put them in; made where there are none."
    )


def _file_pattern(schema: dict[str, Any]) -> None:
    schema["pattern"] = FILE_NAME


def _base64(schema: dict[str, Any]) -> None:
    schema.update(pattern=BASE64, contentEncoding="base64")


class EventFile(_Shape):
    """A file that goes with the e-mail: the invoice's PDF."""

    filename: FileName = Field(json_schema_extra=_file_pattern, examples=["facture-2041.pdf"])
    content: str = Field(min_length=4, json_schema_extra=_base64, description="The bytes in base64.")


Data = Annotated[dict[str, Any], AfterValidator(_kept)]


class EventRequest(_Shape):
    """Something that happened to a customer."""

    id: str = Field(
        min_length=1, max_length=200, pattern=FILLED_LINE, examples=["evt_1042"],
        description="Yours: the same id again is the same event, and sends nothing more.",
    )  # fmt: skip
    type: str = Field(pattern=TYPE, examples=["card.expired"], description="One of the sixteen; others are only kept.")
    occurred_at: str = Field(pattern=MOMENT, examples=["2026-11-20T08:30:00Z"], description="With its zone.")
    customer: Customer
    data: Data = Field(default={}, description="What the templates' tags are filled from: see the documentation.")
    attachments: list[EventFile] = Field(default=[], max_length=MOST_FILES, description="25 MB in all.")


def take(organisation: Organisation, source: str, told: EventRequest) -> tuple[BusinessEvent, bool]:
    """Keep what was told, in the caller's transaction: (the event, whether it was known already).

    Raises UserMistake (field: attachments) for files that no e-mail can carry.
    """
    known = events.known(organisation, source, told.id)
    if known is not None:
        return known, True
    files = [_file(file) for file in told.attachments]
    if sum(file.size for file in files) * 4 // 3 > settings().max_email:
        raise UserMistake(TOO_LARGE, "attachments", limit=settings().max_email)
    payload = told.model_dump(exclude={"attachments"}, exclude_none=True)
    payload["occurred_at"] = datetime.fromisoformat(told.occurred_at).astimezone(UTC)
    return events.take(organisation, source, payload, files), False


def _file(file: EventFile) -> File:
    try:
        data = base64.b64decode(file.content.translate({10: None, 13: None}), validate=True)
    except ValueError as error:
        raise UserMistake(N_("Ce fichier n'est pas en base64 : %(name)s"), "attachments", name=file.filename) from error
    return File.of(file.filename, blobs.store(data, file.filename))
