"""Evaluations on screen: asked, answered once by a public form, reminded, counted, exported; the API's way too."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from documents import evaluations, questions
from extensions import db
from mail import mime
from models import Contact, Email, EmailContent, Evaluation, EvaluationMoment, TrainingSession
from models.words import ContactKind
from people import training
from tests.client import Browser
from tests.conftest import House
from tests.documents.test_store import a_session, person
from tests.documents.test_store import run as run
from tests.test_compose_pages import fields

HOT = EvaluationMoment.HOT


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


@pytest.fixture
def phone(app: Flask) -> Browser:
    """The browser of somebody without an account."""
    return Browser(app)


def here(run: TrainingSession, more: str = "") -> str:
    return f"/sessions/{run.public_id}/evaluations/hot{more}"


def learners(run: TrainingSession) -> list[Contact]:
    return training.participants(run)[ContactKind.LEARNER]


def ask(staff: Browser, run: TrainingSession, query: str = "?kind=learner") -> list[Email]:
    """Send the evaluation as the page does; the e-mails."""
    before = set(db.session.scalars(select(Email.id)))
    staff.get(here(run, f"/emails/new{query}"))
    staff.post(here(run, f"/emails/new{query}"), fields(staff) | {"step": "send"})
    return [email for email in db.session.scalars(select(Email).order_by(Email.id)) if email.id not in before]


def link(email: Email) -> str:
    """The form's address, as the e-mail has it."""
    shown = mime.shown(db.session.get_one(EmailContent, email.id).skeleton)
    found = re.search(r"http://localhost(/f/[^\s\"<)\]]+)", f"{shown.html} {shown.text}")
    assert found is not None, shown.text
    return found[1]


def test_from_the_page_to_the_answer_and_back(staff: Browser, run: TrainingSession, phone: Browser) -> None:
    staff.get(here(run))
    assert "Envoyer aux 3 qui ne l’ont pas" in staff.text()
    staff.get(here(run, "/emails/new?kind=learner"))
    form = fields(staff)
    staff.post(here(run, "/emails/new?kind=learner"), form | {"step": "preview"}, status=200)
    assert db.session.scalar(select(func.count()).select_from(Evaluation)) == 0, "a preview makes nothing"
    staff.post(here(run, "/emails/new?kind=learner"), form | {"step": "send"})
    emails = db.session.scalars(select(Email).order_by(Email.id)).all()
    assert [email.type for email in emails] == ["evaluation_hot"] * 3
    address = link(emails[0])
    phone.get(address)
    assert phone.html.get("lang") == "fr" and "Premiers secours" in phone.text()
    asked = len(phone.html.xpath("//fieldset"))
    rated = [q for q in questions.asked(HOT, ContactKind.LEARNER) if q.rated]
    assert asked == len(rated) and len(phone.html.xpath("//input[@type='radio']")) == 5 * asked
    phone.post(address, {"comment": "Bien"}, status=422)
    assert "Répondez à la première question" in phone.text() and "Bien" in phone.text()
    phone.post(address, {"rating": "4", "content": "5", "comment": "Bien,\nmerci <b>"})
    phone.get(address)
    assert "Merci" in phone.text() and not phone.html.xpath("//form")
    kept = db.session.scalars(select(Evaluation).where(Evaluation.answered_at.is_not(None))).one()
    assert (kept.rating, kept.answers) == (4, {"content": 5, "comment": "Bien,\nmerci <b>"})
    phone.post(address, {"rating": "1"})
    db.session.refresh(kept)
    assert kept.rating == 4, "a second answer changes nothing"
    staff.get(here(run))
    text = staff.text()
    assert "1 / 3" in text and "4 / 5" in text and "Relancer les 2 sans réponse" in text and "merci <b>" in text
    staff.get(f"/sessions/{run.public_id}/evaluations")
    assert "1 réponse sur 3" in staff.text()


