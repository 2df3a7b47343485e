"""The API's contacts, training sessions and vocabulary."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from documents import evaluations
from extensions import db
from models import Contact, EvaluationMoment, Segment, TrainingSession
from models.words import ContactKind, EmailType
from people import training
from tests.conftest import House
from tests.program import Program


@pytest.fixture
def program(app: Flask, cassiopee: House) -> Program:
    return Program(app, cassiopee.staff, "read send")


def test_a_person_and_a_company_are_made_and_changed(program: Program) -> None:
    company = program.post("/contacts", {"kind": "company", "name": "Boulangerie Été"}, status=201)
    assert (company["name"], company["last_name"], company["country"], company["tags"]) == (
        "Boulangerie Été", "", "FR", [],
    )  # fmt: skip
    person = program.post(
        "/contacts",
        {
            "kind": "learner", "first_name": "Léa", "last_name": "Petit", "email": "lea@mail.example",
            "company": company["id"], "reference": "A-1", "tags": ["vip", "vip ", "b"], "notes": "Ligne 1\nLigne 2",
        },
        status=201,
    )  # fmt: skip
    assert program.last.headers["Location"] == f"/api/v1/contacts/{person['id']}"
    assert (person["name"], person["company_name"], person["tags"]) == ("Léa Petit", "Boulangerie Été", ["vip", "b"])
    assert program.get(f"/contacts/{person['id']}") == person
    program.get(f"/contacts/{person['id']}", 304, headers={"If-None-Match": program.last.headers["ETag"]})
    changed = program.patch(f"/contacts/{person['id']}", {"last_name": "Grand", "email": ""})
    assert changed == person | {"last_name": "Grand", "name": "Léa Grand", "email": ""}
    assert program.patch(f"/contacts/{company['id']}", {"phone": "01 02"})["name"] == "Boulangerie Été"
    for body in ({"name": "OPCO Été"}, {"last_name": "OPCO Été", "first_name": "x", "company": company["id"]}):
        funder = program.post("/contacts", {"kind": "funder", **body}, status=201)
        assert (funder["name"], funder["last_name"], funder["company"]) == ("OPCO Été", "", None)
    assert program.post("/contacts", {"kind": "trainer", "name": "Dupont"}, status=201)["last_name"] == "Dupont"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "robot"}, "#/kind"), ({"last_name": ""}, "#/last_name"), ({"last_name": "\n"}, "#/last_name"),
        ({"last_name": None}, "#/last_name"), ({"email": "nonsense"}, "#/email"), ({"email": "a@b\r\nc"}, "#/email"),
        ({"phone": "\0"}, "#/phone"), ({"notes": "\0"}, "#/notes"), ({"country": "France"}, "#/country"),
        ({"language": "de"}, "#/language"), ({"tags": "vip"}, "#/tags"), ({"id": "C-1"}, "#/id"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_contact_is_pointed_at(program: Program, change: Any, pointer: str) -> None:
    problem = program.post("/contacts", {"kind": "learner", "last_name": "Petit", **change}, status=422)
    assert problem["errors"][0]["pointer"] == pointer
    assert db.session.query(Contact).count() == 0


def test_a_contact_needs_a_name_and_a_company_of_the_house(program: Program) -> None:
    program.post("/contacts", {"kind": "learner"}, status=422)
    program.post("/contacts", {"kind": "learner", "last_name": "x", "company": "C-nobody"}, status=409)
    learner = program.post("/contacts", {"kind": "learner", "last_name": "x"}, status=201)
    program.post("/contacts", {"kind": "learner", "last_name": "y", "company": learner["id"]}, status=409)


def test_contacts_are_listed_found_and_paged(program: Program) -> None:
    for n in range(5):
        person = {"kind": "learner", "last_name": f"Été {n}", "email": f"p{n}@x.example", "reference": f"R{n}"}
        program.post("/contacts", person, status=201)
    program.post("/contacts", {"kind": "company", "name": "Boréale"}, status=201)
    assert program.get("/contacts")["total"] == 6
    for query, wanted in {
        "kind=company": ["Boréale"], "q=ete%203": ["Été 3"], "email=P2@x.example": ["Été 2"],
        "reference=R4": ["Été 4"], "reference=R": [], "q=%25": [],
    }.items():  # fmt: skip
        assert [one["name"] for one in program.get(f"/contacts?{query}")["items"]] == wanted, query
    seen, path = [], "/contacts?limit=2&kind=learner"
    while path:
        page = program.get(path)
        seen += [one["name"] for one in page["items"]]
        path = page["next_cursor"] and f"/contacts?limit=2&kind=learner&cursor={page['next_cursor']}"
    assert seen == [f"Été {n}" for n in range(5)]
    assert 'rel="prev"' in program.last.headers["Link"]
    program.get("/contacts?cursor=nonsense", 404)
    program.get("/contacts?kind=robot", 422)


def test_a_session_is_made_with_its_modules_and_people(program: Program, cassiopee: House) -> None:
    modules = [
        {"day": "2026-12-02", "starts": "09:00", "ends": "12:30", "title": "Matin"},
        {"day": "2026-12-01", "starts": "14:00", "ends": "17:00", "place": "Salle 2"},
    ]
    made = program.post("/sessions", {"title": "Python", "reference": "PY-1", "modules": modules}, status=201)
    assert program.last.headers["Location"] == f"/api/v1/sessions/{made['id']}"
    assert (made["starts_on"], made["ends_on"], made["state"]) == ("2026-12-01", "2026-12-02", "planned")
    assert [(one["starts_at"], one["ends_at"], one["place"]) for one in made["modules"]] == [
        ("2026-12-01T13:00:00Z", "2026-12-01T16:00:00Z", "Salle 2"),
        ("2026-12-02T08:00:00Z", "2026-12-02T11:30:00Z", ""),
    ]
    assert program.get(f"/sessions/{made['id']}") == made
    people = [
        program.post("/contacts", {"kind": kind, "name": kind.title()}, status=201)["id"]
        for kind in ("learner", "trainer", "company")
    ]
    customer = program.post("/contacts", {"kind": "customer", "name": "Client"}, status=201)["id"]
    enrolments = f"/sessions/{made['id']}/enrolments"
    program.post(enrolments, {"contacts": [*people, customer]}, status=409)
    program.post(enrolments, {"contacts": [*people, "C-nobody"]}, status=409)
    assert program.get(enrolments)["items"] == []
    said = program.post(enrolments, {"contacts": people}, status=200)
    assert said["enrolled"] == 3 and {one["id"] for one in said["items"]} == set(people)
    assert program.post(enrolments, {"contacts": people[:1]}, status=200)["enrolled"] == 0
    assert [one["id"] for one in program.get("/sessions?q=python")["items"]] == [made["id"]]
    assert program.get("/sessions?state=cancelled")["total"] == 0
    assert program.get("/sessions?reference=PY-1")["total"] == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"title": ""}, 422), ({"title": "a\nb"}, 422), ({"state": "open"}, 422), ({"modules": [{}]}, 422),
        ({"modules": [{"day": "2026-02-30", "starts": "09:00", "ends": "10:00"}]}, 422),
        ({"modules": [{"day": "2026-02-20", "starts": "24:00", "ends": "10:00"}]}, 422),
        ({"modules": [{"day": "2026-02-20", "starts": "09:00", "ends": "09:00"}]}, 409),
        ({"modules": [{"day": "0001-01-01", "starts": "00:00", "ends": "00:05"}]}, 409),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_session_is_refused(program: Program, change: Any, status: int) -> None:
    program.post("/sessions", {"title": "Python", **change}, status=status)
    assert db.session.query(TrainingSession).count() == 0


def test_the_vocabulary_and_oneself(program: Program, cassiopee: House) -> None:
    said = program.get("/types")
    assert {one["type"] for one in said["items"]} == {one.value for one in EmailType}
    assert {"reason": "moved", "label": "Adresse abandonnée", "status": "failed", "address_dead": True} in (
        said["reasons"]
    )
    me = program.get("/me")
    assert (me["organisation"], me["scopes"]) == ("Atelier Cassiopée", ["read", "send"])


def test_segments_are_listed_and_counted(program: Program, cassiopee: House) -> None:
    program.post("/contacts", {"kind": "company", "name": "Boréale"}, status=201)
    rule = {"kind": ["company"]}
    db.session.add(Segment(organisation_id=cassiopee.id, name="Entreprises", public_id="G-rule", rule=rule))
    db.session.add(Segment(organisation_id=cassiopee.id, name="Fidèles", public_id="G-static"))
    db.session.commit()
    assert [(one["id"], one["rule"]) for one in program.get("/segments")["items"]] == [
        ("G-rule", rule), ("G-static", None),
    ]  # fmt: skip
    assert [one["id"] for one in program.get("/segments?q=fidele")["items"]] == ["G-static"]
    assert program.get("/segments/G-rule")["contact_count"] == 1
    assert program.get("/segments/G-static")["contact_count"] == 0
    program.get("/segments/G-nobody", 404)


def test_an_answer_given_to_an_own_form_is_taken_note_of_once(
    program: Program, app: Flask, cassiopee: House, boreale: House
) -> None:
    contact = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER, name="Léa Petit")
    run = TrainingSession(organisation_id=cassiopee.id, title="Accueil")
    db.session.add_all([contact, run])
    db.session.flush()
    training.enrol(run, [contact])
    evaluation = evaluations.ensure(run, contact, EvaluationMoment.HOT)
    db.session.commit()
    path = f"/evaluations/{evaluation.public_id}"
    before = program.get(path)
    assert before | {"created_at": ""} == {
        "id": evaluation.public_id, "session": run.public_id, "contact": contact.public_id, "moment": "hot",
        "created_at": "", "answered_at": None, "rating": None,
    }  # fmt: skip
    told = program.post(path + "/answered", {"rating": 4, "answers": {"q1": 3, "q2": "Très bien"}}, status=200)
    assert told["rating"] == 4 and told["answered_at"]
    assert program.post(path + "/answered", {"rating": 1}, status=200) == told == program.get(path)
    db.session.refresh(evaluation)
    assert evaluation.answers == {"q1": 3, "q2": "Très bien"}
    assert evaluations.unanswered(run, EvaluationMoment.HOT) == set()
    for wrong in ({"rating": 6}, {"rating": "4"}, {"answers": {"a": "\x00"}}, {"answers": {"": 1}}, {"x": 1}):
        program.post(path + "/answered", wrong, status=422)
    Program(app, boreale.admin).post(path + "/answered", {}, status=404)
    Program(app, cassiopee.staff, "read").post(path + "/answered", {}, status=403)
