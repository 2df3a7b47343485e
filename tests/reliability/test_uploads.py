"""F1, F2: files of no bytes, too many bytes, by the thousand, and files that would swell; on the web server as it runs.

What is too big is refused before its body is read, in a sentence; memory does not grow with the files.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from config import ROOT
from documents import blobs
from extensions import db
from models import Blob
from tests.client import Browser
from tests.conftest import House
from tests.program import Program
from tests.real.servers import free_port
from tests.reliability.deeds import left_open
from tests.test_compose_pages import fields, make_session, multipart

MB = 1_000_000
LARGEST = 25 * 1024 * 1024


class Web:
    """gunicorn with one worker of two threads, as the house starts it."""

    def __init__(self, app: Flask, port: int) -> None:
        config = app.extensions["sillage"]
        env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url, "SECRET_KEY": config.secret_key,
            "SILLAGE_DATA": str(config.data), "SILLAGE_ENV": "test", "DNS_SERVER": "none",
        }  # fmt: skip
        command = [
            sys.executable, "-m", "gunicorn", "app:create_app()", "--bind", f"127.0.0.1:{port}", "--worker-class",
            "gthread", "--workers", "1", "--threads", "2", "--no-control-socket", "--timeout", "60",
        ]  # fmt: skip
        self.port = port
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)

    def line(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ready(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                line = self.line()
                line.request("GET", "/healthz")
                assert line.getresponse().status == 200
                line.close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until, "the web server did not start"
                time.sleep(0.1)

    def memory(self) -> float:
        """The most that its worker ever held, in MB."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
        assert found
        return int(found[1]) / 1000

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="module")
def gunicorn(migrated_app: Flask) -> Iterator[Web]:
    web = Web(migrated_app, free_port())
    yield web
    web.stop()


@pytest.fixture
def web(app: Flask, gunicorn: Web) -> Web:
    gunicorn.ready()
    return gunicorn


def zeros(count: int, piece: bytes = bytes(256 * 1024)) -> Iterator[bytes]:
    for _ in range(count // len(piece)):
        yield piece
    yield piece[: count % len(piece)]


def upload(web: Web, secret: str, body: object, length: int | None, send: bool = True) -> tuple[int, dict[str, object]]:
    """POST to the API; without a `length` in chunks, without `send` only the head of the request."""
    line = web.line()
    line.putrequest("POST", "/api/v1/attachments?filename=plan.bin")
    line.putheader("Authorization", f"Bearer {secret}")
    line.putheader("Content-Type", "application/octet-stream")
    line.putheader(*(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))))
    line.endheaders()
    try:
        if send:
            for piece in body:  # type: ignore[attr-defined]
                line.send(b"%x\r\n%s\r\n" % (len(piece), piece) if length is None else piece)
            line.send(b"0\r\n\r\n" if length is None else b"")
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while we were still talking
    answer = line.getresponse()
    said = json.loads(answer.read())
    line.close()
    return answer.status, said


def test_f1_files_of_all_sizes_in_flat_memory(web: Web, app: Flask, cassiopee: House) -> None:
    secret = Program(app, cassiopee.admin).secret
    assert upload(web, secret, [b""], 0)[0] == 422
    assert upload(web, secret, [b"x"], 1)[0] == 201
    before = web.memory()
    for _ in range(3):
        status, said = upload(web, secret, zeros(LARGEST), LARGEST)
        assert (status, said["size"]) == (201, LARGEST)
    assert upload(web, secret, zeros(LARGEST), None)[0] == 201
    status, said = upload(web, secret, zeros(LARGEST + 1), LARGEST + 1)
    assert status == 413 and "26 MB at most" in str(said["detail"])
    status, said = upload(web, secret, zeros(200 * MB), None)
    assert status == 413
    assert web.memory() - before < 40, "memory grows with the files"
    assert sorted(blob.size for blob in db.session.query(Blob)) == [1, LARGEST]


def test_f1_two_hundred_megabytes_are_refused_before_they_are_read(web: Web, app: Flask, cassiopee: House) -> None:
    """Only the head of the request is sent: the refusal waits for nothing more."""
    status, said = upload(web, Program(app, cassiopee.admin).secret, [], 200 * MB, send=False)
    assert status == 413 and said["title"] and said["detail"]
    browser = Browser(app).sign_in(cassiopee.staff)
    run = make_session(cassiopee)
    token = browser.token()
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    line = web.line()
    line.putrequest("POST", f"/sessions/{run.public_id}/convocation")
    for name, value in {
        "Cookie": f"session={cookie.value}", "X-CSRFToken": token, "Accept-Language": "fr",
        "Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(200 * MB),
    }.items():  # fmt: skip
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    page = answer.read().decode()
    line.close()
    assert answer.status == 413 and "Le fichier dépasse la taille acceptée. Rien n’a été enregistré" in page


def test_f1_a_thousand_files_are_refused_in_a_sentence(app: Flask, client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff)
    run = make_session(cassiopee)
    address = f"/sessions/{run.public_id}/convocation"
    client.get(address)
    form = fields(client) | {"step": "send"}
    for count, status, sentence in ((400, 422, "10 fichiers au plus"), (1000, 413, "L’envoi est trop volumineux")):
        body, kind = multipart(form | {"files": [(io.BytesIO(b"x"), f"{n}.txt") for n in range(count)]})
        with left_open():
            client.post(address, body, content_type=kind, status=status)
        assert sentence in client.text()
    assert db.session.query(Blob).count() == 0


def zip_bomb() -> bytes:
    """200 MB of zeros in 200 kB, named like a workbook."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/workbook.xml", "w", force_zip64=True) as inside:
            for piece in zeros(200 * MB, bytes(4 * MB)):
                inside.write(piece)
    return packed.getvalue()


def encrypted_zip() -> bytes:
    """An archive whose only member says that it is encrypted."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("secret.txt", b"x" * 100)
    whole = bytearray(packed.getvalue())
    whole[6] |= 1  # the local header's flag
    whole[whole.index(b"PK\x01\x02") + 8] |= 1  # the directory's
    return bytes(whole)


def image_bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in a few kilobytes: 3.6 GB once drawn."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    side = (30_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([8, 6, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(4 * MB))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("made", "name"), [(zip_bomb, "bombe.xlsx"), (encrypted_zip, "secret.zip"), (image_bomb, "bombe.png")]
)
def test_f2_what_would_swell_is_kept_as_it_is_and_never_unpacked(
    web: Web, app: Flask, cassiopee: House, made, name: str
) -> None:
    program = Program(app, cassiopee.admin)
    whole = made()
    before = web.memory()
    line = web.line()
    line.request("POST", f"/api/v1/attachments?filename={name}", whole, {
        "Authorization": f"Bearer {program.secret}", "Content-Type": "application/octet-stream",
    })  # fmt: skip
    answer = line.getresponse()
    said = json.loads(answer.read())
    line.close()
    assert answer.status == 201 and said["size"] == len(whole)
    assert web.memory() - before < 20
    sha256, media_type = db.session.execute(text("SELECT sha256, media_type FROM blob")).one()
    assert b"".join(blobs.open(sha256)) == whole
    assert not blobs.may_show(sha256, media_type)
