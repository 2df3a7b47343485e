"""The exports' pages: short lists at once, long ones asked for, followed, fetched by their owner alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from extensions import db, settings
from history import export_jobs, export_work
from models import Export
from models.words import ExportState
from tests.history.making import make_contact, make_email


@pytest.fixture
def filled(cassiopee: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(export_jobs, "AT_ONCE", 3)
    monkeypatch.setattr(export_jobs, "AT_ONCE_IN_A_WORKBOOK", 1)
    contact = make_contact(cassiopee, "Zoé Martin", public_id="C-zoe")
    for number in range(5):
        make_email(cassiopee, "zoe@example.org", "Zoé", subject=f"N° {number}", contact_id=contact.id)
    make_email(cassiopee, "other@example.org", "Autre", subject="Autre chose")
    yield cassiopee
    for path in settings().places.exports.glob("X-*"):
        export_jobs.remove(path.name)


def ask(client: Any, format_: str = "csv", query: str = "") -> Export:
    client.post("/exports", {"format": format_, "query": query})
    return db.session.query(Export).order_by(Export.id.desc()).first()


def ready(client: Any, **asked: str) -> Export:
    job = ask(client, **asked)
    export_work.run()
    db.session.expire_all()
    assert job.state is ExportState.READY
    return job


def test_short_lists_are_answered_at_once(client: Any, filled: Any) -> None:
    client.sign_in(filled.staff)
    for name in ("csv-excel", "csv", "json", "ndjson", "xlsx"):
        answer = client.get(f"/emails?subject=autre&format={name}")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="emails_2')
        assert answer.data and answer.headers["Cache-Control"] == "no-store"
    assert answer.data[:2] == b"PK"
    client.get("/emails")
    offered = client.html.xpath("//*[@id='exports']//a/@href")
    assert [address.partition("format=")[2] for address in offered] == ["csv-excel", "xlsx", "csv", "json", "ndjson"]
    client.get("/emails?format=pdf", status=400)


def test_long_lists_go_through_a_job(client: Any, filled: Any) -> None:
    client.sign_in(filled.manager)
    where = client.get("/contacts/C-zoe/emails?status=sent&format=csv-excel", status=303).headers["Location"]
    assert where == "/exports/new?format=csv-excel&in=C-zoe&status=sent"
    client.get(where)
    assert "Zoé Martin" in client.text() and "Préparer l’export" in client.text()
    (form,) = client.html.xpath("//form[@action='/exports']")
    client.post("/exports", {field.name: field.value for field in form.xpath(".//input[@name]")})
    client.get("/exports")
    assert "L’export se prépare" in client.text() and "En attente" in client.text()
    (moving,) = client.html.xpath("//*[@id='export-list']")
    assert moving.get("hx-get") == "/exports" and client.html.xpath("//noscript")
    export_work.run()
    answer = client.get("/exports", htmx=True).get_data(as_text=True)
    assert "hx-trigger" not in answer and 'hx-swap-oob="true"' in answer and "Votre fichier est prêt" in answer
    client.get("/emails")  # whatever the page
    (notice,) = client.html.xpath("//*[@id='ready-exports']")
    assert "Votre fichier est prêt" in notice.text_content()
    fetch, seen = notice.xpath(".//form/@action")
    file = client.post(fetch).headers["Location"]
    answer = client.get(file)
    assert answer.data.startswith(b"\xef\xbb\xbf") and answer.data.count(b"\r\n") == 6
    assert "emails_" in answer.headers["Content-Disposition"] and "private" in answer.headers["Cache-Control"]
    answer.close()
    client.get("/emails")
    assert not client.html.xpath("//*[@id='ready-exports']//form")
    client.get("/exports")
    assert client.html.xpath(f"//a[@href='{file}']") and "5 e-mails" in client.text()


def test_a_notice_may_be_put_aside(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    ready(client)
    client.get("/sessions")
    assert client.html.xpath("//a[@href='/exports']/span[@class='count']/text()") == ["1"]
    back = client.post("/exports/seen", headers={"Referer": "http://localhost/sessions"}).headers["Location"]
    assert back == "/sessions"
    client.get(back)
    assert not client.html.xpath("//*[@id='ready-exports']//form")
    assert client.post("/exports/seen", headers={"Referer": "http://evil.example/x"}).headers["Location"] == "/exports"


def test_what_was_waited_for_is_told_first(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    jobs = [ready(client, query=f"subject=n+{number}") for number in range(4)]
    for job, minutes in zip(jobs, (3, 2, 0, 1), strict=True):  # of the last two, the first asked for was done last
        job.finished_at = datetime.now(UTC) - timedelta(minutes=minutes)
    db.session.commit()
    jobs.sort(key=lambda job: job.finished_at, reverse=True)
    client.get("/sessions")
    fetches = client.html.xpath("//*[@id='ready-exports']//form/@action")
    assert fetches == [*(f"/exports/{job.public_id}/fetch" for job in jobs[:2]), "/exports/seen"]
    assert [job.id for job in export_jobs.unseen(filled.admin)] == [job.id for job in jobs]


def test_the_file_is_its_owners_alone(client: Any, filled: Any, boreale: Any) -> None:
    job = ready(client.sign_in(filled.admin))
    client.get(f"/exports/{job.public_id}/file").close()
    for user in (filled.manager, filled.staff, boreale.admin):
        client.sign_in(user)
        client.get(f"/exports/{job.public_id}/file", status=404)
        client.post(f"/exports/{job.public_id}/fetch", status=404)
        client.post(f"/exports/{job.public_id}/cancel", status=404)
        client.get("/exports")
        assert job.filename not in client.text()
        client.get("/emails")
        assert not client.html.xpath("//*[@id='ready-exports']//form")


def test_staff_may_not_ask_for_large_ones(client: Any, filled: Any) -> None:
    client.sign_in(filled.staff)
    where = client.get("/emails?format=csv", status=303).headers["Location"]
    client.get(where)
    assert "responsable" in client.text() and not client.html.xpath("//form[@action='/exports']")
    client.post("/exports", {"format": "csv", "query": ""}, status=422)
    assert "responsable" in client.text() and not db.session.query(Export).count()
    ready(client, format_="xlsx", query="subject=n+1")  # a long workbook is not a large list


def test_cancelling_and_asking_again(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    job = ask(client, query="status=sent")
    client.post(f"/exports/{job.public_id}/cancel")
    client.get("/exports")
    assert "Annulé" in client.text() and "hx-trigger" not in str(client.html.xpath("//*[@id='export-list']/@*"))
    (again,) = client.html.xpath("//form[@action='/exports']")
    client.post("/exports", {field.name: field.value for field in again.xpath(".//input[@name]")})
    new = db.session.query(Export).order_by(Export.id.desc()).first()
    assert (new.id, new.query, new.format) != (job.id, "", "") and (new.query, new.format) == (job.query, job.format)
    client.get(f"/exports/{job.public_id}/file", status=404)


def test_expired_is_gone(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    job = ready(client)
    job.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
    client.get(f"/exports/{job.public_id}/file", status=410)
    export_jobs.expire()
    client.get(f"/exports/{job.public_id}/file", status=410)
    client.get("/exports")
    assert "Expiré" in client.text()


def test_progress_is_said(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    job = ask(client)
    job.state, job.row_count, job.done_count = ExportState.RUNNING, 300_000, 100_000
    job.started_at = datetime.now(UTC) - timedelta(minutes=2)
    db.session.commit()
    client.get("/exports")
    assert "100 000 sur 300 000 e-mails" in client.text()
    assert "Encore environ 4 minutes" in client.text()
    assert client.html.xpath("//progress[@value='100000'][@max='300000']")


@pytest.mark.parametrize("data", [{}, {"format": "pdf"}, {"format": "csv", "query": "a=1&" * 300}])
def test_nonsense_is_refused(client: Any, filled: Any, data: dict[str, str]) -> None:
    client.sign_in(filled.admin)
    client.post("/exports", data, status=400)


def test_a_foreign_scope_is_not_found(client: Any, filled: Any, boreale: Any) -> None:
    client.sign_in(boreale.admin)
    client.get("/exports/new?format=csv&in=C-zoe", status=404)
    client.post("/exports", {"format": "csv", "query": "in=C-zoe"}, status=404)


def test_the_columns_a_program_chose_stay(client: Any, filled: Any) -> None:
    client.sign_in(filled.admin)
    job = ready(client, query="columns=subject&columns=id&status=sent&columns=nonsense")
    assert job.query == "status=sent&columns=id&columns=subject"
    assert export_jobs.file_of(job).read_text().splitlines()[0] == "id,subject"
    client.get(f"/exports/new?format=csv&{job.query}")
    (form,) = client.html.xpath("//form[@action='/exports']")
    assert form.xpath(".//input[@name='query']/@value") == [job.query]
