"""Postmark: user and password in the address, one event a call.

https://postmarkapp.com/developer/webhooks/webhooks-overview. Not tried against the real service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason
from mail.providers.fields import Fields, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "postmark", "Postmark"
SMTP_HOSTS = ("smtp.postmarkapp.com", "smtp-broadcasts.postmarkapp.com")
KEY = None
POLL_KEY = None
STEPS = (
    N_("Dans Postmark, ouvrez votre serveur › votre flux (Message Stream) › Webhooks › Add webhook."),
    N_("Collez l'adresse ci-dessus et mettez l'utilisateur et le mot de passe sous « Basic auth credentials »."),
    N_("Cochez Delivery, Bounce, Spam complaint, Open, Link click et Subscription change, puis enregistrez."),
)  # fmt: skip

verify = proof.by_password  # nothing is signed
_E, _R = EventType, RejectReason
_RECORDS = {
    "Bounce": _E.BOUNCED, "Click": _E.CLICKED, "Delivery": _E.DELIVERED, "Open": _E.OPENED,
    "SpamComplaint": _E.COMPLAINED, "SubscriptionChange": _E.UNSUBSCRIBED, "Inbound": _E.INBOUND,
}  # fmt: skip
_TYPES: dict[str, tuple[EventType, RejectReason | None]] = {
    "HardBounce": (_E.BOUNCED, _R.BOUNCED),
    "Transient": (_E.DEFERRED, None),
    "Unsubscribe": (_E.UNSUBSCRIBED, _R.UNSUBSCRIBED),
    "Subscribe": (_E.SUBSCRIBED, None),
    "AutoResponder": (_E.AUTORESPONDED, None),
    "AddressChange": (_E.AUTORESPONDED, None),
    "DnsError": (_E.DEFERRED, None),
    "SpamNotification": (_E.COMPLAINED, _R.SPAM),
    "OpenRelayTest": (_E.DEFERRED, None),
    "Unknown": (_E.UNKNOWN, None),
    "SoftBounce": (_E.BOUNCED, _R.BOUNCED),
    "VirusNotification": (_E.BOUNCED, _R.OTHER),
    "ChallengeVerification": (_E.AUTORESPONDED, None),
    "BadEmailAddress": (_E.REJECTED, _R.INVALID),
    "SpamComplaint": (_E.COMPLAINED, _R.SPAM),
    "ManuallyDeactivated": (_E.REJECTED, _R.BLOCKED),
    "Unconfirmed": (_E.REJECTED, None),
    "Blocked": (_E.REJECTED, _R.BLOCKED),
    "SMTPApiError": (_E.FAILED, None),
    "InboundError": (_E.INBOUND_FAILED, None),
    "DMARCPolicy": (_E.REJECTED, _R.BLOCKED),
    "TemplateRenderingFailed": (_E.FAILED, None),
    "ManualSuppression": (_E.UNSUBSCRIBED, _R.UNSUBSCRIBED),
}
_HINTS = {
    "HardBounce": Reason.USER_UNKNOWN, "VirusNotification": Reason.CONTENT, "BadEmailAddress": Reason.ADDRESS_SYNTAX,
    "ManuallyDeactivated": Reason.BLOCKED, "Blocked": Reason.BLOCKED, "DMARCPolicy": Reason.AUTHENTICATION,
    "SMTPApiError": Reason.SENDER_REJECTED, "Unconfirmed": Reason.SENDER_REJECTED,
}  # fmt: skip


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call."""
    return [_event(one) for one in objects(read_json(call))]


def _event(said: Fields) -> ProviderEvent:
    kind = _RECORDS.get(said.text("RecordType") or "", _E.UNKNOWN)
    if "RecordType" not in said and "FromFull" in said:
        kind = _E.INBOUND
    reject: RejectReason | None = None
    type_ = said.text("Type") or ""
    if kind in (_E.BOUNCED, _E.COMPLAINED):
        kind, reject = _TYPES.get(type_, (kind, None))
    elif kind is _E.UNSUBSCRIBED:
        if said.raw("SuppressSending") is False:
            kind, reject = _TYPES["Subscribe"]
        else:
            kind, reject = _TYPES.get(said.text("SuppressionReason") or "", (kind, None))
    metadata = said.dict("Metadata")
    anymail_id = Fields(metadata).text("anymail_id")
    client = said.inside("Client")
    machine = any("proxy" in (client.text(name) or "").lower() for name in ("Name", "Company", "Family"))
    return ProviderEvent(
        kind, said.text("Email", "Recipient"),
        said.iso("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt"), anymail_id or said.text("MessageID"),
        said.text("ID"), reject, said.text("Description"), said.text("Details"), metadata, said.texts("Tag"),
        said.text("OriginalLink"), said.text("UserAgent"), machine=machine, hint=_HINTS.get(type_),
        marks=tuple(value for value in metadata.values() if isinstance(value, str)),
        # a bounce has an id of its own, but one that names no other event
        identity=f"{kind} {said.text('ID')}" if said.text("ID") else None,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events, and the one that lets our Message-ID stand."""
    return {"X-PM-Metadata-sillage": token, "X-PM-KeepID": "true"}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Postmark would make it."""
    return "application/json", {
        "RecordType": "Delivery", "MessageID": "00000000-0000-0000-0000-000000000000", "Recipient": recipient,
        "DeliveredAt": now.isoformat(), "Details": "smtp;250 2.0.0 OK", "Metadata": {"sillage": token},
    }  # fmt: skip
