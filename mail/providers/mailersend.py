"""MailerSend: HMAC of the body, one event a call.

https://developers.mailersend.com/api/v1/webhooks.html. Not tried against the real service.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason, Secret, Unreadable
from mail.providers.fields import Fields, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "mailersend", "MailerSend"
SMTP_HOSTS = ("smtp.mailersend.net",)
KEY = N_("Secret de signature (Signing secret).")
POLL_KEY = None
STEPS = (
    N_("Dans MailerSend, ouvrez Domains › votre domaine › Webhooks › Create webhook et collez l'adresse ci-dessus."),
    N_("Cochez tous les évènements « activity », enregistrez, puis copiez le « Signing secret » ci-dessous."),
)

_E, _R = EventType, RejectReason
_TYPES = {
    "sent": _E.SENT, "delivered": _E.DELIVERED, "soft_bounced": _E.BOUNCED, "hard_bounced": _E.BOUNCED,
    "deferred": _E.DEFERRED, "opened": _E.OPENED, "opened_unique": _E.OPENED, "clicked": _E.CLICKED,
    "clicked_unique": _E.CLICKED, "unsubscribed": _E.UNSUBSCRIBED, "spam_complaint": _E.COMPLAINED,
}  # fmt: skip
_MORPHS = {
    "recipient_bounce": _R.BOUNCED, "spam_complaint": _R.SPAM, "recipient_unsubscribe": _R.UNSUBSCRIBED,
}  # fmt: skip
# The signature names no moment; the body does. A call is tried again for a day at most.
_UNDER_WAY = timedelta(days=1)


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Signed with the secret; what the body says of its moment is not old. Raises Refused."""
    proof.basic(call, secret)
    shown = proof.header(call, "signature")
    proof.signed(secret.key, call.body, shown)
    try:
        said = Fields(read_json(call))
    except Unreadable:
        return shown
    moment = said.iso("created_at") or said.inside("data").iso("created_at")
    if moment is not None:
        proof.fresh(moment, now, _UNDER_WAY)
    return shown


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call."""
    return [_event(one) for one in objects(read_json(call)) if one.inside("data")]


def _event(said: Fields) -> ProviderEvent:
    data = said.inside("data")
    email, morph = data.inside("email"), data.inside("morph")
    name = data.text("type") or ""
    tags = email.texts("tags")
    return ProviderEvent(
        _TYPES.get(name, _E.UNKNOWN), email.inside("recipient").text("email"), data.iso("created_at"),
        email.inside("message").text("id"), data.text("id"), _MORPHS.get(morph.text("object") or ""),
        morph.text("readable_reason") or morph.text("reason"), None, {}, tags, morph.text("url"),
        morph.text("user_agent"), marks=tuple(tags), header_id=email.inside("headers").text("message-id", "Message-ID"),
        hint=Reason.USER_UNKNOWN if name == "hard_bounced" else None,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-MailerSend-Tags": f'["{token}"]'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as MailerSend would make it, but for its signature."""
    email = {"message": {"id": "essai"}, "recipient": {"email": recipient}, "tags": [token]}
    data = {"id": f"essai-{now.timestamp()}", "type": "delivered", "created_at": now.isoformat(), "email": email}
    return "application/json", {"type": "activity.delivered", "created_at": now.isoformat(), "data": data}


def sign(said: Any, secret: Secret, now: datetime) -> tuple[Any, dict[str, str]]:
    """Its signature, as MailerSend would make it."""
    return said, {"signature": proof.hex_hmac(secret.key.encode(), orjson.dumps(said))}
