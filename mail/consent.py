"""Whose opens and clicks are measured: what the organisation decided, for which types, and what the person said."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from mail.compose import Draft
from models import Organisation

_SAID = text("SELECT id, measured FROM contact WHERE id = ANY (:ids) AND measured IS NOT NULL")
_FOLLOWED = text(
    "SELECT DISTINCT contact.id, template.type FROM contact "
    "JOIN template ON template.organisation_id = :organisation AND template.track_links "
    "AND template.type = ANY (:types) AND template.kind IN ('', contact.kind) WHERE contact.id = ANY (:ids)"
)


class Consent:
    """What may be measured of each of these drafts, asked in two statements at most for all of them."""

    def __init__(self, connection: Connection, organisation: Organisation, drafts: Sequence[Draft]) -> None:
        self._on = organisation.track_opens
        self._unless_said = not organisation.track_by_consent
        self._never = frozenset(organisation.untracked_types)
        self._said: dict[int | None, bool] = {}
        self._followed: set[tuple[int | None, str]] = set()
        people = [draft.contact_id for draft in drafts if draft.contact_id]
        if not (self._on and people):
            return
        self._said = {row.id: row.measured for row in connection.execute(_SAID, {"ids": people})}
        types = sorted({str(draft.type) for draft in drafts})
        values = {"ids": people, "organisation": organisation.id, "types": types}
        self._followed = {(row.id, row.type) for row in connection.execute(_FOLLOWED, values)}

    def opens(self, draft: Draft) -> bool:
        """Whether it carries an open pixel."""
        measured = self._said.get(draft.contact_id, self._unless_said)
        return self._on and bool(draft.html) and str(draft.type) not in self._never and measured

    def links(self, draft: Draft) -> bool:
        """Whether its links say that they were followed: where its template asks for it."""
        return (draft.contact_id, str(draft.type)) in self._followed and self.opens(draft)
