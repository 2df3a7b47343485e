"""Complaints: ARF (RFC 5965, RFC 6591) and the older forms of feedback loops that name no type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail.reports import addresses
from mail.reports.kinds import Signs
from mail.reports.mime import Headers, Message, header_fields

_LINE = re.compile(r"^([A-Za-z][A-Za-z0-9\-]{1,40})[ \t]*:[ \t]*(.*)$", re.M)


@dataclass(slots=True)
class Complaint:
    """A complaint's type (abuse, fraud, auth-failure, not-spam, opt-out…) and the fields of its report."""

    type: str
    fields: Headers
    recipients: list[str]


def complaint_of(message: Message, seen: Signs, returned: Headers) -> Complaint | None:
    """The complaint in `message`, None when it is none."""
    for part in message.parts:
        if part.depth == 0 and part.type == "message/feedback-report":
            fields = _fields(part.text)
            return Complaint((fields.get("feedback-type") or "abuse").lower(), fields, _recipients(fields, returned))
    if message.report_type == "feedback-report":
        text = "\n".join(part.text for part in message.parts if part.depth == 0)
        fields = _fields(text)
        return Complaint((fields.get("feedback-type") or "abuse").lower(), fields, _recipients(fields, returned))
    if "x-hmxmroriginalrecipient" in returned or (
        seen.subject.startswith("complaint about message from") and "hotmail" in (message.headers.get("from") or "")
    ):
        return Complaint("abuse", Headers([]), _recipients(Headers([]), returned))
    if seen.subject.startswith(("email feedback report for ip", "spam complaint", "abuse report")) and len(returned):
        return Complaint("abuse", Headers([]), _recipients(Headers([]), returned))
    if "x-loop" in message.headers and (message.headers.get("x-loop") or "").lower().startswith("scomp"):
        return Complaint("abuse", Headers([]), _recipients(Headers([]), returned))
    return None


def _fields(text: str) -> Headers:
    return Headers([(m[1].lower(), m[2].strip()) for m in _LINE.finditer(text)]) or Headers(header_fields(text))


def _recipients(fields: Headers, returned: Headers) -> list[str]:
    found: list[str] = []
    for value in (*fields.all("original-rcpt-to"), *fields.all("removal-recipient"), *fields.all("redacted-address")):
        address = addresses.clean(value)
        if address and address.lower() not in (f.lower() for f in found):
            found.append(address)
    if found:
        return found
    for name in ("x-hmxmroriginalrecipient", "x-apparently-to", "x-original-to", "delivered-to", "to", "cc"):
        found = addresses.find(returned.text(name))
        if found:
            return found[:1] if name.startswith("x-") else found
    return []
