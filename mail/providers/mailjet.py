"""Mailjet: user and password in the address, events grouped or one by one.

https://dev.mailjet.com/email/guides/webhooks/. Not tried against the real service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason
from mail.providers.fields import Fields, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "mailjet", "Mailjet"
SMTP_HOSTS = ("in-v3.mailjet.com", "in.mailjet.com")
KEY = None
POLL_KEY = None
STEPS = (
    N_("Dans Mailjet, ouvrez Réglages du compte › API REST › Event notifications (webhooks)."),
    N_("Collez l'adresse entière ci-dessus, qui contient l'utilisateur et le mot de passe, pour chaque évènement."),
    N_("Cochez « Group events » si vous envoyez beaucoup, puis enregistrez."),
)

verify = proof.by_password  # nothing is signed
_E, _R = EventType, RejectReason
_TYPES = {
    "sent": _E.DELIVERED, "open": _E.OPENED, "click": _E.CLICKED, "bounce": _E.BOUNCED, "blocked": _E.REJECTED,
    "spam": _E.COMPLAINED, "unsub": _E.UNSUBSCRIBED,
}  # fmt: skip
# Mailjet's own words for an error → what it is, and our reason for it.
_ERRORS: dict[str, tuple[RejectReason, Reason]] = {
    "user unknown": (_R.BOUNCED, Reason.USER_UNKNOWN),
    "mailbox inactive": (_R.BOUNCED, Reason.MAILBOX_DISABLED),
    "quota exceeded": (_R.BOUNCED, Reason.MAILBOX_FULL),
    "blacklisted": (_R.BLOCKED, Reason.BLOCKED),
    "spam reporter": (_R.SPAM, Reason.BLOCKED),
    "invalid domain": (_R.BOUNCED, Reason.DOMAIN_UNKNOWN),
    "no mail host": (_R.BOUNCED, Reason.DOMAIN_UNKNOWN),
    "relay/access denied": (_R.BOUNCED, Reason.POLICY),
    "greylisted": (_R.OTHER, Reason.GREYLISTED),
    "typofix": (_R.INVALID, Reason.ADDRESS_SYNTAX),
    "sender blocked": (_R.BLOCKED, Reason.SENDER_REJECTED),
    "content blocked": (_R.BLOCKED, Reason.SPAM),
    "policy issue": (_R.BLOCKED, Reason.POLICY),
    "preblocked": (_R.BLOCKED, Reason.BLOCKED),
    "duplicate in campaign": (_R.OTHER, Reason.POLICY),
}


def parse(call: Call) -> list[ProviderEvent]:
    """The events of a call."""
    return [_event(one) for one in objects(read_json(call))]


def _event(said: Fields) -> ProviderEvent:
    kind = _TYPES.get(said.text("event") or "", _E.UNKNOWN)
    error = said.text("error")
    if error == "greylisted" and not said.raw("hard_bounce"):
        kind = _E.DEFERRED  # "Delivery will be re-attempted."
    reject, hint = _ERRORS.get(error or "", (_R.OTHER, None)) if "error" in said else (None, None)
    tag = said.text("customcampaign")
    marks = tuple(text for name in ("CustomID", "Payload") if (text := said.text(name)))
    comment = said.text("comment")
    return ProviderEvent(
        kind, said.text("email"), said.epoch("time"), said.text("MessageID"), reject_reason=reject,
        mta_response=said.text("smtp_reply"), metadata=said.dict("Payload"), tags=[tag] if tag else [],
        click_url=said.text("url"), user_agent=said.text("agent"), marks=marks, hint=hint, words=comment,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-MJ-CustomID": token}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Mailjet would make it."""
    said = {
        "event": "sent", "time": int(now.timestamp()), "MessageID": 1, "email": recipient, "CustomID": token,
        "Payload": "", "mj_message_id": "1", "smtp_reply": "sent (250 2.0.0 OK)",
    }  # fmt: skip
    return "application/json", [said]
