"""Sessions with people and rules switched on, for the tests of plans."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from extensions import db
from models import Contact, Enrolment, Module, PlannedEmail, Rule, TrainingSession
from models.words import ContactKind, SessionState
from planning import automations, clock, plans
from planning.automations import Chosen
from tests.conftest import House

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def moment(said: str, zone: str = "Europe/Paris") -> datetime:
    """A local moment, in UTC."""
    return datetime.fromisoformat(said).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def learner(house: House, name: str, address: str | None = None, **kwargs) -> Contact:
    """A learner of the house, with an address that every server takes."""
    local = unicodedata.normalize("NFD", name.lower()).encode("ascii", "ignore").decode()
    made = Contact(
        organisation_id=house.id, kind=ContactKind.LEARNER, first_name=name, last_name="Test", name=f"{name} Test",
        sort_name=f"test {name.lower()}", email=f"{local}@client.example" if address is None else address,
        **kwargs,
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    return made


def make_session(
    house: House, days: Sequence[date], people: Sequence[Contact], *, since: datetime = LONG_AGO,
    state: SessionState = SessionState.PLANNED, title: str = "Accueil",
) -> TrainingSession:  # fmt: skip
    """A session with a module from 9:30 to 17:00 local on each day; its people enrolled at `since`."""
    zone = ZoneInfo(house.organisation.timezone)
    made = TrainingSession(
        organisation_id=house.id, title=title, reference="FOR-1", state=state, place="Rennes",
        starts_on=min(days, default=None), ends_on=max(days, default=None),
    )  # fmt: skip
    made.modules = [
        Module(organisation_id=house.id, title=f"Jour {number}",
               starts_at=datetime.combine(day, time(9, 30), zone).astimezone(UTC),
               ends_at=datetime.combine(day, time(17), zone).astimezone(UTC))
        for number, day in enumerate(days, 1)
    ]  # fmt: skip
    made.enrolments = [Enrolment(organisation_id=house.id, contact=contact, created_at=since) for contact in people]
    db.session.add(made)
    db.session.commit()
    return made


def switch_on(training_session: TrainingSession, *rules: Rule, since: datetime = LONG_AGO, **changed) -> None:
    """Switch rules on as if at `since`, and plan; committed. `changed`: days, at."""
    from models import Automation

    known = automations.of_session(training_session)
    chosen = {
        rule: Chosen(True, changed.get("days", known[rule].days), changed.get("at", known[rule].at)) for rule in rules
    }
    automations.choose(training_session.organisation_id, training_session, chosen)
    query = select(Automation).where(Automation.training_session_id == training_session.id, Automation.enabled)
    for row in db.session.scalars(query):
        row.enabled_at = since
    plans.replan(training_session.id)
    db.session.commit()


def planned(training_session: TrainingSession) -> list[PlannedEmail]:
    """The session's plans, read anew, by person and rule."""
    db.session.expire_all()
    query = select(PlannedEmail).where(PlannedEmail.training_session_id == training_session.id)
    order = list(Rule)
    return sorted(db.session.scalars(query), key=lambda plan: (plan.contact_id, order.index(plan.rule)))


def be(at: datetime) -> datetime:
    """Move planning's clock (ahead) to that moment."""
    clock.move(timedelta())
    clock.move(at - clock.now())
    return at


def coming(days: int) -> date:
    """The day in so many days."""
    return clock.now().date() + timedelta(days=days)
