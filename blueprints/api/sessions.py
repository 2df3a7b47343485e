"""Training sessions: list, read, create, enrol."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal

from flask import Response, url_for
from pydantic import Field, StringConstraints
from sqlalchemy import select

from blueprints.api.contacts import ContactShape
from blueprints.api.contacts import shape as contact_shape
from blueprints.api.door import answer, blueprint, organisation, own, scoped
from blueprints.api.fields import FILLED_LINE, LINE, TEXT, Answer, Moment, PageShape, Request, optional
from blueprints.api.paging import ListQuery, page
from blueprints.api.reading import pointer
from blueprints.problems import Problem
from extensions import db
from models import AuditAction, Contact, TrainingSession
from models.words import ContactKind, SessionState
from people import audit, training
from people.pages import matches
from people.tokens import Access
from people.training import ModuleRow
from planning import automations, plans

State = Literal[tuple(str(state.value) for state in SessionState)]  # type: ignore[valid-type]
Hour = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ContactId = Annotated[str, StringConstraints(pattern=r"^C-[0-9a-z]{1,20}$")]


class SessionQuery(ListQuery):
    """Which sessions."""

    state: State = optional()
    reference: str = optional(max_length=60, description="Exactly this reference.")


class NewModule(Request):
    """One stretch of a session: a day and its hours, as the organisation's clock shows them."""

    day: date
    starts: Hour = Field(examples=["09:00"])
    ends: Hour = Field(examples=["17:30"])
    title: str = Field(default="", max_length=200, pattern=LINE)
    place: str = Field(default="", max_length=200, pattern=LINE)


class NewSession(Request):
    """A training session to create; its dates are those of its modules."""

    title: str = Field(min_length=1, max_length=200, pattern=FILLED_LINE)
    reference: str = Field(default="", max_length=60, pattern=LINE)
    state: State = "planned"
    place: str = Field(default="", max_length=200, pattern=LINE)
    notes: str = Field(default="", max_length=5000, pattern=TEXT)
    modules: list[NewModule] = Field(default=[], max_length=200)


class NewEnrolments(Request):
    """Whom to enrol: learners, trainers, companies. Who is enrolled already stays so."""

    contacts: list[ContactId] = Field(min_length=1, max_length=1000)


class SessionShape(Answer):
    """A training session."""

    id: str
    title: str
    reference: str
    state: State
    place: str
    notes: str
    starts_on: date | None
    ends_on: date | None
    created_at: Moment


class ModuleShape(Answer):
    """One stretch of a session."""

    title: str
    place: str
    starts_at: Moment
    ends_at: Moment


class SessionDetail(SessionShape):
    """A training session with its modules."""

    modules: list[ModuleShape]


class SessionPage(PageShape):
    """A page of training sessions."""

    items: list[SessionShape]


class Enrolments(Answer):
    """Who takes part; `enrolled` says how many are new."""

    items: list[ContactShape]
    enrolled: int


EXAMPLE = {
    "title": "Sécurité incendie", "reference": "SI-2026-12", "place": "Salle 2",
    "modules": [{"day": "2026-12-01", "starts": "09:00", "ends": "12:30", "title": "Théorie"}],
}  # fmt: skip


@blueprint.get("/sessions")
@scoped(Access.READ)
@blueprint.input(SessionQuery, location="query", arg_name="asked")
@blueprint.output(SessionPage)
def list_sessions(asked: SessionQuery) -> Response:
    """A page of training sessions, in the order in which they were made."""
    query = select(TrainingSession).where(TrainingSession.organisation_id == organisation().id)
    if asked.state:
        query = query.where(TrainingSession.state == asked.state)
    if asked.reference:
        query = query.where(TrainingSession.reference == asked.reference.replace("\0", "").strip())
    if asked.q:
        query = query.where(
            *matches(asked.q, TrainingSession.title, TrainingSession.reference, TrainingSession.place)
        )  # fmt: skip
    said, headers = page(query, TrainingSession.id, asked, _shape)
    return answer(SessionPage(**said), headers=headers)


