"""Whose opens are measured: what the organisation decided, for which types, and what the person said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, text

from mail.compose import Draft
from models import Organisation


def asked(connection: Connection, organisation: Organisation, drafts: Sequence[Draft]) -> Callable[[Draft], bool]:
    """What says of each of these drafts whether it carries an open pixel. At most one statement, for all of them."""
    if not organisation.track_opens:
        return lambda _: False
    people = [draft.contact_id for draft in drafts if draft.contact_id]
    said: dict[int | None, bool] = {}
    if people:
        query = text("SELECT id, measured FROM contact WHERE id = ANY (:ids) AND measured IS NOT NULL")
        said = {row.id: row.measured for row in connection.execute(query, {"ids": people})}
    unless_said, never = not organisation.track_by_consent, frozenset(organisation.untracked_types)

    def measured(draft: Draft) -> bool:
        return bool(draft.html) and str(draft.type) not in never and said.get(draft.contact_id, unless_said)

    return measured
