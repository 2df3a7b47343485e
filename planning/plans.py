"""replan, send_due, cancel, send_now: the rows of what rules will send, and their way into the outbox.

A plan and its e-mail change in one transaction, under the plan's lock: a crash on either side loses nothing and
doubles nothing. What is planned follows from planning.rules; what an e-mail says from planning.preparing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

import mail
from errors import Permanent, Temporary, UserMistake
from extensions import db
from mail import scheduled
from models import Automation, Organisation, PlannedEmail, PlanState, Rule, TrainingSession, User
from models.words import N_, Reason
from planning import clock, known, preparing, rules
from planning.rules import Plan

log = logging.getLogger("sillage.planning")

BROKEN = N_("L'e-mail n'a pas pu être préparé : le journal du serveur dit pourquoi.")
CANCELLED_BY = N_("Annulé par %(by)s")
# A session that ended so long ago has nothing left to plan (the longest rule counts 365 days).
_OVER_DAYS = 400
# What replanning may change: not what has left, nor what a person cancelled.
_OPEN = "(planned_email.state <> 'sent' AND (planned_email.state <> 'cancelled' OR planned_email.decided_at IS NULL))"
_BEFORE = [rule.type.value for rule in Rule if rule.anchor.value == "first_module"]

_UPSERT = f"""
INSERT INTO planned_email (organisation_id, public_id, training_session_id, contact_id, rule, state, due_at,
                           too_late_at, why, "values")
SELECT %(organisation)s, public_id, %(session)s, contact_id, rule, state, due_at, too_late_at, why, said
FROM unnest(%(public_id)s::text[], %(contact_id)s::bigint[], %(rule)s::text[], %(state)s::text[],
            %(due_at)s::timestamptz[], %(too_late_at)s::timestamptz[], %(why)s::text[], %(values)s::jsonb[])
  AS plan (public_id, contact_id, rule, state, due_at, too_late_at, why, said)
ON CONFLICT (training_session_id, contact_id, rule) DO UPDATE SET
  state = excluded.state, due_at = excluded.due_at, too_late_at = excluded.too_late_at, why = excluded.why,
  "values" = excluded."values"
WHERE {_OPEN}
  AND (planned_email.state, planned_email.due_at, planned_email.too_late_at, planned_email.why, planned_email."values")
      IS DISTINCT FROM
      (excluded.state, excluded.due_at, excluded.too_late_at, excluded.why, excluded."values")
  AND NOT (planned_email.state IN ('not_prepared', 'not_needed') AND excluded.state = 'planned'
           AND excluded.due_at <= %(now)s)
"""
_DROP = f"""
DELETE FROM planned_email WHERE training_session_id = %(session)s AND {_OPEN} AND NOT EXISTS (
  SELECT FROM unnest(%(contact_id)s::bigint[], %(rule)s::text[]) AS plan (contact_id, rule)
  WHERE plan.contact_id = planned_email.contact_id AND plan.rule = planned_email.rule)
