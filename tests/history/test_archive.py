"""history.archive: what an archive of a list holds, how its members are named, and how little of it is held at once."""

from __future__ import annotations

import csv
import gc
import hashlib
import io
import os
import tracemalloc
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from documents import blobs, vault
from extensions import db
from history import HistoryFilter, Scope, archive
from models.words import Status
from tests.documents.places import BOTH, place
from tests.documents.test_vault import spoil
from tests.history.making import make_email, make_session

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTILE = ("../../etc/passwd", "C:\\WINDOWS\\win.ini", "a\r\nb.pdf", "nul", "A.PDF", "a.pdf", "\u202efdp.exe", "/")


def kept(data: bytes, name: str = "a.pdf") -> tuple[str, str, str]:
    """A stored file as make_email takes it, its row's size kept."""
    stored = blobs.store(data, name)
    db.session.commit()
    return name, stored.media_type, stored.sha256


def true_sizes(*data: bytes) -> None:
    """make_email writes a size of its own."""
    for one in data:
        name = hashlib.sha256(one).hexdigest()
        db.session.execute(db.text("UPDATE blob SET size = :s WHERE sha256 = :n"), {"s": len(one), "n": name})
    db.session.commit()


def opened(chunks: Any) -> zipfile.ZipFile:
    """The archive as the standard library reads it, every member's checksum tried."""
    book = zipfile.ZipFile(io.BytesIO(b"".join(chunks)))
    assert book.testzip() is None
    return book


def of(house: Any, **asked: Any) -> archive.Wanted:
    filter_ = HistoryFilter.from_query(list(asked.items()))
    return archive.wanted(Scope(house.id, zone="Europe/Paris"), filter_, NOW)


def the_list(book: zipfile.ZipFile, name: str = "liste.csv") -> list[dict[str, str]]:
    text = book.read(name).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def test_a_folder_an_email_and_a_list_of_all(app: Flask, cassiopee: Any, boreale: Any) -> None:
    session = make_session(cassiopee, "=Sécurité")
    first = make_email(cassiopee, at=datetime(2026, 11, 20, 8, 5, tzinfo=UTC), training_session_id=session.id,
                       files=(kept(b"%PDF-1.7 one", "Convocation.pdf"), kept(b"%PDF-1.7 two", "Plan.pdf")))  # fmt: skip
    second = make_email(cassiopee, "x@y.example", "", at=datetime(2026, 11, 21, tzinfo=UTC), status=Status.FAILED,
                        files=(kept(b"%PDF-1.7 one", "=1+1.pdf"),))  # fmt: skip
    make_email(cassiopee, subject="No files")
    make_email(boreale, files=(kept(b"%PDF-1.7 theirs"),))
    wanted = of(cassiopee)
    assert (len(wanted.ids), wanted.file_count, wanted.size, wanted.more) == (2, 3, 36, False)
    book = opened(archive.of_list(cassiopee.id, "Europe/Paris", wanted.ids))
    earlier = f"2026-11-20 09h06 Camille Petit {first.public_id}"
    later = f"2026-11-21 01h00 x@y.example {second.public_id}"
    assert book.namelist() == [
        f"{later}/=1+1.pdf", f"{earlier}/Convocation - Camille Petit - =Sécurité.pdf",
        f"{earlier}/Plan - Camille Petit - =Sécurité.pdf", "liste.csv",
    ]  # fmt: skip
    assert book.read(f"{earlier}/Plan - Camille Petit - =Sécurité.pdf") == b"%PDF-1.7 two"
    lines = the_list(book)
    assert [(line["Dossier"], line["Fichier"], line["Statut"], line["Remarque"]) for line in lines] == [
        (later, "'=1+1.pdf", "Erreur à l’envoi", ""),
        (earlier, "Convocation - Camille Petit - =Sécurité.pdf", "Envoyé", ""),
        (earlier, "Plan - Camille Petit - =Sécurité.pdf", "Envoyé", ""),
    ]  # fmt: skip
    assert [line["Nom d’origine"] for line in lines] == ["'=1+1.pdf", "Convocation.pdf", "Plan.pdf"]
    assert lines[1]["Session"] == "'=Sécurité" and lines[1]["Numéro de l’e-mail"] == first.public_id
    assert lines[1]["SHA-256"] == hashlib.sha256(b"%PDF-1.7 one").hexdigest()


