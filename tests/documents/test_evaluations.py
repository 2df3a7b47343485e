"""documents.evaluations: one a person and moment, signed addresses, answered once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select

from documents import evaluations
from extensions import db
from models import Contact, Evaluation, EvaluationMoment, Template, TrainingSession
from models.words import ContactKind
from people import training
from tests.conftest import House
from tests.documents.test_store import a_session, person

HOT = EvaluationMoment.HOT


@pytest.fixture
def run(cassiopee: House) -> TrainingSession:
    made = a_session(cassiopee)
    people = [person(cassiopee, ContactKind.LEARNER, name) for name in ("Camille Bernard", "Karim Haddad")]
    training.enrol(made, [*people, person(cassiopee, ContactKind.TRAINER, "Jeanne Riou")])
    db.session.commit()
    return made


def learner(name: str = "Camille Bernard") -> Contact:
    return db.session.scalars(select(Contact).where(Contact.name == name)).one()


def test_one_for_each_person_and_moment(run: TrainingSession) -> None:
    first = evaluations.ensure(run, learner(), HOT)
    assert evaluations.ensure(run, learner(), HOT).id == first.id
    assert evaluations.ensure(run, learner(), EvaluationMoment.COLD).id != first.id
    assert first.public_id.startswith("F-") and first.organisation_id == run.organisation_id


def test_two_who_ask_at_once_make_one(app: Flask, run: TrainingSession) -> None:
    run_id, contact_id = run.id, learner().id

    def ask() -> int:
        with app.app_context():
            found = evaluations.ensure(
                db.session.get_one(TrainingSession, run_id), db.session.get_one(Contact, contact_id), HOT
            )
            db.session.commit()
            return found.id

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _n: ask(), range(8)))
    assert len(ids) == 1 and db.session.scalar(select(func.count()).select_from(Evaluation)) == 1


def test_the_address_is_signed_and_survives_a_new_key(app: Flask, run: TrainingSession) -> None:
    evaluation = evaluations.ensure(run, learner(), HOT)
    address = evaluations.url(evaluation, None)
    token = address.removeprefix("http://localhost/f/")
    assert evaluations.read(token) is evaluation
    for wrong in (
        "",
        "x",
        token[:-5] + ("a" if token[-5] != "a" else "b") + token[-4:],  # the last letter holds spare bits
        token + "aaaa",
        evaluation.public_id,
        "é" * 300,
    ):
        assert evaluations.read(wrong) is None
    config = app.extensions["sillage"]
    app.extensions["sillage"] = replace(config, secret_key="another secret key", old_secret_keys=(config.secret_key,))
    try:
        assert evaluations.read(token) is evaluation and evaluations.token(evaluation) != token
        app.extensions["sillage"] = replace(config, secret_key="another secret key")
        assert evaluations.read(token) is None
    finally:
        app.extensions["sillage"] = config


def test_an_own_form_is_told_whose_answer_it_is(run: TrainingSession) -> None:
    evaluation = evaluations.ensure(run, learner(), HOT)
    template = Template(form_url="https://forms.example/a?lang=fr&ref=old#top")
    parts = urlsplit(evaluations.url(evaluation, template))
    asked = parse_qs(parts.query)
    assert (parts.netloc, parts.path, parts.fragment) == ("forms.example", "/a", "top")
    assert asked["lang"] == ["fr"] and asked["ref"] == [evaluation.public_id]
    assert asked["confirm"] == [evaluations.form_url(evaluation) + "/done"]


def test_answered_once_and_for_good(run: TrainingSession) -> None:
    evaluation = evaluations.ensure(run, learner(), HOT)
    everyone = evaluations.unanswered(run, HOT)
    assert len(everyone) == 3
    assert evaluations.answer(evaluation, 4, {"useful": 5})
    db.session.commit()
    assert not evaluations.answer(evaluation, 1, {"useful": 1})
    db.session.commit()
    assert (evaluation.rating, evaluation.answers) == (4, {"useful": 5}) and evaluation.answered_at
    assert evaluations.unanswered(run, HOT) == everyone - {learner().id}
    assert evaluations.unanswered(run, EvaluationMoment.COLD) == everyone
    assert evaluations.of_session(run, HOT) == {learner().id: evaluation}
