"""The work of an export job: parts written and made durable one after the other, then the file offered whole.

All parts of a run come from one snapshot. A run that takes up a dead one's file goes on after its last whole part;
where e-mails change places meanwhile (ordered by sending or change) it starts over, so no row is lost or doubled.
A full disk fails the export with a sentence; a database that is away leaves it to the next run.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import psycopg
from flask import current_app, g
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import DBAPIError

from extensions import db, settings
from history import cursors, export, export_jobs, workbook
from history.cursors import Cursor
from history.export_cells import Format, cells, headings
from history.periods import DateField
from history.query import Question
from models import Email, Export, Organisation
from models.words import N_, ExportState

log = logging.getLogger("sillage.export")

# Rows a part. Words are sought anew for each part, so theirs are larger.
PART = 50_000
PART_OF_WORDS = 250_000
# What makes a file that is no list: of that export into that file, (done, all) e-mails as it goes.
Maker = Callable[[int, IO[bytes]], Iterator[tuple[int, int]]]
_FULL = N_("Il n'y a plus de place sur le disque du serveur. Prévenez la personne qui l'administre, puis recommencez.")
_GONE = N_("La session ou le client de cet export n'existe plus.")
_BROKEN = N_("L'export a échoué. Recommencez ; si cela se reproduit, prévenez l'assistance.")


class _Over(Exception):
    """The export is no longer to be made: cancelled."""


class _Leave(Exception):
    """This process is asked to stop: the next one goes on."""


@dataclass(frozen=True)
class _Task:
    """What is to be made, free of the session."""

    id: int
    public_id: str
    format: Format
    question: Question
    zone: str
    columns: tuple[str, ...]
    size: int
    last_key: str


def run(
    meanwhile: Callable[[], Any] = lambda: None, stopped: Callable[[], bool] = lambda: False,
    makers: Mapping[Format, Maker] | None = None,
) -> int:  # fmt: skip
    """Make exports until none waits or `stopped`; returns how many were brought to an end.

    `meanwhile` is called between parts: short work that must not wait for a long export. `makers` make what is no list
    of rows; one of theirs that died is made anew. Raises DBAPIError or
    psycopg.Error when the database goes away.
    """
    ended = 0
    while not stopped():
        with db.engine.connect() as turn:
            export_id = export_jobs.take_turn(turn)
            if export_id is None:
                break
            ended += _make(export_id, meanwhile, stopped, makers or {})
    return ended


def _make(
    export_id: int, meanwhile: Callable[[], Any], stopped: Callable[[], bool], makers: Mapping[Format, Maker]
) -> bool:
    """One export, in its owner's language; whether it has come to an end."""

    def between(task: _Task, **facts: Any) -> None:
        _note(task, **facts)
        meanwhile()
        if stopped():
            raise _Leave

    public_id = ""
    with current_app.app_context():
        try:
            task = _task(export_id)
            if task is None:
                return True
            public_id = task.public_id
            _write(task, between, makers.get(task.format))
        except _Leave:
            return False
        except _Over:
            export_jobs.remove(public_id)
        except (DBAPIError, psycopg.Error) as error:
            db.session.rollback()
            if _passes(error):
                raise
            _fail(export_id, public_id, _BROKEN, error)
        except OSError as error:
            _fail(export_id, public_id, _FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else _BROKEN, error)
        except Exception as error:
            _fail(export_id, public_id, _BROKEN, error)
        return True


def _passes(error: Exception) -> bool:
    """Whether the database may answer another time."""
    return isinstance(getattr(error, "orig", error), psycopg.OperationalError | psycopg.InterfaceError)


def _task(export_id: int) -> _Task | None:
    asked = db.session.get(Export, export_id)
    if asked is None:
        return None
    g.language = asked.language
    organisation = db.session.get_one(Organisation, asked.organisation_id)
    key, filter_ = export_jobs.read_query(asked.query)
    scope = export_jobs.scope_of(organisation, key)
    if scope is None:
        _fail(export_id, asked.public_id, _GONE, None)
        return None
    begun = update(Export).where(Export.id == export_id, Export.state.in_(export_jobs.UNDER_WAY))
    begun = begun.values(state=ExportState.RUNNING, started_at=func.coalesce(Export.started_at, func.now()))
    question = Question(scope, filter_, asked.created_at)
    columns = export_jobs.columns_of(asked.query)
    task = _Task(
        asked.id, asked.public_id, Format(asked.format), question, scope.zone, columns, asked.size, asked.last_key
    )  # fmt: skip
    db.session.execute(begun)
    db.session.commit()
    return task