def test_the_form_speaks_the_persons_language(staff: Browser, run: TrainingSession, phone: Browser) -> None:
    emails = ask(staff, run)
    phone.get(link(emails[1]))
    assert phone.html.get("lang") == "en" and "Your opinion" in phone.text()
    phone.get(link(emails[1]) + "?language=fr")
    assert phone.html.get("lang") == "fr" and "Votre avis" in phone.text()
    phone.post(link(emails[1]) + "?language=fr", {"rating": "5"})
    phone.get(link(emails[1]))
    assert "Thank you" in phone.text()


def test_looking_writes_nothing_and_a_forged_link_opens_nothing(
    staff: Browser, run: TrainingSession, phone: Browser
) -> None:
    address = link(ask(staff, run)[0])
    for path in (address, address + "/done"):
        response = phone.get(path)
        assert response.headers["Referrer-Policy"] == "no-referrer" and "no-store" in response.headers["Cache-Control"]
    assert all(e.answered_at is None and e.opened_at is None for e in db.session.scalars(select(Evaluation)))
    forged = address[:-5] + ("A" if address[-5] != "A" else "B") + address[-4:]
    for wrong in (forged, "/f/x", "/f/" + "a" * 500, address + "xxxx"):
        phone.get(wrong, status=404)
        phone.post(wrong, {"rating": "5"}, status=404)


def test_an_own_form_comes_back_by_the_confirmation_page(
    staff: Browser, run: TrainingSession, phone: Browser
) -> None:
    address = link(ask(staff, run)[0]) + "/done"
    phone.get(address)
    assert "Encore un geste" in phone.text()
    phone.post(address)
    phone.get(address)
    assert "Merci" in phone.text()
    kept = db.session.scalars(select(Evaluation).where(Evaluation.answered_at.is_not(None))).one()
    assert kept.rating is None and kept.answers == {}


def test_reminders_go_only_to_who_was_asked_and_has_not_answered(staff: Browser, run: TrainingSession) -> None:
    first, second, third = learners(run)
    asked = ask(staff, run, f"?kind=learner&people={first.public_id},{second.public_id}")
    assert len(asked) == 2
    evaluations.answer(evaluations.ensure(run, first, HOT), 5)
    db.session.commit()
    staff.get(here(run))
    assert "Relancer 1 sans réponse" in staff.text() and "Envoyer à 1 qui ne l’a pas" in staff.text()
    staff.get(here(run, "/emails/new?kind=learner&remind=1"))
    assert fields(staff)["people"] == [second.public_id]
    (reminder,) = ask(staff, run, "?kind=learner&remind=1")
    assert (reminder.type, reminder.contact_id) == ("evaluation_reminder", second.id)
    assert link(reminder) == link(asked[1]), "the same form"
    staff.get(here(run, "/emails/new?kind=learner&remind=1"))
    forged = fields(staff) | {"people": [third.public_id], "step": "send"}
    staff.post(here(run, "/emails/new?kind=learner&remind=1"), forged, status=422)
    evaluations.answer(evaluations.ensure(run, second, HOT), 5)
    db.session.commit()
    staff.get(here(run, "/emails/new?kind=learner&remind=1"))
    assert "Personne à relancer" in staff.text()


def test_the_answers_are_exported_and_harmless(staff: Browser, run: TrainingSession) -> None:
    one = learners(run)[0]
    evaluations.answer(evaluations.ensure(run, one, HOT), 3, {"content": 2, "comment": "=cmd|' /C calc'!A0"})
    db.session.commit()
    response = staff.get(here(run, "/results.csv?kind=learner"))
    rows = list(csv.reader(io.StringIO(response.get_data(as_text=True).removeprefix("\ufeff")), delimiter=";"))
    assert len(rows) == 4 and rows[0][:4] == ["Nom", "Adresse e-mail", "Demandée le", "Répondu le"]
    assert rows[1][0] == one.name and "3" in rows[1] and rows[1][-1] == "'=cmd|' /C calc'!A0"
    assert rows[2][4:] == [""] * (len(rows[0]) - 4)


