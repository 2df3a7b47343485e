"""POST /api/v1/events: kept once, answered at once, led to an e-mail by the job, refused with its place."""

from __future__ import annotations

import base64

import pytest
from flask import Flask
from sqlalchemy import func, select

from extensions import db
from mail import templates
from models import Attachment, BusinessEvent, Contact, Email, EventOutcome, Template
from planning import events
from tests.conftest import House
from tests.program import Program

EVENT = {
    "id": "evt_1", "type": "card.expired", "occurred_at": "2026-11-20T08:30:00+01:00",
    "customer": {"reference": "CUS-1", "name": "Anne Roche", "email": "anne@client.example", "language": "fr",
                 "segments": ["Premium"]},
    "data": {"card": {"last4": "4242", "expires": "2026-10"}},
    "attachments": [{"filename": "facture.pdf", "content": base64.b64encode(b"%PDF-1.4 facture").decode()}],
}  # fmt: skip


@pytest.fixture
def program(app: Flask, cassiopee: House) -> Program:
    templates.ensure_defaults(cassiopee.organisation)
    template = db.session.scalars(select(Template).where(Template.type == "card.expired")).one()
    template.enabled = True
    db.session.commit()
    return Program(app, cassiopee.staff, "read send")


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_an_event_is_kept_and_becomes_an_email(program: Program) -> None:
    said = program.post("/events", EVENT)
    assert said["outcome"] == "received" and said["event_id"] == "evt_1" and said["email"] is None
    assert said["occurred_at"] == "2026-11-20T07:30:00Z"
    assert events.apply_waiting() == 1
    now = program.get(f"/events/{said['id']}")
    assert now["outcome"] == "sent"
    email = db.session.scalars(select(Email)).one()
    assert (email.public_id, email.type) == (now["email"], "card.expired")
    assert db.session.scalars(select(Attachment)).one().filename == "facture.pdf"
    assert db.session.scalars(select(Contact)).one().public_id == now["customer"]
    assert program.get(f"/emails/{now['email']}")["requested_by"] is None


def test_the_same_id_gives_the_first_event_again(program: Program) -> None:
    first = program.post("/events", EVENT)
    events.apply_waiting()
    second = program.post("/events", EVENT | {"type": "invoice.paid"})
    assert program.last.headers["Idempotent-Replayed"] == "true"
    assert second["id"] == first["id"] and second["type"] == "card.expired" and second["outcome"] == "sent"
    assert (count(BusinessEvent), count(Email)) == (1, 1)


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"type": "Card Expired"}, 422, "#/type"),
        ({"occurred_at": "yesterday"}, 422, "#/occurred_at"),
        ({"occurred_at": "2026-11-20T08:30:00"}, 422, "#/occurred_at"),
        ({"occurred_at": "2026-02-30T08:30:00Z"}, 422, "#/occurred_at"),
        ({"customer": {"language": "de"}}, 422, "#/customer/language"),
        ({"customer": {"name": "a\nb"}}, 422, "#/customer/name"),
        ({"surprise": 1}, 422, "#/surprise"),
        ({"attachments": [{"filename": "a/b.pdf", "content": "QUFB"}]}, 422, "#/attachments/0/filename"),
        ({"attachments": [{"filename": "a.pdf", "content": "not base64!"}]}, 422, "#/attachments"),
        ({"attachments": [{"filename": "a.pdf", "content": base64.b64encode(bytes(20_000_000)).decode()}] * 2},
         413, "#/attachments"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(program: Program, change, status, pointer) -> None:
    said = program.post("/events", EVENT | change, status)
    assert [one["pointer"] for one in said["errors"]] == [pointer]
    assert count(BusinessEvent) == 0


def test_whatever_data_holds_is_kept_as_the_database_can(program: Program) -> None:
    deep: dict = {}
    for _ in range(80):
        deep = {"d": deep}
    odd = {"nul": "a\0b", "many": 10**40, "deep": deep, "k\0": [1, True, None]}
    program.post("/events", EVENT | {"data": odd})
    data = db.session.scalars(select(BusinessEvent)).one().payload["data"]
    assert (data["nul"], data["many"], data["k\ufffd"]) == ("a\ufffdb", None, [1, True, None])
    events.apply_waiting()
    db.session.expire_all()
    assert db.session.scalars(select(BusinessEvent)).one().outcome is EventOutcome.SENT


def test_it_needs_the_scope_send(app: Flask, cassiopee: House, boreale: House, program: Program) -> None:
    Program(app, cassiopee.staff, "read").post("/events", EVENT, 403)
    Program(app).post("/events", EVENT, 401)
    mine = program.post("/events", EVENT)
    Program(app, boreale.admin).get(f"/events/{mine['id']}", 404)
    theirs = Program(app, boreale.staff, "send").post("/events", EVENT)
    assert theirs["id"] != mine["id"]
