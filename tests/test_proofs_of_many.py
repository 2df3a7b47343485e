"""The proofs of a list in one archive: a folder an e-mail, each whole by itself; at once or by a job; who may; what is
lost; how little of it is held."""

from __future__ import annotations

import csv
import gc
import hashlib
import io
import re
import tracemalloc
import zipfile
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import jobs
import mail
from documents import blobs
from extensions import db, settings
from history import HistoryFilter, Scope, export_jobs
from i18n import LANGUAGES
from mail import mime
from mail.compose import Draft, File
from models import AuditAction, AuditEntry, Email, Export
from models.words import ExportState
from proofs import many
from tests.conftest import House
from tests.documents.places import place
from tests.documents.test_vault import spoil
from tests.history.making import make_contact, make_email, make_session
from tests.history.test_archive import kept

HOSTILE = "../../..\\Zoé\u202e <b>#eval(1)</b>"
PDF = b"%PDF-1.4 un plan"


def sent(house: House, count: int = 2, session: Any = None, **changed: Any) -> list[Email]:
    """E-mails that left, each with a file of its own."""
    drafts = [
        Draft(f"n{n}@client.example", changed.get("name", f"Nom {n}"), None, session and session.id, "convocation",
              f"Convocation {n}", "<p>Bonjour</p>", "Bonjour\n",
              (File.of("Plan.pdf", blobs.store(PDF + bytes([n]) * 40, "p.pdf")),))
        for n in range(count)
    ]  # fmt: skip
    made = mail.post(drafts, organisation=house.organisation, sender=house.sender, by=house.staff, request_key="1")
    db.session.commit()
    return list(made)


def opened(data: bytes) -> dict[str, bytes]:
    """The members of an archive, every digest computed again: those of the whole, and those of each folder."""
    book = zipfile.ZipFile(io.BytesIO(data))
    assert book.testzip() is None
    files = {name: book.read(name) for name in book.namelist()}
    for name in [one for one in files if one.endswith("SHA256SUMS")]:
        folder = name.removesuffix("SHA256SUMS")
        lines = [line.split("  ", 1) for line in files[name].decode().splitlines() if line[0] != "#"]
        held = {one.removeprefix(folder) for one in files if one.startswith(folder)} - {"SHA256SUMS"}
        lost = {line[2:].partition(": ")[0] for line in files[name].decode().splitlines() if line[0] == "#"}
        assert {one for _digest, one in lines} | (lost & held) == held, name
        for digest, one in lines:
            assert hashlib.sha256(files[folder + one]).hexdigest() == digest, one
    return files


def listed(files: dict[str, bytes], name: str = "liste.csv") -> list[dict[str, str]]:
    text = files[name].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if name == "liste.csv" else ","))


def take(client: Any, query: str) -> Any:
    """The archive of that list, at once."""
    return client.post("/emails/proofs.zip", {"query": query}, status=200)


def folders(files: dict[str, bytes]) -> list[str]:
    return sorted({name.partition("/")[0] for name in files if "/" in name})


def of(house: House, now: datetime | None = None, **asked: str) -> many.Wanted:
    filter_ = HistoryFilter.from_query(list(asked.items()))
    return many.wanted(Scope(house.id, zone="Europe/Paris"), filter_, now or datetime.now(UTC))


def archive_of(house: House, ids: array[int], more: bool = False) -> bytes:
    asked = many.Asked(house.id, "Mathieu", datetime.now(UTC), "", "Tous les e-mails", more)
    return b"".join(many.stream(asked, ids))


def test_a_session_proves_itself(client: Any, cassiopee: House) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    emails = sent(cassiopee, session=session)
    make_email(cassiopee, subject="of nothing")
    client.sign_in(cassiopee.manager).get(f"/emails/proofs?in={session.public_id}")
    assert "Session : Sécurité incendie" in client.text()
    (form,) = client.html.xpath("//form[@action='/emails/proofs.zip']")
    answer = take(client, form.xpath(".//input[@name='query']/@value")[0])
    name = answer.headers["Content-Disposition"]
    assert re.search(r'filename="preuves_securite-incendie_\d{4}-\d\d-\d\d_\d{4}\.zip"', name), name
    files = opened(answer.get_data())
    assert list(files)[-3:] == ["liste.csv", "Synthèse.pdf", "SHA256SUMS"]
    lines = listed(files)
    assert [line["Numéro de l’e-mail"] for line in lines] == [one.public_id for one in reversed(emails)]
    assert [line["Intact"] for line in lines] == ["oui", "oui"] and not any(line["Remarque"] for line in lines)
    assert sorted(line["Dossier"] for line in lines) == folders(files)
    for line in lines:
        own, number = line["Dossier"], line["Numéro de l’e-mail"]
        assert number in own and f"{own}/Preuve {number}.pdf" in files and f"{own}/pieces-jointes/Plan.pdf" in files
        assert hashlib.sha256(files[f"{own}/message.eml"]).hexdigest() == line["SHA-256"]
    assert files["Synthèse.pdf"].startswith(b"%PDF-1.")
    (kept,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.PROOF_TAKEN))
    assert (kept.subject, set(kept.also)) == (session.public_id, {one.public_id for one in emails})
    assert kept.data["emails"] == 2
    again = opened(take(client, f"in={session.public_id}").data)
    log = again[f"{lines[0]['Dossier']}/journal.csv"].decode("utf-8-sig")
    assert "Dossier de preuve téléchargé" in log and "Tous les e-mails" in log and "in=S-" not in log


