"""What the plans of one session follow from, read in six statements whatever the numbers; judging it is rules'."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from extensions import db
from models import (
    Automation,
    Contact,
    Email,
    Enrolment,
    Evaluation,
    EvaluationMoment,
    Module,
    Organisation,
    PlannedEmail,
    Rule,
    TrainingSession,
)
from models.words import ContactKind, EmailType, Status
from planning.quiet import Quiet
from planning.rules import Known, Person, Setting

_LOST = (Status.FAILED, Status.UNDELIVERABLE)
_TYPES = [rule.type.value for rule in Rule]


def locked(session_id: int) -> bool:
    """Hold the session until the transaction ends, so that two replannings of it come one after the other."""
    held = text("SELECT id FROM training_session WHERE id = :id FOR NO KEY UPDATE")
    return db.session.execute(held, {"id": session_id}).scalar() is not None


def quiet_hours(organisation: Organisation) -> Quiet:
    """The hours in which nothing automatic leaves, in the organisation's zone."""
    return Quiet(organisation.quiet_from, organisation.quiet_to, ZoneInfo(organisation.timezone))


def read(session_id: int) -> Known | None:
    """What is known of a session now; None for one that is gone."""
    zone, start, end = Organisation.timezone, Organisation.quiet_from, Organisation.quiet_to
    query = select(TrainingSession.state, zone, start, end).join(
        Organisation, Organisation.id == TrainingSession.organisation_id
    )
    head = db.session.execute(query.where(TrainingSession.id == session_id)).one_or_none()
    if head is None:
        return None
    local = ZoneInfo(head.timezone)
    settings = _settings(session_id)
    people = _people(session_id) if settings else ()
    return Known(head.state, local, Quiet(head.quiet_from, head.quiet_to, local), settings, people)


def _settings(session_id: int) -> tuple[Setting, ...]:
    query = select(Automation.rule, Automation.days, Automation.at, Automation.enabled_at).where(
        Automation.training_session_id == session_id, Automation.enabled
    )
    return tuple(Setting(*row) for row in db.session.execute(query))


def _people(session_id: int) -> tuple[Person, ...]:
    modules = {row.id: (row.starts_at, row.ends_at) for row in _modules(session_id)}
    asked, answered = _evaluations(session_id)
    written = _written(session_id)
    query = (
        select(Enrolment.contact_id, Enrolment.created_at, Enrolment.module_ids)
        .join(Contact, Contact.id == Enrolment.contact_id)
        .where(Enrolment.training_session_id == session_id, Contact.kind == ContactKind.LEARNER)
    )
    return tuple(
        Person(
            row.contact_id, row.created_at, _followed(modules, row.module_ids), frozenset(asked[row.contact_id]),
            frozenset(answered[row.contact_id]), frozenset(written[row.contact_id]),
        )
        for row in db.session.execute(query)
    )  # fmt: skip


def _followed(
    modules: dict[int, tuple[datetime, datetime]], wanted: list[int]
) -> tuple[tuple[datetime, datetime], ...]:
    """The modules a person follows: those chosen that still exist, else all of them (as documents.dates.followed)."""
    found = tuple(modules[module_id] for module_id in wanted if module_id in modules)
    return found or tuple(modules.values())


def _modules(session_id: int) -> list[Module]:
    query = select(Module.id, Module.starts_at, Module.ends_at).where(Module.training_session_id == session_id)
    return list(db.session.execute(query))  # type: ignore[arg-type]


def _evaluations(
    session_id: int,
) -> tuple[dict[int, set[EvaluationMoment]], dict[int, set[EvaluationMoment]]]:
    """What each person was asked, and what they answered."""
    asked: dict[int, set[EvaluationMoment]] = defaultdict(set)
    answered: dict[int, set[EvaluationMoment]] = defaultdict(set)
    query = select(Evaluation.contact_id, Evaluation.moment, Evaluation.answered_at)
    for contact_id, moment, answered_at in db.session.execute(
        query.where(Evaluation.training_session_id == session_id)
    ):
        asked[contact_id].add(moment)
        if answered_at is not None:
            answered[contact_id].add(moment)
    return asked, answered


def _written(session_id: int) -> dict[int, set[EmailType]]:
    """The types of e-mail each person was sent about the session by someone, those that came to nothing aside."""
    planned = select(PlannedEmail.email_id).where(
        PlannedEmail.training_session_id == session_id, PlannedEmail.email_id.is_not(None)
    )
    query = (
        select(Email.contact_id, Email.type)
        .where(Email.training_session_id == session_id, Email.contact_id.is_not(None), Email.type.in_(_TYPES),
               Email.status.not_in(_LOST), Email.id.not_in(planned))
        .distinct()
    )  # fmt: skip
    found: dict[int, set[EmailType]] = defaultdict(set)
    for contact_id, type_ in db.session.execute(query):
        found[contact_id].add(EmailType(type_))
    return found
