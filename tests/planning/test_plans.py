"""Plans as rows: made, moved, cancelled, sent once, held back by quiet hours, taken back when it is too late."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from documents import evaluations
from extensions import db
from mail.drain import drain
from models import (
    Attachment,
    Email,
    Enrolment,
    EvaluationMoment,
    OutboxEntry,
    PlannedEmail,
    PlanState,
    Rule,
)
from models.words import EmailType, Reason, SessionState, Status
from planning import automations, clock, known, plans, rules, sentences
from tests.mail.test_scheduled import server  # noqa: F401 (a fixture)
from tests.planning.making import be, coming, learner, make_session, moment, planned, switch_on


@pytest.fixture(autouse=True)
def _the_real_clock(app: Flask):
    yield
    clock.move(timedelta())


@pytest.fixture
def statements(app: Flask):
    """The statements sent to the database since the list was last cleared."""
    said: list[str] = []

    def note(connection, cursor, statement, *rest) -> None:
        said.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield said
    event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def session(cassiopee):
    """A session in twenty days with two learners, its convocations switched on."""
    made = make_session(cassiopee, [coming(20), coming(21)], [learner(cassiopee, "Léa"), learner(cassiopee, "Noé")])
    switch_on(made, Rule.CONVOCATION)
    return made


def states(training_session) -> list[tuple[Rule, PlanState]]:
    return [(plan.rule, plan.state) for plan in planned(training_session)]


def due(training_session) -> datetime:
    return planned(training_session)[0].due_at


def emails() -> list[Email]:
    db.session.expire_all()
    return list(db.session.scalars(select(Email).order_by(Email.id)))


def move(training_session, days: int) -> None:
    """Put the session's days off, and say so."""
    for module in training_session.modules:
        module.starts_at += timedelta(days=days)
        module.ends_at += timedelta(days=days)
    plans.replan(training_session.id)
    db.session.commit()


def test_planning_twice_changes_no_row(session):
    before = [(plan.id, plan.public_id, plan.due_at, plan.why) for plan in planned(session)]
    assert len(before) == 2
    rows = db.session.execute(text("SELECT xmin::text FROM planned_email ORDER BY id")).scalars().all()
    plans.replan(session.id)
    db.session.commit()
    assert [(plan.id, plan.public_id, plan.due_at, plan.why) for plan in planned(session)] == before
    assert db.session.execute(text("SELECT xmin::text FROM planned_email ORDER BY id")).scalars().all() == rows


def test_a_moved_session_moves_its_plans(session):
    before = planned(session)[0]
    key, first = before.public_id, before.due_at
    move(session, 3)
    moved = planned(session)[0]
    assert moved.public_id == key
    assert (moved.due_at.date() - first.date()).days == 3
    assert moved.values["day"] == str(session.modules[0].starts_at.date())


def test_plans_follow_people_modules_and_rules(session, cassiopee):
    zoe = learner(cassiopee, "Zoé")
    second = session.modules[1]
    session.enrolments.append(
        Enrolment(organisation_id=cassiopee.id, contact=zoe, module_ids=[second.id], created_at=clock.now())
    )
    plans.replan(session.id)
    db.session.commit()
    late = planned(session)[-1]
    assert late.contact_id == zoe.id and late.too_late_at == second.starts_at
    assert late.due_at == due(session) + timedelta(days=1)
    session.enrolments = session.enrolments[1:]
    plans.replan(session.id)
    db.session.commit()
    assert len(planned(session)) == 2
    known_ones = automations.of_session(session)
    automations.choose(cassiopee.id, session, {Rule.CONVOCATION: automations.Chosen(False, 7, time(9))})
    plans.replan(session.id)
    db.session.commit()
    assert planned(session) == [] and known_ones[Rule.CONVOCATION].enabled


