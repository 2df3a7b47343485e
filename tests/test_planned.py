"""Automatic e-mails on screen: the defaults, a session's own settings, what is planned, cancelling and sending now."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from flask import Flask
from sqlalchemy import event, select

from extensions import db
from models import Automation, Email, OutboxEntry, PlanState, Rule, TrainingSession
from models.words import Reason, Status
from planning import automations, clock, plans
from planning.automations import Chosen
from tests.client import Browser
from tests.conftest import House
from tests.mail.test_sending import ask
from tests.planning.making import be, coming, learner, make_session, planned, switch_on


@pytest.fixture(autouse=True)
def _the_real_clock(app: Flask):
    yield
    clock.move(timedelta())


@pytest.fixture
def session(cassiopee: House) -> TrainingSession:
    return make_session(cassiopee, [coming(20)], [learner(cassiopee, "Léa"), learner(cassiopee, "Noé")])


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def rows(chosen: dict[Rule, Chosen]) -> dict[str, str]:
    """What the form posts for these settings."""
    posted = {}
    for rule, one in chosen.items():
        posted |= {f"{rule.value}-days": str(one.days), f"{rule.value}-at": f"{one.at:%H:%M}"}
        if one.enabled:
            posted[f"{rule.value}-enabled"] = "y"
    return posted


def lines(browser: Browser) -> list[list[str]]:
    """The cells of the list, row by row."""
    return [
        [" ".join(cell.text_content().split()) for cell in row.xpath("./td | ./th")]
        for row in browser.html.xpath("//tbody/tr")
    ]


def test_the_defaults_are_off_with_the_rules_own_days(app, cassiopee: House, client: Browser) -> None:
    client.sign_in(cassiopee.admin).get("/settings/automations")
    assert client.html.xpath("//input[@name='convocation-days']")[0].get("value") == "7"
    assert client.html.xpath("//input[@name='evaluation_hot-at']")[0].get("value") == "17:00"
    assert client.html.xpath("//input[@type='checkbox'][@checked]") == []


def test_new_sessions_follow_the_defaults_and_old_ones_do_not(cassiopee: House, client: Browser, session) -> None:
    admin = client.sign_in(cassiopee.admin)
    wanted = automations.defaults(cassiopee.id) | {Rule.CONVOCATION: Chosen(True, 5, time(8, 30))}
    admin.post("/settings/automations", rows(wanted) | {"quiet_from": "21:00", "quiet_to": "07:30"})
    db.session.expire_all()
    assert automations.defaults(cassiopee.id) == wanted
    assert (cassiopee.organisation.quiet_from, cassiopee.organisation.quiet_to) == (time(21), time(7, 30))
    assert not automations.of_session(session)[Rule.CONVOCATION].enabled
    admin.post("/sessions/new", {"title": "Neuve", "state": "planned"})
    made = db.session.scalars(select(TrainingSession).where(TrainingSession.title == "Neuve")).one()
    assert automations.of_session(made) == wanted


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"convocation-days": "400"}, "De 0 à 365 jours."), ({"convocation-days": "x"}, "Indiquez un nombre"),
     ({"convocation-at": "25:00"}, "Cette heure n’existe pas"), ({"convocation-at": ""}, "Indiquez une heure.")],
)  # fmt: skip
def test_a_wrong_setting_is_said_and_nothing_is_kept(cassiopee: House, staff: Browser, session, wrong, said) -> None:
    path = f"/sessions/{session.public_id}/automations"
    staff.post(path, rows(automations.of_session(session)) | {"certificate-enabled": "y"} | wrong, status=422)
    assert said in staff.text()
    assert db.session.scalars(select(Automation)).all() == []


def test_switching_on_plans_at_once_with_the_reason(cassiopee: House, staff: Browser, session) -> None:
    path = f"/sessions/{session.public_id}"
    staff.get(f"{path}/planned")
    assert "Les envois automatiques de cette session sont éteints" in staff.text()
    wanted = automations.of_session(session) | {Rule.CONVOCATION: Chosen(True, 7, time(9))}
    staff.post(f"{path}/automations", rows(wanted))
    staff.get(f"{path}/planned")
    (first, second) = lines(staff)
    day = coming(13)
    assert first[0] == f"{day:%d/%m/%Y} 09:00" and first[1] == "Convocation" and first[2].startswith("Léa Test")
    assert first[3].startswith("7 jours avant le premier module suivi (") and first[4] == "Programmé"
    assert "Noé Test" in second[2]


def test_a_plan_is_cancelled_and_another_sent_now(cassiopee: House, staff: Browser, session) -> None:
    switch_on(session, Rule.CONVOCATION)
    one, two = planned(session)
    path = f"/sessions/{session.public_id}/planned"
    staff.post(f"{path}/{one.public_id}/cancel")
    staff.post(f"{path}/{two.public_id}/send")
    staff.get(path)
    assert lines(staff) == [] and "L’e-mail est demandé" in staff.text()
    staff.get(f"{path}?show=past")
    assert sorted((row[2][:3], row[4].split()[0]) for row in lines(staff)) == [("Léa", "Annulé"), ("Noé", "Demandé")]
    staff.post(f"{path}/{two.public_id}/send")
    staff.get(f"{path}?show=past")
    assert "n’attend plus" in staff.text() and len(db.session.scalars(select(Email)).all()) == 1
    staff.post(f"{path}/{one.public_id}/send", {"show": "past"})
    assert [plan.state for plan in planned(session)] == [PlanState.SENT] * 2


def test_what_is_retroactive_says_so_and_may_be_sent_by_hand(cassiopee: House, staff: Browser) -> None:
    near = make_session(cassiopee, [coming(3)], [learner(cassiopee, "Léa")])
    automations.choose(cassiopee.id, near, {Rule.CONVOCATION: Chosen(True, 7, time(9))})
    plans.replan(near.id)
    db.session.commit()
    staff.get(f"/sessions/{near.public_id}/planned?show=past")
    ((_, _, _, why, state, actions),) = lines(staff)
    assert "était passée quand cet envoi automatique a été allumé" in why and state == "Trop tard"
    assert actions == "Envoyer maintenant"


def test_an_email_put_off_stands_in_the_same_list(cassiopee: House, staff: Browser, session) -> None:
    switch_on(session, Rule.CERTIFICATE)
    (email,) = ask(cassiopee, "zoe@client.example", send_at=datetime.now(UTC) + timedelta(days=2))
    email.training_session_id = session.id
    db.session.commit()
    path = f"/sessions/{session.public_id}/planned"
    staff.get(path)
    assert [row[1].split()[0] for row in lines(staff)] == ["E-mail", "Certificat", "Certificat"]
    assert "Programmé par Staff Atelier Cassiopée" in lines(staff)[0][3]
    staff.get(f"/sessions/{session.public_id}/emails")
    assert "programmé" in staff.text()
    staff.post(f"{path}/{email.public_id}/send")
    db.session.expire_all()
    assert db.session.get_one(OutboxEntry, email.id).next_attempt_at <= datetime.now(UTC)
    (other,) = ask(cassiopee, "ann@client.example", send_at=datetime.now(UTC) + timedelta(days=2))
    other.training_session_id = session.id
    db.session.commit()
    staff.post(f"{path}/{other.public_id}/cancel")
    db.session.expire_all()
    assert (other.status, other.reason) == (Status.FAILED, Reason.CANCELLED)
    elsewhere = make_session(cassiopee, [coming(9)], [])
    staff.post(f"/sessions/{elsewhere.public_id}/planned/{email.public_id}/send", status=404)


def test_the_demonstrations_clock_is_said(cassiopee: House, staff: Browser, session) -> None:
    be(datetime.now(UTC) + timedelta(days=30))
    staff.get(f"/sessions/{session.public_id}/planned")
    assert "Horloge de démonstration avancée" in staff.text()


def test_a_page_takes_as_many_statements_for_one_plan_as_for_fifty(
    app: Flask, cassiopee: House, staff: Browser
) -> None:
    counts = []
    for people in (1, 60):
        made = make_session(cassiopee, [coming(20)], [learner(cassiopee, f"P{people}-{n}") for n in range(people)])
        switch_on(made, Rule.CONVOCATION)
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        staff.get(f"/sessions/{made.public_id}/planned")
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert len(lines(staff)) == 50 and counts[0] == counts[1] <= 12
    (following,) = staff.html.xpath("//a[@rel='next']/@href")
    staff.get(following)
    assert len(lines(staff)) == 10


def test_the_list_speaks_english(cassiopee: House, staff: Browser, session) -> None:
    switch_on(session, Rule.CONVOCATION)
    staff.post("/language", {"language": "en"})
    staff.get(f"/sessions/{session.public_id}/planned")
    assert lines(staff)[0][3].startswith("7 days before the first module attended (")