NAMED = [
    ("Convocation.pdf", "Camille Petit", "Convocation - Camille Petit - Sécurité incendie.pdf"),
    ("Convocation camille petit.pdf", "Camille Petit", "Convocation camille petit - Sécurité incendie.pdf"),
    ("sécurité INCENDIE.tar.gz", "", "sécurité INCENDIE.tar.gz"),
    ("README", "Zoé", "README - Zoé - Sécurité incendie"),
    (".profile", "Zoé", "profile - Zoé - Sécurité incendie"),
    ("x" * 300 + ".pdf", "N" * 300, "x" * 60 + " - " + "N" * 40 + " - Sécurité.pdf"),
]


@pytest.mark.parametrize(("file", "name", "named"), NAMED)
def test_a_file_says_of_whom_and_of_which_session_it_is(
    app: Flask, cassiopee: Any, file: str, name: str, named: str
) -> None:
    session = make_session(cassiopee, "Sécurité incendie")
    make_email(cassiopee, name=name, training_session_id=session.id, files=(kept(b"%PDF-1.7 a", file),))
    book = opened(archive.of_list(cassiopee.id, "Europe/Paris", of(cassiopee).ids))
    assert book.namelist()[0].rpartition("/")[2] == named


def test_the_filter_decides(app: Flask, cassiopee: Any) -> None:
    make_email(cassiopee, status=Status.FAILED, files=(kept(b"%PDF-1.7 a"),))
    make_email(cassiopee, "b@y.example", "Zoé", files=(kept(b"%PDF-1.7 b"),))
    assert of(cassiopee, status="failed").file_count == 1
    assert of(cassiopee, recipient="Zoé").file_count == 1
    assert of(cassiopee, attachment="yes").file_count == 2
    nothing = of(cassiopee, attachment="no")
    assert (nothing.file_count, nothing.size, len(nothing.ids)) == (0, 0, 0)


