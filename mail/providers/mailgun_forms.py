"""Mailgun's events before 2018, as forms: user variables stand among the fields, so the first or last value counts."""

from __future__ import annotations

from typing import Any

from mail.providers.event import EventType, ProviderEvent, RejectReason
from mail.providers.fields import Fields, loads

_E, _R = EventType, RejectReason
_TYPES = {
    "delivered": _E.DELIVERED, "dropped": _E.REJECTED, "bounced": _E.BOUNCED, "complained": _E.COMPLAINED,
    "unsubscribed": _E.UNSUBSCRIBED, "opened": _E.OPENED, "clicked": _E.CLICKED,
}  # fmt: skip
_CODES = {499: _R.TIMED_OUT, 605: _R.BOUNCED, 607: _R.SPAM}
_KNOWN = frozenset((
    "event", "recipient", "domain", "ip", "country", "region", "city", "user-agent", "device-type", "client-type",
    "client-name", "client-os", "campaign-id", "campaign-name", "tag", "mailing-list", "timestamp", "token",
    "signature", "body-plain", "h", "message-id",
))  # fmt: skip
_LAST = ("signature", "timestamp", "token")  # of these the event's own value comes last


def event(fields: list[tuple[str, str]]) -> ProviderEvent:
    """The event that a form tells."""
    first: dict[str, str] = {}
    for name, value in fields:
        first.setdefault(name, value)
    last = dict(fields)
    message_id = first.get("Message-Id") or first.get("message-id")
    if message_id and not message_id.startswith("<"):
        message_id = f"<{message_id}>"
    metadata = _variables(fields, first)
    tags = [value for name, value in fields if name == "tag"]
    code = first.get("code")
    return ProviderEvent(
        _TYPES.get(first.get("event", ""), _E.UNKNOWN), first.get("recipient"), Fields(last).epoch("timestamp"),
        message_id, last.get("token"), _reject(code), first.get("description"),
        first.get("error") or first.get("notification"), metadata,
        tags or [value for name, value in fields if name == "X-Mailgun-Tag"], first.get("url"),
        first.get("user-agent"), header_id=message_id,
        marks=tuple(value for value in metadata.values() if isinstance(value, str)),
        smtp_code=int(code) if code and code.isdigit() and len(code) == 3 else None,
        enhanced_code=code if code and code.count(".") == 2 and len(code) < 12 else None,
    )  # fmt: skip


def _reject(code: str | None) -> RejectReason | None:
    if code is None:
        return None
    number = Fields({"code": code}).number("code")
    if number is not None:
        return _CODES.get(number, _R.BOUNCED if 400 <= number < 600 else _R.OTHER)
    return _R.BOUNCED if code.split(".")[0] in ("4", "5") else _R.OTHER


def _variables(fields: list[tuple[str, str]], first: dict[str, str]) -> dict[str, Any]:
    """The user's own variables: from the message's headers where they are there, else the fields nobody else uses."""
    if "message-headers" in first:
        found: dict[str, Any] = {}
        headers = loads(first["message-headers"])
        for one in headers if isinstance(headers, list) else []:
            if isinstance(one, list) and len(one) == 2 and one[0] == "X-Mailgun-Variables" and isinstance(one[1], str):
                found |= Fields(loads(one[1])).all
        return found
    kind = first.get("event")
    if kind not in ("clicked", "opened", "unsubscribed"):
        return {}
    known = _KNOWN | {"url"} if kind == "clicked" else _KNOWN
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    found = {}
    for name, said in values.items():
        if name not in known:
            found[name] = said[-1]
        elif name != "tag" and len(said) > 1:
            found[name] = said[0] if name in _LAST else said[-1]
    return found
