"""Resend: Svix's signature over id, timestamp and body, one event a call.

https://resend.com/docs/dashboard/webhooks/event-types and https://docs.svix.com/receiving/verifying-payloads/how-manual.
Not tried against the real service.
"""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime
from typing import Any

import orjson

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, Refused, RejectReason, Secret
from mail.providers.fields import Fields, address, loads, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "resend", "Resend"
SMTP_HOSTS = ("smtp.resend.com",)
KEY = N_("Secret de signature (whsec_…).")
POLL_KEY = None
STEPS = (
    N_("Dans Resend, ouvrez Webhooks › Add webhook et collez l'adresse ci-dessus."),
    N_("Cochez tous les évènements d'e-mail, enregistrez, puis copiez le « Signing secret » ci-dessous."),
)

_E, _R = EventType, RejectReason
_TYPES = {
    "email.sent": _E.SENT, "email.delivered": _E.DELIVERED, "email.delivery_delayed": _E.DEFERRED,
    "email.complained": _E.COMPLAINED, "email.bounced": _E.BOUNCED, "email.opened": _E.OPENED,
    "email.clicked": _E.CLICKED, "email.failed": _E.FAILED, "email.suppressed": _E.REJECTED,
}  # fmt: skip


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """Signed as Svix does, lately; of several signatures one has to be right. Raises Refused."""
    proof.basic(call, secret)
    name, stamp = _named(call, "id"), _named(call, "timestamp")
    shown = _named(call, "signature")
    try:
        seconds = math.floor(float(stamp))
        key = base64.b64decode(secret.key.removeprefix("whsec_"), validate=True)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise Refused("no moment or no secret") from error
    signed = f"{name}.{seconds}.".encode() + call.body
    right = False
    for one in shown.split(" ")[:10]:
        version, _, signature = one.partition(",")
        try:
            proof.signed_base64(key, signed, signature)
        except Refused:
            continue
        right |= version == "v1"
    if not right:
        raise Refused("wrong signature")
    proof.fresh(Fields({"at": stamp}).epoch("at"), now)
    return f"{name} {seconds}"


def judge_key(text: str) -> bool:
    """Whether a text is a secret of Svix's."""
    try:
        return text.startswith("whsec_") and len(base64.b64decode(text.removeprefix("whsec_"), validate=True)) >= 16
    except binascii.Error:
        return False


def _named(call: Call, name: str) -> str:
    """A header of Svix's, by either of its names."""
    return proof.header(call, f"svix-{name}" if f"svix-{name}" in call.headers else f"webhook-{name}")


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call; its id is the header's, which stays the same when the call is repeated."""
    event_id = call.headers.get("svix-id") or call.headers.get("webhook-id")
    return [_event(one, event_id) for one in objects(read_json(call)) if "type" in one]


def _event(said: Fields, event_id: str | None) -> ProviderEvent:
    kind = _TYPES.get(said.text("type") or "", _E.UNKNOWN)
    data = said.inside("data")
    bounce, click, opened = data.inside("bounce"), data.inside("click"), data.inside("open")
    words = bounce.text("message")
    reject, hint = None, None
    if words is not None:
        reject = _R.OTHER
        if "suppressed sending" in words:
            reject, hint = _R.BLOCKED, Reason.BLOCKED
        elif "bounce message" in words:
            reject = _R.BOUNCED
            if "inbox was full" in words:
                hint = Reason.MAILBOX_FULL
            elif "hard bounce" in words or bounce.text("type") == "Permanent":
                hint = Reason.USER_UNKNOWN
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    marks: list[str] = []
    header_id = data.text("message_id")
    for one in map(Fields, data.each("headers")):
        name, value = (one.text("name") or "").lower(), one.text("value") or ""
        if name == "x-tags":
            tags = Fields({"tags": loads(value)}).texts("tags")
        elif name == "x-metadata":
            metadata = Fields(loads(value)).all
        elif name == "x-sillage":
            marks.append(value)
        elif name == "message-id":
            header_id = value
    to = data.texts("to")
    return ProviderEvent(
        kind, address(to[0]) if to else None, said.iso("created_at"), data.text("email_id"), event_id, reject, words,
        data.inside("failed").text("reason"), metadata, tags, click.text("link"),
        click.text("userAgent") or opened.text("userAgent"), header_id=header_id, marks=tuple(marks), hint=hint,
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-Sillage": token}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Resend would make it, but for its signature."""
    data = {
        "email_id": "00000000-0000-0000-0000-000000000000", "to": [recipient], "message_id": message_id,
        "headers": [{"name": "X-Sillage", "value": token}],
    }  # fmt: skip
    return "application/json", {"type": "email.delivered", "created_at": now.isoformat(), "data": data}


def sign(said: Any, secret: Secret, now: datetime) -> tuple[Any, dict[str, str]]:
    """Its signature, as Svix would make it. Raises ValueError for a secret that is none."""
    name, stamp = f"msg_essai{now.timestamp():.6f}", int(now.timestamp())
    key = base64.b64decode(secret.key.removeprefix("whsec_"), validate=True)
    right = proof.base64_hmac(key, f"{name}.{stamp}.".encode() + orjson.dumps(said))
    return said, {"svix-id": name, "svix-timestamp": str(stamp), "svix-signature": f"v1,{right}"}
