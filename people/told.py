"""Reading what providers told of no e-mail of ours: pages of orphan events, and what each may be about.

All are scoped. Attaching one by hand and putting it aside are mail.providers.hearing's.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from extensions import db
from models import Address, Email, ProviderAccount, ProviderEvent
from models.provider import Heard
from people import pages, returns
from people.returns import MOST_COUNTED


def page(organisation_id: int, cursor: str | None = None) -> pages.Page:
    """A page of (event, its account) that wait for somebody, newest first."""
    query = (
        select(ProviderEvent, ProviderAccount)
        .join(ProviderAccount, ProviderAccount.id == ProviderEvent.account_id)
        .where(ProviderEvent.organisation_id == organisation_id, ProviderEvent.outcome == Heard.ORPHAN)
    )
    return pages.browse(query, (ProviderEvent.id,), cursor, descending=True)


def counts(organisation_id: int) -> tuple[int, ...]:
    """How many wait of what came back: orphans, unreadable messages, providers' news; up to MOST_COUNTED + 1 each."""
    some = select(ProviderEvent.id).where(
        ProviderEvent.organisation_id == organisation_id, ProviderEvent.outcome == Heard.ORPHAN
    )
    counted = select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
    return (*returns.counts(organisation_id), db.session.scalar(counted) or 0)


def one(organisation_id: int, number: int) -> tuple[ProviderEvent, ProviderAccount] | None:
    """An event of the organisation's and its account, whatever became of it."""
    query = (
        select(ProviderEvent, ProviderAccount)
        .join(ProviderAccount, ProviderAccount.id == ProviderEvent.account_id)
        .where(ProviderEvent.id == number, ProviderEvent.organisation_id == organisation_id)
    )
    found = db.session.execute(query).one_or_none()
    return (found[0], found[1]) if found else None


def offered(event: ProviderEvent) -> list[Any]:
    """(e-mail, address) pairs that an event may be about: that whose sending it waited for in vain, else the newest to
    the address it names."""
    about = Email.id == event.email_id if event.email_id else Address.address == event.recipient.strip().lower()
    return returns.newest(event.organisation_id, about, event.received_at)