@blueprint.post("/sessions")
@scoped(Access.SEND)
@blueprint.input(NewSession, arg_name="asked", example=EXAMPLE)
@blueprint.output(SessionDetail, 201)
def post_session(asked: NewSession) -> Response:
    """Create a training session."""
    rows = [_row(n, module) for n, module in enumerate(asked.modules)]
    values = asked.model_dump(exclude={"modules", "state"}) | {"state": SessionState(asked.state)}
    session = TrainingSession()
    try:
        training.save(session, organisation(), rows, **values)
    except OverflowError as error:
        raise Problem(409, "A module's day is beyond the calendar.") from error
    automations.copy_to(session)
    audit.note(AuditAction.SESSION_CREATED, session)
    plans.replan(session.id)
    db.session.commit()
    located = {"Location": url_for("api.get_session", session_id=session.public_id)}
    return answer(_detail(session), 201, located)


@blueprint.get("/sessions/<session_id>")
@scoped(Access.READ)
@blueprint.output(SessionDetail)
def get_session(session_id: str) -> Response:
    """One training session with its modules."""
    return answer(_detail(own(TrainingSession, session_id)))


@blueprint.get("/sessions/<session_id>/enrolments")
@scoped(Access.READ)
@blueprint.output(Enrolments)
def list_enrolments(session_id: str) -> Response:
    """Who takes part in a training session."""
    return answer(_enrolments(own(TrainingSession, session_id), 0))


@blueprint.post("/sessions/<session_id>/enrolments")
@scoped(Access.SEND)
@blueprint.input(NewEnrolments, arg_name="asked")
@blueprint.output(Enrolments)
def post_enrolments(session_id: str, asked: NewEnrolments) -> Response:
    """Enrol contacts in a training session: all of them, or none.

    409 for a contact who is not known, or is a customer: customers take no part in sessions.
    """
    session = own(TrainingSession, session_id)
    query = select(Contact).where(Contact.organisation_id == organisation().id, Contact.public_id.in_(asked.contacts))
    found = {contact.public_id: contact for contact in db.session.scalars(query)}
    for n, public_id in enumerate(asked.contacts):
        where = pointer("contacts", n)
        if public_id not in found:
            raise Problem(409, "There is no such contact.", [{"detail": "Unknown.", "pointer": where}])
        if found[public_id].kind is ContactKind.CUSTOMER:
            said = "A customer takes no part in training sessions."
            raise Problem(409, said, [{"detail": said, "pointer": where}])
    enrolled = training.enrol(session, list(found.values()))
    if enrolled:
        audit.note(AuditAction.ENROLLED, session, also=sorted(found), count=enrolled)
    plans.replan(session.id)
    db.session.commit()
    return answer(_enrolments(session, enrolled))


def _row(n: int, module: NewModule) -> ModuleRow:
    starts, ends = time.fromisoformat(module.starts), time.fromisoformat(module.ends)
    if ends <= starts:
        said = "A module ends after it starts, on the same day."
        raise Problem(409, said, [{"detail": said, "pointer": pointer("modules", n, "ends")}])
    return ModuleRow(module.day, starts, ends, module.title, module.place)


def _enrolments(session: TrainingSession, enrolled: int) -> Enrolments:
    people = [contact for listed in training.participants(session).values() for contact in listed]
    return Enrolments(items=[contact_shape(contact) for contact in people], enrolled=enrolled)


def _shape(session: TrainingSession) -> SessionShape:
    return SessionShape(id=session.public_id, **_columns(session))


def _detail(session: TrainingSession) -> SessionDetail:
    modules = [ModuleShape.model_validate(module) for module in session.modules]
    return SessionDetail(id=session.public_id, modules=modules, **_columns(session))


def _columns(session: TrainingSession) -> dict[str, Any]:
    return {name: getattr(session, name) for name in SessionShape.model_fields if name != "id"}
