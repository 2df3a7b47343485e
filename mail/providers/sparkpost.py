"""SparkPost (Bird): user and password, batches of events each in an envelope of its class.

https://developers.sparkpost.com/api/webhooks/ and …/api/events/. Not tried against the real service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason
from mail.providers.fields import Fields, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "sparkpost", "SparkPost"
SMTP_HOSTS = ("smtp.sparkpostmail.com", "smtp.eu.sparkpostmail.com")
KEY = None
POLL_KEY = None
STEPS = (
    N_("Dans SparkPost, ouvrez Configuration › Webhooks › Create webhook et collez l'adresse ci-dessus."),
    N_("Sous Authentication, choisissez Basic Auth et mettez l'utilisateur et le mot de passe ci-dessus."),
    N_("Gardez tous les évènements cochés, puis enregistrez."),
)

verify = proof.by_password  # nothing is signed
_E, _R = EventType, RejectReason
_TYPES = {
    "bounce": _E.BOUNCED, "delivery": _E.DELIVERED, "injection": _E.QUEUED, "spam_complaint": _E.COMPLAINED,
    "out_of_band": _E.BOUNCED, "policy_rejection": _E.REJECTED, "delay": _E.DEFERRED, "click": _E.CLICKED,
    "open": _E.OPENED, "amp_click": _E.CLICKED, "amp_open": _E.OPENED, "initial_open": _E.OPENED,
    "amp_initial_open": _E.OPENED, "generation_failure": _E.FAILED, "generation_rejection": _E.REJECTED,
    "list_unsubscribe": _E.UNSUBSCRIBED, "link_unsubscribe": _E.UNSUBSCRIBED,
}  # fmt: skip
# Bounce classes: what it is, another kind where the class says so, our reason where the words say nothing.
_CLASSES: dict[str, tuple[RejectReason, EventType | None, Reason | None]] = {
    "1": (_R.OTHER, None, None),
    "10": (_R.INVALID, None, Reason.USER_UNKNOWN),
    "20": (_R.BOUNCED, None, None),
    "21": (_R.BOUNCED, None, Reason.UNREACHABLE),
    "22": (_R.BOUNCED, None, Reason.MAILBOX_FULL),
    "23": (_R.BOUNCED, None, Reason.TOO_BIG),
    "24": (_R.TIMED_OUT, None, Reason.EXPIRED),
    "25": (_R.BLOCKED, None, Reason.POLICY),
    "30": (_R.BOUNCED, None, Reason.USER_UNKNOWN),
    "40": (_R.BOUNCED, None, None),
    "50": (_R.BLOCKED, None, Reason.BLOCKED),
    "51": (_R.SPAM, None, Reason.SPAM),
    "52": (_R.SPAM, None, Reason.SPAM),
    "53": (_R.OTHER, None, Reason.CONTENT),
    "54": (_R.BLOCKED, None, Reason.POLICY),
    "60": (_R.OTHER, _E.AUTORESPONDED, None),
    "70": (_R.BOUNCED, None, None),
    "80": (_R.OTHER, _E.SUBSCRIBED, None),
    "90": (_R.UNSUBSCRIBED, _E.UNSUBSCRIBED, None),
    "100": (_R.OTHER, _E.AUTORESPONDED, None),
}


def parse(call: Call) -> list[ProviderEvent]:
    """The events of a batch; an empty envelope is a test of the address."""
    found = []
    for one in objects(read_json(call)):
        found += [_event(Fields(said)) for said in one.inside("msys").all.values() if isinstance(said, dict)]
    return found


def _event(said: Fields) -> ProviderEvent:
    kind = _TYPES.get(said.text("type") or "", _E.UNKNOWN)
    reject, hint = None, None
    if "bounce_class" in said:
        reject, other, hint = _CLASSES.get(said.text("bounce_class") or "", (_R.OTHER, None, None))
        kind = other or kind
    tag, metadata = said.text("campaign_id"), said.dict("rcpt_meta")
    agent = said.inside("user_agent_parsed")
    machine = any(fields.raw(name) is True for fields in (said, agent) for name in ("is_prefetched", "is_proxy"))
    return ProviderEvent(
        kind, said.text("raw_rcpt_to", "rcpt_to"), said.epoch("timestamp"), said.text("transmission_id"),
        said.text("event_id"), reject, None, said.text("raw_reason", "reason"), metadata, [tag] if tag else [],
        said.text("target_link_url"), said.text("user_agent"),
        marks=tuple(value for value in metadata.values() if isinstance(value, str)), machine=machine, hint=hint,
        smtp_code=said.number("error_code"), remote_host=said.text("routing_domain"),
    )  # fmt: skip


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-MSYS-API": f'{{"metadata":{{"sillage":"{token}"}}}}'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as SparkPost would make it."""
    said = {
        "type": "delivery", "event_id": f"essai-{now.timestamp()}", "timestamp": str(int(now.timestamp())),
        "raw_rcpt_to": recipient, "rcpt_meta": {"sillage": token},
    }  # fmt: skip
    return "application/json", [{"msys": {"message_event": said}}]
