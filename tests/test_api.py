"""The API's door: tokens, scopes, other organisations, problems, ids of requests, limits, the document and its page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from flask import Flask

from app import create_app
from blueprints.api.openapi import document
from config import Config
from documents import evaluations
from extensions import db, limiter
from history import HistoryFilter
from mail import templates
from models import Contact, EvaluationMoment, Segment, TrainingSession
from models.words import ALLOWED, ContactKind, EmailType, Role
from people import contacts, tokens, training
from tests.client import Browser
from tests.conftest import House
from tests.program import PREFIX, Program
from tests.test_routes import kept


@dataclass
class World:
    """Atelier Cassiopée with a contact, a session and an e-mail with an attachment."""

    house: House
    ids: dict[str, str]


@pytest.fixture
def world(app: Flask, cassiopee: House) -> World:
    contact = Contact(organisation_id=cassiopee.id, kind=ContactKind.LEARNER)
    contacts.save(contact, first_name="Zoé", last_name="Canari", email="zoe@mail.example")
    session = training.save(TrainingSession(), cassiopee.organisation, [], title="Canari")
    segment = Segment(organisation_id=cassiopee.id, name="Canari", public_id="G-canari1")
    db.session.add(segment)
    db.session.flush()
    evaluation = evaluations.ensure(session, contact, EvaluationMoment.HOT)
    db.session.commit()
    body = {
        "recipients": [{"contact": contact.public_id}], "subject": "Canari", "text": "Canari",
        "attachments": [{"filename": "canari.txt", "content": "Y2FuYXJp"}],
    }  # fmt: skip
    sent = Program(app, cassiopee.admin).post("/emails", body)
    ids = {
        "contact_id": contact.public_id,
        "session_id": session.public_id,
        "email_id": sent["items"][0]["id"],
        "segment_id": "G-canari1", "evaluation_id": evaluation.public_id,
        "suppression_id": Program(app, cassiopee.admin).post(
            "/suppressions", {"address": "canari@perdu.example", "reason": "user_unknown"}, 201
        )["id"],
    }
    asked = Program(app, cassiopee.admin).post("/exports", {"subject": "canari"})
    told = Program(app, cassiopee.admin).post("/events", EVENT)
    templates.ensure_defaults(cassiopee.organisation)
    template = templates.find(cassiopee.id, EmailType.CONVOCATION)
    ids |= {"event_id": told["id"], "template_id": template.public_id}
    db.session.commit()
    return World(cassiopee, ids | {"position": "1", "export_id": asked["id"]})


EVENT = {
    "id": "evt_1", "type": "card.expired", "occurred_at": "2026-11-20T08:30:00Z",
    "customer": {"reference": "CUS-1", "name": "Zoé Canari", "email": "zoe@mail.example"}, "data": {},
}  # fmt: skip

# operation → (scope it needs, a body it would take)
BODIES: dict[str, tuple[str, Any]] = {
    "post_emails": ("send", {"recipients": [{"email": "a@b.example"}], "subject": "s", "text": "t"}),
    "post_attachment": ("send", None),
    "post_resend": ("admin", {}),
    "post_suppression": ("admin", {"address": "parti@mail.example", "reason": "user_unknown"}),
    "delete_suppression": ("admin", None),
    "post_contact": ("send", {"kind": "learner", "last_name": "Petit"}),
    "patch_contact": ("send", {"phone": "01"}),
    "post_session": ("send", {"title": "Python"}),
    "post_event": ("send", EVENT),
    "post_answered": ("send", {"rating": 5}),
    "post_enrolments": ("send", {"contacts": ["C-1"]}),
}


def operations(app: Flask) -> Iterator[tuple[str, str, str]]:
    """(operationId, method, path) of every operation of the document."""
    with app.test_request_context():
        for path, found in document(app)["paths"].items():
            for method, operation in found.items():
                yield operation["operationId"], method.upper(), path


def filled(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path
    return path


def test_every_route_states_its_scope_and_is_in_the_document(app: Flask) -> None:
    documented = {name for name, _, _ in operations(app)}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            name = rule.endpoint.removeprefix("api.")
            if name in ("docs", "openapi"):
                continue
            assert isinstance(app.view_functions[rule.endpoint].guard, tokens.Access), name  # type: ignore[attr-defined]
            assert name in documented
            needed = BODIES.get(name, ("read", None))[0]
            assert app.view_functions[rule.endpoint].guard.value == needed  # type: ignore[attr-defined]


def test_no_token_a_revoked_one_and_nonsense_are_refused_everywhere(app: Flask, world: World) -> None:
    revoked = Program(app, world.house.admin)
    tokens.revoke(revoked.token)
    closed = Program(app, world.house.manager)
    world.house.manager.active = False
    db.session.commit()
    nonsense = ["Bearer sil_nonsense", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000, f"Bearer {revoked.secret}x"]
    for name, method, path in operations(app):
        address = filled(path, world.ids)
        body = BODIES.get(name, ("", None))[1]
        for program, headers in [(Program(app), {}), (revoked, {}), (closed, {}),
                                 *((Program(app), {"Authorization": text}) for text in nonsense)]:  # fmt: skip
            program.ask(method, address, 401, json=body, headers=headers)
            assert program.last.headers["WWW-Authenticate"].startswith("Bearer")


def test_cookies_are_no_credentials(app: Flask, world: World) -> None:
    browser, before = Browser(app).sign_in(world.house.admin), kept(world.house)
    headers = {"X-CSRFToken": browser.token()}
    for name, method, path in operations(app):
        with app.app_context():
            asked = browser.client.open(
                filled(path, world.ids), method=method, headers=headers, json=BODIES.get(name, ("", None))[1]
            )
        assert asked.status_code == 401, name
    assert kept(world.house) == before


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("scopes", ["read", "send", "admin", ""])
def test_a_scope_allows_what_it_names_and_nothing_else(app: Flask, world: World, scopes: str, role: Role) -> None:
    """Every operation × every scope × whose token it is: what its role may do, and no more than the scope says."""
    user = {Role.STAFF: world.house.staff, Role.MANAGER: world.house.manager, Role.ADMIN: world.house.admin}[role]
    program = Program(app, user, scopes)
    may = [access.value for access in tokens.Access if access.permission in ALLOWED[role]]
    asked = [(name, method, path, *BODIES.get(name, ("read", None))) for name, method, path in operations(app)]
    before = kept(world.house)
    for name, method, path, needed, body in asked:
        if needed != scopes or scopes not in may:
            program.ask(method, filled(path, world.ids), 403, json=body)
            assert "insufficient_scope" in program.last.headers["WWW-Authenticate"], name
    assert kept(world.house) == before, "a refused request wrote something"
    for name, method, path, needed, body in asked:
        if needed == scopes and scopes in may:
            status = program.open(method, filled(path, world.ids), json=body).status_code
            assert status not in (401, 403), (name, status)


def test_a_token_never_does_more_than_its_user(app: Flask, world: World) -> None:
    program = Program(app, world.house.admin)
    program.post(f"/emails/{world.ids['email_id']}/resends", {}, status=409)
    world.house.admin.role = Role.STAFF
    db.session.commit()
    program.post(f"/emails/{world.ids['email_id']}/resends", {}, status=403)
    program.get("/emails")
    assert program.get("/me")["scopes"] == ["read", "send"]


def test_another_organisation_sees_nothing(app: Flask, world: World, boreale: House) -> None:
    stranger, before = Program(app, boreale.admin), kept(world.house)
    for name, method, path in operations(app):
        body = BODIES.get(name, ("", None))[1]
        response = stranger.open(method, filled(path, world.ids), json=body)
        assert "canari" not in response.get_data(as_text=True).lower(), name
        assert world.ids["email_id"] not in response.get_data(as_text=True), name
        if "{" in path:
            assert response.status_code == 404, (name, response.status_code)
    assert kept(world.house) == before
    for body in (
        {"recipients": [{"contact": world.ids["contact_id"]}]},
        {"recipients": [{"email": "a@b.example"}], "session": world.ids["session_id"]},
        {"recipients": [{"email": "a@b.example"}], "sender": world.house.sender.address},
    ):
        problem = stranger.post("/emails", {"subject": "s", "text": "t", **body}, status=404)
        assert problem["errors"][0]["pointer"].startswith("#/")
    session = stranger.post("/sessions", {"title": "Ours"}, status=201)
    stranger.post(f"/sessions/{session['id']}/enrolments", {"contacts": [world.ids["contact_id"]]}, status=409)
    assert stranger.get(f"/emails?contact={world.ids['contact_id']}")["items"] == []
    assert stranger.get(f"/emails?session={world.ids['session_id']}")["items"] == []


def test_errors_are_problems_wherever_they_come_from(app: Flask, world: World) -> None:
    program = Program(app, world.house.admin)
    program.get("/nowhere", 404)
    Program(app).get("/nowhere", 404)
    assert program.ask("DELETE", "/emails", 405)["title"] == "Method Not Allowed"
    assert "GET" in program.last.headers["Allow"] and "POST" in program.last.headers["Allow"]
    program.ask("POST", "/emails", 415, data="subject=s")
    program.ask("POST", "/emails", 415, data="<x/>", content_type="text/xml")
    assert "JSON" in program.ask("POST", "/emails", 400, data="{", content_type="application/json")["detail"]
    program.ask("POST", "/emails", 400, data=b"\xff", content_type="application/json")
    program.ask("POST", "/emails", 400, data="[" * 100_000, content_type="application/json")
    program.ask("POST", "/emails", 422, data="[]", content_type="application/json")
    app.config["MAX_CONTENT_LENGTH"], before = 1000, app.config["MAX_CONTENT_LENGTH"]
    try:
        program.ask("POST", "/emails", 413, data="{" + " " * 2000 + "}", content_type="application/json")
    finally:
        app.config["MAX_CONTENT_LENGTH"] = before


def test_without_the_database_a_program_is_told_when_to_come_back(test_config: Config) -> None:
    away = create_app(replace(test_config, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none"))
    program = Program(away)
    program.secret = "sil_" + "x" * 43
    program.get("/emails", 503)
    assert program.last.headers["Retry-After"] == "10"


def test_a_request_id_is_echoed_and_a_wild_one_replaced(app: Flask, world: World) -> None:
    program = Program(app, world.house.staff)
    program.get("/me", headers={"X-Request-ID": "abc-123"})
    assert program.last.headers["X-Request-ID"] == "abc-123"
    assert program.get("/nowhere", 404, headers={"X-Request-ID": "abc-123"})["request_id"] == "abc-123"
    for wild in ("a b", "é", "x" * 500, "<script>"):
        program.get("/me", headers={"X-Request-ID": wild})
        assert program.last.headers["X-Request-ID"] != wild


def test_the_last_use_is_kept_and_not_written_each_time(app: Flask, world: World) -> None:
    program = Program(app, world.house.staff)
    assert program.token.last_used_at is None
    program.get("/me")
    db.session.refresh(program.token)
    first = program.token.last_used_at
    assert first is not None
    program.get("/me")
    db.session.refresh(program.token)
    assert program.token.last_used_at == first


@pytest.fixture
def limited(cassiopee: House, test_config: Config) -> Iterator[Flask]:
    """A second app, with limits, and a small one for programs."""
    second = create_app(replace(test_config, env="development"))
    second.config["API_RATE"] = "3/minute"
    yield second
    limiter.enabled = False
    with second.app_context():
        db.engine.dispose()
    second.extensions["redis"].close()


def test_too_many_requests_are_told_how_long_to_wait(limited: Flask, cassiopee: House) -> None:
    program, other = Program(limited, cassiopee.staff), Program(limited, cassiopee.admin)
    for left in (2, 1, 0):
        program.get("/me")
        assert program.last.headers["RateLimit-Limit"] == "3"
        assert program.last.headers["RateLimit-Remaining"] == str(left)
        assert 0 <= int(program.last.headers["RateLimit-Reset"]) <= 60
        assert "Retry-After" not in program.last.headers and "X-RateLimit-Limit" not in program.last.headers
    program.get("/me", 429)
    assert 0 < int(program.last.headers["Retry-After"]) <= 61
    assert program.last.headers["RateLimit-Remaining"] == "0"
    asked = other.post("/exports")
    assert other.last.headers["Retry-After"] == "1"  # the export's own, not the limit's
    other.ask("DELETE", f"/exports/{asked['id']}", 200)
    assert "Retry-After" not in other.last.headers


def test_the_document_is_served_to_anyone_and_read_as_a_page(app: Flask, cassiopee: House) -> None:
    with app.app_context():
        answer = app.test_client().get(f"{PREFIX}/openapi.json")
    assert answer.status_code == 200 and answer.get_json()["openapi"] == "3.1.0"
    for browser in (Browser(app), Browser(app).sign_in(cassiopee.staff)):
        browser.get(f"{PREFIX}/docs")
        assert "POST /api/v1/emails" in browser.text()
        assert "Idempotency-Key" in browser.text()


def test_every_filter_of_the_page_is_a_parameter(app: Flask) -> None:
    with app.test_request_context():
        operation = document(app)["paths"][f"{PREFIX}/emails"]["get"]
    known = {parameter["name"] for parameter in operation["parameters"]}
    names = {"first": "from", "last": "to"}
    assert known == {names.get(field.name, field.name) for field in fields(HistoryFilter)} | {"event"}


def test_every_list_has_an_etag_and_tells_what_changed(app: Flask, world: World) -> None:
    program = Program(app, world.house.admin)
    lists = [path.removeprefix(PREFIX) for name, method, path in operations(app)
             if method == "GET" and "{" not in path and name != "export_emails"]  # fmt: skip
    assert len(lists) >= 7
    for path in lists:
        program.get(path)
        tag, link = program.last.headers["ETag"], program.last.headers.get("Link")
        assert "no-cache" in program.last.headers["Cache-Control"]
        for shown in (tag, f'"other", {tag}', "*", "W/" + tag):
            program.get(path, 304, headers={"If-None-Match": shown})
            assert not program.last.get_data() and program.last.headers["ETag"] == tag, path
            assert program.last.headers.get("Link") == link and program.last.headers["Cache-Control"], path
        program.get(path, headers={"If-None-Match": '"other"'})
    program.get("/contacts")
    tag = program.last.headers["ETag"]
    program.patch(f"/contacts/{world.ids['contact_id']}", {"phone": "01"})
    assert "ETag" not in program.last.headers
    assert program.get("/contacts", headers={"If-None-Match": tag})["items"][0]["phone"] == "01"


def test_every_wrong_method_and_media_type_is_a_problem(app: Flask, world: World) -> None:
    program = Program(app, world.house.admin)
    known: dict[str, set[str]] = {}
    for _name, method, path in operations(app):
        known.setdefault(path, set()).add(method)
    for path, methods in known.items():
        address = filled(path, world.ids)
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
            program.ask(method, address, 405)
            assert methods <= {one.strip() for one in program.last.headers["Allow"].split(",")}, path
        for method in methods & {"POST", "PATCH"}:
            if not path.endswith("/attachments"):
                program.ask(method, address, 415, data="<x/>", content_type="application/xml")
