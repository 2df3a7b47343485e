"""One poller for every provider whose API tells events: what a webhook missed is heard all the same.

Each account's cursor moves only once its events are recorded; a window goes back by an overlap, for providers write
late. One account is asked at a time, by one worker, at most every two minutes, and left alone when it asks for less.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.exc import DataError

from errors import Permanent, Temporary
from extensions import db
from mail.providers import PROVIDERS, door, hearing
from mail.providers.accounts import Keys
from mail.providers.door import Slower
from models import ProviderAccount
from models.provider import Via

log = logging.getLogger("sillage.inbound")

EVERY = timedelta(minutes=2)
# Mailgun says that events may show up half an hour late; nobody keeps them less than three days.
OVERLAP, FIRST = timedelta(minutes=30), timedelta(days=2)
_LONGEST_TROUBLE = 200

_DUE = """
UPDATE provider_account SET polled_at = clock_timestamp() WHERE id = (
  SELECT id FROM provider_account WHERE active AND polled AND provider = ANY(:names)
    AND (polled_at IS NULL OR polled_at < clock_timestamp() - make_interval(secs => :every))
  ORDER BY polled_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""


def poll_due(stop: Callable[[], bool] = lambda: False, ask: Callable[..., bytes] = door.get) -> int:
    """Ask every account whose turn it is. Returns how many events were new. `ask` is the way out (door.get)."""
    names = [name for name, module in PROVIDERS.items() if hasattr(module, "poll")]
    count = 0
    while not stop():
        values = {"names": names, "every": EVERY.total_seconds()}
        account_id = db.session.execute(text(_DUE), values).scalar()
        db.session.commit()  # no connection is held while a provider takes its time
        if account_id is None:
            return count
        count += poll(account_id, ask)
    return count


def poll(account_id: int, ask: Callable[..., bytes] = door.get) -> int:
    """Ask one account for its events since the last time. Returns how many were new."""
    columns = (
        ProviderAccount.provider, ProviderAccount.organisation_id, ProviderAccount.secret, ProviderAccount.polled_to,
    )  # fmt: skip
    account = db.session.execute(select(*columns).where(ProviderAccount.id == account_id)).one_or_none()
    db.session.commit()
    if account is None:
        return 0
    keys, module = Keys.opened(account.secret), PROVIDERS[account.provider]
    until = datetime.now(UTC)
    since = (account.polled_to - OVERLAP) if account.polled_to else until - FIRST
    count, trouble, rest, done = 0, "", 0.0, False
    try:
        for events in module.poll(ask, keys.api, keys.where, since, until):
            count += hearing.hear(
                account.organisation_id, account_id, account.provider, map(hearing.Told, events), Via.POLL
            )
            db.session.commit()
        done = True
    except Slower as slower:
        trouble, rest = "429", slower.seconds
    except (Temporary, Permanent) as error:
        trouble, rest = str(error), 300.0
    except (ValueError, DataError) as error:  # what it says is none of its language, or can't be kept
        trouble, rest = type(error).__name__, 600.0
    db.session.rollback()
    db.session.execute(
        text(
            "UPDATE provider_account SET polled_to = CASE WHEN :done THEN :until ELSE polled_to END, "
            "poll_trouble = :trouble, polled_at = polled_at + make_interval(secs => :rest) WHERE id = :id"
        ),
        {"done": done, "until": until, "trouble": trouble[:_LONGEST_TROUBLE], "rest": rest, "id": account_id},
    )
    db.session.commit()
    if trouble:
        log.warning("%s cannot be asked: %s", account.provider, trouble)
    return count