def _write(task: _Task, between: Callable[..., None], maker: Maker | None) -> None:
    """Every part, then the file as a whole, then the word that it is ready."""
    settings().places.exports.mkdir(parents=True, exist_ok=True)
    part = export_jobs.part_of(task.public_id)
    part.touch()
    with part.open("r+b") as file:
        rows = _made(task, file, between, maker) if maker else _copy(task, file, between)
    whole = part
    if task.format is Format.XLSX:
        room = export_jobs.room_of(task.public_id)
        room.mkdir(exist_ok=True)
        whole = room / "book.xlsx"
        told = _seldom(lambda done: between(task, done_count=done))
        workbook.write(part, whole, headings(task.format, task.columns), told)
        with whole.open("rb") as file:
            os.fsync(file.fileno())
    size = whole.stat().st_size
    os.replace(whole, settings().places.exports / task.public_id)
    now = datetime.now(UTC)
    facts = {"row_count": rows, "done_count": rows, "size": size, "last_key": ""}
    _note(task, state=ExportState.READY, finished_at=now, expires_at=now + export_jobs.KEPT, **facts)
    if whole != part:
        part.unlink()
        room.rmdir()


def _made(task: _Task, file: IO[bytes], between: Callable[..., None], maker: Maker) -> int:
    """What `maker` makes, from the top; returns of how many e-mails."""
    file.truncate(0)
    done = 0
    told = _seldom(lambda done, wanted: between(task, done_count=done, row_count=wanted))
    for done, wanted in maker(task.id, file):
        told(done, wanted)
    _keep(file)
    return done


def _seldom(step: Callable[..., None], seconds: float = 1.0) -> Callable[..., None]:
    """`step`, but not more often than that."""
    last = time.monotonic()

    def sometimes(*facts: int) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            step(*facts)
            last = time.monotonic()

    return sometimes


def _copy(task: _Task, file: IO[bytes], between: Callable[..., None]) -> int:
    """Write all rows to `file`, going on where it stops if that is a place to go on from; returns how many."""
    question, columns = task.question, cells(task.zone, task.format, task.columns)
    most = PART_OF_WORDS if question.texts else PART
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        cursor, rows = _resumed(task, file)
        wanted = rows + _left(reading, question, cursor, task)
        _note(task, row_count=wanted)
        while True:
            tally = _Tally(export.copied(reading, question.part(columns, most, cursor), task.format))
            file.writelines(export.framed(tally, task.format, first=not rows))
            rows += tally.rows
            if tally.rows:
                cursor = _at(reading, question, tally.last)
            _keep(file)
            # A workbook's rows are done when they stand in it.
            facts = {} if task.format is Format.XLSX else {"done_count": rows}
            between(task, size=file.tell(), last_key=cursor.write() if cursor else "", **facts)
            if tally.rows < most:
                break
        file.write(export.closing(task.format))
        _keep(file)
    return rows


def _resumed(task: _Task, file: IO[bytes]) -> tuple[Cursor | None, int]:
    """(where to go on, rows that stand already); the file stands at its end. From the top if it cannot be gone on."""
    cursor = cursors.read(task.last_key, task.question.order)
    there = os.fstat(file.fileno()).st_size
    if cursor is not None and task.question.by is DateField.CREATED and there >= task.size:
        file.truncate(task.size)
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        file.seek(task.size)
        # What stands before the first row: a head line of CSV; JSON's bracket, whose line has no end of its own.
        return cursor, lines - export.opening(task.format, task.columns).count(b"\n")
    file.truncate(0)
    file.seek(0)
    file.write(export.opening(task.format, task.columns))
    return None, 0


def _left(reading: Connection, question: Question, cursor: Cursor | None, task: _Task) -> int:
    ids = question.all_ids()
    if cursor is not None:
        ids = ids.where(*question.beyond(cursor))
    return reading.execute(select(func.count()).select_from(ids.subquery())).scalar_one()


class _Tally:
    """Batches of lines on their way, counted; the last line is kept."""

    def __init__(self, batches: Iterator[bytes]) -> None:
        self.rows, self._batches, self._last = 0, batches, b""

    def __iter__(self) -> Iterator[bytes]:
        for batch in self._batches:
            self.rows += batch.count(b"\n")
            self._last = batch
            yield batch

    @property
    def last(self) -> str:
        """The public id in the last line: E-… begins every one, whatever the format."""
        line = self._last[:-1].rpartition(b"\n")[2]
        at = line.index(b"E-")
        end = at + 2
        while line[end : end + 1].isalnum():
            end += 1
        return line[at:end].decode()


def _at(reading: Connection, question: Question, public_id: str) -> Cursor:
    """The place of that e-mail, as the snapshot has it."""
    row = reading.execute(select(question.place, Email.id).where(Email.public_id == public_id)).one()
    return Cursor(question.order, False, row[0], row[1])


def _keep(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _note(task: _Task, **facts: Any) -> None:
    """Make facts durable. Raises _Over when the export is not to be made any more."""
    known = update(Export).where(Export.id == task.id, Export.state == ExportState.RUNNING).values(**facts)
    with db.engine.begin() as connection:
        if connection.execute(known).rowcount != 1:
            raise _Over


def _fail(export_id: int, public_id: str, why: str, error: Exception | None) -> None:
    log.error("export %s failed: %s", public_id, error, exc_info=error)
    facts = {"state": ExportState.FAILED, "error": why, "finished_at": datetime.now(UTC)}
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(
            update(Export).where(Export.id == export_id, Export.state.in_(export_jobs.UNDER_WAY)).values(**facts)
        )  # fmt: skip
    export_jobs.remove(public_id)
