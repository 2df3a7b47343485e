"""Exports made by a job: parts, deaths, full disks, cancelling, turns, expiry."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from sqlalchemy import func, select, text

import jobs
from errors import UserMistake
from extensions import db, queue, settings
from history import HistoryFilter, Scope, export, export_jobs, export_work
from history.export_cells import Format, chosen
from models import Email, Export
from models.words import ExportState
from tests.history.making import NOW, make_contact, make_email
from tests.history.test_export import sheets

ROWS = 23
ROOT = Path(__file__).resolve().parent.parent.parent


class Killed(BaseException):
    """What a kill is to the code that runs: nothing after it is done."""


@pytest.fixture
def filled(cassiopee: Any) -> Any:
    for number in range(ROWS):
        make_email(
            cassiopee, f"n{number % 4}@example.org", f"Zoé {number % 4}", subject=f"Objet; {number}",
            at=NOW - timedelta(minutes=number // 3),  # moments that are shared: the id decides
        )  # fmt: skip
    return cassiopee


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(export_work, "PART", 5)
    monkeypatch.setattr(export_work, "PART_OF_WORDS", 5)
    return 5


@pytest.fixture(autouse=True)
def made_files(app: Flask) -> Iterator[Path]:
    made = settings().places.exports
    yield made
    for path in made.iterdir() if made.is_dir() else ():
        export_jobs.remove(path.name.partition(".")[0])


def asked(house: Any, format_: Format = Format.CSV, query: str = "", user: Any = None) -> Export:
    filter_ = HistoryFilter.from_query(parse_qsl(query))
    made = export_jobs.ask(user or house.admin, Scope(house.id, zone="Europe/Paris"), filter_, format_)
    db.session.commit()
    return made


def at_once(house: Any, format_: Format, query: str = "") -> bytes:
    filter_ = HistoryFilter.from_query(parse_qsl(query))
    scope = Scope(house.id, zone="Europe/Paris")
    return b"".join(export.stream(scope, filter_, datetime.now(UTC), format_))


def die_after(parts: int) -> Any:
    count = 0

    def meanwhile() -> None:
        nonlocal count
        count += 1
        if count == parts:
            raise Killed

    return meanwhile


@pytest.mark.parametrize("format_", [Format.CSV, Format.EXCEL, Format.JSON, Format.NDJSON])
@pytest.mark.parametrize("query", ["", "sort=date", "subject=objet", "date_field=updated", "date_field=sent"])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_resumed_file_is_the_same_to_the_byte(
    filled: Any, small_parts: int, format_: Format, query: str, parts: int
) -> None:
    job = asked(filled, format_, query)
    with pytest.raises(Killed):
        export_work.run(die_after(parts))
    db.session.expire_all()
    assert job.state is ExportState.RUNNING and job.done_count == parts * small_parts and job.last_key
    part = export_jobs.part_of(job.public_id)
    with part.open("ab") as file:  # what the dead one had written of its next part
        file.write(b"E-half a ro")
    assert export_work.run() == 1
    db.session.expire_all()
    assert (job.state, job.done_count, job.row_count) == (ExportState.READY, ROWS, ROWS)
    assert export_jobs.file_of(job).read_bytes() == at_once(filled, format_, query)
    assert job.size == export_jobs.file_of(job).stat().st_size and not part.exists()


@pytest.mark.parametrize("format_", [Format.CSV, Format.JSON, Format.NDJSON])
def test_chosen_columns_are_kept_when_it_is_resumed(filled: Any, small_parts: int, format_: Format) -> None:
    db.session.execute(text("UPDATE email SET subject = 'E-' || subject"))
    scope, columns = Scope(filled.id, zone="Europe/Paris"), chosen(["subject", "attachment_names", "nonsense", "id"])
    assert columns == ("id", "subject", "attachment_names")
    job = export_jobs.ask(filled.admin, scope, HistoryFilter(), format_, columns)
    db.session.commit()
    with pytest.raises(Killed):
        export_work.run(die_after(2))
    assert export_work.run() == 1
    db.session.expire_all()
    stream = export.stream(scope, HistoryFilter(), datetime.now(UTC), format_, columns=columns)
    assert export_jobs.file_of(job).read_bytes() == b"".join(stream)
    assert job.done_count == ROWS


def test_a_workbook_is_resumed_from_its_rows(filled: Any, small_parts: int, made_files: Path) -> None:
    job = asked(filled, Format.XLSX)
    with pytest.raises(Killed):
        export_work.run(die_after(2))
    assert export_work.run() == 1
    db.session.expire_all()
    ((_head, *rows),) = sheets(export_jobs.file_of(job).read_bytes())
    assert len(rows) == ROWS and job.done_count == ROWS
    assert [path.name for path in made_files.iterdir()] == [job.public_id]


def test_a_part_that_is_gone_is_made_again(filled: Any, small_parts: int) -> None:
    job = asked(filled, Format.NDJSON)
    with pytest.raises(Killed):
        export_work.run(die_after(2))
    export_jobs.part_of(job.public_id).unlink()
    export_work.run()
    assert export_jobs.file_of(job).read_bytes() == at_once(filled, Format.NDJSON)


def test_a_killed_process_is_taken_up(app: Flask, filled: Any) -> None:
    """A process of its own is killed between two parts: its turn is free at once, and the next one goes on."""
    job = asked(filled, Format.CSV)
    program = (
        "import os, sys, time; from app import create_app; from config import Config; from pathlib import Path\n"
        "from history import export_work\n"
        "export_work.PART = 5\n"
        "url, redis, data = sys.argv[1:]\n"
        "config = Config('test', Path(data), os.environ['KEY'], database_url=url, redis_url=redis)\n"
        "app = create_app(config)\n"
        "parts = iter(range(9))\n"
        "def meanwhile():\n"
        "    if next(parts) == 1: print('here', flush=True); time.sleep(60)\n"
        "with app.app_context(): export_work.run(meanwhile)\n"
    )
    config = settings()
    child = subprocess.Popen(
        [sys.executable, "-c", program, config.database_url, config.redis_url, str(config.data)],
        cwd=ROOT, env=os.environ | {"KEY": config.secret_key}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None and child.stdout.readline() == "here\n"
        assert export_work.run() == 0  # its owner's turn is held
    finally:
        child.kill()
        child.wait(60)
        child.stdout.close()
    for _try in range(50):  # PostgreSQL hears of the closed line in its own time
        if export_work.run():
            break
        time.sleep(0.1)
    db.session.expire_all()
    assert job.state is ExportState.READY and export_jobs.file_of(job).read_bytes() == at_once(filled, Format.CSV)


def test_one_snapshot_whatever_happens_meanwhile(filled: Any, small_parts: int) -> None:
    before = at_once(filled, Format.NDJSON, "date_field=updated")
    job = asked(filled, Format.NDJSON, "date_field=updated")

    def meanwhile() -> None:
        db.session.execute(text("UPDATE email SET updated_at = clock_timestamp(), status = 'delivered'"))
        db.session.commit()

    assert export_work.run(meanwhile) == 1
    assert export_jobs.file_of(job).read_bytes() == before


def test_cancelling_stops_within_a_part(filled: Any, small_parts: int, made_files: Path) -> None:
    job = asked(filled)
    parts = 0

    def meanwhile() -> None:
        nonlocal parts
        parts += 1
        if parts == 2:
            assert export_jobs.cancel(db.session.get_one(Export, job.id))

    assert export_work.run(meanwhile) == 1
    db.session.expire_all()
    assert job.state is ExportState.CANCELLED and parts == 2 and not list(made_files.iterdir())
    assert not export_jobs.cancel(job)


def test_asked_to_stop_it_leaves_the_rest_to_the_next(filled: Any, small_parts: int) -> None:
    job = asked(filled)
    turns = iter([False, True, True])
    assert export_work.run(stopped=lambda: next(turns)) == 0
    db.session.expire_all()
    assert job.state is ExportState.RUNNING and job.done_count == small_parts
    assert export_work.run() == 1


def test_a_full_disk_offers_nothing_by_halves(
    filled: Any, small_parts: int, made_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for format_ in (Format.CSV, Format.XLSX):
        job = asked(filled, format_)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert export_work.run() == 1
        db.session.expire_all()
        assert job.state is ExportState.FAILED and "place" in job.error and not list(made_files.iterdir())


def test_what_cannot_be_made_says_so(filled: Any) -> None:
    gone = make_contact(filled, "Parti Loin")
    scope = Scope(filled.id, contact=gone, zone="Europe/Paris")
    job = export_jobs.ask(filled.admin, scope, HistoryFilter(), Format.CSV)
    db.session.commit()
    db.session.delete(gone)
    db.session.commit()
    assert export_work.run() == 1
    db.session.expire_all()
    assert job.state is ExportState.FAILED and job.error


def test_turns(filled: Any, small_parts: int) -> None:
    """One at a time for each person, the oldest first; another person's needs not wait for it."""
    first, second = asked(filled), asked(filled, Format.JSON)
    other = asked(filled, user=filled.manager)
    with db.engine.connect() as one, db.engine.connect() as two, db.engine.connect() as three:
        assert export_jobs.take_turn(one) == first.id
        assert export_jobs.take_turn(two) == other.id
        assert export_jobs.take_turn(three) is None
        one.rollback()
        assert export_jobs.take_turn(three) == first.id
    assert export_work.run() == 3
    db.session.expire_all()
    assert {second.state, other.state} == {ExportState.READY}


