"""Billing systems that tell their events by webhook: made, revoked, and whether what came is really theirs.

Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks): HMAC-SHA256 over `id.timestamp.body`, compared
in constant time, refused when the timestamp is more than five minutes off. Secrets are sealed and signatures made by
webhooks.signing, which the caller brings.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select, update

from errors import UserMistake
from extensions import db
from models import BillingSource
from models.words import N_

TOLERANCE = 300  # seconds
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_HEADER = 1000
_LONGEST_STAMP = 12
MOST = 20
# The last event is written at most this often: a storm of events is not a storm of updates of one row.
_SEEN_EVERY = timedelta(minutes=1)


def listed(organisation_id: int) -> Sequence[BillingSource]:
    """The organisation's billing systems, the living ones first."""
    query = select(BillingSource).where(BillingSource.organisation_id == organisation_id)
    return list(db.session.scalars(query.order_by(BillingSource.revoked_at.is_not(None), BillingSource.id.desc())))


def make(organisation_id: int, name: str, sealed_secret: str) -> BillingSource:
    """A new billing system; the caller commits and shows the secret once. Raises UserMistake."""
    living = select(func.count()).select_from(BillingSource).where(
        BillingSource.organisation_id == organisation_id, BillingSource.revoked_at.is_(None)
    )  # fmt: skip
    if (db.session.scalar(living) or 0) >= MOST:
        raise UserMistake(N_("Vous avez déjà beaucoup de systèmes de facturation : révoquez-en un."), "name")
    made = BillingSource(organisation_id=organisation_id, name=name, secret=sealed_secret)
    db.session.add(made)
    return made


def revoke(source: BillingSource) -> bool:
    """Refuse what this billing system tells from now on; the caller commits. False when it was revoked before."""
    statement = update(BillingSource).where(BillingSource.id == source.id, BillingSource.revoked_at.is_(None))
    return bool(db.session.execute(statement.values(revoked_at=func.now()).returning(BillingSource.id)).all())


def living(public_id: str) -> BillingSource | None:
    """The billing system of that address, unless it was revoked."""
    query = select(BillingSource).where(BillingSource.public_id == public_id, BillingSource.revoked_at.is_(None))
    return db.session.scalar(query)


def heard(source: BillingSource) -> None:
    """Remember that it told something; the caller commits."""
    statement = update(BillingSource).where(
        BillingSource.id == source.id,
        or_(BillingSource.last_event_at.is_(None), BillingSource.last_event_at < func.now() - _SEEN_EVERY),
    )
    db.session.execute(statement.values(last_event_at=func.now()))


def name_of(source: BillingSource) -> str:
    """What its events carry as source: its id, so that two systems may use the same ids of events."""
    return source.public_id


def genuine(headers: Mapping[str, str], sign: Callable[[str, int], str], now: float | None = None) -> bool:
    """Whether what came was signed with the source's secret, not more than five minutes ago (or ahead).

    `headers` by lower-case name; `sign(id, timestamp)` is the signature that the raw body should carry, as a header
    value. Of several signatures shown, one has to be right.
    """
    message_id, stamp, shown = (headers.get(name, "") for name in _HEADERS)
    if not message_id or max(map(len, (message_id, stamp, shown))) > _LONGEST_HEADER:
        return False
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP):
        return False
    if abs((time.time() if now is None else now) - int(stamp)) > TOLERANCE:
        return False
    wanted = sign(message_id, int(stamp)).encode()
    right = False
    for one in shown.split(" "):
        right |= hmac.compare_digest(one.encode("utf-8", "replace"), wanted)
    return right