def test_every_moment_and_kind_has_a_page_and_a_form(staff: Browser, run: TrainingSession, phone: Browser) -> None:
    for moment in EvaluationMoment:
        for kind in evaluations.ASKED:
            contact = training.participants(run)[kind][0]
            staff.get(f"/sessions/{run.public_id}/evaluations/{moment.value}?kind={kind.value}")
            assert contact.name in staff.text()
            evaluation = evaluations.ensure(run, contact, moment)
            db.session.commit()
            phone.get(evaluations.form_url(evaluation).removeprefix("http://localhost"))
            first = questions.asked(moment, kind)[0]
            assert first.key == questions.OVERALL and first.rated
    staff.get(f"/sessions/{run.public_id}/evaluations/never", status=404)


def test_another_organisation_finds_nothing(client: Browser, run: TrainingSession, boreale: House) -> None:
    evaluations.answer(evaluations.ensure(run, learners(run)[0], HOT), 5, {"comment": "zzsecret"})
    db.session.commit()
    client.sign_in(boreale.admin)
    for path in ("", "/hot", "/hot/changed", "/hot/results.csv", "/hot/emails/new"):
        client.get(f"/sessions/{run.public_id}/evaluations{path}", status=404)


def test_a_page_asks_as_much_for_three_as_for_thirty(staff: Browser, run: TrainingSession, cassiopee: House) -> None:
    def statements(path: str) -> int:
        asked: list[str] = []

        def listen(*args: Any) -> None:
            asked.append(args[2])

        event.listen(db.engine, "before_cursor_execute", listen)
        staff.get(f"/sessions/{run.public_id}/evaluations{path}")
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(asked)

    ask(staff, run)
    few = statements("/hot?kind=learner"), statements("")
    more = [person(cassiopee, ContactKind.LEARNER, f"Personne {n}") for n in range(27)]
    training.enrol(run, more)
    db.session.commit()
    ask(staff, run)
    assert (statements("/hot?kind=learner"), statements("")) == few
    assert max(few) <= 14


@given(
    given=st.dictionaries(
        st.sampled_from(["rating", "content", "comment", "trainer", "other"]),
        st.one_of(st.sampled_from(["1", "5", "0", "6", "", " 3 ", "٣"]), st.text(max_size=30)), max_size=5,
    )
)  # fmt: skip
@example({"comment": "\x00\n0"})  # what is left once the unprintable is gone is trimmed too
def test_nothing_posted_is_kept_that_was_not_asked(given: dict[str, str]) -> None:
    asked = questions.asked(HOT, ContactKind.LEARNER)
    rating, answers = questions.read(asked, given)
    assert rating in (None, *questions.RATINGS)
    for question in asked:
        value = answers.get(question.key)
        assert value is None or (value in questions.RATINGS if question.rated else isinstance(value, str) and value)
    assert answers.keys() <= {question.key for question in asked} - {questions.OVERALL}
    assert questions.read(asked, {k: str(v) for k, v in answers.items()} | {"rating": str(rating or "")}) == (
        rating, answers,
    )  # fmt: skip


@given(st.lists(st.one_of(st.none(), st.sampled_from(questions.RATINGS))))
def test_a_tally_counts_every_answer_once(ratings: list[int | None]) -> None:
    (tally,) = questions.tallies((questions.Question("rating", "x"),), [(rating, {}) for rating in ratings])
    given = [rating for rating in ratings if rating is not None]
    assert tally.number == len(given)
    assert tally.average == (pytest.approx(sum(given) / len(given)) if given else None)


def test_a_session_with_nobody_says_so(staff: Browser, cassiopee: House) -> None:
    empty = a_session(cassiopee)
    db.session.commit()
    staff.get(f"/sessions/{empty.public_id}/evaluations")
    assert "Personne à interroger" in staff.text()
    staff.get(f"/sessions/{empty.public_id}/evaluations/hot")
    assert "Personne à interroger" in staff.text()
