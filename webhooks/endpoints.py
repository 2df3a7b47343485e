"""What an admin does with webhooks: make one, change it, renew its secret, pause, try, send again; and its history.

Everything is in the caller's transaction and within one organisation; sending is rung for after the commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, and_, func, select, update

from errors import UserMistake
from extensions import db, on_commit, ring, settings
from models import Email, User
from models.webhook import TEST, TYPES, DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookTry
from models.words import N_
from webhooks import addresses, payload, signing

# Both secrets sign for so long after a renewal.
OVERLAP = timedelta(hours=24)
MOST_ENDPOINTS = 20
PAGE = 50


@dataclass(frozen=True)
class Listed:
    """A delivery in the history, with the public id and the subject of the e-mail it is about (None for a test)."""

    delivery: WebhookDelivery
    email: str | None
    subject: str | None

    @property
    def under_way(self) -> bool:
        """Whether a worker holds it now (or held it, and died)."""
        return self.delivery.owner is not None


@dataclass(frozen=True)
class Page:
    """One page of deliveries, the newest first; ids of the neighbours' cursors, None for none."""

    items: list[Listed]
    newer: int | None
    older: int | None


def listed(organisation_id: int) -> list[WebhookEndpoint]:
    """Every endpoint of an organisation, in the order in which they were made."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.organisation_id == organisation_id)
    return list(db.session.scalars(mine.order_by(WebhookEndpoint.id)))


def switched_off(organisation_id: int) -> list[WebhookEndpoint]:
    """Those that the house switched off and nobody has dealt with."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.organisation_id == organisation_id)
    return list(db.session.scalars(mine.where(WebhookEndpoint.off_at.is_not(None)).order_by(WebhookEndpoint.id)))


def create(user: User, url: str, description: str, types: Sequence[str]) -> tuple[WebhookEndpoint, str]:
    """(a new endpoint, its secret, shown this once). Raises UserMistake for a URL that may not be, or one too many."""
    if len(listed(user.organisation_id)) >= MOST_ENDPOINTS:
        raise UserMistake(N_("Vingt webhooks au plus : supprimez-en un d'abord."), "url")
    secret = signing.new_secret()
    endpoint = WebhookEndpoint(
        organisation_id=user.organisation_id, created_by_id=user.id, secret=signing.seal(secret)
    )  # fmt: skip
    change(endpoint, url, description, types)
    db.session.add(endpoint)
    db.session.flush()
    return endpoint, secret


def change(endpoint: WebhookEndpoint, url: str, description: str, types: Sequence[str]) -> None:
    """Another address, description, choice of types. Raises UserMistake for a URL that may not be."""
    endpoint.url = addresses.read(url, settings().webhook_loopback).url
    endpoint.description = description
    endpoint.types = [type_ for type_ in TYPES if type_ in types]


def renew_secret(endpoint: WebhookEndpoint) -> str:
    """A new secret, shown this once; the old one signs beside it for 24 hours."""
    secret = signing.new_secret()
    endpoint.old_secret, endpoint.secret = endpoint.secret, signing.seal(secret)
    endpoint.old_secret_until = db.session.scalar(select(func.now() + OVERLAP))
    return secret


def pause(endpoint: WebhookEndpoint) -> None:
    """Send nothing until resumed; news waits, 30 days at most."""
    if endpoint.paused_at is None:
        endpoint.paused_at = func.now()  # type: ignore[assignment]


def resume(endpoint: WebhookEndpoint) -> None:
    """Send again what waits and what comes, whoever had stopped it."""
    endpoint.paused_at = endpoint.off_at = endpoint.off_why = None
    endpoint.failing_since = endpoint.rest_until = None
    endpoint.failure_count = 0
    on_commit(_ring)