def test_the_filter_and_the_selection_decide(client: Any, cassiopee: House) -> None:
    first, second = sent(cassiopee)
    client.sign_in(cassiopee.manager)
    files = opened(take(client, "recipient=n1").data)
    assert [line["Numéro de l’e-mail"] for line in listed(files)] == [second.public_id]
    client.get("/emails")
    assert "/emails/proofs?" in client.html.xpath("//*[@id='exports']//a/@href")
    assert client.html.xpath("//form[@id='pick']//button[@value='proof']")
    chosen = {"number": first.public_id, "which": "chosen", "export": "proof", "query": ""}
    where = client.post("/selections", chosen, status=303).headers["Location"]
    client.get(client.get(where, status=303).headers["Location"])
    (form,) = client.html.xpath("//form[@action='/emails/proofs.zip']")
    files = opened(take(client, form.xpath(".//input[@name='query']/@value")[0]).data)
    assert [line["Numéro de l’e-mail"] for line in listed(files)] == [first.public_id]
    client.post("/emails/proofs.zip", {"query": "recipient=nobody"}, status=422)
    assert "il n’y a rien à prouver" in client.text()
    client.get("/emails/proofs?" + "&".join(f"subject={n}" for n in range(300)), status=400)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(many, "AT_ONCE", 1)
    yield
    for path in settings().places.exports.glob("X-*"):
        export_jobs.remove(path.name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_many_are_a_jobs(client: Any, cassiopee: House, few: None, language: str) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    emails = sent(cassiopee, session=session)
    cassiopee.manager.language = language
    db.session.commit()
    client.sign_in(cassiopee.manager).get(f"/emails/proofs?in={session.public_id}")
    assert ("Préparer le dossier" if language == "fr" else "Prepare the proof") in client.text()
    where = client.post("/emails/proofs.zip", {"query": f"in={session.public_id}"}, status=303).headers["Location"]
    assert where == "/exports"
    jobs.export()
    db.session.expire_all()
    job = db.session.scalars(select(Export)).one()
    assert (job.state, job.row_count, job.done_count) == (ExportState.READY, 2, 2), job.error
    client.get("/exports")
    assert ("Dossier de preuve (ZIP)" if language == "fr" else "Proof (ZIP)") in client.text()
    answer = client.get(f"/exports/{job.public_id}/file")
    files = opened(answer.get_data())
    answer.close()
    assert ("Synthèse.pdf" if language == "fr" else "Summary.pdf") in files and job.filename.startswith("preuves_secur")
    numbers = listed(files, "liste.csv") if language == "fr" else listed(files, "list.csv")
    assert len(numbers) == 2 and len(folders(files)) == len(emails)
    kept = [line.action for line in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
    assert kept[-2:] == [AuditAction.EXPORT_ASKED, AuditAction.PROOF_TAKEN]
    cassiopee.manager.role = cassiopee.staff.role  # no manager any more
    db.session.commit()
    client.get(f"/exports/{job.public_id}/file", status=403)
    client.post("/exports", {"format": "proof", "query": ""}, status=403)


def test_a_job_that_died_is_made_anew(client: Any, cassiopee: House, few: None) -> None:
    sent(cassiopee, 3)
    client.sign_in(cassiopee.admin).post("/emails/proofs.zip", {"query": ""})
    job = db.session.scalars(select(Export)).one()
    export_jobs.part_of(job.public_id).parent.mkdir(parents=True, exist_ok=True)
    export_jobs.part_of(job.public_id).write_bytes(b"what a dead worker left" * 100_000)
    jobs.export()
    db.session.expire_all()
    assert len(folders(opened(export_jobs.file_of(job).read_bytes()))) == 3
    assert not export_jobs.part_of(job.public_id).exists()


def test_who_may(client: Any, cassiopee: House, boreale: House) -> None:
    session = make_session(cassiopee, "Sécurité")
    sent(cassiopee, session=session)
    here = f"/emails/proofs?in={session.public_id}"
    client.sign_in(cassiopee.staff).get(here, status=403)
    client.post("/emails/proofs.zip", {"query": ""}, status=403)
    client.get("/emails?format=proof", status=403)
    client.get("/emails")
    assert "proof" not in str(client.html.xpath("//*[@id='exports']//a/@href | //form[@id='pick']//button/@value"))
    client.sign_in(boreale.admin).get(here, status=404)
    client.post("/emails/proofs.zip", {"query": f"in={session.public_id}"}, status=404)
    client.get("/emails/proofs")
    assert "il n’y a rien à prouver" in client.text()


def test_ids_of_another_house_hold_nothing(app: Any, cassiopee: House, boreale: House) -> None:
    ids = of(cassiopee, subject="Convocation").ids or array("q", [one.id for one in sent(cassiopee)])
    files = opened(archive_of(boreale, ids))
    assert not folders(files) and not listed(files)


def test_hostile_names_lead_nowhere(app: Any, cassiopee: House, tmp_path: Path) -> None:
    sent(cassiopee, name=HOSTILE)
    make_email(cassiopee, name=HOSTILE, files=(kept(PDF, "../../C:\\nul\u202efdp.exe"),))
    data = archive_of(cassiopee, of(cassiopee).ids)
    book = zipfile.ZipFile(io.BytesIO(data))
    for name in book.namelist():
        assert not name.startswith("/") and "\\" not in name and ".." not in name and name.isprintable()
        assert Path(book.extract(name, tmp_path)).resolve().is_relative_to(tmp_path)
    assert len(folders(opened(data))) == 3


def test_a_file_that_fails_midway_is_said_everywhere(app: Any, cassiopee: House, tmp_path: Path) -> None:
    with place(app, "folder", tmp_path):
        whole, hurt = sent(cassiopee)
        spoil(None, tmp_path, hashlib.sha256(PDF + bytes([1]) * 40).hexdigest(), PDF + bytes([1]) * 39 + b"x")
        mime._encoded.clear()  # what this process remembers of it
        files = opened(archive_of(cassiopee, of(cassiopee).ids))
    lines = {line["Numéro de l’e-mail"]: line for line in listed(files)}
    assert (lines[whole.public_id]["Intact"], lines[hurt.public_id]["Intact"]) == ("oui", "non")
    assert lines[hurt.public_id]["Remarque"] == "perdu ou abîmé\u00a0: pieces-jointes/Plan.pdf"
    folder = lines[hurt.public_id]["Dossier"]
    assert f"{folder}/message.eml" not in files and f"{folder}/faits.json" in files
    assert "# pieces-jointes/Plan.pdf: lost or damaged" in files[f"{folder}/SHA256SUMS"].decode()
    assert f"# {folder}/pieces-jointes/Plan.pdf: lost or damaged" in files["SHA256SUMS"].decode()


def test_a_list_longer_than_one_archive_says_so(
    app: Any, client: Any, cassiopee: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        make_email(cassiopee, ago=timedelta(days=n))
    monkeypatch.setattr(many, "MOST", 3)
    found = of(cassiopee)
    assert (len(found.ids), found.more) == (3, True)
    client.sign_in(cassiopee.manager).get("/emails/proofs")
    assert "le dossier s’arrête là" in client.text()
    monkeypatch.setattr(many, "MOST", 4)
    assert (len(of(cassiopee).ids), of(cassiopee).more) == (4, False)


def test_a_contacts_name_names_the_archive(client: Any, cassiopee: House) -> None:
    contact = make_contact(cassiopee, "Zoé Martin")
    make_email(cassiopee, contact_id=contact.id)
    client.sign_in(cassiopee.manager)
    answer = take(client, f"in={contact.public_id}")
    assert "preuves_zoe-martin_" in answer.headers["Content-Disposition"]
    assert len(folders(opened(answer.get_data()))) == 1


def test_memory_does_not_grow_with_the_emails(app: Any, cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held after sixty e-mails is what was held after ten: all but the list at the archive's end, and what the
    page lists."""
    ids, held, count = array("q", [one.id for one in sent(cassiopee, 2)]), [], many.Tally.count

    def counted(tally: many.Tally, *facts: Any) -> None:
        count(tally, *facts)
        if tally.held in (10, 60):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    archive_of(cassiopee, ids)  # what is kept for good
    monkeypatch.setattr(many.Tally, "count", counted)
    tracemalloc.start()
    asked = many.Asked(cassiopee.id, "Mathieu", datetime.now(UTC), "", "")
    whole = sum(len(chunk) for chunk in many.stream(asked, ids * 30))
    assert whole > 60 * 20_000
    tracemalloc.stop()
    assert held[1] - held[0] < whole / 2, (held, whole)  # fifty of sixty held would be five sixths of it


def test_a_reader_who_leaves_leaves_nothing_behind(app: Any, cassiopee: House) -> None:
    """Between two chunks no connection is held, and an archive that nobody reads to its end closes what it opened."""
    ids = array("q", [one.id for one in sent(cassiopee)])
    db.session.rollback()
    out = db.engine.pool.checkedout()  # type: ignore[attr-defined]
    chunks = many.stream(many.Asked(cassiopee.id, "Mathieu", datetime.now(UTC), "", ""), ids)
    for _ in range(12):
        next(chunks)
        assert db.engine.pool.checkedout() == out  # type: ignore[attr-defined]
    chunks.close()  # type: ignore[attr-defined]
    gc.collect()  # warnings are errors: a spool left open would be one
    assert db.engine.pool.checkedout() == out  # type: ignore[attr-defined]
