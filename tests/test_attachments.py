"""The files of e-mails in pages: looked at, taken, by whom; what is hostile or lost in them."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from documents import blobs
from extensions import db
from extensions import settings as config
from models import AuditAction, AuditEntry
from tests.client import Browser
from tests.history.making import make_email, make_session
from tests.history.test_archive import kept

PDF = b"%PDF-1.4\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + bytes(30)
BOMB = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64_000, 48_000) + bytes(30)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
SHEET = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + bytes(40)
HOSTILE = '../../<img src=x onerror=alert(1)>\u202e"gpj.pdf'
READ = HOSTILE.replace("\u202e", "\ufffd")


def carrying(house: Any, *files: tuple[bytes, str], **values: Any) -> Any:
    return make_email(house, files=tuple(kept(data, name) for data, name in files), **values)


def test_an_opened_email_lists_its_files(client: Browser, cassiopee: Any) -> None:
    email = carrying(cassiopee, (PDF, "Convocation.pdf"), (PNG, "Plan.png"), (SHEET, "Émargement.xlsx"), (PDF, HOSTILE))
    client.sign_in(cassiopee.staff)
    client.get(f"/emails/{email.public_id}")
    shown = client.html.xpath("//section[@class='attached']")[0]
    assert [li.xpath("string(.//bdi)") for li in shown.xpath(".//li")] == [
        "Convocation.pdf", "Plan.png", "Émargement.xlsx", READ,
    ]  # fmt: skip
    here = f"/emails/{email.public_id}/attachments"
    assert shown.xpath(".//li[1]//a/@href") == [f"{here}/1/view", f"{here}/1/view", f"{here}/1?download=1"]
    assert shown.xpath(".//li[3]//a/@href") == [f"{here}/3?download=1", f"{here}/3?download=1"]
    assert shown.xpath(".//li[2]//img/@src") == [f"{here}/2/thumbnail"] and not shown.xpath(".//li[1]//img")
    assert shown.xpath(".//iframe/@src") == [f"{here}/{n}/frame" for n in (1, 2, 4)]
    assert all(frame.get("loading") == "lazy" and frame.get("title") for frame in shown.xpath(".//iframe"))
    assert shown.xpath(".//p//a/@href") == [f"/emails/{email.public_id}/attachments.zip"]
    opened = client.get(f"/emails/{email.public_id}?list=global", htmx=True).text
    assert opened.count("<dialog") == 3


def test_a_file_is_looked_at_on_a_page_of_its_own(client: Browser, cassiopee: Any) -> None:
    email = carrying(cassiopee, (PDF, "Convocation.pdf"), (PNG, "Plan.png"), (SHEET, HOSTILE))
    client.sign_in(cassiopee.staff)
    here = f"/emails/{email.public_id}/attachments"
    client.get(f"{here}/2/view")
    assert client.html.xpath("//iframe/@src") == [f"{here}/2/frame"]
    assert client.html.xpath("//a[@rel]/@href") == [f"{here}/1/view", f"{here}/3/view"]
    assert "Pièce 2 sur 3" in client.text()
    client.get(f"{here}/3/view")
    assert READ in client.text()
    client.get(f"{here}/4/view", status=404)


FRAMED = [
    (PDF, "a.pdf", None), (PNG, "a.png", ""), (SVG, "a.png", "Ce type de fichier ne s’affiche pas ici"),
    (SHEET, "a.xlsx", "Ce type de fichier ne s’affiche pas ici"),
    (BOMB, "a.png", "Cette image est trop grande pour être affichée (64000 × 48000 pixels)"),
    (PNG[:20], "a.png", "Cette image ne dit pas ses dimensions"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "said"), FRAMED)
def test_the_viewer_frames_only_what_can_be_drawn(
    client: Browser, cassiopee: Any, data: bytes, name: str, said: str | None
) -> None:
    email = carrying(cassiopee, (data, name))
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/attachments/1/frame")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy and "script" not in policy
    if said is None:
        assert answer.data == data and answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith("inline")
        return
    images = client.html.xpath("//main/img")
    assert (said in client.text()) and bool(images) is not bool(said)
    if images:
        assert images[0].get("src") == f"/emails/{email.public_id}/attachments/1" and images[0].get("alt") == name
    raw = client.get(f"/emails/{email.public_id}/attachments/1")
    assert raw.headers["Content-Disposition"].startswith("attachment" if said else "inline")


@pytest.mark.parametrize(("data", "drawn"), [(PNG, True), (BOMB, False), (PDF, False), (SVG, False)])
def test_a_thumbnail_is_never_of_what_asks_for_too_much(
    client: Browser, cassiopee: Any, data: bytes, drawn: bool
) -> None:
    email = carrying(cassiopee, (data, "a.png"))
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/attachments/1/thumbnail")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.data == data) is drawn and (answer.data[:6] == b"GIF89a") is not drawn


def test_lost_and_damaged_files_are_said_to_be(client: Browser, cassiopee: Any) -> None:
    gone = make_email(cassiopee, files=(("a.pdf", "application/pdf", "c" * 64),))
    drawn = make_email(cassiopee, files=(("a.png", "image/png", "d" * 64),))
    own = PNG + b"of this test"
    damaged = carrying(cassiopee, (own, "a.png"))
    stored = blobs.store(own, "a.png").sha256
    path = config().blob_folder / stored[:2] / stored[2:4] / stored
    path.write_bytes(own[:-1] + b"x")
    client.sign_in(cassiopee.staff)
    for email in (gone, drawn, damaged):
        client.get(f"/emails/{email.public_id}/attachments/1", status=410)
        client.get(f"/emails/{email.public_id}/attachments/1/frame")
        assert "Ce fichier est perdu ou abîmé" in client.text()
        book = zipfile.ZipFile(io.BytesIO(client.get(f"/emails/{email.public_id}/attachments.zip").data))
        assert book.namelist() == ["MANQUE.txt"]
    path.unlink()


def test_all_of_an_email_in_one_archive(client: Browser, cassiopee: Any) -> None:
    email = carrying(cassiopee, (PDF, "a.pdf"), (PNG, HOSTILE), (PDF, "A.pdf"))
    bare = make_email(cassiopee)
    client.sign_in(cassiopee.staff)
    answer = client.get(f"/emails/{email.public_id}/attachments.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{email.public_id}.zip"')
    book = zipfile.ZipFile(io.BytesIO(answer.data))
    assert book.namelist() == ["a.pdf", "img src=x onerror=alert(1)_ _gpj.pdf", "A (2).pdf"]
    assert book.read("A (2).pdf") == PDF
    (line,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.ATTACHMENTS_DOWNLOADED))
    assert (line.subject, line.data, line.user_id) == (email.public_id, {"count": 3}, cassiopee.staff.id)
    client.get(f"/emails/{bare.public_id}/attachments.zip", status=404)


def test_a_list_is_offered_and_taken_by_who_may(client: Browser, cassiopee: Any, app: Flask) -> None:
    session = make_session(cassiopee, "Sécurité")
    carrying(cassiopee, (PDF, "a.pdf"), (PNG, "b.png"), training_session_id=session.id)
    carrying(cassiopee, (PDF, "c.pdf"))
    client.sign_in(cassiopee.staff)
    client.get("/emails")
    assert not client.html.xpath("//a[contains(@href, '/emails/attachments')]")
    client.get("/emails/attachments", status=403)
    client.get("/emails/attachments", status=403, htmx=True)
    client.post("/emails/attachments.zip", {"query": ""}, status=403)

    client.sign_in(cassiopee.manager)
    client.get(f"/sessions/{session.public_id}/emails")
    (address,) = client.html.xpath("//a[contains(@href, '/emails/attachments')]/@href")
    client.get(address)
    assert "2" in client.html.xpath("//dl//dd//text()")
    (form,) = client.html.xpath("//form[contains(@action, 'attachments.zip')]")
    query = form.xpath(".//input[@name='query']/@value")[0]
    answer = client.post("/emails/attachments.zip", {"query": query}, status=200)
    book = zipfile.ZipFile(io.BytesIO(answer.data))
    names = sorted(name.rpartition("/")[2] for name in book.namelist())
    assert names == ["a - Camille Petit - Sécurité.pdf", "b - Camille Petit - Sécurité.png", "liste.csv"]
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="pieces_securite_2')
    (line,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == AuditAction.ATTACHMENTS_DOWNLOADED))
    assert line.data["count"] == 2 and line.data["emails"] == 1 and line.subject == session.public_id
    everything = client.post("/emails/attachments.zip", {"query": ""}, status=200)
    assert len(zipfile.ZipFile(io.BytesIO(everything.data)).namelist()) == 4


def test_a_selection_gives_its_files_and_no_others(client: Browser, cassiopee: Any) -> None:
    session = make_session(cassiopee, "Sécurité")
    letters = [
        carrying(cassiopee, (PDF, f"{name}.pdf"), subject="Lettre", training_session_id=session.id) for name in "abc"
    ]
    carrying(cassiopee, (PNG, "ailleurs.png"))
    client.sign_in(cassiopee.manager)
    client.get(f"/sessions/{session.public_id}/emails?limit=2&sort=date")
    pick = client.html.get_element_by_id("pick")
    offered = [" ".join(one.text_content().split()) for one in pick.xpath(".//button[@name='export']")]
    assert offered[-2:] == ["Pièces jointes (ZIP)", "Dossier de preuve (ZIP)"]
    form = {name: value for name, value in pick.fields.items() if name} | {"export": "files"}
    for which, ticked, names in (
        ("chosen", [letters[2].public_id], "c"), ("page", [], "ab"), ("all", [], "abc"),
    ):  # fmt: skip
        where = client.post("/selections", form | {"which": which, "number": ticked}).headers["Location"]
        assert where.startswith(f"/emails/attachments?in={session.public_id}")
        client.get(where)
        query = client.html.xpath("//form[contains(@action, 'attachments.zip')]//input[@name='query']/@value")[0]
        answer = client.post("/emails/attachments.zip", {"query": query}, status=200)
        book = zipfile.ZipFile(io.BytesIO(answer.data))
        files = sorted(name.rpartition("/")[2][0] for name in book.namelist() if name.endswith(".pdf"))
        assert files == list(names) and len(book.namelist()) == len(names) + 1
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="pieces_securite_2')
    lines = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action == AuditAction.ATTACHMENTS_DOWNLOADED).order_by(AuditEntry.id)
    ).all()
    assert [line.data["count"] for line in lines] == [1, 2, 3]


def test_who_may_not_take_a_list_may_not_take_a_selection(client: Browser, cassiopee: Any, boreale: Any) -> None:
    email = carrying(cassiopee, (PDF, "a.pdf"))
    client.sign_in(cassiopee.staff).get("/emails")
    assert not client.html.xpath("//form[@id='pick']//button[@value='files' or @value='proof']")
    form = {"which": "chosen", "number": [email.public_id], "export": "files"}
    client.post("/selections", form, status=403)
    client.sign_in(boreale.admin)
    client.get(client.post("/selections", form).headers["Location"])
    assert "Aucun e-mail de cette liste n’a de pièce jointe." in client.text()


def test_a_list_without_files_says_so(client: Browser, cassiopee: Any) -> None:
    make_email(cassiopee)
    client.sign_in(cassiopee.admin)
    client.get("/emails/attachments?status=failed")
    assert "Aucun e-mail de cette liste n’a de pièce jointe." in client.text()
    client.post("/emails/attachments.zip", {"query": ""}, status=422)
    assert not db.session.scalars(
        select(AuditEntry).where(AuditEntry.action == AuditAction.ATTACHMENTS_DOWNLOADED)
    ).all()


def test_nothing_of_anothers(client: Browser, cassiopee: Any, boreale: Any) -> None:
    session = make_session(cassiopee, "Secret")
    email = carrying(cassiopee, (b"%PDF-1.4 secret", "Secret.pdf"), training_session_id=session.id)
    client.sign_in(boreale.admin)
    for path in (*(f"attachments/1{end}" for end in ("", "/view", "/frame", "/thumbnail")), "attachments.zip"):
        client.get(f"/emails/{email.public_id}/{path}", status=404)
        client.get(f"/emails/{email.public_id}/{path}", status=404, htmx=True)
    client.get(f"/emails/attachments?in={session.public_id}", status=404)
    client.post("/emails/attachments.zip", {"query": f"in={session.public_id}"}, status=404)
    assert b"secret" not in client.post("/emails/attachments.zip", {"query": ""}, status=422).data


def test_english(client: Browser, cassiopee: Any) -> None:
    email = carrying(cassiopee, (PDF, "a.pdf"), (BOMB, "b.png"))
    client.sign_in(cassiopee.admin)
    english = {"Accept-Language": "en"}
    cassiopee.admin.language = "en"
    db.session.commit()
    client.get(f"/emails/{email.public_id}/attachments/2/frame", headers=english)
    assert "This image is too large to be shown (64000 × 48000 pixels)" in client.text()
    client.get("/emails/attachments", headers=english)
    answer = client.post("/emails/attachments.zip", {"query": ""}, status=200, headers=english)
    book = zipfile.ZipFile(io.BytesIO(answer.data))
    assert book.namelist()[-1] == "list.csv" and book.read("list.csv").startswith(b"\xef\xbb\xbfFolder,File,")
