"""Scope: whose history is read. An organisation always, within it one training session, contact or opportunity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import i18n
from models import Contact, Opportunity, TrainingSession
from models.words import ContactKind

Kind = Literal["session", "contact", "global"]


@dataclass(frozen=True)
class Scope:
    """What a history is about. Days are those of `zone`, by default the organisation's."""

    organisation_id: int
    training_session: TrainingSession | None = None
    contact: Contact | None = None
    zone: str = field(default_factory=i18n.zone)
    opportunity: Opportunity | None = None

    def __post_init__(self) -> None:
        for owned in (self.training_session, self.contact, self.opportunity):
            if owned is not None and owned.organisation_id != self.organisation_id:
                raise ValueError("A scope holds one organisation's own.")

    @property
    def kind(self) -> Kind:
        """Which columns and filters there are (history.columns): an opportunity's are a session's."""
        if self.training_session is not None or self.opportunity is not None:
            return "session"
        return "contact" if self.contact is not None else "global"

    @property
    def has_learners(self) -> bool:
        """A company's record can show its learners' e-mails too."""
        return self.contact is not None and self.contact.kind is ContactKind.COMPANY
