"""Mandrill (Mailchimp Transactional): HMAC-SHA1 of our address and the form's fields, batches of events.

https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/. Not tried against the real
service.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, Refused, Secret, Unreadable
from mail.providers.fields import Fields, loads, objects, read_form
from models.words import N_, Reason

NAME, LABEL = "mandrill", "Mandrill"
SMTP_HOSTS = ("smtp.mandrillapp.com",)
KEY = N_("Clé du webhook (Webhook key).")
POLL_KEY = None
CONTENT_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
STEPS = (
    N_("Dans Mandrill, ouvrez Settings › Webhooks › Add a webhook et collez l'adresse ci-dessus."),
    N_("Cochez tous les évènements de message, enregistrez, puis copiez la clé (Key) ci-dessous."),
)

_E = EventType
_TYPES = {
    "send": _E.SENT, "delivered": _E.DELIVERED, "deferral": _E.DEFERRED, "hard_bounce": _E.BOUNCED,
    "soft_bounce": _E.BOUNCED, "open": _E.OPENED, "click": _E.CLICKED, "spam": _E.COMPLAINED,
    "unsub": _E.UNSUBSCRIBED, "reject": _E.REJECTED, "inbound": _E.INBOUND,
}  # fmt: skip
_HINTS = {
    "bad_mailbox": Reason.USER_UNKNOWN, "invalid_domain": Reason.DOMAIN_UNKNOWN, "mailbox_full": Reason.MAILBOX_FULL,
    "spam": Reason.SPAM, "general": None,
}  # fmt: skip
_UNDER_WAY = timedelta(days=1)


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Signed for our address with the key; its newest event is not old. Raises Refused."""
    proof.basic(call, secret)
    shown = proof.header(call, "x-mandrill-signature")
    try:
        fields = dict(read_form(call))
    except Unreadable as error:
        raise Refused("no form") from error
    signed = secret.url + "".join(name + fields[name] for name in sorted(fields))
    proof.signed_base64(secret.key.encode(), signed.encode("utf-8", "surrogatepass"), shown, "sha1")
    moments = [at for one in objects(loads(fields.get("mandrill_events", ""))) if (at := one.epoch("ts"))]
    if moments:
        proof.fresh(max(moments), now, _UNDER_WAY)
    return shown


def parse(call: Call) -> list[ProviderEvent]:
    """The events of a batch."""
    told = loads(dict(read_form(call)).get("mandrill_events", ""))
    if told is None:
        raise Unreadable("no mandrill_events")
    return [_event(one) for one in objects(told)]


def _event(said: Fields) -> ProviderEvent:
    name = said.text("event", "type") or ""
    message, refusal = said.inside("msg"), said.inside("reject")
    metadata = message.dict("metadata")
    hint = _HINTS.get(message.text("bounce_description") or "")
    if hint is None and name in ("hard_bounce", "reject"):
        hint = Reason.USER_UNKNOWN if name == "hard_bounce" else Reason.BLOCKED
    moment, message_id, url = said.epoch("ts"), said.text("_id"), said.text("url")
    return ProviderEvent(
        _TYPES.get(name, _E.UNKNOWN), message.text("email") or refusal.text("email"), moment, message_id, None, None,
        refusal.text("detail", "reason"), message.text("diag"), metadata, message.texts("tags"), url,
        said.text("user_agent"), marks=tuple(value for value in metadata.values() if isinstance(value, str)), hint=hint,
        identity=f"{name} {message_id} {moment.timestamp() if moment else ''} {url or ''}",
        machine=said.inside("user_agent_parsed").text("type") == "bot",
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-MC-Metadata": f'{{"sillage":"{token}"}}'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Mandrill would make it, but for its signature."""
    said = {
        "event": "delivered", "_id": f"essai-{now.timestamp()}", "ts": int(now.timestamp()),
        "msg": {"email": recipient, "metadata": {"sillage": token}},
    }  # fmt: skip
    return "application/x-www-form-urlencoded", {"mandrill_events": orjson.dumps([said]).decode()}


def sign(said: Any, secret: Secret, now: datetime) -> tuple[Any, dict[str, str]]:
    """Its signature, as Mandrill would make it."""
    signed = secret.url + "".join(name + said[name] for name in sorted(said))
    return said, {"x-mandrill-signature": proof.base64_hmac(secret.key.encode(), signed.encode(), "sha1")}
