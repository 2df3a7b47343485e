"""Scope: whose history is read. An organisation always, and within it one training session or one contact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import i18n
from models import Contact, TrainingSession
from models.words import ContactKind

Kind = Literal["session", "contact", "global"]


@dataclass(frozen=True)
class Scope:
    """What a history is about. Days are those of `zone`, by default the organisation's."""

    organisation_id: int
    training_session: TrainingSession | None = None
    contact: Contact | None = None
    zone: str = field(default_factory=i18n.zone)

    def __post_init__(self) -> None:
        for owned in (self.training_session, self.contact):
            if owned is not None and owned.organisation_id != self.organisation_id:
                raise ValueError("A scope holds one organisation's own.")

    @property
    def kind(self) -> Kind:
        """Which columns and filters there are (history.columns)."""
        if self.training_session is not None:
            return "session"
        return "contact" if self.contact is not None else "global"

    @property
    def has_learners(self) -> bool:
        """A company's record can show its learners' e-mails too."""
        return self.contact is not None and self.contact.kind is ContactKind.COMPANY
