"""Postal, one's own installation: RSA signature of the body, one event a call.

https://docs.postalserver.io/developer/webhooks. Not tried against a real installation.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, Refused, RejectReason, Secret, Unreadable
from mail.providers.fields import Fields, address, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "postal", "Postal"
SMTP_HOSTS = ()  # wherever it is installed
KEY = N_("Clé publique (celle de l'enregistrement DKIM par défaut de votre Postal).")
POLL_KEY = None
PUBLIC_KEY = "rsa"
STEPS = (
    N_("Dans Postal, ouvrez votre serveur de messagerie › Webhooks › Add new webhook et collez l'adresse ci-dessus."),
    N_("Gardez « Enabled » et tous les évènements cochés, puis enregistrez."),
    N_("Copiez ci-dessous la clé publique de votre installation (commande « postal default-dkim-record »)."),
)

_E = EventType
_STATUSES = {"Sent": _E.DELIVERED, "SoftFail": _E.DEFERRED, "HardFail": _E.FAILED, "Held": _E.QUEUED}
_UNDER_WAY = timedelta(days=1)


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Signed by the installation; what the body says of its moment is not old. Raises Refused."""
    proof.basic(call, secret)
    if call.headers.get("x-postal-signature-256"):
        proof.verified(secret.key, call.body, proof.header(call, "x-postal-signature-256"), hashes.SHA256())
    else:
        proof.verified(secret.key, call.body, proof.header(call, "x-postal-signature"), hashes.SHA1())
    try:
        said = Fields(read_json(call))
    except Unreadable as error:
        raise Refused("no JSON") from error
    proof.fresh(said.epoch("timestamp"), now, _UNDER_WAY)
    return said.text("uuid")


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call; what is about mail that came in is passed over."""
    return [event for one in objects(read_json(call)) if (event := _event(one))]


def _event(said: Fields) -> ProviderEvent | None:
    payload, moment = said.inside("payload"), said.epoch("timestamp")
    message = payload.inside("message") or payload.inside("original_message")
    if message.text("direction") == "incoming":
        return None
    kind = _E.UNKNOWN
    if "status" in payload:
        kind = _STATUSES.get(payload.text("status") or "", _E.UNKNOWN)
    elif "bounce" in payload:
        kind = _E.BOUNCED
    elif "url" in payload:
        kind = _E.CLICKED
    elif said.text("event") == "MessageLoaded":
        kind = _E.OPENED
    tag, header_id = message.text("tag"), message.text("message_id")
    return ProviderEvent(
        kind, address(message.text("to")), moment.replace(microsecond=0) if moment else None, message.text("id"),
        said.text("uuid"), RejectReason.BOUNCED if kind is _E.BOUNCED else None, payload.text("details"),
        payload.text("output"), {}, [tag] if tag else [], payload.text("url"), payload.text("user_agent"),
        header_id=header_id, marks=(tag,) if tag else (),
        hint=Reason.BLOCKED if "suppression list" in (payload.text("details") or "") else None,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-Postal-Tag": token}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Postal would make it, but for its signature, which is the installation's alone."""
    message = {"id": 1, "direction": "outgoing", "message_id": message_id.strip("<>"), "to": recipient, "tag": token}
    payload = {"message": message, "status": "Sent", "details": "Message sent", "output": "250 OK"}
    said = {
        "event": "MessageSent",
        "timestamp": now.timestamp(),
        "payload": payload,
        "uuid": f"essai-{now.timestamp()}",
    }
    return "application/json", said
