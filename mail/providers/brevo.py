"""Brevo: user and password in the webhook's address, one event a call; events also by its statistics API.

https://developers.brevo.com/docs/transactional-webhooks and …/reference/get-email-event-report. Not tried against the
real service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from mail.providers import proof
from mail.providers.event import Call, EventType, ProviderEvent, RejectReason
from mail.providers.fields import Fields, loads, objects, read_json
from models.words import N_, Reason

NAME, LABEL = "brevo", "Brevo"
SMTP_HOSTS = ("smtp-relay.brevo.com", "smtp-relay.sendinblue.com")
KEY = None
POLL_KEY = N_("Clé d'API (v3), dans SMTP et API › Clés d'API.")
STEPS = (
    N_("Dans Brevo, ouvrez Transactionnel › Paramètres › Webhook, puis ajoutez un webhook."),
    N_("Collez l'adresse entière ci-dessus, qui contient l'utilisateur et le mot de passe."),
    N_("Cochez tous les évènements, puis enregistrez."),
)

verify = proof.by_password  # nothing is signed
_E, _R = EventType, RejectReason
_TYPES: dict[str, tuple[EventType, RejectReason | None, Reason | None]] = {
    "request": (_E.QUEUED, None, None),
    "sent": (_E.QUEUED, None, None),
    "delivered": (_E.DELIVERED, None, None),
    "hard_bounce": (_E.BOUNCED, _R.BOUNCED, Reason.USER_UNKNOWN),
    "soft_bounce": (_E.BOUNCED, _R.BOUNCED, None),
    "blocked": (_E.REJECTED, _R.BLOCKED, Reason.BLOCKED),
    "spam": (_E.COMPLAINED, _R.SPAM, None),
    "complaint": (_E.COMPLAINED, _R.SPAM, None),
    "invalid_email": (_E.BOUNCED, _R.INVALID, Reason.ADDRESS_SYNTAX),
    "deferred": (_E.DEFERRED, None, None),
    "unique_opened": (_E.OPENED, None, None),
    "opened": (_E.OPENED, None, None),
    "unique_proxy_open": (_E.OPENED, None, None),
    "proxy_open": (_E.OPENED, None, None),
    "click": (_E.CLICKED, None, None),
    "unsubscribe": (_E.UNSUBSCRIBED, None, None),
    "unsubscribed": (_E.UNSUBSCRIBED, None, None),
    "error": (_E.FAILED, None, None),
    "list_addition": (_E.SUBSCRIBED, None, None),
}
# What the statistics API calls the same things.
_POLLED = {
    "requests": "request", "bounces": "soft_bounce", "hardBounces": "hard_bounce", "softBounces": "soft_bounce",
    "clicks": "click", "invalid": "invalid_email", "loadedByProxy": "proxy_open",
}  # fmt: skip
_PAGE, _MOST_PAGES = 1000, 20


def parse(call: Call) -> list[ProviderEvent]:
    """The event of a call; batched ones in their order."""
    return [_event(one, one.text("event") or "", one.text("message-id")) for one in objects(read_json(call))]


def _event(said: Fields, name: str, message_id: str | None) -> ProviderEvent:
    kind, reject, hint = _TYPES.get(name, (_E.UNKNOWN, None, None))
    # ts and date are in the zone of the account, ts_epoch (thousandths) and ts_event are UTC
    moment = said.epoch("ts_epoch", per_second=1000) or said.epoch("ts_event")
    recipient, link = said.text("email"), said.text("link")
    custom = said.text("X-Mailin-custom")
    return ProviderEvent(
        kind, recipient, moment, message_id, reject_reason=reject, mta_response=said.text("reason"),
        metadata=said.dict("X-Mailin-custom"), tags=said.texts("tags", "tag"), click_url=link,
        header_id=message_id, marks=(custom,) if custom else (), machine="proxy" in name, hint=hint,
        identity=_identity(kind, message_id, recipient, moment, link),
    )  # fmt: skip


def _identity(
    kind: EventType, message_id: str | None, recipient: str | None, moment: datetime | None, link: str | None
) -> str:
    """Brevo gives no event an id: what both ways of hearing of it say, to the second."""
    second = int(moment.timestamp()) if moment else ""
    return f"{kind} {(message_id or '').strip('<>')} {(recipient or '').lower()} {second} {link or ''}"


def marking(token: str) -> dict[str, str]:
    """The headers that come back in events."""
    return {"X-Mailin-custom": f'{{"sillage":"{token}"}}'}


def trial(token: str, recipient: str, message_id: str, now: datetime) -> tuple[str, Any]:
    """A call as Brevo would make it: (content type, what its JSON says)."""
    return "application/json", {
        "event": "delivered", "email": recipient, "id": 1, "ts_event": int(now.timestamp()),
        "ts_epoch": int(now.timestamp() * 1000), "message-id": message_id, "subject": "",
        "X-Mailin-custom": marking(token)["X-Mailin-custom"],
    }  # fmt: skip


def poll(
    ask: Callable[..., bytes], key: str, where: str, since: datetime, until: datetime
) -> Iterator[list[ProviderEvent]]:
    """The events since then, page by page. `ask(host, path, headers)` gives the body of an answer."""
    headers = {"api-key": key, "accept": "application/json"}
    for page in range(_MOST_PAGES):
        days = f"startDate={since.astimezone(UTC):%Y-%m-%d}&endDate={until.astimezone(UTC):%Y-%m-%d}"
        path = f"/v3/smtp/statistics/events?limit={_PAGE}&offset={page * _PAGE}&{days}&sort=asc"
        said = Fields(loads(ask("api.brevo.com", path, headers).decode())).objects("events")
        events = [event for one in said if (event := _polled(one)).timestamp is None or event.timestamp >= since]
        yield events
        if len(said) < _PAGE:
            return


def _polled(said: Fields) -> ProviderEvent:
    name = said.text("event") or ""
    moment = said.iso("date")
    like = dict(said.all) | {"ts_event": moment.timestamp() if moment else None, "ts_epoch": None}
    return _event(Fields(like), _POLLED.get(name, name), said.text("messageId"))
