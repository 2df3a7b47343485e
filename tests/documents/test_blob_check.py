"""documents.blob_check: what is missing, damaged or named by nothing is found, in a folder and in a bucket."""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from documents import blob_check, blobs, vault
from documents.blob_check import Fault, Finding, Tally, check
from extensions import db
from models import Blob
from tests.documents.places import BOTH, configured, place
from tests.documents.test_vault import spoil
from tests.history.making import make_email
from tests.s3_server import S3Server

OLD = timedelta(hours=2)


def age(server: S3Server | None, folder: Path) -> None:
    """Every file of the store is two hours old."""
    if server is None:
        for path in folder.rglob("*"):
            os.utime(path, (time.time() - OLD.total_seconds(),) * 2)
    else:
        kept = server.bucket.objects
        for name, (data, _at) in kept.items():
            kept[name] = (data, datetime.now(UTC) - OLD)


def lay(server: S3Server | None, folder: Path, path: str, data: bytes) -> None:
    """A file that we did not put there."""
    if server is None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    else:
        server.bucket.objects[f"sillage/kept/{path}"] = (data, datetime.now(UTC))


def lose(server: S3Server | None, folder: Path, sha256: str) -> None:
    if server is None:
        (folder / vault.key(sha256)).unlink()
    else:
        del server.bucket.objects[f"sillage/kept/{vault.key(sha256)}"]


@BOTH
def test_every_fault_is_found_and_nothing_else(app: Flask, tmp_path: Path, kind: str, cassiopee: Any) -> None:
    with place(app, kind, tmp_path) as server:
        names = [blobs.store(b"%PDF-1.7 " + str(n).encode() * 9, "a.pdf").sha256 for n in range(6)]
        db.session.commit()
        whole, gone, torn, flipped, *_more = names
        email = make_email(cassiopee, files=(("Contrat.pdf", "application/pdf", flipped),))
        db.session.execute(db.update(Blob).where(Blob.sha256 == flipped).values(size=18))
        db.session.commit()
        lose(server, tmp_path, gone)
        spoil(server, tmp_path, torn, b"%PDF")
        spoil(server, tmp_path, flipped, b"%PDF-1.7 " + b"x" * 9)
        orphan = hashlib.sha256(b"orphan").hexdigest()
        lay(server, tmp_path, vault.key(orphan), b"orphan")
        lay(server, tmp_path, f"ab/cd/{orphan}", b"elsewhere")
        age(server, tmp_path)
        young = hashlib.sha256(b"young").hexdigest()
        lay(server, tmp_path, vault.key(young), b"young")

        tally = Tally()
        found = {finding.name: finding for finding in check(tally)}
        assert found == {
            gone: Finding(Fault.MISSING, gone, 18, 0),
            torn: Finding(Fault.DAMAGED, torn, 18, 4),
            flipped: Finding(Fault.DAMAGED, flipped, 18, 18, 1, 0, (email.public_id, "Contrat.pdf")),
            orphan: Finding(Fault.ORPHAN, orphan, 6, 6),
            f"ab/cd/{orphan}": Finding(Fault.STRAY, f"ab/cd/{orphan}", 9, 9),
        }
        assert (tally.blobs, tally.size, tally.files) == (6, 108, 8)
        quick = {finding.name for finding in check(Tally(), quick=True)}
        assert quick == found.keys() - {flipped}
        assert whole not in found


def test_pages_follow_each_other(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_check, "_ROWS", 3)
    with place(app, "folder", tmp_path):
        for n in range(10):
            blobs.store(b"%d" % n, "a.txt")
        db.session.commit()
        heard: list[tuple[int, int]] = []
        tally = Tally()
        assert list(check(tally, tell=lambda t: heard.append((t.blobs, t.files)))) == []
        assert (tally.blobs, tally.files) == (10, 10)
        assert [blobs for blobs, files in heard if not files] == [3, 6, 9, 10]


@BOTH
def test_the_command_says_what_is_lost_and_fails(app: Flask, tmp_path: Path, kind: str) -> None:
    with place(app, kind, tmp_path) as server:
        stored = blobs.store(b"%PDF-1.7 whole", "a.pdf")
        db.session.commit()
        done = app.test_cli_runner().invoke(args=["blobs", "check"])
        (line,) = map(json.loads, done.stdout.splitlines())
        assert done.exit_code == 0 and line.pop("seconds") < 60
        assert line == {"checked": 1, "bytes": 14, "files": 1, "lost": 0, "unnamed": 0, "hashed": True}
        spoil(server, tmp_path, stored.sha256, b"%PDF-1.7 whale")
        done = app.test_cli_runner().invoke(args=["blobs", "check"])
        first, last = map(json.loads, done.stdout.splitlines())
        assert done.exit_code == 1 and last["lost"] == 1
        assert first == {
            "fault": "damaged", "name": stored.sha256, "size": 14, "found": 14, "emails": 0, "documents": 0,
        }  # fmt: skip
        done = app.test_cli_runner().invoke(args=["blobs", "check", "--quick"])
        assert done.exit_code == 0 and json.loads(done.stdout)["hashed"] is False


def test_the_command_names_a_store_that_is_away(app: Flask) -> None:
    blobs.store(b"%PDF-1.7 whole", "a.pdf")
    db.session.commit()
    with S3Server() as server:
        settings = server.settings(secret="another")
        with configured(app, **settings):
            done = app.test_cli_runner().invoke(args=["blobs", "check"])
    assert done.exit_code == 1 and not done.stdout and "privileges" in done.stderr