def test_asking_twice_is_asking_once(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(filled).id == asked(filled).id != asked(filled, query="status=error").id
    monkeypatch.setattr(export_jobs, "MOST_UNDER_WAY", 2)
    with pytest.raises(UserMistake):
        asked(filled, Format.JSON)


def test_large_ones_are_not_for_everybody(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_jobs, "AT_ONCE", ROWS - 1)
    with pytest.raises(UserMistake):
        asked(filled, user=filled.staff)
    assert asked(filled, user=filled.manager) and asked(filled, query="status=error", user=filled.staff)


def test_the_ring_wakes_the_job(app: Flask, filled: Any) -> None:
    job = asked(filled, Format.NDJSON)
    (rung,) = queue("work").jobs
    assert rung.func_name == "jobs.export"
    jobs.export()
    db.session.expire_all()
    assert job.state is ExportState.READY
    assert {json.loads(line)["id"] for line in export_jobs.file_of(job).read_bytes().splitlines()} == set(
        db.session.scalars(select(Email.public_id))
    )


def test_the_other_words_of_a_language(filled: Any) -> None:
    job = asked(filled, Format.EXCEL)
    job.language = "en"
    db.session.commit()
    export_work.run()
    assert export_jobs.file_of(job).read_text("utf-8-sig").split(";")[0] != "Numéro"


def test_expiry_takes_the_file(filled: Any, made_files: Path) -> None:
    old, kept = asked(filled), asked(filled, Format.JSON)
    assert export_work.run() == 2
    db.session.expire_all()
    assert timedelta(days=6, hours=23) < old.expires_at - datetime.now(UTC) <= export_jobs.KEPT
    old.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    db.session.commit()
    (made_files / "X-nobody.part").write_bytes(b"left by a dead job")
    jobs.expire_exports()
    db.session.expire_all()
    assert (old.state, kept.state) == (ExportState.EXPIRED, ExportState.READY)
    assert [path.name for path in made_files.iterdir()] == [kept.public_id]


def test_an_endless_one_is_given_up(filled: Any) -> None:
    job = asked(filled)
    job.state, job.started_at = ExportState.RUNNING, datetime.now(UTC) - export_jobs.LONGEST
    db.session.commit()
    assert export_jobs.expire() == 0
    db.session.expire_all()
    assert job.state is ExportState.FAILED and job.error
    assert db.session.scalar(select(func.count()).select_from(Export)) == 1
