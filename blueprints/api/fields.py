"""The kinds of field that requests and answers are made of, with what the OpenAPI document says of each.

Requests are strict: unknown fields, other types and control characters are refused. Answers always have every field.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blueprints import patterns
from blueprints.api.door import utc

FILLED_LINE, LINE, TEXT = patterns.FILLED_LINE, patterns.LINE, patterns.TEXT

Moment = Annotated[datetime, AfterValidator(utc)]


def session_id(**more: Any) -> Any:
    """The public id of a training session."""
    return Field(pattern=r"^S-[0-9a-z]{1,20}$", examples=["S-2x8k4m1p"], **more)


def contact_id(**more: Any) -> Any:
    """The public id of a contact."""
    return Field(pattern=r"^C-[0-9a-z]{1,20}$", examples=["C-7m2k9x0c"], **more)


def no_default(schema: dict[str, Any]) -> None:
    """A field that may be left out but has no value of its own when it is."""
    schema.pop("default", None)


def optional(**more: Any) -> Any:
    """A field that may be left out (it is None then) but not sent as null."""
    extra = more.pop("extra", {})

    def document(schema: dict[str, Any]) -> None:
        no_default(schema)
        schema.update(extra)

    return Field(default=None, json_schema_extra=document, **more)


class Request(BaseModel):
    """A body: unknown fields and other types are refused. `may_be_left_out` says that none is as good as {}."""

    may_be_left_out: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """A query string: text that is read as what each parameter is; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What is answered: every field, always."""

    model_config = ConfigDict(from_attributes=True)


class Wrong(Answer):
    """One thing that is wrong: the place in the body, or the parameter or header."""

    detail: str
    pointer: str = Field(default="", description="JSON pointer into the body, as a fragment: #/recipients/0/email")
    parameter: str = ""
    header: str = ""


class ProblemShape(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Wrong] = []
    request_id: str = ""


class PageShape(Answer):
    """What every list adds to its items. `total` counts up to 10,000 exactly; `total_is_capped` says it is more."""

    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")
    previous_cursor: str | None
    total: int
    total_is_capped: bool