def test_a_cancelled_session_cancels_its_plans_and_they_come_back_with_it(session):
    session.state = SessionState.CANCELLED
    plans.replan(session.id)
    db.session.commit()
    assert states(session) == [(Rule.CONVOCATION, PlanState.CANCELLED)] * 2
    assert planned(session)[0].why == rules.CALLED_OFF
    be(due(session))
    assert plans.send_due() == 0
    session.state = SessionState.PLANNED
    plans.replan(session.id)
    db.session.commit()
    assert states(session) == [(Rule.CONVOCATION, PlanState.PLANNED)] * 2


def test_due_plans_leave_once_with_their_document(session, server, cassiopee):  # noqa: F811
    at = due(session)
    be(at - timedelta(minutes=1))
    assert plans.send_due() == 0
    be(at)
    assert plans.send_due() == 2 and plans.send_due() == 0
    assert states(session) == [(Rule.CONVOCATION, PlanState.SENT)] * 2
    made = emails()
    assert [(one.type, one.requested_by_id, one.training_session_id) for one in made] == [
        (EmailType.CONVOCATION, None, session.id)
    ] * 2
    assert {plan.email_id for plan in planned(session)} == {one.id for one in made}
    assert db.session.scalar(select(func.count()).select_from(Attachment)) == 2
    assert {one.not_after for one in db.session.scalars(select(OutboxEntry))} == {session.modules[0].starts_at}
    drain()
    assert len(server.taken) == 2
    move(session, 5)
    be(due(session) + timedelta(days=6))
    assert plans.send_due() == 0 and len(emails()) == 2


def test_what_a_person_cancels_stays_cancelled(session, cassiopee):
    first, second = planned(session)
    assert plans.cancel(first, cassiopee.staff) and not plans.cancel(first, cassiopee.staff)
    db.session.commit()
    move(session, 1)
    assert states(session)[0] == (Rule.CONVOCATION, PlanState.CANCELLED)
    assert sentences.of_plan(planned(session)[0])[0].startswith("Annulé par Staff")
    db.session.execute(text('DELETE FROM "user" WHERE id = :id'), {"id": cassiopee.staff.id})
    db.session.commit()
    be(planned(session)[1].due_at)
    assert plans.send_due() == 1
    assert [one.contact_id for one in emails()] == [second.contact_id]


def test_a_person_may_send_it_now_and_it_does_not_leave_again(session, cassiopee):
    first = planned(session)[0]
    assert plans.send_now(first, cassiopee.staff)
    db.session.commit()
    assert not plans.send_now(first, cassiopee.staff)
    assert [one.requested_by_id for one in emails()] == [cassiopee.staff.id]
    be(due(session))
    assert plans.send_due() == 1 and len(emails()) == 2


def test_nothing_leaves_in_the_quiet_hours_however_late_it_is(session, cassiopee):
    be(moment(f"{due(session).date()} 20:30"))
    assert plans.send_due() == 0
    be(moment(f"{due(session).date() + timedelta(days=1)} 07:59"))
    assert plans.send_due() == 0
    be(moment(f"{due(session).date() + timedelta(days=1)} 08:00"))
    assert plans.send_due() == 2


def test_what_cannot_be_prepared_says_so_and_may_be_tried_again(cassiopee):
    nobody = learner(cassiopee, "Inès", "")
    session = make_session(cassiopee, [coming(20)], [nobody])
    switch_on(session, Rule.CONVOCATION)
    be(due(session))
    assert plans.send_due() == 0
    (plan,) = planned(session)
    assert plan.state is PlanState.NOT_PREPARED
    assert sentences.of_plan(plan)[0] == "On ne peut pas écrire à Inès Test\u00a0: vérifiez son adresse e-mail."
    assert plans.send_due() == 0 and planned(session)[0].state is PlanState.NOT_PREPARED
    nobody.email = "ines@client.example"
    db.session.commit()
    assert plans.send_now(planned(session)[0], cassiopee.staff)
    db.session.commit()
    assert [one.type for one in emails()] == [EmailType.CONVOCATION]


