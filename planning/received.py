"""The events received, newest first: filters, keyset pages, and the words for what each led to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from extensions import db
from i18n import gettext
from models import BillingSource, BusinessEvent, Contact, EventOutcome, Organisation
from models.words import N_
from people.pages import Page, browse, matches
from planning import sentences

# Of what led to nothing: what the person may do about it.
REMEDIES = {
    EventOutcome.SWITCHED_OFF: N_("Allumez le modèle de ce type, puis traitez l'évènement de nouveau."),
    EventOutcome.NO_ADDRESS: N_("Complétez la fiche du client, puis traitez l'évènement de nouveau."),
    EventOutcome.UNKNOWN_TYPE: N_("Vérifiez le type que votre programme envoie : la liste est dans la documentation."),
    EventOutcome.NOT_PREPARED: N_("Corrigez le modèle, puis traitez l'évènement de nouveau."),
}
API = "api"
Events = Select[tuple[BusinessEvent]]


@dataclass(frozen=True)
class Filter:
    """What the page asks for; empty means all. Days are the organisation's, both included."""

    type: str = ""
    outcome: EventOutcome | None = None
    customer: str = ""
    first: date | None = None
    last: date | None = None

    @property
    def narrows(self) -> bool:
        return bool(self.type or self.outcome or self.customer or self.first or self.last)


def page(organisation: Organisation, asked: Filter, cursor: str | None) -> Page:
    """A page of events with their customers and e-mails, in one statement."""
    query = _narrowed(select(BusinessEvent), organisation, asked)
    query = query.options(joinedload(BusinessEvent.contact), joinedload(BusinessEvent.email))
    return browse(query, (BusinessEvent.created_at, BusinessEvent.id), cursor, descending=True)


def _narrowed(query: Events, organisation: Organisation, asked: Filter) -> Events:
    query = query.where(BusinessEvent.organisation_id == organisation.id)
    if asked.type:
        query = query.where(BusinessEvent.type == asked.type)
    if asked.outcome is not None:
        query = query.where(BusinessEvent.outcome == asked.outcome)
    if asked.customer.strip():
        people = select(Contact.id).where(
            Contact.organisation_id == organisation.id,
            *matches(asked.customer, Contact.name, Contact.email, Contact.reference),
        )
        query = query.where(BusinessEvent.contact_id.in_(people))
    zone = ZoneInfo(organisation.timezone)
    if asked.first:
        query = query.where(BusinessEvent.created_at >= _midnight(asked.first, zone))
    if asked.last:
        query = query.where(BusinessEvent.created_at < _midnight(asked.last + timedelta(days=1), zone))
    return query


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def sources(organisation_id: int) -> dict[str, str]:
    """The names of the billing systems, by what their events carry as source."""
    query = select(BillingSource.public_id, BillingSource.name).where(BillingSource.organisation_id == organisation_id)
    return {row.public_id: row.name for row in db.session.execute(query)}


def why(event: BusinessEvent) -> str:
    """Why it led to nothing, beyond what its outcome says; empty where that is all."""
    return sentences.filled(event.why, event.values)


def remedy(event: BusinessEvent) -> str:
    """What to do about it; empty where there is nothing to do."""
    return gettext(REMEDIES.get(event.outcome, ""))

