"""The API's e-mails: sending, repeated requests, attachments, reading, filters, exports, resends, hostile strings."""

from __future__ import annotations

import base64
import csv
import email
import email.policy
import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from blueprints.api import uploads
from extensions import db
from models import Email, Mailing, OutboxEntry, Sender
from models.words import EventKind, Reason, Status
from tests.conftest import House
from tests.history.making import make_contact, make_email, make_session
from tests.program import Program

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples"))
ONE = {"recipients": [{"email": "lea.petit@mail.example", "name": "Léa Petit"}], "subject": "Été", "text": "Bonjour"}


@pytest.fixture
def program(app: Flask, cassiopee: House) -> Program:
    return Program(app, cassiopee.admin)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    """The SQL statements that were run."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield seen
    event.remove(db.engine, "before_cursor_execute", note)


def source_of(program: Program, email_id: str) -> Any:
    return email.message_from_bytes(program.get(f"/emails/{email_id}/source"), policy=email.policy.default)


def test_one_email_is_kept_and_waits_to_leave(program: Program, cassiopee: House) -> None:
    said = program.post("/emails", ONE)
    item = said["items"][0]
    assert program.last.headers["Location"] == f"/api/v1/emails/{item['id']}"
    assert item == item | {
        "status": "requested", "recipient": "lea.petit@mail.example", "name": "Léa Petit", "subject": "Été",
        "type": "free", "contact": None, "session": None,
    }  # fmt: skip
    found = program.get(f"/emails/{item['id']}")
    assert (found["status"], found["reason"], found["sent_at"]) == ("requested", None, None)
    assert [one["kind"] for one in found["events"]] == ["requested"]
    assert found["sender"] == cassiopee.sender.address and found["requested_by"] == cassiopee.admin.name
    assert db.session.scalar(select(func.count()).select_from(OutboxEntry)) == 1
    message = source_of(program, item["id"])
    assert message["Subject"] == "Été" and message["To"].addresses[0].addr_spec == "lea.petit@mail.example"
    assert message.get_content().strip() == "Bonjour"


def test_the_source_is_the_bytes_that_its_sha256_names(program: Program) -> None:
    found = program.get(f"/emails/{program.post('/emails', ONE)['items'][0]['id']}")
    raw = program.get(f"/emails/{found['id']}/source")
    assert program.last.mimetype == "message/rfc822"
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (found["size"], found["sha256"])


def test_html_is_frozen_as_given_and_gets_a_text_part(program: Program) -> None:
    html = '<p>Total : <b>12 €</b></p><script>alert(1)</script><a href="https://x.example/f">facture</a>'
    item = program.post("/emails", {**_without(ONE, "text"), "html": html})
    message = source_of(program, item["items"][0]["id"])
    assert message.get_body(("html",)).get_content().rstrip() == html
    text = message.get_body(("plain",)).get_content()
    assert "Total : 12 €" in text and "https://x.example/f" in text and "alert" not in text


def test_html_and_text_both_given_are_both_sent(program: Program) -> None:
    item = program.post("/emails", {**ONE, "html": "<p>Bonjour</p>", "text": "Autre"})["items"][0]
    message = source_of(program, item["id"])
    assert message.get_body(("plain",)).get_content().strip() == "Autre"


def test_a_type_of_ones_own_a_session_and_contacts(program: Program, cassiopee: House) -> None:
    session = make_session(cassiopee, "Python")
    contact = make_contact(cassiopee, "Zoé Canari", email="zoe@mail.example")
    body = {
        "recipients": [{"contact": contact.public_id}, {"contact": contact.public_id, "email": "autre@mail.example"}],
        "subject": "s", "text": "t", "type": "order.shipped", "session": session.public_id,
    }  # fmt: skip
    first, second = program.post("/emails", body)["items"]
    assert (first["recipient"], first["name"]) == ("zoe@mail.example", "Zoé Canari")
    assert second["recipient"] == "autre@mail.example"
    assert {first["contact"], first["session"]} == {contact.public_id, session.public_id}
    for query in (f"contact={contact.public_id}", f"session={session.public_id}", "type=order.shipped"):
        assert {one["id"] for one in program.get(f"/emails?{query}")["items"]} == {first["id"], second["id"]}


def test_the_sender_may_be_chosen_among_ones_own(program: Program, cassiopee: House) -> None:
    db.session.add(Sender(organisation_id=cassiopee.id, name="Compta", address="compta@cassiopee.example"))
    db.session.commit()
    item = program.post("/emails", {**ONE, "sender": "Compta@cassiopee.example"})["items"][0]
    assert program.get(f"/emails/{item['id']}")["sender"] == "compta@cassiopee.example"
    program.post("/emails", {**ONE, "sender": "nobody@cassiopee.example"}, status=404)
    db.session.execute(db.update(Sender).values(is_default=False))
    db.session.commit()
    program.post("/emails", ONE, status=409)


def _without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"recipients": []}, "#/recipients"),
        ({"recipients": [{"email": "nonsense"}]}, "#/recipients/0/email"),
        ({"recipients": [{"email": "a@b.example"}, {"email": "a@b.example\r\nBcc: c@d.example"}]},
         "#/recipients/1/email"),
        ({"recipients": [{"email": "a@b.example", "name": "A\r\nBcc: c@d.example"}]}, "#/recipients/0/name"),
        ({"recipients": [{"email": "a@b.example", "nom": "A"}]}, "#/recipients/0/nom"),
        ({"recipients": [{"name": "A"}]}, "#/recipients/0/email"),
        ({"subject": "s\r\nBcc: c@d.example"}, "#/subject"),
        ({"subject": "s\u2028Bcc: c@d.example"}, "#/subject"),
        ({"subject": ""}, "#/subject"),
        ({"subject": None}, "#/subject"),
        ({"subject": "x" * 301}, "#/subject"),
        ({"text": 12}, "#/text"),
        ({"text": "a\0b"}, "#/text"),
        ({"type": "Ceci est un type"}, "#/type"),
        ({"unknown": 1}, "#/unknown"),
        ({"attachments": [{"filename": "a.txt", "content": "é"}]}, "#/attachments/0/content"),
        ({"attachments": [{"filename": "a\r\n.txt", "content": "YQ=="}]}, "#/attachments/0/filename"),
        ({"attachments": [{"filename": "a.txt"}]}, "#/attachments/0"),
        ({"attachments": [{"content": "YQ=="}]}, "#/attachments/0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_at_and_nothing_is_sent(program: Program, change: Any, pointer: str) -> None:
    problem = program.post("/emails", {**ONE, **change}, status=422)
    assert pointer in [one["pointer"] for one in problem["errors"]]
    assert db.session.scalar(select(func.count()).select_from(Email)) == 0


def test_without_any_body_nothing_is_sent(program: Program) -> None:
    assert program.post("/emails", _without(ONE, "text"), status=422)["errors"]


def test_unknown_references_are_not_found(program: Program) -> None:
    program.post("/emails", {**ONE, "session": "S-nowhere"}, status=404)
    problem = program.post("/emails", {**ONE, "recipients": [{"contact": "C-nobody"}]}, status=404)
    assert problem["errors"][0]["pointer"] == "#/recipients/0/contact"


def test_a_repeated_request_sends_once_and_gets_the_same_answer(program: Program) -> None:
    key = {"Idempotency-Key": "invoice-42"}
    first = program.post("/emails", ONE, headers=key)
    assert "Idempotent-Replayed" not in program.last.headers
    db.session.execute(db.update(Email).values(status=Status.SENT))
    db.session.commit()
    turned = dict(reversed(list(ONE.items())))
    for body in (ONE, turned):
        assert program.post("/emails", body, headers=key) == first
        assert program.last.headers["Idempotent-Replayed"] == "true"
    assert "another" in program.post("/emails", {**ONE, "subject": "Autre"}, status=409, headers=key)["detail"]
    other = program.post("/emails", ONE, headers={"Idempotency-Key": "invoice-43"})
    assert other["items"][0]["id"] != first["items"][0]["id"]
    assert db.session.scalar(select(func.count()).select_from(Mailing)) == 2
    program.post("/emails", ONE, status=422, headers={"Idempotency-Key": "é" * 300})


def test_keys_of_two_organisations_do_not_meet(app: Flask, program: Program, boreale: House) -> None:
    key = {"Idempotency-Key": "1"}
    program.post("/emails", ONE, headers=key)
    Program(app, boreale.staff).post("/emails", {**ONE, "subject": "Autre"}, headers=key)


def test_attachments_inline_and_uploaded_arrive_whole(app: Flask, program: Program, boreale: House) -> None:
    pdf = b"%PDF-1.4 " + bytes(range(256))
    form = {"file": (io.BytesIO(pdf), "convention Léa.pdf")}
    upload = program.ask("POST", "/attachments", 201, data=form, content_type="multipart/form-data")
    assert (upload["size"], upload["media_type"]) == (len(pdf), "application/pdf")
    plain = program.ask("POST", "/attachments?filename=a.txt", 201, data=b"abc")
    inline = {"filename": "b.bin", "content": base64.b64encode(b"\0\1").decode()}
    renamed = {"id": plain["id"], "filename": "c.txt"}
    item = program.post("/emails", {**ONE, "attachments": [{"id": upload["id"]}, inline, renamed]})["items"][0]
    found = program.get(f"/emails/{item['id']}")
    assert [(one["position"], one["filename"]) for one in found["attachments"]] == [
        (1, "convention Léa.pdf"), (2, "b.bin"), (3, "c.txt"),
    ]  # fmt: skip
    assert [program.get(f"/emails/{item['id']}/attachments/{n}") for n in (1, 2, 3)] == [pdf, b"\0\1", b"abc"]
    assert program.last.headers["Content-Disposition"].startswith("attachment")
    for nowhere in ("0", "4", "99999999999999999999"):
        program.get(f"/emails/{item['id']}/attachments/{nowhere}", 404)
    Program(app, boreale.admin).post("/emails", {**ONE, "attachments": [{"id": upload["id"]}]}, status=404)
    program.post("/emails", {**ONE, "attachments": [{"id": upload["id"] + "x"}]}, status=404)
    assert uploads.LIFE == 7 * 24 * 3600


def test_uploads_that_cannot_be_are_refused(app: Flask, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.ask("POST", "/attachments?filename=a.txt", 422, data=b"")
    program.ask("POST", "/attachments?filename=..", 422, data=b"a")
    program.ask("POST", "/attachments", 422, data={"other": "x"}, content_type="multipart/form-data")
    monkeypatch.setitem(app.extensions, "sillage", replace(app.extensions["sillage"], max_attachment=10, max_email=90))
    program.ask("POST", "/attachments?filename=a", 413, data=b"x" * 11)
    program.ask("POST", "/attachments?filename=a", 413, data=b"x" * 11_000)
    file = {"filename": "a.txt", "content": base64.b64encode(b"x" * 11).decode()}
    program.post("/emails", {**ONE, "attachments": [file]}, status=413)
    program.post("/emails", {**ONE, "text": "x" * 91}, status=413)


def test_a_thousand_recipients_take_few_statements(program: Program, statements: list[str]) -> None:
    people = [{"email": f"p{n}@mail.example", "name": f"Personne {n}"} for n in range(1000)]
    program.get("/me")
    del statements[:]
    items = program.post("/emails", {**ONE, "recipients": people})["items"]
    assert [item["recipient"] for item in items] == [one["email"] for one in people]
    assert len(statements) <= 12, statements
    assert program.get("/emails?limit=200")["total"] == 1000


def test_so_large_a_body_for_so_many_is_refused(program: Program) -> None:
    people = [{"email": f"p{n}@mail.example"} for n in range(300)]
    program.post("/emails", {**ONE, "recipients": people, "text": "x" * 1_000_000}, status=413)


def test_pages_follow_one_another_both_ways(program: Program, cassiopee: House) -> None:
    made = [make_email(cassiopee, f"p{n}@x.example", ago=timedelta(minutes=n)).public_id for n in range(7)]
    seen: list[str] = []
    path, rel = "/emails?limit=3&status=sent", {}
    while path:
        page = program.get(path)
        assert (page["total"], page["total_is_capped"]) == (7, False)
        rel = _links(program)
        assert ("prev" in rel) == bool(seen) == (page["previous_cursor"] is not None)
        seen += [one["id"] for one in page["items"]]
        path = rel.get("next", "")
        assert bool(path) == (page["next_cursor"] is not None)
    assert seen == made
    assert [one["id"] for one in program.get(rel["prev"])["items"]] == made[3:6]
    assert dict(parse_qsl(rel["prev"].partition("?")[2]))["status"] == "sent"
    oldest = program.get("/emails?sort=date")["items"]
    assert [one["id"] for one in oldest] == made[::-1]
    cursor = program.get("/emails?limit=3")["next_cursor"]
    program.get(f"/emails?limit=3&sort=date&cursor={cursor}", 404)
    program.get("/emails?cursor=nonsense", 404)


def _links(program: Program) -> dict[str, str]:
    found = {}
    for link in filter(None, program.last.headers.get("Link", "").split(", ")):
        address, _, rel = link.partition(">; rel=")
        found[rel.strip('"')] = address.removeprefix("<http://localhost")
    return found


def test_the_filters_are_those_of_the_page(program: Program, cassiopee: House) -> None:
    make_email(cassiopee, "lea@x.example", "Léa Petit", status=Status.FAILED, reason=Reason.USER_UNKNOWN)
    make_email(cassiopee, "bob@y.example", "Bob", status=Status.OPENED, subject="Carte expirée", type="card.expired")
    for query, wanted in {
        "status=error": ["lea@x.example"], "status=failed&status=undeliverable": ["lea@x.example"],
        "status=sent_all": ["bob@y.example"], "recipient=PETIT": ["lea@x.example"],
        "subject=exp%20carte": ["bob@y.example"], "type=card.expired": ["bob@y.example"],
        "type=card.expired&status=error": [], "from=2026-11-22&to=2026-11-22": ["bob@y.example", "lea@x.example"],
        "from=22/11/2026": ["bob@y.example", "lea@x.example"], "to=2026-11-21": [], "date_field=sent&to=2026-11-21": [],
        "attachment=yes": [], "recipient=&subject=": ["bob@y.example", "lea@x.example"],
    }.items():  # fmt: skip
        found = program.get(f"/emails?{query}")
        assert sorted(one["recipient"] for one in found["items"]) == wanted, query
    item = program.get("/emails?status=error")["items"][0]
    assert (item["reason"], item["final"]) == ("user_unknown", True)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("status=nonsense", "status"), ("unknown=1", "unknown"), ("limit=0", "limit"), ("limit=201", "limit"),
        ("limit=x", "limit"), ("status=", "status"), ("limit=5&limit=6", "limit"), ("from=2026-02-30", "from"),
        ("sort=name", "sort"),
        ("type=A%20B", "type"), ("period=century", "period"), ("recipient=" + "x" * 300, "recipient"),
    ],
)  # fmt: skip
def test_filters_that_say_nothing_are_refused(program: Program, query: str, parameter: str) -> None:
    assert program.get(f"/emails?{query}", 422)["errors"][0]["parameter"] == parameter


def test_a_page_of_fifty_is_at_most_four_statements(
    program: Program, cassiopee: House, statements: list[str]
) -> None:  # fmt: skip
    for n in range(60):
        make_email(cassiopee, f"p{n}@x.example", ago=timedelta(minutes=n))
    program.get("/me")
    for query in ("", "status=error", "recipient=p1", "subject=convocation&status=sent"):
        del statements[:]
        program.get(f"/emails?{query}")
        assert len(statements) <= 4, statements


def test_an_etag_spares_what_has_not_changed(program: Program, cassiopee: House) -> None:
    made = make_email(cassiopee, events=(EventKind.REQUESTED,))
    program.get(f"/emails/{made.public_id}")
    etag = {"If-None-Match": program.last.headers["ETag"]}
    program.get(f"/emails/{made.public_id}", 304, headers=etag)
    db.session.execute(db.update(Email).values(status=Status.OPENED))
    db.session.commit()
    assert program.get(f"/emails/{made.public_id}", headers=etag)["status"] == "opened"


def test_exports_hold_what_is_filtered_in_every_format(program: Program, cassiopee: House) -> None:
    for n in range(3):
        make_email(cassiopee, f"p{n}@x.example", ago=timedelta(minutes=n), subject="=cmd|calc")
    make_email(cassiopee, "q@x.example", status=Status.FAILED, reason=Reason.MOVED)
    listed = program.get("/emails?status=sent")["items"]
    rows = list(csv.DictReader(io.StringIO(program.get("/emails/export?format=csv&status=sent").decode())))
    assert program.last.mimetype == "text/csv" and "emails_" in program.last.headers["Content-Disposition"]
    assert [row["id"] for row in rows] == [one["id"] for one in listed]
    assert {row["subject"] for row in rows} == {"'=cmd|calc"}
    whole = json.loads(program.open("GET", "/emails/export?format=json&status=sent&limit=50").get_data())
    lines = [json.loads(line) for line in program.get("/emails/export?format=ndjson&status=sent").splitlines()]
    assert whole == lines and [one["id"] for one in lines] == [one["id"] for one in listed]
    assert {one["subject"] for one in lines} == {"=cmd|calc"}
    shared = set(lines[0]) & set(listed[0])
    assert {"id", "recipient", "name", "subject", "type", "status", "reason", "contact", "session"} <= shared
    assert program.get("/emails/export?format=ndjson&status=undeliverable") == b""
    program.get("/emails/export?format=pdf", 422)


def test_a_token_exports_one_thing_at_a_time(app: Flask, program: Program, cassiopee: House) -> None:
    make_email(cassiopee)
    other = Program(app, cassiopee.staff)
    running = program.open("GET", "/emails/export?format=ndjson")
    assert running.status_code == 200
    program.get("/emails/export", 429)
    assert program.last.headers["Retry-After"] == "5"
    other.get("/emails/export")
    running.get_data()
    running.close()
    program.get("/emails/export")
    program.get("/emails/export?format=pdf", 422)
    program.get("/emails/export")


def test_an_admin_sends_a_failed_email_again(app: Flask, program: Program, cassiopee: House) -> None:
    first = program.post("/emails", {**ONE, "attachments": [{"filename": "a.txt", "content": "YQ=="}]})["items"][0]
    program.post(f"/emails/{first['id']}/resends", {}, status=409)
    db.session.execute(db.update(Email).values(status=Status.FAILED, reason=Reason.USER_UNKNOWN))
    db.session.commit()
    program.post(f"/emails/{first['id']}/resends", {"to": "nonsense"}, status=422)
    program.post(f"/emails/{first['id']}/resends", {"cc": "a@b.example"}, status=422)
    key = {"Idempotency-Key": "again"}
    again = program.post(f"/emails/{first['id']}/resends", {"to": "lea@autre.example"}, headers=key)
    item = again["items"][0]
    assert program.last.headers["Location"] == f"/api/v1/emails/{item['id']}"
    assert (item["recipient"], item["subject"]) == ("lea@autre.example", "Été")
    assert program.post(f"/emails/{first['id']}/resends", {"to": "lea@autre.example"}, headers=key) == again
    found = program.get(f"/emails/{item['id']}")
    assert found["resend_of"]["id"] == first["id"] and found["is_resend"]
    assert program.get(f"/emails/{item['id']}/attachments/1") == b"a"
    assert [one["id"] for one in program.get(f"/emails/{first['id']}")["resends"]] == [item["id"]]
    program.post(f"/emails/{first['id']}/resends", status=202)


def test_a_repeated_resend_is_answered_as_the_first_whatever_happened_since(
    program: Program, cassiopee: House
) -> None:
    first = program.post("/emails", ONE)["items"][0]
    path, key = f"/emails/{first['id']}/resends", {"Idempotency-Key": "once"}
    db.session.execute(db.update(Email).values(status=Status.FAILED, reason=Reason.USER_UNKNOWN))
    db.session.commit()
    again = program.post(path, {}, headers=key)
    db.session.execute(db.update(Email).values(status=Status.DELIVERED, reason=None))  # it had arrived after all
    db.session.commit()
    program.post(path, {}, status=409)
    assert program.post(path, {}, headers=key) == again
    assert program.last.headers["Idempotent-Replayed"] == "true"


def test_a_resend_says_how(program: Program, cassiopee: House) -> None:
    first = program.post("/emails", {**ONE, "attachments": [{"filename": "a.txt", "content": "YQ=="}]})["items"][0]
    db.session.execute(db.update(Email).values(status=Status.FAILED, reason=Reason.USER_UNKNOWN))
    db.session.commit()
    path = f"/emails/{first['id']}/resends"
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=9)
    body = {"preface": "Bonjour,\nvoici.", "send_at": at.isoformat(), "mode": "copy"}
    key = {"Idempotency-Key": "how"}
    item = program.post(path, body, headers=key)["items"][0]
    assert program.post(path, body, headers=key)["items"][0]["id"] == item["id"]
    program.post(path, {**body, "preface": "Autre"}, headers=key, status=409)
    message = source_of(program, item["id"])
    assert message["Date"].datetime == at
    said = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert said.startswith(f"{cassiopee.admin.name} vous écrit\u00a0:\nBonjour,\nvoici.\n\n---")
    assert [one.get_content() for one in message.iter_attachments()] == ["a"]
    assert program.get(f"/emails/{item['id']}")["chips"][0] == "scheduled"
    past = program.post(path, {"send_at": "2020-01-01T00:00:00Z"})["items"][0]
    assert "scheduled" not in program.get(f"/emails/{past['id']}")["chips"]
    for mode in ("anew", "link"):  # a free text has no template, and no session's page
        assert "detail" in program.post(path, {"mode": mode}, status=409)
    for wrong in ({"mode": "fast"}, {"preface": ""}, {"preface": "x" * 2001}, {"preface": "a\u202eb"},
                  {"send_at": "demain"}, {"send_at": "2026-02-30T10:00:00Z"}, {"send_at": "2099-01-01T00:00:00Z"},
                  {"to": None}):  # fmt: skip
        program.post(path, wrong, status=422)


def hostile() -> list[str]:
    """Our own, and of the samples some of each kind."""
    own = ["\0", "\ud800", "\u202e", "%00", "' OR 1=1--", "../../etc", "{{7*7}}", "\r\nBcc: a@b", "E-" + "9" * 400]
    found = []
    for kind, every in (("string", 1), ("crlf", 1), ("csv", 1), ("path", 9), ("ssti", 10), ("html", 100)):
        file = SAMPLES / "hostile" / f"{kind}.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.is_file() else []
        found += [json.loads(line)["payload"] for line in lines[::every]]
    return [*own, *found]


def test_hostile_strings_are_kept_whole_or_refused(program: Program, cassiopee: House) -> None:
    make_email(cassiopee)
    for n, text in enumerate(hostile()):  # each place takes every third string, the subject takes all
        sendable = text.encode("utf-8", "replace").decode()
        query = urlencode([(name, sendable) for name in ("recipient", "subject", "session", "contact", "cursor")])
        quoted = quote(sendable, safe="")
        places = [
            f"/emails?{query}", f"/contacts?q={quoted}", f"/emails?status={quoted}", f"/emails/{quoted}",
            f"/contacts/{quoted}", f"/sessions/{quoted}/enrolments", f"/sessions?cursor={quoted}&q={quoted}",
        ]  # fmt: skip
        for path in places[n % 3 :: 3]:
            assert program.open("GET", path).status_code < 500
        changes: list[dict[str, Any]] = [
            {"text": text}, {"html": text}, {"type": text}, {"session": text}, {"recipients": [{"email": text}]},
            {"recipients": [{"email": "a@b.example", "name": text}]}, {"attachments": [{"id": text}]},
            {"attachments": [{"filename": text, "content": "YQ=="}]},
        ]  # fmt: skip
        for change in [{"subject": text}, *changes[n % 3 :: 3]]:
            response = program.open("POST", "/emails", json={**ONE, **change})
            assert response.status_code in (202, 400, 404, 422), (change, response.status_code)
            if response.status_code == 202 and "subject" in change:
                item = response.get_json()["items"][0]
                assert item["subject"] == text
                assert source_of(program, item["id"])["Subject"] is not None
