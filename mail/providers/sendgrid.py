"""SendGrid: ECDSA over timestamp and body, batches of events; unique arguments stand among the fields.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. Not tried against the real service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason, Secret
from mail.providers.fields import Fields, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "sendgrid", "SendGrid"
SMTP_HOSTS = ("smtp.sendgrid.net", "smtp.eu.sendgrid.net")
KEY = N_("Clé publique de vérification (Verification Key).")
POLL_KEY = None
PUBLIC_KEY = "ec"
STEPS = (
    N_("Dans SendGrid, ouvrez Settings › Event Webhooks › Create new webhook."),
    N_("Collez l'adresse ci-dessus dans Post URL et cochez tous les évènements."),
    N_("Activez « Signed Event Webhook », enregistrez, puis copiez la clé publique ci-dessous."),
)

_SIGNATURE, _TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
_E, _R = EventType, RejectReason
_TYPES = {
    "bounce": _E.BOUNCED, "deferred": _E.DEFERRED, "delivered": _E.DELIVERED, "dropped": _E.REJECTED,
    "processed": _E.QUEUED, "click": _E.CLICKED, "open": _E.OPENED, "spamreport": _E.COMPLAINED,
    "unsubscribe": _E.UNSUBSCRIBED, "group_unsubscribe": _E.UNSUBSCRIBED, "group_resubscribe": _E.SUBSCRIBED,
}  # fmt: skip
_DROPS = {
    "invalid": _R.INVALID, "unsubscribed address": _R.UNSUBSCRIBED, "bounce": _R.BOUNCED,
    "bounced address": _R.BOUNCED, "blocked": _R.BLOCKED, "expired": _R.TIMED_OUT,
}  # fmt: skip
_HINTS = {_R.INVALID: Reason.ADDRESS_SYNTAX, _R.TIMED_OUT: Reason.EXPIRED}
# SendGrid's own fields: what else stands in an event is the sender's.
_OWN = frozenset((
    "anymail_id", "asm_group_id", "attempt", "category", "cert_err", "email", "event", "ip", "marketing_campaign_id",
    "marketing_campaign_name", "newsletter", "nlvx_campaign_id", "nlvx_campaign_split_id", "nlvx_user_id", "pool",
    "post_type", "reason", "response", "send_at", "sg_event_id", "sg_message_id", "smtp-id", "status", "timestamp",
    "tls", "type", "url", "url_offset", "useragent",
))  # fmt: skip


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Signed by the key's owner, lately. Raises Refused."""
    proof.basic(call, secret)
    shown, stamp = proof.header(call, _SIGNATURE), proof.header(call, _TIMESTAMP)
    proof.verified(secret.key, stamp.encode("latin-1", "replace") + call.body, shown, hashes.SHA256())
    proof.fresh(Fields({"at": stamp}).epoch("at"), now)
    return f"{stamp} {shown}"


def parse(call: Call) -> list[ProviderEvent]:
    """The events of a batch."""
    return [_event(one) for one in objects(read_json(call)) if "event" in one]


def _event(said: Fields) -> ProviderEvent:
    name = said.text("event") or ""
    kind = _TYPES.get(name, _E.UNKNOWN)
    reject, hint, response = None, None, said.text("response", "reason")
    words = None
    if kind is _E.REJECTED:
        response, why = None, said.text("type", "reason") or ""
        reject = _DROPS.get(why.lower(), _R.OTHER)
        hint, words = _HINTS.get(reject, Reason.BLOCKED), said.text("reason")
    elif kind is _E.BOUNCED:
        hint = Reason.BLOCKED if said.text("type") == "blocked" else Reason.USER_UNKNOWN
    metadata = {name: value for name, value in said.all.items() if name not in _OWN}
    status = said.text("status")
    return ProviderEvent(
        kind, said.text("email"), said.epoch("timestamp"), said.text("anymail_id", "smtp-id", "sg_message_id"),
        said.text("sg_event_id"), reject, None, response, metadata, said.texts("category"), said.text("url"),
        said.text("useragent"), header_id=said.text("smtp-id"),
        marks=tuple(value for value in metadata.values() if isinstance(value, str)), hint=hint, words=words,
        machine=said.raw("sg_machine_open") is True, enhanced_code=status if status and "." in status else None,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-SMTPAPI": f'{{"unique_args":{{"sillage":"{token}"}}}}'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as SendGrid would make it, but for its signature, which is SendGrid's alone."""
    said = {
        "event": "delivered", "email": recipient, "timestamp": int(now.timestamp()), "smtp-id": message_id,
        "sg_event_id": f"essai-{now.timestamp()}", "response": "250 OK", "sillage": token,
    }  # fmt: skip
    return "application/json", [said]
