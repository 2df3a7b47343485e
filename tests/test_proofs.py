"""The proof of an e-mail: what the archive holds, that it proves itself, who may take it, what is said where bytes are
gone; the check of a DKIM signature."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

import mail
from documents import blobs
from extensions import db
from history import proof
from mail import mime, record, signing
from mail.compose import Draft, File
from mail.fold import Fact
from mail.signature_check import Signature, check
from models import AuditAction, AuditEntry, Email, EmailContent, InboundMessage
from models.words import EventKind, Reason
from proofs import blocks, sheet
from proofs.sheet import Told
from proofs.taker import Taker
from tests.conftest import House

HOSTILE = "<b>Convocation</b> #eval(1) $x$"
RAW = b"Subject: Undelivered\r\n\r\n550 5.1.1 No such user\r\n"
PDF = b"%PDF-1.4 un plan"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sent(house: House) -> Email:
    """An e-mail with an attachment that left, then came back."""
    file = File.of("../Plan d'accès.pdf", blobs.store(PDF, "p.pdf"))
    draft = Draft("luc@client.example", "Luc Petit", None, None, "convocation", HOSTILE, "<p>Bonjour</p>", "Bonjour\n",
                  (file,))  # fmt: skip
    (email,) = mail.post([draft], organisation=house.organisation, sender=house.sender, by=house.staff, request_key="1")
    report = InboundMessage(
        organisation_id=house.id, sha256=hashlib.sha256(RAW).hexdigest(), mailbox="m", kind="bounce",
        outcome="applied", size=len(RAW), raw=RAW,
    )  # fmt: skip
    db.session.add(report)
    db.session.flush()
    now = datetime.now(UTC)
    record([
        Fact(email.id, EventKind.ACCEPTED, "smtp", "1", now, smtp_code=250, diagnostic="2.0.0 Ok: queued"),
        Fact(email.id, EventKind.BOUNCED, "dsn", "2", now, Reason.USER_UNKNOWN,
             diagnostic="550 5.1.1 " + "x" * 200, inbound_message_id=report.id),
    ])  # fmt: skip
    db.session.commit()
    return email


def taken(client: Any, email: Email) -> dict[str, bytes]:
    """The files of the archive, each proved by the list of digests."""
    answer = client.get(f"/emails/{email.public_id}/proof.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.get_data()))
    assert archive.testzip() is None
    files = {name: archive.read(name) for name in archive.namelist()}
    sums = dict(reversed(line.split("  ", 1)) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return files


NOW = datetime(2026, 11, 22, 8, 14, tzinfo=UTC)


def told(**changed: Any) -> Told:
    """What the page says besides the e-mail."""
    return Told(**{
        "message_id": "<a@b.example>", "intact": True, "signature": None,
        "story": [(NOW, "Demandé", "par Ada", ""), (NOW, "Refusé", "", "550 " + "x" * 300)],
        "log": [(NOW, "Ada", "Marqué comme traité")], "names": ["message.eml"],
    } | changed)  # fmt: skip


def words(email: Email, page: Told) -> str:
    """All that the page says, in one line."""
    found = proof.read(email.organisation_id, email.public_id)
    assert found is not None
    said = sheet.said(taker := Taker.of(email.organisation_id, "Mathieu", NOW), found, page)
    assert blocks.printed(taker, said).startswith(b"%PDF-1.")
    return re.sub(r"[\s\u202f]+", " ", json.dumps(said, ensure_ascii=False))


def test_it_holds_all_and_proves_itself(client: Any, cassiopee: House) -> None:
    email = sent(cassiopee)
    client.sign_in(cassiopee.manager).post(f"/emails/{email.public_id}/treated", {"note": "appelé"})
    client.get(f"/emails/{email.public_id}")
    assert f"/emails/{email.public_id}/proof.zip" in client.html.xpath("//a/@href")
    files = taken(client, email)
    report = db.session.scalars(select(InboundMessage)).one()
    assert list(files) == [
        f"Preuve {email.public_id}.pdf", "message.eml", "pieces-jointes/Plan d'accès.pdf",
        f"rapports/{report.public_id}.eml", "faits.json", "journal.csv",
    ]  # fmt: skip
    content = db.session.get_one(EmailContent, email.id)
    assert hashlib.sha256(files["message.eml"]).hexdigest() == content.sha256
    assert files["pieces-jointes/Plan d'accès.pdf"] == PDF and files[f"rapports/{report.public_id}.eml"] == RAW
    told_of = json.loads(files["faits.json"])
    assert [fact["kind"] for fact in told_of["facts"]] == ["requested", "accepted", "bounced"]
    assert told_of["facts"][2]["report"] == report.public_id and told_of["email"]["sha256"] == content.sha256
    assert told_of["email"]["subject"] == HOSTILE and told_of["taken_by"] == cassiopee.manager.name
    assert "appelé" in files["journal.csv"].decode("utf-8-sig")
    assert told_of["integrity"] == {"sha256_is_that_of_the_request": True, "dkim": None}
    assert files[f"Preuve {email.public_id}.pdf"].startswith(b"%PDF-1.")
    lines = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.PROOF_TAKEN)).all()
    assert [line.subject for line in lines] == [email.public_id]
    assert "Dossier de preuve téléchargé" in taken(client, email)["journal.csv"].decode("utf-8-sig")


def test_the_page_says_it_in_words(cassiopee: House, app: Any) -> None:
    email = sent(cassiopee)
    content = db.session.get_one(EmailContent, email.id)
    with app.test_request_context():
        page = words(email, told())
        for one in (HOSTILE, "luc@client.example", "Adresse inconnue", "rien n’a changé depuis la demande", "Mathieu",
                    content.sha256, "22/11/2026 09:14:00 +0100", "Marqué comme traité", "550 xxxx"):  # fmt: skip
            assert one in page, one
        assert "ATTENTION : les octets conservés" in words(email, told(intact=False))
        assert "il reste son empreinte" in words(email, told(intact=None))
        good = Signature("b.example", "s1", True, True)
        assert "Signature vérifiée" in words(email, told(signature=good))
        for bad in (replace(good, body=False), replace(good, headers=False)):
            assert "ATTENTION : la signature" in words(email, told(signature=bad))
        assert "n’est plus connue ici" in words(email, told(signature=replace(good, headers=None)))


def test_what_is_gone_is_said(client: Any, cassiopee: House) -> None:
    email = sent(cassiopee)
    content = db.session.get_one(EmailContent, email.id)
    content.sha256 = "0" * 64
    db.session.commit()
    client.sign_in(cassiopee.admin)
    assert json.loads(taken(client, email)["faits.json"])["integrity"]["sha256_is_that_of_the_request"] is False
    content.erased_at = datetime.now(UTC)
    db.session.commit()
    files = taken(client, email)
    assert not [name for name in files if name.startswith(("message", "pieces"))]
    assert json.loads(files["faits.json"])["integrity"]["sha256_is_that_of_the_request"] is None


def test_who_may(client: Any, cassiopee: House, boreale: House) -> None:
    email = sent(cassiopee)
    address = f"/emails/{email.public_id}/proof.zip"
    client.sign_in(cassiopee.staff).get(address, status=403)
    assert address not in client.get(f"/emails/{email.public_id}").get_data(as_text=True)
    client.sign_in(boreale.admin).get(address, status=404)
    client.sign_in(cassiopee.manager).get("/emails/E-nobody/proof.zip", status=404)


@pytest.fixture
def message(cassiopee: House) -> bytes:
    """A message as it leaves, signed."""
    file = File.of("Plan.pdf", blobs.store(PDF * 40, "p.pdf"))
    draft = Draft("luc@client.example", "Luc", None, None, "free", "Objet  long " * 9, "<p>é</p>", "é \n\n", (file,))
    frozen = mime.freeze(
        draft, cassiopee.sender, message_id="<a@b.example>", pixel_url=None, date=datetime(2026, 11, 22, tzinfo=UTC)
    )
    made = signing.stamped(frozen, signing.Signer("b.example", "s1", KEY))
    return mime.join(made.skeleton, made.cuts)


def test_a_signature_is_checked(message: bytes) -> None:
    der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def known(domain: str, selector: str) -> str:
        assert (domain, selector) == ("b.example", "s1")
        return b64encode(der).decode()

    good = check(message, known)
    assert good is not None and (good.body, good.headers) == (True, True)
    assert good.record == "s1._domainkey.b.example"
    assert check(message, lambda *_: None) == replace(good, headers=None)
    assert check(message.replace(b"luc@client", b"lea@client", 1), known) == replace(good, headers=False)
    assert check(message[:-40] + b"x" + message[-39:], known) == replace(good, body=False)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    theirs = b64encode(other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    for key in (theirs, "", "AAAA", "é"):
        assert check(message, lambda *_, key=key: key) == replace(good, headers=False)
    assert check(message.partition(b"\r\nMIME")[2], known) is None, "without a signature there is nothing to say"
