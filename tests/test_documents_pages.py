"""Gestion of a session on screen: documents made, looked at, fetched, uploaded, sent; what was sent does not change."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

import jobs
from documents import blobs, runs, store
from extensions import db
from mail import mime
from models import Attachment, Contact, Document, DocumentKind, Email, EmailContent, TrainingSession
from models.document import DocumentRun
from models.words import ContactKind
from people import training
from tests.client import Browser
from tests.conftest import House
from tests.documents.test_store import a_session, person
from tests.documents.test_store import run as run
from tests.test_compose_pages import fields, multipart


@pytest.fixture
def staff(client: Browser, cassiopee: House) -> Browser:
    return client.sign_in(cassiopee.staff)


def here(run: TrainingSession, slug: str = "convocation", more: str = "") -> str:
    return f"/sessions/{run.public_id}/documents/{slug}{more}"


def learners(run: TrainingSession) -> list[Contact]:
    return training.participants(run)[ContactKind.LEARNER]


def documents() -> int:
    return db.session.scalars(select(func.count()).select_from(Document)).one()


def send(browser: Browser, address: str, **changes: Any) -> None:
    browser.get(address)
    browser.post(address, fields(browser) | {"step": "send"} | changes)


def test_the_page_says_who_has_what_and_makes_it(staff: Browser, run: TrainingSession) -> None:
    staff.get(here(run))
    assert staff.text().count("Jamais envoyé") == 3 and "Générer 3 documents manquants" in staff.text()
    one = learners(run)[0]
    staff.post(here(run), {"one": one.public_id})
    assert documents() == 1
    staff.get(here(run))
    assert "1 document généré" in staff.text() and "Générer 2 documents manquants" in staff.text()
    staff.post(here(run), {"do": "missing"})
    assert documents() == 3
    staff.post(here(run), {"do": "selected", "people": [one.public_id]})
    assert documents() == 4
    staff.post(here(run), {"do": "all"})
    assert documents() == 7
    staff.post(here(run), {"do": "selected"}, status=422)
    assert "Choisissez au moins une personne" in staff.text()
    response = staff.post(here(run), {"do": "send", "people": [c.public_id for c in learners(run)[:2]]})
    staff.get(response.location)
    assert fields(staff)["people"] == [c.public_id for c in learners(run)[:2]]
    staff.get(f"/sessions/{run.public_id}/documents")
    assert "3 / 3" in staff.text() and "0 / 1" in staff.text()


def test_a_document_is_seen_and_fetched(staff: Browser, run: TrainingSession) -> None:
    one = learners(run)[0]
    staff.get(here(run, more=f"/preview?contact={one.public_id}"))
    assert "rien n’est encore gardé" in staff.text()
    (address,) = staff.html.xpath("//iframe/@src")
    seen = staff.get(address)
    assert seen.data.startswith(b"%PDF") and "inline" in seen.headers["Content-Disposition"]
    assert "frame-ancestors 'self'" in seen.headers["Content-Security-Policy"] and documents() == 0
    staff.post(here(run), {"one": one.public_id})
    document = db.session.scalars(select(Document)).one()
    file = f"/sessions/{run.public_id}/documents/files/{document.public_id}"
    assert staff.get(file).data == blobs.read(document.sha256)
    kept = staff.get(file + "?download=1")
    assert kept.headers["Content-Disposition"].startswith("attachment") and kept.data == blobs.read(document.sha256)
    staff.get(here(run, more=f"/preview?contact={one.public_id}"))
    assert "Il dit la même chose" in staff.text()
    run.place = "Ailleurs"
    db.session.commit()
    staff.get(here(run, more=f"/preview?contact={one.public_id}"))
    assert "il diffère de celui du" in staff.text()
    staff.get(here(run))
    assert "à générer de nouveau" in staff.text()
    trainer = training.participants(run)[ContactKind.TRAINER][0]
    for wrong in (f"?contact={trainer.public_id}", "?contact=C-nobody", ""):
        staff.get(here(run, more=f"/preview{wrong}"), status=404)
    staff.get(here(run, "invoice", f"/preview?contact={one.public_id}"), status=404)
    staff.get(here(run, "uploaded", "/preview"), status=404)
    staff.get(here(run, "nonsense"), status=404)


def test_a_document_of_the_whole_session(staff: Browser, run: TrainingSession) -> None:
    staff.get(here(run, "programme"))
    assert "Pas encore généré" in staff.text() and len(staff.html.xpath("//tbody/tr")) == 6
    staff.post(here(run, "programme"), {"do": "all"})
    assert documents() == 1
    staff.get(here(run, "programme"))
    assert "Programme APS-1.pdf" in staff.text()
    staff.get(here(run, "programme", "/preview"))
    assert staff.get(staff.html.xpath("//iframe/@src")[0]).data.startswith(b"%PDF")


def test_an_invoice_without_a_price_says_what_to_do(staff: Browser, run: TrainingSession) -> None:
    run.price = None
    db.session.commit()
    company = training.participants(run)[ContactKind.COMPANY][0]
    staff.post(here(run, "invoice"), {"do": "all"}, status=422)
    assert "Indiquez d’abord le prix de la session" in staff.text() and documents() == 0
    staff.get(here(run, "invoice", f"/preview?contact={company.public_id}"))
    assert "Indiquez d’abord le prix de la session" in staff.text()


def test_what_was_sent_never_changes_and_the_page_says_when_it_is_no_longer_true(
    staff: Browser, run: TrainingSession
) -> None:
    send(staff, here(run, more="/emails/new"))
    emails = db.session.scalars(select(Email).order_by(Email.id)).all()
    assert len(emails) == 3 and documents() == 3
    content = db.session.get_one(EmailContent, emails[0].id)
    before = (content.sha256, mime.join(content.skeleton, content.cuts))
    sent = db.session.scalars(select(Attachment.sha256).where(Attachment.email_id == emails[0].id)).one()
    bytes_sent = blobs.read(sent)
    staff.get(here(run))
    assert "modifié depuis l’envoi" not in staff.text() and len(staff.html.xpath("//*[@data-status]")) == 3
    run.modules[0].starts_at += timedelta(minutes=30)
    db.session.commit()
    staff.get(here(run))
    assert staff.text().count("modifié depuis l’envoi") == 3
    staff.post(here(run), {"do": "all"})
    assert documents() == 6
    staff.get(here(run))
    assert staff.text().count("modifié depuis l’envoi") == 3, "making it again does not send it"
    db.session.expire_all()
    content = db.session.get_one(EmailContent, emails[0].id)
    assert (content.sha256, mime.join(content.skeleton, content.cuts)) == before
    assert blobs.read(sent) == bytes_sent
    one = learners(run)[0]
    send(staff, here(run, more=f"/emails/new?people={one.public_id}"))
    staff.get(here(run))
    assert staff.text().count("modifié depuis l’envoi") == 2


def test_several_documents_go_with_one_email(staff: Browser, run: TrainingSession, cassiopee: House) -> None:
    first, second = learners(run)[:2]
    upload = blobs.store(b"plan", "plan.txt")
    plan = store.keep(run, DocumentKind.UPLOADED, None, upload, "Plan.txt", cassiopee.staff)
    own = store.keep(run, DocumentKind.UPLOADED, second, blobs.store(b"own", "o.txt"), "Pour vous.txt", cassiopee.staff)
    db.session.commit()
    address = here(run, more=f"/emails/new?people={first.public_id},{second.public_id}")
    staff.get(address)
    form = fields(staff)
    assert form["attached"] == ["convocation"]
    form |= {"attached": ["convocation", "programme", plan.public_id, own.public_id, "D-nobody", "nonsense"]}
    staff.post(address, form | {"step": "preview"}, status=200)
    assert "sera généré à l’envoi" in staff.text() and "Programme APS-1.pdf" in staff.text()
    carried = fields(staff)
    assert carried["attached"] == ["convocation", "programme", plan.public_id, own.public_id]
    assert documents() == 2, "a preview makes nothing"
    staff.post(address, carried | {"step": "send"})
    staff.post(address, carried | {"step": "send"})
    emails = db.session.scalars(select(Email).order_by(Email.id)).all()
    names = [
        list(db.session.scalars(
            select(Attachment.filename).where(Attachment.email_id == email.id).order_by(Attachment.position)
        ))
        for email in emails
    ]  # fmt: skip
    assert names == [
        ["Convocation APS-1.pdf", "Programme APS-1.pdf", "Plan.txt"],
        ["Joining instructions APS-1.pdf", "Programme APS-1.pdf", "Plan.txt", "Pour vous.txt"],
    ]
    staff.get(here(run, "programme"))
    assert len(staff.html.xpath("//*[@data-status]")) == 2, "the programme went with the convocation"


def test_only_those_who_miss_it_are_ticked(staff: Browser, run: TrainingSession) -> None:
    one, *others = learners(run)
    send(staff, here(run, more=f"/emails/new?people={one.public_id}"))
    staff.get(here(run))
    assert "Envoyer aux 2 qui ne l’ont pas" in staff.text()
    staff.get(here(run, more="/emails/new"))
    assert fields(staff)["people"] == [contact.public_id for contact in others]
    staff.get(here(run, more="/emails/new?who=all"))
    assert len(fields(staff)["people"]) == 3


def test_files_are_put_in_place_and_withdrawn(staff: Browser, run: TrainingSession) -> None:
    def upload(slug: str, data: bytes, name: str, status: int = 303, **form: str) -> None:
        body, kind = multipart(form)
        from werkzeug.datastructures import FileStorage, MultiDict
        from werkzeug.test import encode_multipart

        parts = MultiDict({**form, "file": FileStorage(io.BytesIO(data), name, "file")})
        boundary, body = encode_multipart(parts)
        kind = f"multipart/form-data; boundary={boundary}"
        staff.post(here(run, slug, "/uploads"), body, content_type=kind, status=status)

    upload("rules", b"%PDF-1.4 ours", "../../Règlement maison.pdf")
    document = db.session.scalars(select(Document)).one()
    assert (document.filename, document.facts_sha256, document.blob.media_type) == (
        "Règlement maison.pdf", "", "application/pdf",
    )  # fmt: skip
    staff.get(here(run, "rules"))
    assert "Règlement maison.pdf" in staff.text() and "Déposé le" in staff.text()
    file = f"/sessions/{run.public_id}/documents/files/{document.public_id}"
    staff.post(file + "/withdraw")
    db.session.refresh(document)
    assert document.withdrawn_at is not None and blobs.read(document.sha256) == b"%PDF-1.4 ours"
    one = learners(run)[0]
    upload("uploaded", b"<script>alert(1)</script>", "page.html", contact=one.public_id)
    page = db.session.scalars(select(Document).where(Document.kind == DocumentKind.UPLOADED)).one()
    got = staff.get(f"/sessions/{run.public_id}/documents/files/{page.public_id}")
    assert got.headers["Content-Disposition"].startswith("attachment"), "a stranger's page is never shown in place"
    assert got.headers["Content-Type"] == "application/octet-stream" and "nosniff" in got.headers.values()
    upload("uploaded", b"", "vide.txt", 422)
    assert "Ce fichier est vide" in staff.text()
    upload("uploaded", b"x", "a\u202efdp.exe", 422)
    upload("convocation", b"x", "a.txt", 404)
    staff.post(here(run, "uploaded", "/uploads"), {}, status=422)
    assert "Choisissez un fichier" in staff.text()
    made = store.generate(DocumentKind.PROGRAMME, run, [], None)[0]
    db.session.commit()
    staff.post(f"/sessions/{run.public_id}/documents/files/{made.public_id}/withdraw", status=404)


def test_all_at_once_is_for_managers(client: Browser, run: TrainingSession, cassiopee: House) -> None:
    made = store.generate(DocumentKind.CONVOCATION, run, learners(run), None)
    db.session.commit()
    client.sign_in(cassiopee.staff)
    client.get(here(run, more="/all.zip"), status=403)
    client.get(here(run))
    assert "Tout télécharger" not in client.text()
    client.sign_in(cassiopee.manager)
    response = client.get(here(run, more="/all.zip"))
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        assert sorted(archive.namelist()) == [
            "Convocation APS-1 - Camille Bernard.pdf", "Joining instructions APS-1 - Karim Haddad.pdf",
            "Joining instructions APS-1 - Paul Lemaire.pdf",
        ]  # fmt: skip
        assert {archive.read(name) for name in archive.namelist()} == {blobs.read(d.sha256) for d in made}
    client.get(here(run, "certificate", "/all.zip"), status=404)


def test_another_organisation_finds_nothing(
    client: Browser, run: TrainingSession, cassiopee: House, boreale: House
) -> None:
    document = store.generate(DocumentKind.CONVOCATION, run, learners(run)[:1], None)[0]
    theirs = a_session(boreale)
    db.session.commit()
    client.sign_in(boreale.admin)
    file = f"documents/files/{document.public_id}"
    for path in ("documents", "documents/convocation", "documents/convocation/all.zip", file,
                 "documents/convocation/changed", "documents/convocation/emails/new"):  # fmt: skip
        client.get(f"/sessions/{run.public_id}/{path}", status=404)
        if path == file:
            client.get(f"/sessions/{theirs.public_id}/{path}", status=404)
    one = learners(run)[0].public_id
    client.get(f"/sessions/{theirs.public_id}/documents/convocation/preview?contact={one}", status=404)
    client.post(f"/sessions/{run.public_id}/{file}/withdraw", status=404)
    client.post(f"/sessions/{theirs.public_id}/{file}/withdraw", status=404)
    client.post(here(theirs), {"one": one}, status=422)
    assert documents() == 1


def test_hundreds_are_made_by_a_job_that_says_how_far_it_is(
    app: Flask, staff: Browser, cassiopee: House
) -> None:  # fmt: skip
    run = a_session(cassiopee)
    people = [person(cassiopee, ContactKind.LEARNER, f"Personne {n:03}") for n in range(runs.IN_A_REQUEST + 4)]
    training.enrol(run, people)
    db.session.commit()
    staff.post(here(run), {"do": "all"})
    staff.post(here(run), {"do": "all"})
    assert documents() == 0
    asked = db.session.scalars(select(DocumentRun)).one()
    assert app.extensions["redis"].llen("rq:queue:work") == 1, "rung"
    staff.get(here(run))
    assert f"0 documents générés sur {len(people)}" in staff.text()
    poll = staff.html.xpath("string(//*[@id='live']/@hx-get)")
    assert runs.work(stop=iter([False, True]).__next__) == 10, "told to stop, it leaves the rest for later"
    response = staff.get(poll, htmx=True)
    assert f"10 documents générés sur {len(people)}" in staff.text() and response.status_code == 200
    jobs.make_documents()
    db.session.refresh(asked)
    assert asked.finished_at is not None and documents() == len(people)
    newest = store.current(run, DocumentKind.CONVOCATION)
    assert set(newest) == {contact.id for contact in people}
    staff.get(poll, htmx=True, status=286)
    assert runs.work() == 0


def test_a_run_that_cannot_go_on_says_why(staff: Browser, cassiopee: House) -> None:
    run = a_session(cassiopee)
    company = person(cassiopee, ContactKind.COMPANY, "Mairie")
    training.enrol(run, [company])
    asked = runs.ask(DocumentKind.INVOICE, run, [company], cassiopee.staff)
    db.session.commit()
    runs.work()
    db.session.refresh(asked)
    assert asked.finished_at is not None and documents() == 0
    staff.get(here(run, "invoice"))
    assert "La génération s’est arrêtée" in staff.text() and "prix" in staff.text()


def test_the_live_lines_stop_when_all_is_final(staff: Browser, run: TrainingSession) -> None:
    staff.get(here(run))
    assert not staff.html.xpath("//*[@id='live']/@hx-get"), "nothing was sent: nothing to ask"
    send(staff, here(run, more="/emails/new"))
    staff.get(here(run))
    poll = staff.html.xpath("string(//*[@id='live']/@hx-get)")
    quiet = staff.get(poll, htmx=True)
    assert b"<td" not in quiet.data
    db.session.execute(Email.__table__.update().values(status="delivered", updated_at=func.now()))
    db.session.commit()
    staff.get(poll, htmx=True)
    assert len(staff.html.xpath("//td[@hx-swap-oob]//*[@data-status='delivered']")) == 3
    db.session.execute(Email.__table__.update().values(status="opened"))
    db.session.commit()
    staff.get(poll, htmx=True, status=286)


def test_a_page_asks_as_much_for_three_as_for_thirty(staff: Browser, run: TrainingSession, cassiopee: House) -> None:
    def statements(slug: str) -> int:
        asked: list[str] = []

        def listen(*args: Any) -> None:
            asked.append(args[2])

        event.listen(db.engine, "before_cursor_execute", listen)
        staff.get(here(run, slug))
        event.remove(db.engine, "before_cursor_execute", listen)
        return len(asked)

    store.generate(DocumentKind.CONVOCATION, run, learners(run), None)
    db.session.commit()
    send(staff, here(run, more="/emails/new?who=all"))
    few = {slug: statements(slug) for slug in ("convocation", "programme", "convention", "invoice", "uploaded")}
    more = [person(cassiopee, ContactKind.LEARNER, f"Personne {n}") for n in range(27)]
    training.enrol(run, more)
    db.session.commit()
    store.generate(DocumentKind.CONVOCATION, run, more, None)
    db.session.commit()
    send(staff, here(run, more="/emails/new?who=all"))
    assert {slug: statements(slug) for slug in few} == few
    assert max(few.values()) <= 16, json.dumps(few)