def test_more_than_one_archive_takes_is_said(app: Flask, cassiopee: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        files = (kept(b"%PDF-1.7 a"), kept(b"%PDF-1.7 b"))
        make_email(cassiopee, ago=timedelta(hours=n), files=files)
    monkeypatch.setattr(archive, "MOST_FILES", 5)
    wanted = of(cassiopee)
    assert (wanted.file_count, len(wanted.ids), wanted.more) == (4, 2, True)
    monkeypatch.setattr(archive, "MOST_FILES", 6)
    assert (of(cassiopee).file_count, of(cassiopee).more) == (6, False)


def test_hostile_names_lead_nowhere(app: Flask, cassiopee: Any, tmp_path: Path) -> None:
    files = tuple(kept(b"%d" % n, name) for n, name in enumerate(HOSTILE))
    make_email(cassiopee, name="../../../Camille\u202e\\..\\x", files=files)
    ids = of(cassiopee).ids
    for chunks in (archive.of_list(cassiopee.id, "Europe/Paris", ids), archive.of_one(cassiopee.id, ids)):
        book = opened(chunks)
        names = [name for name in book.namelist() if name != "liste.csv"]
        assert len({name.lower() for name in names}) == len(HOSTILE)
        for name in names:
            assert not name.startswith("/") and "\\" not in name and ".." not in name and name.isprintable()
            assert Path(book.extract(name, tmp_path)).resolve().is_relative_to(tmp_path)
        assert [book.read(name) for name in names] == [b"%d" % n for n in range(len(HOSTILE))]


@BOTH
def test_what_is_lost_stops_nothing_and_is_said(app: Flask, tmp_path: Path, kind: str, cassiopee: Any) -> None:
    with place(app, kind, tmp_path) as server:
        data = [b"%PDF-1.7 " + bytes([n]) * 30 for n in range(3)]
        make_email(cassiopee, files=tuple(kept(one, f"{n}.pdf") for n, one in enumerate(data)))
        spoil(server, tmp_path, hashlib.sha256(data[1]).hexdigest(), b"%PDF")
        wanted = of(cassiopee)
        book = opened(archive.of_list(cassiopee.id, "Europe/Paris", wanted.ids))
        names = [name.rpartition("/")[2] for name in book.namelist()]
        assert names == ["0 - Camille Petit.pdf", "2 - Camille Petit.pdf", "liste.csv"]
        assert [line["Remarque"] for line in the_list(book)] == ["", "abîmé ou perdu", ""]
        book = opened(archive.of_one(cassiopee.id, wanted.ids))
        assert book.namelist() == ["0.pdf", "2.pdf", "MANQUE.txt"]
        assert book.read("MANQUE.txt").decode("utf-8-sig").split("\r\n")[2:] == ["1.pdf", ""]


def test_a_long_file_that_proves_damaged_is_said_at_the_end(app: Flask, tmp_path: Path, cassiopee: Any) -> None:
    data = os.urandom(vault.RANGE + 1000)
    with place(app, "folder", tmp_path):
        make_email(cassiopee, files=(kept(data, "long.bin"), kept(b"%PDF-1.7", "b.pdf")))
        true_sizes(data)
        spoil(None, tmp_path, hashlib.sha256(data).hexdigest(), data[:-1] + bytes([data[-1] ^ 1]))
        book = opened(archive.of_list(cassiopee.id, "Europe/Paris", of(cassiopee).ids))
        assert [line["Remarque"] for line in the_list(book)] == ["abîmé ou perdu", ""]


BIG = 10 * 1024 * 1024


def test_no_more_than_a_range_is_in_flight(app: Flask, tmp_path: Path, cassiopee: Any) -> None:
    """What the bucket has sent is never more than one range ahead of what the reader has taken."""
    with place(app, "s3", tmp_path) as server:
        assert server is not None
        data = [os.urandom(BIG) for _ in range(6)]
        for n in range(3):
            make_email(cassiopee, ago=timedelta(hours=n), files=tuple(kept(one, "a.bin") for one in data[2 * n :][:2]))
        true_sizes(*data)
        ids = of(cassiopee).ids
        sent_before, taken, most = server.bucket.sent, 0, 0
        for chunk in archive.of_list(cassiopee.id, "Europe/Paris", ids):
            most = max(most, server.bucket.sent - sent_before - taken)
            taken += len(chunk)
        assert taken > 6 * BIG and server.bucket.sent - sent_before >= 6 * BIG
        assert most <= vault.RANGE + 64 * 1024


def test_memory_does_not_grow_with_what_is_in_it(app: Flask, tmp_path: Path, cassiopee: Any) -> None:
    """Three archives of 20 MB, 200 MB and 200 e-mails hold as little as each other."""
    with place(app, "folder", tmp_path):
        data = os.urandom(BIG)
        for n in range(20):
            make_email(cassiopee, ago=timedelta(hours=n), files=(kept(data, f"{n}.bin"),))
        true_sizes(data)
        ids = of(cassiopee).ids
        peaks = []
        for some in (ids[:2], ids, array("q", chain.from_iterable(ids for _ in range(2)))):
            gc.collect()
            tracemalloc.start()
            size = sum(len(chunk) for chunk in archive.of_list(cassiopee.id, "Europe/Paris", some))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert size > len(some) * BIG
        assert max(peaks) < 4 * vault.RANGE and max(peaks) - min(peaks) < 2 * 1024 * 1024


def test_nothing_of_the_database_is_held_while_files_leave(app: Flask, cassiopee: Any) -> None:
    make_email(cassiopee, files=(kept(b"%PDF-1.7 a"), kept(b"%PDF-1.7 b")))
    ids = of(cassiopee).ids
    db.session.rollback()
    out = db.engine.pool.checkedout()  # type: ignore[attr-defined]
    chunks = archive.of_list(cassiopee.id, "Europe/Paris", ids)
    for _ in range(3):
        next(chunks)
        assert db.engine.pool.checkedout() == out  # type: ignore[attr-defined]
    chunks.close()  # type: ignore[attr-defined]


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database was asked meanwhile."""
    said: list[str] = []

    def heard(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    event.listen(db.engine, "before_cursor_execute", heard)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", heard)


def test_what_a_list_asks_of_the_database_does_not_grow_by_the_email(app: Flask, cassiopee: Any) -> None:
    for n in range(12):
        make_email(cassiopee, ago=timedelta(hours=n), files=(kept(b"%PDF-1.7 a"),))
    ids = of(cassiopee).ids
    with statements() as said:
        assert of(cassiopee).file_count == 12
    assert len(said) == 2
    with statements() as said:
        opened(archive.of_list(cassiopee.id, "Europe/Paris", ids))
    assert len(said) == 2
