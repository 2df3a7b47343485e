"""documents.vault: bytes in a folder or a bucket, whole or not at all, read a range at a time."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

import config
from documents import blobs, vault
from errors import Permanent, Temporary
from extensions import db
from models import Blob
from tests.client import Browser
from tests.documents.places import BOTH, configured, place
from tests.s3_server import S3Server

BIG = os.urandom(11_000_000)
NAME = hashlib.sha256(BIG).hexdigest()


@BOTH
@pytest.mark.parametrize("size", [1, vault.RANGE - 1, vault.RANGE, vault.RANGE + 1, 11_000_000])
def test_bytes_come_back_as_they_were(app: Flask, tmp_path: Path, kind: str, size: int) -> None:
    with place(app, kind, tmp_path):
        stored = blobs.store(io.BytesIO(BIG[:size]), "a.bin")
        assert blobs.store(BIG[:size], "b.bin") == stored and vault.size(stored.sha256) == size
        assert blobs.read(stored.sha256) == BIG[:size]
        chunks = list(blobs.open(stored.sha256))
        assert b"".join(chunks) == BIG[:size] and max(map(len, chunks)) <= vault.RANGE
        (found,) = vault.kept()
        assert (found.sha256, found.size) == (stored.sha256, size)


@BOTH
def test_the_rest_may_be_read_after_the_request(app: Flask, tmp_path: Path, kind: str) -> None:
    with place(app, kind, tmp_path):
        blobs.store(BIG, "a.bin")
        chunks = blobs.open(NAME)
        with S3Server() as other, configured(app, **other.settings()):
            assert b"".join(chunks) == BIG


@BOTH
def test_what_is_gone_is_permanent(app: Flask, tmp_path: Path, kind: str) -> None:
    with place(app, kind, tmp_path):
        assert vault.size("0" * 64) is None
        with pytest.raises(Permanent, match="not in the store"):
            blobs.open("0" * 64)


@BOTH
@pytest.mark.parametrize("bad", [b"", b"small", BIG[:-1], BIG[:-1] + bytes([BIG[-1] ^ 1])])
def test_what_is_not_what_was_stored_is_not_given_for_whole(app: Flask, tmp_path: Path, kind: str, bad: bytes) -> None:
    with place(app, kind, tmp_path) as server:
        blobs.store(BIG, "a.bin")
        spoil(server, tmp_path, NAME, bad)
        with pytest.raises(Permanent, match="damaged"):
            blobs.read(NAME)


def spoil(server: S3Server | None, folder: Path, sha256: str, data: bytes) -> None:
    """Put other bytes under that name, as a bad disk would."""
    if server is None:
        (folder / vault.key(sha256)).write_bytes(data)
    else:
        name = f"sillage/kept/{vault.key(sha256)}"
        server.bucket.objects[name] = (data, server.bucket.objects[name][1])


def test_the_layout_in_a_bucket_is_the_folders(app: Flask) -> None:
    with S3Server() as server, configured(app, **server.settings("a/b")):
        blobs.store(BIG, "a.bin")
        assert list(server.bucket.objects) == [f"a/b/{NAME[:2]}/{NAME[2:4]}/{NAME}"]
        assert not server.bucket.uploads


def test_a_bucket_that_stumbles_is_asked_again(app: Flask) -> None:
    with S3Server() as server, configured(app, **server.settings()):
        blobs.store(b"%PDF-1.7", "a.pdf")
        server.bucket.refuse = 2
        assert blobs.read(hashlib.sha256(b"%PDF-1.7").hexdigest()) == b"%PDF-1.7"


def test_a_wrong_secret_is_temporary_and_keeps_nothing(app: Flask) -> None:
    with S3Server() as server, configured(app, **server.settings(secret="another")):
        with pytest.raises(Temporary):
            blobs.store(b"%PDF-1.7", "a.pdf")
        assert not server.bucket.objects and db.session.scalar(select(func.count()).select_from(Blob)) == 0


def test_a_full_bucket_keeps_no_half_of_a_file(app: Flask) -> None:
    with S3Server() as server, configured(app, **server.settings()):
        server.bucket.refuse_parts = True
        with pytest.raises(Temporary):
            blobs.store(BIG, "a.bin")
        assert not server.bucket.objects and not server.bucket.uploads
        assert db.session.scalar(select(func.count()).select_from(Blob)) == 0


def test_a_bucket_that_is_away_makes_a_503(client: Browser, app: Flask, cassiopee: object) -> None:
    from tests.test_emails import kept, make_email

    email = make_email(cassiopee, files=(kept(b"%PDF-1.7", "a.pdf"),))
    client.sign_in(cassiopee.staff)  # type: ignore[attr-defined]
    server = S3Server()
    with configured(app, **server.settings()):
        server._server.server_close()
        answer = client.get(f"/emails/{email.public_id}/attachments/1", status=503)
        assert answer.headers["Retry-After"] == "10"


def test_a_full_disk_keeps_no_half_of_a_file(tmp_path: Path) -> None:
    """A process that may write no file above 1 MB, as a full disk would have it."""
    script = """
        import hashlib, io, os, resource, signal, sys
        from pathlib import Path
        from flask import Flask
        import config
        from documents import vault
        from errors import Temporary

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        app = Flask("x")
        folder = Path(sys.argv[1])
        app.extensions["sillage"] = config.Config(blobs=folder)
        small, big = b"small", bytes(2_000_000)
        with app.app_context():
            vault.put(hashlib.sha256(small).hexdigest(), io.BytesIO(small))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
            name = hashlib.sha256(big).hexdigest()
            try:
                vault.put(name, io.BytesIO(big))
            except Temporary:
                print("refused")
            print(vault.size(name), [found.size for found in vault.kept()])
        print(sorted(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert said.stdout.split("\n")[:3] == ["refused", "None [5]", "[5]"], said.stdout + said.stderr


@pytest.mark.parametrize("wrong", [
    {"BLOBS_URL": "/var/blobs"}, {"BLOBS_URL": "https://s3.example/attachments"}, {"BLOBS_URL": "s3://UPPER"},
    {"BLOBS_URL": "s3://attachments", "BLOB_FOLDER": "/var/blobs"}, {"AWS_ENDPOINT_URL": "s3.example"},
])  # fmt: skip
def test_a_wrong_place_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(config.WrongSetting, match="|".join(wrong)):
        config.read({"SECRET_KEY": "x" * 32, **wrong})


def test_the_settings_of_a_bucket_have_the_usual_names() -> None:
    read = config.read({
        "SECRET_KEY": "x" * 32, "BLOBS_URL": "s3://attachments/sillage", "AWS_ENDPOINT_URL": "https://s3.example/",
        "AWS_REGION": "eu-west-3", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
    })  # fmt: skip
    found = (read.blobs_url, read.s3_endpoint, read.s3_region, read.s3_access_key_id, read.s3_secret_access_key)
    assert found == ("s3://attachments/sillage", "https://s3.example", "eu-west-3", "id", "secret")
