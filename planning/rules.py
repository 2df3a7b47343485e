"""What the dated rules of one session plan for its people: a pure function of what is known and of the moment.

Nothing retroactive: what was due before its rule was switched on, or before the person was enrolled, stays unsent and
says so; what has not left before its session starts never leaves. Keeping and sending the plans is planning.plans'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from models import Anchor, EvaluationMoment, PlanState, Rule
from models.words import N_, EmailType, Reason, SessionState
from planning.quiet import Quiet, at

# Sessions that are written about; the e-mails of others are cancelled, and come back with the session.
LIVING = (SessionState.PLANNED, SessionState.FINISHED)
# A reminder is about the evaluation of this moment.
REMINDS: dict[Rule, EvaluationMoment] = {
    Rule.EVALUATION_HOT_REMINDER: EvaluationMoment.HOT, Rule.EVALUATION_COLD_REMINDER: EvaluationMoment.COLD,
}  # fmt: skip
ASKS: dict[Rule, EvaluationMoment] = {
    Rule.EVALUATION_PRE: EvaluationMoment.PRE, Rule.EVALUATION_HOT: EvaluationMoment.HOT,
    Rule.EVALUATION_COLD: EvaluationMoment.COLD,
}  # fmt: skip
_BEFORE = (
    N_("Le jour du premier module suivi (%(day)s), à %(hour)s"),
    N_("1 jour avant le premier module suivi (%(day)s), à %(hour)s"),
    N_("%(days)s jours avant le premier module suivi (%(day)s), à %(hour)s"),
)
_AFTER = (
    N_("Le dernier jour suivi (%(day)s), à %(hour)s"),
    N_("1 jour après le dernier jour suivi (%(day)s), à %(hour)s"),
    N_("%(days)s jours après le dernier jour suivi (%(day)s), à %(hour)s"),
)
DRAFT = N_("La session est un brouillon : rien ne part.")
CALLED_OFF = N_("La session est annulée : rien ne part.")
ANSWERED = N_("La personne a déjà répondu à cette évaluation.")
NOT_ASKED = N_("L'évaluation ne lui a pas été envoyée : il n'y a rien à rappeler.")
WRITTEN = N_("Cet e-mail lui a déjà été envoyé à la main.")
BEFORE_SWITCHED_ON = N_("L'heure prévue était passée quand cet envoi automatique a été allumé ou modifié.")
BEFORE_ENROLLED = N_("L'heure prévue était passée quand la personne a été inscrite.")
AFTER_START = N_("L'heure prévue ne vient qu'après le début de la session.")
STARTED = Reason.TOO_LATE.sentence


@dataclass(frozen=True)
class Setting:
    """How one rule is set for the session; `enabled_at` None: switched off."""

    rule: Rule
    days: int
    at: time
    enabled_at: datetime | None


@dataclass(frozen=True)
class Person:
    """A learner of the session: `modules` are (start, end) of each one followed; `asked` and `answered` the evaluations
    sent and filled in; `written` the types of e-mail that someone has sent them about this session already."""

    contact_id: int
    enrolled_at: datetime
    modules: tuple[tuple[datetime, datetime], ...]
    asked: frozenset[EvaluationMoment] = frozenset()
    answered: frozenset[EvaluationMoment] = frozenset()
    written: frozenset[EmailType] = frozenset()


@dataclass(frozen=True)
class Known:
    """Everything the plans of one session follow from."""

    state: SessionState
    zone: ZoneInfo
    quiet: Quiet
    settings: tuple[Setting, ...]
    people: tuple[Person, ...]


@dataclass(frozen=True)
class Plan:
    """One e-mail that a rule means for one person. `why` is a French message id, filled with `values`; where it says
    what keeps the e-mail from leaving, values["rule"] is the message id of the rule itself."""

    contact_id: int
    rule: Rule
    state: PlanState
    due_at: datetime
    too_late_at: datetime | None
    why: str
    values: dict[str, Any]


def plans(known: Known, now: datetime) -> list[Plan]:
    """One plan for each person and each rule that is switched on, by (person, rule)."""
    pairs = product(known.people, known.settings)
    made = [plan for person, setting in pairs for plan in _plan(known, setting, person, now)]
    order = list(Rule)
    return sorted(made, key=lambda plan: (plan.contact_id, order.index(plan.rule)))


def due(setting: Setting, person: Person, zone: ZoneInfo, quiet: Quiet) -> tuple[datetime, date, bool] | None:
    """(moment, the day it counts from, whether the quiet hours put it off); None for who follows no module."""
    if not person.modules:
        return None
    if setting.rule.anchor is Anchor.FIRST_MODULE:
        day = min(start for start, _ in person.modules).astimezone(zone).date()
        wanted = day - timedelta(days=setting.days)
    else:
        day = max(end for _, end in person.modules).astimezone(zone).date()
        wanted = day + timedelta(days=setting.days)
    moment = at(wanted, setting.at, zone)
    allowed = quiet.after(moment)
    return allowed, day, allowed != moment


def _plan(known: Known, setting: Setting, person: Person, now: datetime) -> Iterator[Plan]:
    reckoned = due(setting, person, known.zone, known.quiet) if setting.enabled_at else None
    if reckoned is None or setting.enabled_at is None:
        return
    due_at, day, put_off = reckoned
    rule = setting.rule
    before = rule.anchor is Anchor.FIRST_MODULE
    starts_at = min(start for start, _ in person.modules) if before else None
    state, why = _judged(known.state, setting.enabled_at, rule, person, due_at, starts_at, now)
    said = (_BEFORE if before else _AFTER)[min(setting.days, 2)]
    values: dict[str, Any] = {
        "days": setting.days, "day": day.isoformat(), "hour": f"{setting.at:%H:%M}", "rule": said, "quiet": put_off,
    }  # fmt: skip
    yield Plan(person.contact_id, rule, state, due_at, starts_at, why or said, values)


def _judged(
    state: SessionState, enabled_at: datetime, rule: Rule, person: Person, due_at: datetime,
    starts_at: datetime | None, now: datetime,
) -> tuple[PlanState, str]:  # fmt: skip
    """The state, and why where it is not simply planned."""
    if state not in LIVING:
        return PlanState.CANCELLED, DRAFT if state is SessionState.DRAFT else CALLED_OFF
    moment = REMINDS.get(rule) or ASKS.get(rule)
    if moment in person.answered:
        return PlanState.NOT_NEEDED, ANSWERED
    if rule not in REMINDS and rule.type in person.written:
        return PlanState.NOT_NEEDED, WRITTEN
    if due_at < enabled_at:
        return PlanState.TOO_LATE, BEFORE_SWITCHED_ON
    if due_at < person.enrolled_at:
        return PlanState.TOO_LATE, BEFORE_ENROLLED
    if rule in REMINDS and now >= due_at and moment not in person.asked:
        return PlanState.NOT_NEEDED, NOT_ASKED
    if starts_at is not None and due_at >= starts_at:
        return PlanState.TOO_LATE, AFTER_START
    if starts_at is not None and now >= starts_at:
        return PlanState.TOO_LATE, STARTED
    return PlanState.PLANNED, ""
