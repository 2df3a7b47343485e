"""A stranger's JSON and forms, read without trust: whatever stands where a text is expected, nothing raises.

Only a body that is no JSON or no form at all is Unreadable.
"""

from __future__ import annotations

import email
import email.policy
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qsl

import orjson

from mail.providers.event import Call, Unreadable

# No event is older than e-mail providers are; what says otherwise says nothing.
_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class Fields:
    """A JSON object; what is none is an empty one."""

    def __init__(self, value: Any) -> None:
        self.all: dict[str, Any] = value if isinstance(value, dict) else {}

    def __contains__(self, name: str) -> bool:
        return name in self.all

    def __bool__(self) -> bool:
        return bool(self.all)

    def raw(self, *names: str) -> Any:
        """The value of the first of the names that is there; None where none is."""
        return next((self.all[name] for name in names if name in self.all), None)

    def text(self, *names: str) -> str | None:
        """That value as text, a number as its digits; None for null, lists and objects."""
        return as_text(self.raw(*names))

    def inside(self, *names: str) -> Fields:
        """The object of that name."""
        return Fields(self.raw(*names))

    def each(self, *names: str) -> list[Any]:
        """The list of that name; a single value as a list of one."""
        value = self.raw(*names)
        return value if isinstance(value, list) else [] if value is None else [value]

    def objects(self, *names: str) -> list[Fields]:
        """The objects of that list."""
        return [Fields(one) for one in self.each(*names) if isinstance(one, dict)]

    def texts(self, *names: str) -> list[str]:
        """The texts of that list, lists inside it flattened by one level."""
        flat = [inner for one in self.each(*names) for inner in (one if isinstance(one, list) else [one])]
        return [text for one in flat if (text := as_text(one)) is not None]

    def number(self, *names: str) -> int | None:
        """A whole number, given as one or as its digits."""
        text = self.text(*names)
        try:
            return int(text) if text and len(text) < 20 else None
        except ValueError:
            return None

    def epoch(self, *names: str, per_second: int = 1) -> datetime | None:
        """A moment in seconds since 1970 (or thousandths)."""
        text = self.text(*names)
        try:
            seconds = float(text) / per_second if text and len(text) < 40 else math.nan
            return _sound(datetime.fromtimestamp(seconds, UTC))
        except (ValueError, OverflowError, OSError):
            return None

    def iso(self, *names: str) -> datetime | None:
        """A moment in ISO 8601, in UTC where it names no zone."""
        return as_moment(self.text(*names))

    def dict(self, *names: str) -> dict[str, Any]:
        """The object of that name, or the one that a text of that name is the JSON of."""
        value = self.raw(*names)
        if isinstance(value, str):
            value = loads(value)
        return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """A text or a number as text; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_moment(text: str | None) -> datetime | None:
    """A moment in ISO 8601, in UTC where it names no zone; None for what is none."""
    try:
        said = datetime.fromisoformat((text or "").strip().replace(" UTC", "Z"))
        return _sound(said if said.tzinfo else said.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _sound(moment: datetime) -> datetime | None:
    return moment if _EARLIEST < moment < _LATEST else None


def loads(text: str) -> Any:
    """The JSON of a text, None where it is none. As lenient as the standard library: NaN and lone surrogates pass."""
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None


def read_json(call: Call) -> Any:
    """The body's JSON. Raises Unreadable."""
    try:
        text = call.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    said = loads(text)
    if said is None and text.strip() != "null":
        raise Unreadable("no JSON")
    return said


def objects(said: Any) -> Iterator[Fields]:
    """The objects of a batch; a single one is a batch of one, what is no object is passed over."""
    for one in said if isinstance(said, list) else [said]:
        if isinstance(one, dict):
            yield Fields(one)


def read_form(call: Call) -> list[tuple[str, str]]:
    """The fields of a form, in their order. Raises Unreadable."""
    if call.content_type == "application/x-www-form-urlencoded":
        try:
            return parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=1000, errors="strict")
        except ValueError as error:
            raise Unreadable("no form") from error
    if call.content_type != "multipart/form-data":
        raise Unreadable("no form")
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode("utf-8", "replace")
    message = email.message_from_bytes(head + call.body, policy=email.policy.HTTP)
    if not message.is_multipart():
        raise Unreadable("no form")
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found.append((name, payload.decode("utf-8", "replace")))
    return found


def address(text: str | None) -> str | None:
    """The bare address of a mailbox, None where there is none."""
    if not text:
        return None
    found = parseaddr(text[:1000])[1]
    return found if "@" in found else None