def test_a_name_that_no_header_may_hold_stops_its_own_email_alone(session, cassiopee):
    db.session.execute(
        text("UPDATE contact SET name = E'L\\u2028éa' WHERE id = :id"), {"id": planned(session)[0].contact_id}
    )
    db.session.commit()
    be(due(session))
    assert plans.send_due() == 1
    assert [state for _, state in states(session)] == [PlanState.NOT_PREPARED, PlanState.SENT]
    assert len(emails()) == 1


def test_what_was_not_sent_before_the_start_is_not_sent_after_it(session):
    be(session.modules[0].starts_at)
    assert plans.send_due() == 0
    assert states(session) == [(Rule.CONVOCATION, PlanState.TOO_LATE)] * 2
    assert planned(session)[0].why == Reason.TOO_LATE.sentence
    assert emails() == []
    move(session, 30)
    assert states(session) == [(Rule.CONVOCATION, PlanState.PLANNED)] * 2


def test_what_waits_in_the_outbox_at_the_start_is_called_off(session, server):  # noqa: F811
    noe = planned(session)[1].contact
    noe.email = "temp@client.example"
    db.session.commit()
    be(due(session))
    assert plans.send_due() == 2
    drain()
    assert [one.status for one in emails()] == [Status.SENT, Status.REQUESTED]
    be(session.modules[0].starts_at - timedelta(seconds=30))
    assert plans.call_off_late() == 0
    be(session.modules[0].starts_at)
    assert plans.call_off_late() == 1
    assert [(one.status, one.reason) for one in emails()] == [
        (Status.SENT, None), (Status.FAILED, Reason.TOO_LATE),
    ]  # fmt: skip
    assert states(session) == [(Rule.CONVOCATION, PlanState.SENT)] * 2


def test_the_last_moment_of_what_waits_moves_with_the_session(session, server):  # noqa: F811
    for plan in planned(session):
        plan.contact.email = "temp@client.example"
    db.session.commit()
    be(due(session))
    plans.send_due()
    drain()
    move(session, 10)
    be(session.modules[0].starts_at - timedelta(minutes=5))
    assert plans.call_off_late() == 0
    assert {one.not_after for one in db.session.scalars(select(OutboxEntry))} == {session.modules[0].starts_at}


def test_a_convocation_sent_by_hand_is_not_sent_again(session, cassiopee):
    from tests.mail.test_sending import ask

    first = planned(session)[0]
    by_hand = ask(cassiopee, "lea@client.example")[0]
    db.session.execute(
        text("UPDATE email SET type = 'convocation', contact_id = :c, training_session_id = :s WHERE id = :e"),
        {"c": first.contact_id, "s": session.id, "e": by_hand.id},
    )
    db.session.commit()
    be(due(session))
    assert plans.send_due() == 1
    assert [state for _, state in states(session)] == [PlanState.NOT_NEEDED, PlanState.SENT]


def test_evaluations_are_asked_and_reminded_of_only_without_an_answer(cassiopee):
    lea, noe = learner(cassiopee, "Léa"), learner(cassiopee, "Noé")
    session = make_session(cassiopee, [coming(20)], [lea, noe])
    switch_on(session, Rule.EVALUATION_HOT, Rule.EVALUATION_HOT_REMINDER)
    be(due(session))
    assert plans.send_due() == 2
    asked = evaluations.of_session(session, EvaluationMoment.HOT)
    assert set(asked) == {lea.id, noe.id}
    evaluations.answer(asked[lea.id], 5)
    db.session.commit()
    be(due(session) + timedelta(days=4))
    assert plans.send_due() == 1
    assert states(session) == [
        (Rule.EVALUATION_HOT, PlanState.SENT), (Rule.EVALUATION_HOT_REMINDER, PlanState.NOT_NEEDED),
        (Rule.EVALUATION_HOT, PlanState.SENT), (Rule.EVALUATION_HOT_REMINDER, PlanState.SENT),
    ]  # fmt: skip
    assert emails()[-1].contact_id == noe.id and emails()[-1].type == EmailType.EVALUATION_REMINDER


