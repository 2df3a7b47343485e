"""PURE: what a provider's event says about an e-mail: its kind, its reason, its moment. Some say nothing about it.

The server's own words decide the reason, as everywhere (mail.reasons); the provider's classes only where they do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mail.fold import Fact
from mail.lookers import given_away
from mail.providers.event import EventType, ProviderEvent, RejectReason
from mail.reasons import address_dead, classify_reply, find_code, find_enhanced
from models.words import EventKind, Reason

_E = EventType
_KINDS = {
    _E.QUEUED: EventKind.ACCEPTED, _E.SENT: EventKind.ACCEPTED, _E.DEFERRED: EventKind.DELAYED,
    _E.DELIVERED: EventKind.DELIVERED, _E.AUTORESPONDED: EventKind.AUTO_REPLIED, _E.OPENED: EventKind.OPENED,
    _E.CLICKED: EventKind.CLICKED, _E.COMPLAINED: EventKind.COMPLAINED, _E.BOUNCED: EventKind.BOUNCED,
    _E.REJECTED: EventKind.BOUNCED, _E.FAILED: EventKind.BOUNCED, _E.UNSUBSCRIBED: EventKind.UNSUBSCRIBED,
}  # fmt: skip
_BY_REJECTION = {
    RejectReason.INVALID: Reason.ADDRESS_SYNTAX, RejectReason.TIMED_OUT: Reason.EXPIRED,
    RejectReason.BLOCKED: Reason.BLOCKED, RejectReason.SPAM: Reason.SPAM,
}  # fmt: skip
_LONGEST, _LONGEST_ID = 2000, 200


@dataclass(frozen=True)
class Said:
    """A fact that still wants its e-mail; `source_event_id` is the provider's own id, or a hash where it gives none."""

    kind: EventKind
    source: str
    source_event_id: str
    occurred_at: datetime
    reason: Reason | None = None
    smtp_code: int | None = None
    enhanced_code: str | None = None
    diagnostic: str | None = None
    remote_host: str | None = None
    data: dict[str, Any] | None = None

    def about(self, email_id: int, key: str) -> Fact:
        """The fact about that e-mail, which `key` (token or message-id) led to."""
        return Fact(email_id, **vars(self) | {"data": (self.data or {}) | {"key": key}})

    def about_a_copy(self, email_id: int, recipient: str) -> Fact:
        """What a failure about somebody else's address says of our e-mail: a forwarded copy is lost."""
        data = (self.data or {}) | {"final_recipient": recipient[:320]}
        return Fact(email_id, **vars(self) | {"kind": EventKind.COPY_FAILED, "data": data})

    def as_json(self) -> dict[str, Any]:
        """As provider_event.said keeps it."""
        found = {"kind": self.kind.value, "reason": self.reason.value if self.reason else None}
        return vars(self) | found | {"occurred_at": self.occurred_at.isoformat()}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> Said:
        """The same again."""
        reason = Reason(said["reason"]) if said["reason"] else None
        moment = datetime.fromisoformat(said["occurred_at"])
        return cls(**said | {"kind": EventKind(said["kind"]), "reason": reason, "occurred_at": moment})


def key(event: ProviderEvent) -> str:
    """What an event is known by within its account, whichever way it is heard of."""
    own = event.identity or event.event_id
    parts = [event.event_type, own or "", (event.recipient or "").lower()]
    if own is None:
        moment = event.timestamp.isoformat() if event.timestamp else ""
        parts += [event.message_id or "", moment, event.click_url or "", event.mta_response or ""]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def said(event: ProviderEvent, source: str, now: datetime) -> Said | None:
    """What the event says about its e-mail; None where it says nothing (a subscription, an unknown kind)."""
    kind = _KINDS.get(event.event_type)
    if kind is None:
        return None
    seen_by_machine = event.machine or (event.user_agent and given_away("GET", event.user_agent[:500], ""))
    if kind in (EventKind.OPENED, EventKind.CLICKED) and seen_by_machine:
        kind = EventKind.MACHINE_OPENED
    own = event.event_id or event.identity or ""
    words = [event.mta_response or "", event.words or "", event.description or ""]
    diagnostic = "\n".join(word for word in words if word)[:_LONGEST] or None
    text = diagnostic or ""
    data: dict[str, Any] = {"provider": event.event_type.value}
    reason = None
    code = event.smtp_code if event.smtp_code and 400 <= event.smtp_code <= 599 else None
    enhanced = event.enhanced_code or find_enhanced(text)
    if kind in (EventKind.BOUNCED, EventKind.DELAYED):
        code = code or find_code(text)
        reason, sure = _reason(event, code, enhanced, text, kind is EventKind.BOUNCED)
        if kind is EventKind.BOUNCED:
            data["address_dead"] = sure and bool(address_dead(reason))
    if event.click_url and kind is EventKind.CLICKED:
        data["url"] = event.click_url[:_LONGEST]
    return Said(
        kind, source, own if own and len(own) <= _LONGEST_ID and own.isprintable() else key(event),
        min(event.timestamp or now, now), reason,
        smtp_code=code if kind in (EventKind.BOUNCED, EventKind.DELAYED) else None,
        enhanced_code=enhanced if kind in (EventKind.BOUNCED, EventKind.DELAYED) else None, diagnostic=diagnostic,
        remote_host=event.remote_host[:255] if event.remote_host else None, data=data,
    )  # fmt: skip


def _reason(
    event: ProviderEvent, code: int | None, enhanced: str | None, text: str, final: bool
) -> tuple[Reason, bool]:
    """The reason, and whether it was the server's own words that gave it."""
    # what a provider refuses by itself (its own list of addresses) says nothing about the address today
    if event.event_type in (EventType.REJECTED, EventType.FAILED) and event.hint is not None:
        return event.hint, False
    found = classify_reply(code, enhanced, text, "report", final=final) if text or code or enhanced else Reason.UNKNOWN
    if found is not Reason.UNKNOWN:
        return found, True
    other = event.hint or (_BY_REJECTION.get(event.reject_reason) if event.reject_reason else None)
    return (other or Reason.UNKNOWN) if final else Reason.GREYLISTED, False