"""


def replan(training_session_id: int, now: datetime | None = None) -> None:
    """Bring the session's plans to what follows from its dates, people and rules, in the caller's transaction.

    To be called after anything of that was saved; calling it again changes nothing.
    """
    db.session.flush()
    if not known.locked(training_session_id):
        return
    facts = known.read(training_session_id)
    assert facts is not None  # held above
    now = now or clock.now()
    made = rules.plans(facts, now)
    organisation_id = select(TrainingSession.organisation_id).where(TrainingSession.id == training_session_id)
    values = _columns(made) | {
        "organisation": db.session.scalar(organisation_id), "session": training_session_id, "now": now,
    }  # fmt: skip
    connection = db.session.connection()
    if made:
        connection.exec_driver_sql(_UPSERT, values)
    connection.exec_driver_sql(_DROP, values)
    _expire()


def _columns(made: Sequence[Plan]) -> dict[str, list[Any]]:
    fresh = PlannedEmail.__table__.c.public_id.default
    return {
        "public_id": [fresh.arg(None) for _ in made],
        "contact_id": [plan.contact_id for plan in made],
        "rule": [plan.rule.value for plan in made],
        "state": [plan.state.value for plan in made],
        "due_at": [plan.due_at for plan in made],
        "too_late_at": [plan.too_late_at for plan in made],
        "why": [plan.why for plan in made],
        "values": [json.dumps(plan.values, sort_keys=True) for plan in made],
    }


def _expire() -> None:
    """Rows that were read before are read again."""
    for row in list(db.session.identity_map.values()):
        if isinstance(row, PlannedEmail):
            db.session.expire(row)


def replan_all(organisation_id: int | None = None) -> int:
    """Replan every session with a rule switched on (of one organisation, or of all), each committed by itself: after a
    change of quiet hours, and now and then as a net. Returns how many."""
    query = (
        select(Automation.training_session_id)
        .join(TrainingSession, TrainingSession.id == Automation.training_session_id)
        .where(Automation.enabled, func.coalesce(TrainingSession.ends_on, func.current_date()) > _long_ago())
        .distinct()
    )
    if organisation_id is not None:
        query = query.where(Automation.organisation_id == organisation_id)
    ids = list(db.session.scalars(query))
    for session_id in ids:
        replan(session_id)
        db.session.commit()
    return len(ids)


def _long_ago() -> Any:
    return func.current_date() - _OVER_DAYS


def send_due(now: datetime | None = None, seconds: float = 20.0) -> int:
    """Send the plans whose moment has come, outside their organisation's quiet hours; returns how many left.

    Each is a transaction of its own. Stops after about `seconds`; the next run goes on.
    """
    began = time.monotonic()
    call_off_late(now)
    scheduled.call_off_held()
    db.session.commit()
    now = now or clock.now()
    query = select(PlannedEmail.training_session_id).where(
        PlannedEmail.state == PlanState.PLANNED, PlannedEmail.due_at <= now
    )
    for session_id in list(db.session.scalars(query.distinct())):
        replan(session_id, now)  # what a save may have forgotten to tell, and who answered meanwhile
        db.session.commit()
    due = select(PlannedEmail.id).where(PlannedEmail.state == PlanState.PLANNED, PlannedEmail.due_at <= now)
    left = 0
    for plan_id in list(db.session.scalars(due.order_by(PlannedEmail.due_at, PlannedEmail.id))):
        if time.monotonic() - began > seconds:
            break
        left += _send_one(plan_id, now)
    return left


def _send_one(plan_id: int, now: datetime) -> bool:
    query = select(PlannedEmail).where(
        PlannedEmail.id == plan_id, PlannedEmail.state == PlanState.PLANNED, PlannedEmail.due_at <= now
    )
    plan = db.session.scalar(query.with_for_update(skip_locked=True, of=PlannedEmail))
    if plan is None:
        db.session.rollback()
        return False
    organisation = db.session.get_one(Organisation, plan.organisation_id)
    if known.quiet_hours(organisation).holds(now):
        db.session.rollback()
        return False
    try:
        sent = _leave(plan, organisation, None, now)
    except (DBAPIError, Temporary) as error:
        db.session.rollback()  # it stays planned: the next run tries again
        log.warning("plan %s waits: %s", plan_id, type(error).__name__)
        return False
    db.session.commit()
    return sent


def _leave(plan: PlannedEmail, organisation: Organisation, by: User | None, now: datetime) -> bool:
    """Move a locked plan on: sent, or why not; the caller commits. Nothing half-made stays behind a failure."""
    if plan.too_late_at is not None and now >= plan.too_late_at:
        _end(plan, PlanState.TOO_LATE, Reason.TOO_LATE.sentence)
        return False
    try:
        with db.session.begin_nested():
            made = preparing.of_plan(plan, organisation)
            (email,) = mail.post(
                [made.draft], organisation=organisation, sender=made.sender, by=by, bulk=True,
                request_key=f"plan:{plan.public_id}", not_after=plan.too_late_at,
            )  # fmt: skip
    except UserMistake as mistake:
        _end(plan, PlanState.NOT_PREPARED, mistake.message, **{k: str(v) for k, v in mistake.values.items()})
        return False
    except (DBAPIError, Temporary):
        raise
    except Exception as error:  # whatever a template or a file may hold: shown, logged, never tried for ever
        level = logging.WARNING if isinstance(error, Permanent) else logging.ERROR
        log.log(level, "plan %s cannot be prepared", plan.public_id, exc_info=error)
        _end(plan, PlanState.NOT_PREPARED, BROKEN)
        return False
    plan.state, plan.email_id = PlanState.SENT, email.id
    if by is not None:
        plan.decided_by_id, plan.decided_at = by.id, now
    return True


def _end(plan: PlannedEmail, state: PlanState, why: str, **values: Any) -> None:
    plan.state, plan.why, plan.values = state, why, plan.values | values


def _locked(plan: PlannedEmail) -> PlannedEmail:
    query = select(PlannedEmail).where(PlannedEmail.id == plan.id)
    return db.session.scalars(query.with_for_update(of=PlannedEmail).execution_options(populate_existing=True)).one()


def cancel(plan: PlannedEmail, by: User) -> bool:
    """A person decides that it shall not leave, whatever becomes of the session; the caller commits.

    False where there is nothing left to cancel.
    """
    plan = _locked(plan)
    if plan.state not in (PlanState.PLANNED, PlanState.NOT_PREPARED):
        return False
    _end(plan, PlanState.CANCELLED, CANCELLED_BY, by=by.name)
    plan.decided_by_id, plan.decided_at = by.id, clock.now()
    return True


def may_leave(plan: PlannedEmail, state: Any, now: datetime) -> bool:
    """Whether a person may send it now: it has not left, the session (in `state`) lives and has not begun if it is
    about its beginning."""
    if plan.state is PlanState.SENT or state not in rules.LIVING:
        return False
    return plan.too_late_at is None or now < plan.too_late_at


def left(plan: PlannedEmail) -> bool:
    """Whether it has become an e-mail."""
    return plan.state is PlanState.SENT


def send_now(plan: PlannedEmail, by: User) -> bool:
    """Send a plan at once because a person says so (one cancelled, late or not prepared before, too), quiet hours or
    not; the caller commits. False where it did not leave: its state and sentence say why."""
    plan = _locked(plan)
    now = clock.now()
    training_session = db.session.get_one(TrainingSession, plan.training_session_id)
    if not may_leave(plan, training_session.state, now):
        return False
    return _leave(plan, db.session.get_one(Organisation, plan.organisation_id), by, now)


_DEADLINES = """
WITH started AS (
  SELECT email.id, min(module.starts_at) AS at
  FROM outbox_entry AS entry
  JOIN email ON email.id = entry.email_id
  JOIN module ON module.training_session_id = email.training_session_id
  LEFT JOIN enrolment ON enrolment.training_session_id = email.training_session_id
    AND enrolment.contact_id = email.contact_id
  WHERE entry.state = 'waiting' AND email.type = ANY (:types)
    AND (coalesce(cardinality(enrolment.module_ids), 0) = 0 OR module.id = ANY (enrolment.module_ids))
  GROUP BY email.id HAVING min(module.starts_at) > min(email.created_at)
)
UPDATE outbox_entry SET not_after = started.at FROM started
WHERE email_id = started.id AND state = 'waiting' AND not_after IS DISTINCT FROM started.at
"""


def call_off_late(now: datetime | None = None) -> int:
    """Take back what belongs before a session that has begun and still waits in the outbox, whoever asked for it
    before the start; commits. Where a session was moved, so is the last moment of what waits. Returns how many."""
    db.session.execute(text(_DEADLINES), {"types": _BEFORE})
    called_off = scheduled.call_off_late(now or clock.now())
    db.session.commit()
    return called_off
