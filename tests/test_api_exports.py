"""Exports by the API: streamed ones and jobs, in every format; columns, words, repeated requests, files in parts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import func, select

from extensions import db, settings
from history import export_jobs, export_work
from history.export_cells import NAMES
from models import Export
from models.words import ExportState, Reason, Status
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.program import Program


@pytest.fixture
def filled(cassiopee: House, boreale: House) -> Iterator[House]:
    for n in range(4):
        make_email(cassiopee, f"p{n}@x.example", f"Zoé {n}", ago=timedelta(minutes=n), subject="=cmd|calc")
    make_email(cassiopee, "q@x.example", status=Status.FAILED, reason=Reason.MOVED)
    make_email(boreale, "elsewhere@x.example", "Ailleurs")
    yield cassiopee
    for path in settings().places.exports.glob("X-*"):
        export_jobs.remove(path.name.partition(".")[0])


@pytest.fixture
def program(app: Flask, filled: House) -> Program:
    return Program(app, filled.admin, "read")


def worked() -> None:
    """As the worker does."""
    export_work.run()
    db.session.expire_all()


def exports() -> int:
    return db.session.scalar(select(func.count()).select_from(Export)) or 0


def test_an_export_is_asked_for_followed_and_fetched(program: Program) -> None:
    asked = program.post("/exports?status=sent", {"format": "ndjson", "columns": ["subject", "recipient"]})
    where = program.last.headers["Location"]
    assert where == f"/api/v1/exports/{asked['id']}" and program.last.headers["Retry-After"] == "1"
    assert asked == asked | {
        "state": "waiting", "format": "ndjson", "columns": ["id", "subject", "recipient"], "done_count": 0,
        "row_count": None, "size": None, "file": None, "error": "", "started_at": None, "finished_at": None,
        "expires_at": None,
    }  # fmt: skip
    assert asked["query"] == "status=sent&columns=id&columns=subject&columns=recipient"
    assert program.get(where) == asked
    program.get(f"{where}/file", 409)
    assert program.last.headers["Retry-After"] == "1"
    worked()
    found = program.get(where)
    assert "Retry-After" not in program.last.headers
    assert (found["state"], found["done_count"], found["row_count"]) == ("ready", 4, 4)
    assert found["file"] == f"{where}/file" and found["filename"].endswith("_envoye.ndjson")
    whole = program.get(found["file"])
    assert len(whole) == found["size"]
    rows = [json.loads(line) for line in whole.splitlines()]
    assert [list(row) for row in rows] == [["id", "subject", "recipient"]] * 4
    assert [row["id"] for row in rows] == [one["id"] for one in program.get("/emails?status=sent")["items"]]
    assert {row["subject"] for row in rows} == {"=cmd|calc"}
    stays = datetime.fromisoformat(found["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < stays <= export_jobs.KEPT


@pytest.mark.parametrize("format_", ["csv", "csv-excel", "json", "ndjson"])
@pytest.mark.parametrize("more", ["", "&columns=status&columns=created_at", "&recipient=zo&sort=date&language=en"])
def test_a_job_and_a_stream_give_the_same_bytes(program: Program, format_: str, more: str) -> None:
    asked = program.post(f"/exports?format={format_}{more}")
    worked()
    job = program.get(f"/exports/{asked['id']}/file")
    assert job == program.get(f"/emails/export?format={format_}{more}")
    assert len(job) >= 4


def test_people_get_their_own_words_whoever_asks(program: Program, filled: House) -> None:
    def heads(more: str = "") -> list[str]:
        text = program.get(f"/emails/export?format=csv-excel&columns=recipient&columns=status{more}")
        return next(csv.reader(io.StringIO(text.decode("utf-8-sig")), delimiter=";"))

    assert heads() == ["Numéro", "Adresse", "Statut"]
    assert heads("&language=en") == ["Number", "Address", "Status"]
    filled.admin.language = "en"
    db.session.commit()
    assert heads() == ["Number", "Address", "Status"]
    # what is said of the request is English in any case
    assert "once" in program.get("/emails/export?language=fr&language=en", 422)["detail"]


def test_a_workbook_is_a_jobs(program: Program) -> None:
    said = program.get("/emails/export?format=xlsx", 422)["errors"]
    assert [one["parameter"] for one in said] == ["format"]
    asked = program.post("/exports", {"format": "xlsx", "columns": ["created_at", "subject"], "status": ["sent"]})
    worked()
    book = ZipFile(io.BytesIO(program.get(f"/exports/{asked['id']}/file")))
    assert program.last.mimetype.endswith("spreadsheetml.sheet")
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert '<autoFilter ref="A1:C5"' in sheet and sheet.count("'=cmd|calc") == 4 and "<f>" not in sheet


def test_the_body_says_more_than_the_query_string(program: Program) -> None:
    asked = program.post("/exports?status=sent&format=csv&limit=50&cursor=x", {"status": ["error"], "to": "2026-11-30"})
    assert asked["query"] == "status=error&period=custom&to=2026-11-30" and asked["format"] == "csv"
    assert asked["columns"] == list(NAMES)
    for body, pointer in (
        ({"format": "pdf"}, "#/format"), ({"status": "error"}, "#/status"), ({"columns": ["body"]}, "#/columns/0"),
        ({"unknown": 1}, "#/unknown"), ({"language": "de"}, "#/language"), ({"from": 20261122}, "#/from"),
    ):  # fmt: skip
        assert program.post("/exports", body, 422)["errors"][0]["pointer"] == pointer, body
    assert program.post("/exports?columns=body", status=422)["errors"][0]["parameter"] == "columns"
    program.ask("POST", "/exports", 415, data="format=csv")
    program.ask("POST", "/exports", 400, data="{", content_type="application/json")
    assert exports() == 1


def test_asking_again_is_asking_once(program: Program) -> None:
    first = program.post("/exports?status=error")
    assert program.post("/exports", {"status": ["error"]})["id"] == first["id"]
    assert program.post("/exports", {"status": ["error"], "columns": ["subject"]})["id"] != first["id"]
    assert program.post("/exports?status=error&language=en")["id"] != first["id"]
    worked()
    assert program.post("/exports?status=error")["id"] != first["id"]


def test_a_repeated_key_is_one_export_for_ever(app: Flask, program: Program, boreale: House) -> None:
    key = {"Idempotency-Key": "night-42"}
    first = program.post("/exports?status=error", headers=key)
    assert "Idempotent-Replayed" not in program.last.headers
    worked()
    again = program.post("/exports", {"status": ["error"]}, headers=key)
    assert again["id"] == first["id"] and again["state"] == "ready"
    assert program.last.headers["Idempotent-Replayed"] == "true"
    for other in ({"status": ["sent"]}, {"format": "json"}, {"language": "en"}):
        problem = program.post("/exports", {"status": ["error"]} | other, 409, headers=key)
        assert problem["errors"][0]["header"] == "Idempotency-Key"
    assert program.post("/exports?status=error", headers={"Idempotency-Key": "night-43"})["id"] != first["id"]
    assert Program(app, boreale.admin).post("/exports?status=error", headers=key)["id"] != first["id"]
    assert exports() == 3


def test_cancelling(program: Program) -> None:
    asked = program.post("/exports")
    assert program.ask("DELETE", f"/exports/{asked['id']}", 200)["state"] == "cancelled"
    program.ask("DELETE", f"/exports/{asked['id']}", 409)
    program.get(f"/exports/{asked['id']}/file", 409)
    assert "Retry-After" not in program.last.headers
    worked()
    assert program.get(f"/exports/{asked['id']}")["state"] == "cancelled"


def test_an_export_is_its_users_alone(app: Flask, program: Program, filled: House, boreale: House) -> None:
    asked = program.post("/exports")
    worked()
    for user in (filled.manager, filled.staff, boreale.admin):
        other = Program(app, user)
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file")):
            other.ask(method, f"/exports/{asked['id']}{path}", 404)
        assert other.get("/exports")["items"] == []
    assert Program(app, filled.admin).get(f"/exports/{asked['id']}")["state"] == "ready"  # another token of the same


def test_the_list_is_the_screens_too_and_brings_no_notice(app: Flask, program: Program, filled: House) -> None:
    made = [program.post("/exports", {"subject": f"n{n}"})["id"] for n in range(3)]
    browser = Browser(app).sign_in(filled.admin)
    browser.post("/exports", {"format": "csv", "query": "status=sent"})
    page = program.get("/exports?limit=3")
    assert [one["id"] for one in page["items"]][1:] == made[:0:-1] and page["total"] == 4
    following = program.last.headers["Link"].partition(">")[0].removeprefix("<http://localhost")
    assert [one["id"] for one in program.get(following)["items"]] == made[:1]
    etag = {"If-None-Match": program.last.headers["ETag"]}
    program.get(following, 304, headers=etag)
    worked()
    assert program.get(following, headers=etag)["items"][0]["state"] == "ready"
    assert [one["query"] for one in program.get("/exports?state=ready&limit=1")["items"]] == ["status=sent"]
    assert program.get("/exports?state=running")["items"] == []
    program.get("/exports?state=lost", 422)
    browser.get("/exports")
    assert len(browser.html.xpath("//a[starts-with(@href, '/exports/X-')]")) == 4
    assert len(export_jobs.unseen(filled.admin)) == 1  # the one asked for on the screen


def test_a_file_comes_in_parts(program: Program) -> None:
    asked = program.post("/exports?format=csv")
    worked()
    where = f"/exports/{asked['id']}/file"
    whole = program.get(where)
    tag = program.last.headers["ETag"]
    headers = program.last.headers
    assert (headers["Accept-Ranges"], headers["Content-Length"]) == ("bytes", str(len(whole)))
    assert headers["Cache-Control"] == "private, no-store" and "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"].replace('"', "") == f"attachment; filename={asked['filename']}"
    half = program.ask("GET", where, 206, headers={"Range": "bytes=100-", "If-Range": tag})
    assert half == whole[100:] and program.last.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert program.ask("GET", where, 206, headers={"Range": "bytes=0-9"}) == whole[:10]
    assert program.ask("GET", where, 200, headers={"Range": "bytes=9-", "If-Range": '"other"'}) == whole
    program.ask("GET", where, 416, headers={"Range": f"bytes={len(whole)}-"})
    assert program.last.headers["Content-Range"] == f"bytes */{len(whole)}"
    program.ask("GET", where, 304, headers={"If-None-Match": tag})


def test_expired_is_gone(program: Program) -> None:
    asked = program.post("/exports")
    worked()
    db.session.execute(db.update(Export).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    db.session.commit()
    program.get(f"/exports/{asked['id']}/file", 410)
    export_jobs.expire()
    program.get(f"/exports/{asked['id']}/file", 410)
    assert program.get(f"/exports/{asked['id']}")["state"] == "expired"


def test_one_under_way_says_when_to_look_again(program: Program) -> None:
    asked = program.post("/exports")
    for done, seconds, wait in ((0, 5, "1"), (10, 10, "30"), (90, 9, "1"), (50, 12, "12")):
        begun = datetime.now(UTC) - timedelta(seconds=seconds)
        values = {"state": ExportState.RUNNING, "started_at": begun, "done_count": done, "row_count": 100}
        db.session.execute(db.update(Export).values(**values))
        db.session.commit()
        assert program.get(f"/exports/{asked['id']}")["done_count"] == done
        assert program.last.headers["Retry-After"] == wait


def test_one_that_failed_says_why_in_english(program: Program) -> None:
    asked = program.post("/exports")
    values = {"state": ExportState.FAILED, "error": export_work._FULL}
    db.session.execute(db.update(Export).values(**values))
    db.session.commit()
    found = program.get(f"/exports/{asked['id']}")
    assert found["state"] == "failed" and "disk" in found["error"]


def test_large_ones_are_for_managers_and_admins(
    app: Flask, program: Program, filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(export_jobs, "AT_ONCE", 4)
    staff = Program(app, filled.staff)
    for ask in (lambda who, status: who.post("/exports", status=status),
                lambda who, status: who.get("/emails/export", status)):  # fmt: skip
        assert "manager" in ask(staff, 403)["detail"]
    staff.post("/exports?status=sent")
    staff.get("/emails/export?status=sent")
    for who in (program, Program(app, filled.manager)):
        who.post("/exports")
        who.get("/emails/export")


def test_too_many_under_way_wait(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_jobs, "MOST_UNDER_WAY", 1)
    program.post("/exports")
    assert "waiting" in program.post("/exports", {"format": "json"}, 429)["detail"]
    assert program.last.headers["Retry-After"] == "30"


def test_what_is_streamed_may_have_columns_of_its_own(program: Program) -> None:
    text = program.get("/emails/export?columns=subject&columns=recipient&columns=subject&status=sent").decode()
    rows: list[Any] = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["id", "subject", "recipient"] and {row[1] for row in rows[1:]} == {"'=cmd|calc"}
    program.get("/emails/export?columns=body", 422)
    (first, *_rest) = program.get("/emails/export?format=json&columns=id")
    assert list(first) == ["id"]