def try_out(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send a message of type webhook.test, once, whatever the endpoint's state."""
    now = db.session.scalar(select(func.now()))
    assert now is not None
    delivery = WebhookDelivery(
        organisation_id=endpoint.organisation_id, endpoint_id=endpoint.id, message_id=uuid.uuid4(), type=TEST,
        occurred_at=now, by_hand=True, payload=payload.body(TEST, now, {"webhook": endpoint.public_id}),
    )  # fmt: skip
    db.session.add(delivery)
    on_commit(_ring)
    return delivery


def send_again(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> bool:
    """The same message again, at once and with the whole list of delays; False while it is on its way anyway."""
    return _again(endpoint, WebhookDelivery.id == delivery.id) == 1


def send_failed_again(endpoint: WebhookEndpoint) -> int:
    """All that was given up (tests aside), again; how many. They keep the endpoint's pace."""
    return _again(endpoint, and_(*_given_up(endpoint)), by_hand=False)


def _given_up(endpoint: WebhookEndpoint) -> tuple[ColumnElement[bool], ...]:
    return (
        WebhookDelivery.endpoint_id == endpoint.id,
        WebhookDelivery.state == DeliveryState.FAILED,
        WebhookDelivery.type != TEST,
    )


def _again(endpoint: WebhookEndpoint, which: ColumnElement[bool], by_hand: bool = True) -> int:
    again = update(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint.id, which, WebhookDelivery.owner.is_(None)
    ).values(
        state=DeliveryState.WAITING, by_hand=by_hand, next_attempt_at=func.now(), finished_at=None,
        tries_before=WebhookDelivery.try_count,
    )  # fmt: skip
    count = db.session.execute(again).rowcount  # type: ignore[attr-defined]
    on_commit(_ring)
    return int(count)


def delivery_of(endpoint: WebhookEndpoint, name: str) -> WebhookDelivery | None:
    """The delivery whose webhook-id is `name` (msg_…); None for no such one of that endpoint."""
    try:
        message_id = uuid.UUID(hex=name.removeprefix("msg_")) if len(name) == 36 else None
    except ValueError:
        return None
    mine = select(WebhookDelivery).where(
        WebhookDelivery.message_id == message_id, WebhookDelivery.endpoint_id == endpoint.id
    )
    return db.session.scalar(mine) if message_id else None


def tries_of(delivery: WebhookDelivery) -> list[WebhookTry]:
    """Each try, the first one first; at most 100 of the newest."""
    query = select(WebhookTry).where(WebhookTry.delivery_id == delivery.id)
    return list(db.session.scalars(query.order_by(WebhookTry.id.desc()).limit(100)))[::-1]


def one(delivery: WebhookDelivery) -> Listed:
    """A delivery as the history lists it."""
    query = _rows().where(WebhookDelivery.id == delivery.id)
    return Listed(*db.session.execute(query).one())


def history(
    endpoint: WebhookEndpoint, state: DeliveryState | None = None, before: int | None = None, after: int | None = None
) -> Page:
    """A page of its deliveries, older than the id `before` or newer than `after`; one statement."""
    query = _rows().where(WebhookDelivery.endpoint_id == endpoint.id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if after is not None:
        query = query.where(WebhookDelivery.id > after).order_by(WebhookDelivery.id)
    else:
        query = query.where(*([WebhookDelivery.id < before] if before is not None else []))
        query = query.order_by(WebhookDelivery.id.desc())
    found = [Listed(*row) for row in db.session.execute(query.limit(PAGE + 1))]
    more, items = len(found) > PAGE, found[:PAGE]
    if after is not None:
        items.reverse()
    newer = bool(items) and (more if after is not None else before is not None)
    older = bool(items) and (more if after is None else True)
    return Page(items, items[0].delivery.id if newer else None, items[-1].delivery.id if older else None)


def failed_count(endpoint: WebhookEndpoint, most: int = 1000) -> int:
    """How many of its deliveries were given up (tests aside), counted to `most`."""
    failed = select(WebhookDelivery.id).where(*_given_up(endpoint))
    return db.session.scalar(select(func.count()).select_from(failed.limit(most).subquery())) or 0


def _rows() -> Select[WebhookDelivery, str, str]:
    return select(WebhookDelivery, Email.public_id, Email.subject).outerjoin(
        Email, Email.id == WebhookDelivery.email_id
    )


def _ring() -> None:
    ring("deliver_webhooks", "work")
