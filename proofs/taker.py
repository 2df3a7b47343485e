"""Who takes a proof, of whose e-mails, and when: what every page and list of it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from documents.printing import Look
from extensions import db
from models import Organisation


@dataclass(frozen=True)
class Taker:
    """`organisation` and its look, free of the session they were read in: they outlive it."""

    organisation: Organisation
    look: Look
    name: str
    at: datetime

    @classmethod
    def of(cls, organisation_id: int, name: str, at: datetime) -> Taker:
        """Somebody of that organisation's."""
        with Session(db.engine) as reading:
            organisation = reading.get_one(Organisation, organisation_id)
            reading.expunge(organisation)
        return cls(organisation, Look.of(organisation), name, at)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.organisation.timezone)
