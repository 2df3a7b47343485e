"""How each dated rule is set: the organisation's defaults, and each session's own copy of them.

A new session takes a copy of the defaults; one from before has none and counts as switched off until someone sets it.
A rule that is switched on, or changed while it is on, counts from that moment: it never writes about the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from extensions import db
from models import Automation, Rule, TrainingSession
from planning import clock

MOST_DAYS = 365


@dataclass(frozen=True)
class Chosen:
    """What a person chose for one rule: `at` is a local hour."""

    enabled: bool
    days: int
    at: time


def defaults(organisation_id: int) -> dict[Rule, Chosen]:
    """The organisation's defaults; where it never chose, off with the rule's own days and hour."""
    return {rule: Chosen(False, rule.days, rule.at) for rule in Rule} | _kept(organisation_id, None)


def of_session(training_session: TrainingSession) -> dict[Rule, Chosen]:
    """The session's own settings; where it has none, off with the organisation's days and hours."""
    known = defaults(training_session.organisation_id)
    off = {rule: Chosen(False, chosen.days, chosen.at) for rule, chosen in known.items()}
    return off | _kept(training_session.organisation_id, training_session.id)


def _kept(organisation_id: int, session_id: int | None) -> dict[Rule, Chosen]:
    query = select(Automation.rule, Automation.enabled, Automation.days, Automation.at).where(
        Automation.organisation_id == organisation_id, Automation.training_session_id.is_not_distinct_from(session_id)
    )
    return {row.rule: Chosen(row.enabled, row.days, row.at) for row in db.session.execute(query)}


def copy_to(training_session: TrainingSession) -> None:
    """Give a session that is being made the organisation's defaults; the caller commits."""
    db.session.flush()
    _write(training_session.organisation_id, training_session.id, defaults(training_session.organisation_id), {})


def choose(organisation_id: int, training_session: TrainingSession | None, chosen: Mapping[Rule, Chosen]) -> list[Rule]:
    """Keep what a person chose, for a session or (None) as defaults; the caller replans and commits.

    Returns the rules that changed.
    """
    session_id = training_session.id if training_session else None
    before = of_session(training_session) if training_session else defaults(organisation_id)
    changed = {rule: one for rule, one in chosen.items() if before[rule] != one}
    _write(organisation_id, session_id, changed, before)
    return list(changed)


def _write(
    organisation_id: int, session_id: int | None, chosen: Mapping[Rule, Chosen], before: Mapping[Rule, Chosen]
) -> None:
    if not chosen:
        return
    now = clock.now()
    rows = [
        {
            "organisation_id": organisation_id, "training_session_id": session_id, "rule": rule,
            "enabled": one.enabled, "enabled_at": now if one.enabled else None, "days": one.days, "at": one.at,
        }
        for rule, one in chosen.items()
    ]  # fmt: skip
    statement = insert(Automation).values(rows)
    said = {name: statement.excluded[name] for name in ("enabled", "enabled_at", "days", "at")}
    keys = ["organisation_id", "training_session_id", "rule"]
    if before:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=said)
    else:
        statement = statement.on_conflict_do_nothing()
    db.session.execute(statement)
