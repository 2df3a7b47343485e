"""Configuration › Conservation, and what pages and the API say of an e-mail whose content was erased."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from documents import blobs
from errors import UserMistake
from extensions import db
from mail.resend import ERASED, Ask, Mode, resend
from models import AuditAction, AuditEntry, DeliveryEvent, Email, InboundMessage, Retention
from models.words import EventKind
from planning import retention
from tests.client import Browser
from tests.conftest import House
from tests.documents.places import place
from tests.history.making import make_contact, make_email, make_session
from tests.program import Program

PAGE = "/settings/retention"


def long_ago(years: float = 6) -> datetime:
    return datetime.now(UTC) - years * timedelta(days=366)


def said_by(client: Browser) -> str:
    """The page's words, blanks and apostrophes as one types them."""
    return client.text().replace("\u202f", " ").replace("\u00a0", " ").replace("’", "'")


@pytest.fixture
def program(app: Flask, cassiopee: House) -> Program:
    return Program(app, cassiopee.admin)


@pytest.fixture
def gone(app: Flask, cassiopee: House, tmp_path: Path) -> Iterator[Email]:
    """An e-mail that carried a file and was answered by a report: all erased but the file, which another has."""
    with place(app, "folder", tmp_path):
        stored = blobs.store(b"%PDF-1.7 kept by another", "a.pdf")
        file = ("Bilan.pdf", stored.media_type, stored.sha256)
        session = make_session(cassiopee, "Ancienne")
        contact = make_contact(cassiopee, "Léa Petit")
        email = make_email(
            cassiopee, at=long_ago(), files=(file,), training_session_id=session.id, contact_id=contact.id,
            events=(EventKind.ACCEPTED,), html="<p>Le mot secret</p>",
        )  # fmt: skip
        make_email(cassiopee, files=(file,))
        report = InboundMessage(
            sha256="1" * 64, mailbox="m", outcome="applied", organisation_id=cassiopee.id, size=9, raw=b"Le mot secret"
        )
        db.session.add(report)
        db.session.flush()
        db.session.execute(
            update(DeliveryEvent).where(DeliveryEvent.email_id == email.id).values(inbound_message_id=report.id)
        )
        db.session.commit()
        assert retention.erase_old() == 1
        yield email


def test_a_shorter_rule_shows_what_it_would_erase_and_is_confirmed(client: Browser, cassiopee: House) -> None:
    make_email(cassiopee, at=long_ago(2.5), files=(("a.pdf", "application/pdf", "a" * 64),))
    client.sign_in(cassiopee.admin)
    client.get(PAGE)
    assert "Rien ne serait effacé aujourd'hui" in said_by(client)
    client.get(f"{PAGE}?years=2")
    assert "1 e-mail serait effacé" in said_by(client) and "avec 1 pièce jointe" in said_by(client)
    client.post(PAGE, data={"years": "2"}, status=422)
    assert db.session.get(Retention, cassiopee.id) is None
    client.post(PAGE, data={"years": "4", "sure": "1"}, status=422)
    client.post(PAGE, data={"years": "2", "sure": "1"}, status=303)
    rule = db.session.get_one(Retention, cassiopee.id)
    assert rule.years == 2 and rule.effective_at > datetime.now(UTC) + timedelta(hours=23)
    (line,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.RETENTION_CHANGED))
    assert line.data == {"years": [5, 2]}
    client.get(PAGE)
    assert "Rien n'est effacé avant le" in said_by(client)
    client.post(PAGE, data={"years": "10"}, status=303)
    assert db.session.get_one(Retention, cassiopee.id, populate_existing=True).years == 10


def test_only_admins_see_and_change_the_rule(client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.manager)
    client.get(PAGE, status=403)
    client.post(PAGE, data={"years": "10"}, status=403)


def test_an_opened_email_says_that_its_content_is_gone(client: Browser, cassiopee: House, gone: Email) -> None:
    client.sign_in(cassiopee.staff)
    for htmx in (False, True):
        page = client.get(f"/emails/{gone.public_id}", htmx=htmx).get_data(as_text=True)
        said = said_by(client)
        assert "Contenu effacé" in said and "règle de conservation (5" in said and "0" * 64 in said
        assert "Bilan.pdf" in said and "<iframe" not in page and "/source" not in page
        assert "/emails/new" in page


def test_nothing_of_it_is_given_by_any_way(client: Browser, cassiopee: House, gone: Email) -> None:
    client.sign_in(cassiopee.manager)
    here = f"/emails/{gone.public_id}"
    message = db.session.scalars(select(InboundMessage.id)).one()
    for path in ("/body", "/source", "/attachments/1", "/attachments/1/view", "/attachments/1/frame",
                 "/attachments/1/thumbnail", f"/messages/{message}", f"/messages/{message}.eml"):  # fmt: skip
        client.get(here + path, status=410)
        assert "Contenu effacé" in said_by(client) and "secret" not in said_by(client)
    taken = client.get(f"{here}/attachments.zip")
    names = zipfile.ZipFile(io.BytesIO(taken.data)).namelist()
    assert names == ["MANQUE.txt"]
    taken = client.get(f"{here}/proof.zip")
    proof = zipfile.ZipFile(io.BytesIO(taken.data))
    assert not [name for name in proof.namelist() if name.endswith((".eml", "Bilan.pdf"))]
    told = next(proof.read(name) for name in proof.namelist() if name.endswith(".json")).decode()
    assert '"content_erased_at": "2' in told and "0" * 64 in told
    taken = client.post("/emails/attachments.zip", data={"query": ""}, status=200)
    archive = zipfile.ZipFile(io.BytesIO(taken.data))
    assert sum("/Bilan - " in name for name in archive.namelist()) == 1
    assert "effacé par la règle de conservation" in archive.read("liste.csv").decode()


def test_a_copy_of_it_is_refused_and_it_may_be_made_anew(client: Browser, cassiopee: House, gone: Email) -> None:
    for mode in (Mode.COPY, Mode.LINK):
        with pytest.raises(UserMistake) as refused:
            resend(gone, by=cassiopee.admin, request_key="k", ask=Ask(mode=mode))
        assert refused.value.message == ERASED
        db.session.rollback()
    client.sign_in(cassiopee.admin)
    client.get(f"/emails/{gone.public_id}/resends/new")
    assert "Le contenu de cet e-mail n'est plus conservé" in said_by(client)


def test_a_program_is_told(program: Program, cassiopee: House, gone: Email) -> None:
    found = program.get(f"/emails/{gone.public_id}")
    assert found["content_erased_at"] and found["sha256"] == "0" * 64 and found["attachment_count"] == 1
    for path in ("/source", "/attachments/1"):
        assert program.get(f"/emails/{gone.public_id}{path}", status=410)["status"] == 410
    other = next(one for one in program.get("/emails")["items"] if one["id"] != gone.public_id)
    assert program.get(f"/emails/{other['id']}")["content_erased_at"] is None