def test_a_new_session_takes_a_copy_of_the_defaults_and_an_old_one_does_not(cassiopee):
    chosen = {Rule.CONVOCATION: automations.Chosen(True, 5, time(8, 30))}
    old = make_session(cassiopee, [coming(20)], [])
    automations.choose(cassiopee.id, None, chosen)
    new = make_session(cassiopee, [coming(20)], [learner(cassiopee, "Léa")])
    automations.copy_to(new)
    plans.replan(new.id)
    db.session.commit()
    assert automations.of_session(old)[Rule.CONVOCATION] == automations.Chosen(False, 5, time(8, 30))
    assert automations.of_session(new)[Rule.CONVOCATION] == chosen[Rule.CONVOCATION]
    assert states(new) == [(Rule.CONVOCATION, PlanState.PLANNED)]
    automations.choose(cassiopee.id, None, {Rule.CONVOCATION: automations.Chosen(False, 7, time(9))})
    assert automations.of_session(new)[Rule.CONVOCATION] == chosen[Rule.CONVOCATION]


def test_a_rule_changed_while_it_is_on_writes_about_nothing_gone_by(session, cassiopee):
    be(due(session) - timedelta(days=1))
    automations.choose(cassiopee.id, session, {Rule.CONVOCATION: automations.Chosen(True, 14, time(9))})
    plans.replan(session.id)
    db.session.commit()
    assert plans.send_due() == 0
    assert {plan.why for plan in planned(session)} == {rules.BEFORE_SWITCHED_ON}


def test_changed_quiet_hours_move_the_plans(session, cassiopee):
    cassiopee.organisation.quiet_from, cassiopee.organisation.quiet_to = time(8), time(12)
    db.session.commit()
    assert plans.replan_all(cassiopee.id) == 1
    assert due(session).astimezone(known.quiet_hours(cassiopee.organisation).zone).time() == time(12)


def test_planning_asks_the_same_number_of_questions_for_one_person_and_for_fifty(session, cassiopee, statements):
    session_id = session.id
    statements.clear()
    plans.replan(session_id)
    few = len(statements)
    db.session.commit()
    session.enrolments += [
        Enrolment(organisation_id=cassiopee.id, contact=learner(cassiopee, f"Ada{n}"), created_at=clock.now())
        for n in range(50)
    ]
    db.session.commit()
    db.session.connection()
    statements.clear()
    plans.replan(session_id)
    assert len(statements) == few <= 11
    db.session.commit()
    assert len(planned(session)) == 52


def test_another_house_sees_none_of_it(session, boreale):
    assert automations.defaults(boreale.id)[Rule.CONVOCATION].enabled is False
    query = select(func.count()).select_from(PlannedEmail).where(PlannedEmail.organisation_id == boreale.id)
    assert db.session.scalar(query) == 0


def test_the_clock_moves_back_to_the_real_one(app):
    clock.move(timedelta(days=30))
    assert clock.now() - datetime.now(UTC) > timedelta(days=29)
    clock.move(timedelta())
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert isinstance(coming(1), date)


def test_a_convocation_sent_by_hand_is_called_off_too_unless_it_was_asked_for_after_the_start(
    session,
    cassiopee,
    server,  # noqa: F811
):
    from tests.mail.test_sending import ask

    before, after, free = ask(cassiopee, "temp@client.example", "temp2@client.example", "temp3@client.example")
    starts_at = session.modules[0].starts_at
    about = "UPDATE email SET training_session_id = :s, type = :t, created_at = :c WHERE id = :e"
    for email, type_, asked_at in (
        (before, "convocation", before.created_at), (after, "convocation", starts_at + timedelta(hours=1)),
        (free, "free", free.created_at),
    ):  # fmt: skip
        db.session.execute(text(about), {"s": session.id, "t": type_, "c": asked_at, "e": email.id})
    db.session.commit()
    be(starts_at + timedelta(minutes=1))
    assert plans.call_off_late() == 1
    assert {one.id: one.reason for one in emails()} == {before.id: Reason.TOO_LATE, after.id: None, free.id: None}
