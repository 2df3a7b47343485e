"""Reads the fields of RFC 3464 (per-message and per-recipient), from a delivery-status part or from plain text.

Tolerant: blank lines may be missing or many, fields folded or not, types absent. What the fields mean for an e-mail is
reader's business; reasons come from mail.reasons.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mail.reports import addresses
from mail.reports.report import Action

_LINE = re.compile(r"^[ \t>]{0,8}([A-Za-z][A-Za-z0-9\-]{2,40})[ \t]?:[ \t]*(.*)$")
_STATUS = re.compile(r"(?<!\d)([245])\.(\d{1,3})\.(\d{1,3})(?!\d)")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
MOST = 200  # recipients read from one report
PER_RECIPIENT = frozenset(
    {
        "final-recipient", "original-recipient", "action", "status", "remote-mta", "diagnostic-code",
        "last-attempt-date", "final-log-id", "will-retry-until", "x-actual-recipient", "x-display-name",
        "x-supplementary-info", "x-postfix-queue-id", "x-failed-reason", "x-original-recipient",
    }
)  # fmt: skip
PER_MESSAGE = frozenset(
    {"reporting-mta", "original-envelope-id", "arrival-date", "dsn-gateway", "received-from-mta", "x-postfix-sender"}
)
_ACTIONS: dict[str, Action] = {
    "failed": "failed", "failure": "failed", "fail": "failed", "expired": "failed", "error": "failed",
    "bounced": "failed", "undeliverable": "failed", "rejected": "failed",
    "delayed": "delayed", "delay": "delayed", "deferred": "delayed", "transient": "delayed",
    "delivered": "delivered", "deliverable": "delivered", "deliver": "delivered", "success": "delivered",
    "relayed": "relayed", "relay": "relayed", "expanded": "expanded",
}  # fmt: skip


@dataclass(slots=True)
class StatusFields:
    """The fields of a report: `message` once, `recipients` each; names in lower case, values unfolded."""

    message: dict[str, str] = field(default_factory=dict)
    recipients: list[dict[str, str]] = field(default_factory=list)


def read_fields(text: str) -> StatusFields:
    """All fields found in `text`, divided into the message's and each recipient's."""
    found = StatusFields()
    current: dict[str, str] = {}
    gap = True
    last: tuple[dict[str, str], str] | None = None
    for line in text.split("\n"):
        if not line.strip():
            gap, last = True, None
            continue
        match = _LINE.match(line)
        name = match[1].lower() if match else ""
        if match and (name in PER_RECIPIENT or name in PER_MESSAGE or name.startswith("x-")):
            value = match[2].strip()
            if name in PER_MESSAGE:
                found.message.setdefault(name, value)
                last = (found.message, name)
                gap = False
                continue
            if _starts_another(current, name, gap):
                _keep(found, current)
                current = {}
            if name not in current or not current[name]:
                current[name] = value
                last = (current, name)
            else:
                last = None
            gap = False
        elif last and (line[0] in " \t" or not match):
            fields, key = last
            if len(fields[key]) < 4000:
                fields[key] = f"{fields[key]} {line.strip()}".strip()
        else:
            last = None
    _keep(found, current)
    return found


def _starts_another(current: dict[str, str], name: str, gap: bool) -> bool:
    if not current:
        return False
    has_address = "final-recipient" in current or "original-recipient" in current
    if gap and has_address and ("action" in current or "status" in current):
        return True
    if name in ("final-recipient", "action", "status", "original-recipient") and name in current:
        return True
    return gap and has_address and name in ("final-recipient", "original-recipient")


def _keep(found: StatusFields, current: dict[str, str]) -> None:
    if not current or len(found.recipients) >= MOST:
        return
    if {"final-recipient", "original-recipient", "x-actual-recipient", "x-original-recipient"} & current.keys():
        found.recipients.append(current)
    elif found.recipients and not found.recipients[-1].keys() & current.keys():
        found.recipients[-1].update(current)  # a blank line too many
    elif {"action", "status", "diagnostic-code"} & current.keys():
        found.recipients.append(current)


def action_of(fields: dict[str, str]) -> Action | None:
    """The Action field's word, None when it is absent or none of RFC 3464's (nor a known misspelling)."""
    words = re.findall(r"[a-z]+", fields.get("action", "").lower()[:60])
    return next((_ACTIONS[word] for word in words if word in _ACTIONS), None)


def status_of(text: str) -> str | None:
    """The first RFC 3463 code in a Status field, in the form 5.1.1."""
    match = _STATUS.search(text[:500])
    return f"{match[1]}.{int(match[2])}.{int(match[3])}" if match else None


def recipient_of(fields: dict[str, str]) -> tuple[str | None, str | None]:
    """(address, original address): the final recipient and, where it is another one, the original."""
    final = _address(fields.get("final-recipient", ""))
    original = _address(fields.get("original-recipient", "") or fields.get("x-original-recipient", ""))
    routed = typed(fields.get("final-recipient", "")).startswith(("@", "<@"))
    if original and (routed or (final and "." not in final.rpartition("@")[2] and "." in original.rpartition("@")[2])):
        return original, None
    if final is None:
        final = addresses.clean(fields.get("x-actual-recipient", "")) or original
    if original and final and original.lower() == final.lower():
        original = None
    return final, original


def _address(value: str) -> str | None:
    """The address in a recipient's field; \\x{E9} stands for a character (RFC 6533 section 3)."""
    if value[:5].lower() == "utf-8":
        value = _EMBEDDED.sub(_character, value[:1000])
    return addresses.clean(value)


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if 0xA0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else found[0]


def typed(value: str) -> str:
    """A field's value without its type: "smtp; 550 no" → "550 no", "dns; mx.example" → "mx.example"."""
    head, semicolon, tail = value.partition(";")
    return tail.strip() if semicolon and re.fullmatch(r"[A-Za-z0-9\-]{1,24}", head.strip()) else value.strip()
