"""Mailgun: HMAC over timestamp and token inside the body, one event a call; events also by its API.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/ and …/api-reference/send/mailgun/events. The forms
sent before 2018 are mail.providers.mailgun_forms'. Not tried against the real service.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from mail.providers import mailgun_forms, proof
from mail.providers.event import Call, EventType, ProviderEvent, Refused, RejectReason, Secret, Unreadable
from mail.providers.fields import Fields, address, loads, read_form, read_json
from models.words import N_, Reason

NAME, LABEL = "mailgun", "Mailgun"
SMTP_HOSTS = ("smtp.mailgun.org", "smtp.eu.mailgun.org")
KEY = N_("Clé de signature des webhooks (HTTP webhook signing key).")
ASKS_WHERE = True  # a domain or a project
POLL_KEY = N_("Clé d'API privée ; le domaine d'envoi va dans le champ suivant (eu/votre.domaine s'il est en Europe).")
CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
STEPS = (
    N_("Dans Mailgun, ouvrez API Security et copiez la clé « HTTP webhook signing key » ci-dessous."),
    N_("Ouvrez Send › Sending › Webhooks, choisissez le domaine et ajoutez l'adresse ci-dessus à chaque évènement."),
)

_E, _R = EventType, RejectReason
_TYPES = {
    "accepted": _E.QUEUED, "rejected": _E.REJECTED, "delivered": _E.DELIVERED, "failed": _E.BOUNCED,
    "opened": _E.OPENED, "clicked": _E.CLICKED, "unsubscribed": _E.UNSUBSCRIBED, "complained": _E.COMPLAINED,
}  # fmt: skip
_REASONS = {"bounce": _R.BOUNCED, "suppress-bounce": _R.BOUNCED, "generic": _R.OTHER}
_HINTS = {
    "suppress-bounce": Reason.BLOCKED, "suppress-complaint": Reason.BLOCKED, "suppress-unsubscribe": Reason.BLOCKED,
    "old": Reason.EXPIRED, "espblock": Reason.BLOCKED,
}  # fmt: skip
_MOST_PAGES = 50


def verify(call: Call, secret: Secret, now: datetime) -> str | None:
    """The signature block is ours and fresh; its token is the call's name. Raises Refused.

    The HMAC covers timestamp and token, not the event: a token is accepted once, whatever stands beside it.
    """
    proof.basic(call, secret)
    try:
        if call.content_type == "application/json":
            block = Fields(read_json(call)).inside("signature")
            stamp, token, shown = (block.text(name) or "" for name in ("timestamp", "token", "signature"))
        else:
            fields = dict(read_form(call))  # the last of a name counts: user variables come first
            stamp, token, shown = (fields.get(name, "") for name in ("timestamp", "token", "signature"))
    except Unreadable as error:
        raise Refused("no signature block") from error
    if not (stamp and token and shown) or not (stamp + token).isascii() or len(stamp + token) > 300:
        raise Refused("no signature block")
    proof.signed(secret.key, (stamp + token).encode(), shown)
    proof.fresh(Fields({"at": stamp}).epoch("at"), now)
    return token


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call."""
    if call.content_type != "application/json":
        return [mailgun_forms.event(read_form(call))]
    said = Fields(read_json(call))
    event = _event(said.inside("event-data"), said.inside("signature").text("token"))
    return [event] if event else []


def _event(data: Fields, token: str | None) -> ProviderEvent | None:
    if not data:
        return None
    kind = _TYPES.get(data.text("event") or "", _E.UNKNOWN)
    if data.text("severity") == "temporary":
        kind = _E.DEFERRED
    headers = data.inside("message").inside("headers")
    message_id = _bracketed(headers.text("message-id"))
    status = data.inside("delivery-status")
    why = data.text("reason")
    reject = _REASONS.get(why or "", _R.OTHER) if "reason" in data else None
    description, recipient = status.text("description"), data.text("recipient")
    if kind is _E.REJECTED:
        description = description or data.inside("reject").text("reason")
        reject = reject or _R.OTHER
        recipient = recipient or address(headers.text("to"))
    client, variables = data.inside("client-info"), data.dict("user-variables")
    moment = data.epoch("timestamp")
    # "guaranteed to be unique within a day": so the day belongs to it
    identity = f"{data.text('id')} {moment:%Y-%m-%d}" if data.text("id") and moment else None
    return ProviderEvent(
        kind, recipient, moment, message_id, token or data.text("id"), reject, description, status.text("message"),
        variables, data.texts("tags"), data.text("url"), client.text("user-agent"), header_id=message_id,
        marks=tuple(v for v in variables.values() if isinstance(v, str)), identity=identity,
        machine=bool(client.text("bot")), hint=_HINTS.get(why or ""), smtp_code=status.number("code"),
        enhanced_code=status.text("enhanced-code"), remote_host=status.text("mx-host"),
    )  # fmt: skip


def _bracketed(message_id: str | None) -> str | None:
    return f"<{message_id}>" if message_id and not message_id.startswith("<") else message_id


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-Mailgun-Variables": f'{{"sillage":"{token}"}}'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Mailgun would make it, but for its signature."""
    data = {
        "event": "delivered", "id": f"essai-{now.timestamp()}", "timestamp": now.timestamp(), "recipient": recipient,
        "message": {"headers": {"message-id": message_id.strip("<>"), "to": recipient}},
        "user-variables": {"sillage": token}, "delivery-status": {"code": 250, "message": "OK"},
    }  # fmt: skip
    return "application/json", {"event-data": data}


def sign(said: Any, secret: Secret, now: datetime) -> tuple[Any, dict[str, str]]:
    """The same with its signature, as Mailgun would sign it: (what the JSON says, headers)."""
    stamp = str(int(now.timestamp()))
    token = hashlib.sha256(f"{now.isoformat()}{secret.url}".encode()).hexdigest()[:50]
    shown = hmac.digest(secret.key.encode(), (stamp + token).encode(), "sha256").hex()
    return said | {"signature": {"timestamp": stamp, "token": token, "signature": shown}}, {}


def poll(
    ask: Callable[..., bytes], key: str, where: str, since: datetime, until: datetime
) -> Iterator[list[ProviderEvent]]:
    """The events since then, page by page; `where` is the sending domain, "eu/" before it for the European region."""
    europe, domain = where.startswith("eu/"), where.removeprefix("eu/").strip()
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", domain):
        return
    host = "api.eu.mailgun.net" if europe else "api.mailgun.net"
    headers = {"authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode()}
    path = (
        f"/v3/{quote(domain)}/events?begin={since.timestamp():.0f}&end={until.timestamp():.0f}&ascending=yes&limit=300"
    )
    for _ in range(_MOST_PAGES):
        said = Fields(loads(ask(host, path, headers).decode()))
        items = said.objects("items")
        yield [event for one in items if (event := _event(one, None))]
        onward = urlsplit(said.inside("paging").text("next") or "")
        # the next page is on the same host and of the same domain, or it is none
        if not items or onward.hostname != host or not onward.path.startswith(f"/v3/{domain}/events/"):
            return
        path = onward.path + (f"?{onward.query}" if onward.query else "")
