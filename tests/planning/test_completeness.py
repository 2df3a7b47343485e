"""The matrix: what a cell says, which e-mail counts, from when one is needed, and what it costs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from extensions import db
from models import (
    Automation,
    Contact,
    Enrolment,
    Evaluation,
    EvaluationMoment,
    PlannedEmail,
    PlanState,
    Programme,
    Rule,
    TrainingSession,
    TrainingType,
)
from models.words import ContactKind, EmailType, Reason, SessionState, Status
from people import training
from people.training import ModuleRow
from planning import cells, completeness
from planning.cells import CellState, Planned, Sent, cell
from tests.conftest import House
from tests.history.making import make_contact, make_email

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
DAY = timedelta(days=1)
TYPE = EmailType.CONVOCATION

sents = st.builds(
    Sent, st.just("E-1"), st.sampled_from(Status), st.sampled_from([None, *Reason]),
    st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip
plans = st.builds(Planned, st.just("P-1"), st.sampled_from(PlanState), st.datetimes(timezones=st.just(UTC)))
moments = st.none() | st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 15), timezones=st.just(UTC))


@given(st.none() | sents, st.none() | plans, moments, st.booleans(), st.booleans())
def test_what_a_cell_says(
    sent: Sent | None, planned: Planned | None, needed: datetime | None, answered: bool, running: bool
) -> None:
    said = cell(TYPE, NOW, sent=sent, planned=planned, needed=needed, answered=answered, running=running).state
    # an answer proves it was received; else the e-mail alone decides; else the plan; else the day
    if answered or (sent and sent.status in (Status.DELIVERED, Status.OPENED)):
        assert said is CellState.RECEIVED
    elif sent:
        failed = sent.status in (Status.UNDELIVERABLE, Status.FAILED)
        assert said is (CellState.FAILED if failed else CellState.ON_ITS_WAY)
    elif planned and planned.state in (PlanState.PLANNED, PlanState.NOT_PREPARED):
        assert said is (CellState.ON_ITS_WAY if planned.state is PlanState.PLANNED else CellState.FAILED)
    else:
        due = running and needed is not None and needed <= NOW
        needless = planned is not None and planned.state is PlanState.NOT_NEEDED
        assert said is (CellState.NEVER if due and not needless else CellState.NOT_NEEDED)
    # time alone never makes anything whole, and turns nothing but "not yet" into "never"
    later = cell(TYPE, NOW + 60 * DAY, sent=sent, planned=planned, needed=needed, answered=answered, running=running)
    assert later.state is said or (said, later.state) == (CellState.NOT_NEEDED, CellState.NEVER)


def test_from_when_an_e_mail_is_needed_across_the_change_of_hour() -> None:
    first = datetime(2026, 10, 26, 8, tzinfo=UTC)  # 09:00 in Paris, the day after the clocks went back
    last = datetime(2027, 3, 27, 16, tzinfo=UTC)  # 17:00, the day before they go forward
    asked = (first, last, "Europe/Paris")
    for rule, days, at, expected in (
        (Rule.CONVOCATION, 7, time(9), datetime(2026, 10, 19, 7, tzinfo=UTC)),
        (Rule.CONVOCATION_REMINDER, 0, time(7), datetime(2026, 10, 26, 6, tzinfo=UTC)),
        (Rule.EVALUATION_HOT, 0, time(17), datetime(2027, 3, 27, 16, tzinfo=UTC)),
        (Rule.CERTIFICATE, 1, time(9), datetime(2027, 3, 28, 7, tzinfo=UTC)),
    ):
        assert cells.needed_at(rule, days, at, *asked) == expected, rule
    assert cells.needed_at(Rule.CONVOCATION, 7, time(9), None, None, "Europe/Paris") is None


def test_what_can_be_required_is_in_order_and_has_a_rule() -> None:
    assert cells.ordered(["certificate", "nonsense", "convocation"]) == [EmailType.CONVOCATION, EmailType.CERTIFICATE]
    assert [t for t in cells.REQUIRABLE if cells.before_start(t)] == [
        EmailType.PROGRAMME, EmailType.EVALUATION_PRE, EmailType.CONVOCATION, EmailType.RULES,
        EmailType.WELCOME_BOOKLET, EmailType.CONVOCATION_REMINDER,
    ]  # fmt: skip


def session_with(
    house: House, required: list[str] | None = None, starts: date = date(2026, 11, 24), days: int = 2, **values: Any
) -> TrainingSession:
    """A planned session of one module a day, of a type of training that requires those e-mails."""
    rows = [ModuleRow(starts + n * DAY, time(9), time(17), f"Jour {n + 1}") for n in range(days)]
    if required is not None:
        kind = TrainingType(organisation_id=house.id, name=f"Type {starts} {len(required)}", required=required)
        db.session.add(kind)
        db.session.flush()
        programme = Programme(organisation_id=house.id, title="P", training_type_id=kind.id)
        db.session.add(programme)
        db.session.flush()
        values["programme_id"] = programme.id
    made = training.save(TrainingSession(), house.organisation, rows, **({"title": "Secourisme"} | values))
    db.session.commit()
    return made


def enrolled(house: House, made: TrainingSession, *names: str, **values: Any) -> list[Contact]:
    people = [make_contact(house, name, email=f"{n}@example.org", **values) for n, name in enumerate(names)]
    training.enrol(made, people)
    db.session.commit()
    return people


def states(made: TrainingSession, house: House, now: datetime = NOW) -> dict[str, dict[str, str]]:
    found = completeness.matrix(made, house.organisation, now)
    return {row.person.name: {t.value: c.state.value for t, c in row.cells.items()} for row in found.rows}


def test_the_matrix_of_a_session(cassiopee: House, boreale: House) -> None:
    made = session_with(cassiopee)
    assert cells.ordered(cassiopee.organisation.required) == [
        EmailType.CONVOCATION, EmailType.EVALUATION_HOT, EmailType.CERTIFICATE,
    ]  # fmt: skip
    ada, bob, cyd, dan = enrolled(cassiopee, made, "Ada Adam", "Bob Bril", "Cyd Cros", "Dan Dupe")
    enrolled(cassiopee, made, "Le Formateur", kind=ContactKind.TRAINER)
    other = session_with(cassiopee, title="Autre")
    about = {"training_session_id": made.id, "contact_id": ada.id}
    make_email(cassiopee, ago=2 * DAY, status=Status.FAILED, **about)
    make_email(cassiopee, ago=1 * DAY, status=Status.DELIVERED, **about)  # the newest counts
    make_email(cassiopee, ago=0 * DAY, status=Status.FAILED, reason=Reason.CANCELLED, **about)  # as if it had not been
    make_email(cassiopee, ago=1 * DAY, status=Status.FAILED, type="free", **about)
    failed = make_email(cassiopee, status=Status.DELIVERED, ago=DAY, training_session_id=made.id, contact_id=bob.id)
    make_email(
        cassiopee, status=Status.UNDELIVERABLE, training_session_id=made.id, contact_id=bob.id,
        resend_of_id=failed.id,
    )  # fmt: skip
    make_email(cassiopee, status=Status.DELIVERED, training_session_id=other.id, contact_id=cyd.id)
    plan = PlannedEmail(
        organisation_id=cassiopee.id, training_session_id=made.id, contact_id=dan.id, rule=Rule.CERTIFICATE,
        due_at=NOW + 4 * DAY,
    )  # fmt: skip
    db.session.add(plan)
    db.session.commit()
    assert states(made, cassiopee) == {
        "Ada Adam": {"convocation": "received", "evaluation_hot": "not_needed", "certificate": "not_needed"},
        "Bob Bril": {"convocation": "failed", "evaluation_hot": "not_needed", "certificate": "not_needed"},
        "Cyd Cros": {"convocation": "never", "evaluation_hot": "not_needed", "certificate": "not_needed"},
        "Dan Dupe": {"convocation": "never", "evaluation_hot": "not_needed", "certificate": "on_its_way"},
    }
    found = completeness.matrix(made, cassiopee.organisation, NOW)
    assert found.missing_count == 3 and [row.person.name for row in found.missing] == [
        "Bob Bril", "Cyd Cros", "Dan Dupe",
    ]  # fmt: skip
    assert found.columns[0].missing == 3 and found.columns[0].total == 4
    assert found.columns[0].counts[CellState.RECEIVED] == 1
    assert found.moving and found.days_left("Europe/Paris") == 2
    # an answered evaluation is received, whatever was sent
    db.session.add(Evaluation(
        organisation_id=cassiopee.id, training_session_id=made.id, contact_id=ada.id, moment=EvaluationMoment.HOT,
        answered_at=NOW,
    ))  # fmt: skip
    db.session.commit()
    after = states(made, cassiopee, NOW + 10 * DAY)
    assert after["Ada Adam"] == {"convocation": "received", "evaluation_hot": "received", "certificate": "never"}
    assert after["Bob Bril"]["evaluation_hot"] == "never"
    # of a draft nothing is missing; what was sent still shows
    made.state = SessionState.DRAFT
    db.session.commit()
    assert states(made, cassiopee)["Cyd Cros"]["convocation"] == "not_needed"
    assert states(made, cassiopee)["Bob Bril"]["convocation"] == "failed"
    # another organisation's eyes find no such session
    with pytest.raises(IndexError):
        completeness.matrix(made, boreale.organisation, NOW)


def test_a_module_followed_later_is_needed_later(cassiopee: House) -> None:
    made = session_with(cassiopee, ["convocation"], date(2026, 11, 27), days=5)
    ada, bob, cyd = enrolled(cassiopee, made, "Ada Adam", "Bob Bril", "Cyd Cros")
    ids = [module.id for module in made.modules]
    for contact, follows in ((bob, [ids[4]]), (cyd, [999_999])):  # the last day only; a module that is gone: all
        enrolment = db.session.query(Enrolment).filter_by(contact_id=contact.id).one()
        enrolment.module_ids = follows
    db.session.commit()
    said = {name: row["convocation"] for name, row in states(made, cassiopee).items()}
    assert said == {"Ada Adam": "never", "Bob Bril": "not_needed", "Cyd Cros": "never"}
    # the organisation's default of days counts, and the session's own before it
    db.session.add(Automation(organisation_id=cassiopee.id, rule=Rule.CONVOCATION, days=30, at=time(9)))
    db.session.commit()
    assert states(made, cassiopee)["Bob Bril"]["convocation"] == "never"
    db.session.add(Automation(
        organisation_id=cassiopee.id, training_session_id=made.id, rule=Rule.CONVOCATION, days=1, at=time(9),
    ))  # fmt: skip
    db.session.commit()
    assert {row["convocation"] for row in states(made, cassiopee).values()} == {"not_needed"}


def test_the_matrix_equals_a_plain_walk(cassiopee: House) -> None:
    """Forty people, ten types, e-mails in any order: the same as reading every e-mail one after the other."""
    chance = random.Random(3)
    made = session_with(cassiopee, [type.value for type in cells.REQUIRABLE])
    people = enrolled(cassiopee, made, *(f"Personne N{n:02}" for n in range(40)))
    newest: dict[tuple[str, EmailType], tuple[datetime, Status]] = {}
    for _n in range(400):
        contact, type = chance.choice(people), chance.choice([*cells.REQUIRABLE, EmailType.EVALUATION])
        status, ago = chance.choice(list(Status)), timedelta(minutes=chance.randrange(100_000))
        failed = status in (Status.FAILED, Status.UNDELIVERABLE)
        reason = chance.choice([Reason.USER_UNKNOWN, Reason.CANCELLED, Reason.TOO_LATE]) if failed else None
        make_email(
            cassiopee, at=NOW - ago, status=status, reason=reason, type=type.value, training_session_id=made.id,
            contact_id=contact.id,
        )  # fmt: skip
        key = (contact.name, cells.SAME_AS.get(type.value, type))
        if not (reason and reason.silent) and (key not in newest or newest[key][0] <= NOW - ago):
            newest[key] = (NOW - ago, status)
    found = completeness.matrix(made, cassiopee.organisation, NOW)
    kinds = {Status.DELIVERED: "received", Status.OPENED: "received", Status.FAILED: "failed",
             Status.UNDELIVERABLE: "failed"}  # fmt: skip
    for row in found.rows:
        for type, one in row.cells.items():
            known = newest.get((row.person.name, type))
            if known:
                assert one.state.value == kinds.get(known[1], "on_its_way"), (row.person.name, type)
            else:
                due = cells.before_start(type) and type is not EmailType.CONVOCATION_REMINDER
                assert one.state.value == ("never" if due else "not_needed"), (row.person.name, type)
    assert len(found.rows) == 40 and len(found.types) == 10


def test_sessions_at_risk_soonest_first(cassiopee: House, boreale: House) -> None:
    def of(title: str, starts: date, people: int, **values: Any) -> TrainingSession:
        made = session_with(cassiopee, starts=starts, title=title, **values)
        enrolled(cassiopee, made, *(f"{title} N{n}" for n in range(people)))
        return made

    today = date(2026, 11, 22)
    of("Deux", today + 1 * DAY, 2)
    of("Quatre", today + 1 * DAY, 4)
    of("Trois", today + 7 * DAY, 3)
    of("Personne", today + 2 * DAY, 0)
    of("Loin", today + 8 * DAY, 5)
    of("Passée", today - 1 * DAY, 5)
    of("Brouillon", today + 1 * DAY, 5, state=SessionState.DRAFT)
    whole = of("Entière", today + 1 * DAY, 1)
    contact = whole.enrolments[0].contact
    make_email(cassiopee, status=Status.OPENED, training_session_id=whole.id, contact_id=contact.id)
    theirs = session_with(boreale, starts=today + 1 * DAY, title="Boréal")
    enrolled(boreale, theirs, "Zoé Boréale")
    found = completeness.at_risk(cassiopee.organisation, NOW)
    assert [(one.title, one.missing_count) for one in found] == [("Quatre", 4), ("Deux", 2), ("Trois", 3)]
    assert [one.title for one in completeness.at_risk(boreale.organisation, NOW)] == ["Boréal"]
    sessions = db.session.scalars(select(TrainingSession)).all()
    soon = completeness.of_soon(cassiopee.organisation, sessions, NOW)  # another organisation's is not read
    assert {one.title: one.missing_count for one in soon.values()} == {"Quatre": 4, "Deux": 2, "Trois": 3, "Entière": 0}


@pytest.fixture
def statements(app: Any) -> Iterator[list[str]]:
    """Each SQL statement that is run while the test lasts."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def test_the_matrix_is_three_statements_whatever_its_size(cassiopee: House, statements: list[str]) -> None:
    made = session_with(cassiopee, [type.value for type in cells.REQUIRABLE])
    for number in (1, 199):
        enrolled(cassiopee, made, *(f"Personne N{n:03}" for n in range(number)))
        organisation = cassiopee.organisation
        assert organisation.timezone
        session_id = made.id
        statements.clear()
        found = completeness._read(organisation, [session_id], NOW)[0]
        assert len(statements) == 3, statements
    assert len(found.rows) == 200
    statements.clear()
    completeness.at_risk(organisation, NOW)
    assert len(statements) == 4, statements
