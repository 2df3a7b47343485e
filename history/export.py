"""Exports of exactly what is filtered, streamed from COPY: the database writes the file, nothing is kept here.

CSV for French Excel and by RFC 4180, JSON, NDJSON, and XLSX by way of a file (history.workbook). What a cell holds is
history.export_cells'; exports too long to wait for are history.export_jobs'. The API's fields have the same names.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, func, literal_column, select
from sqlalchemy.dialects.postgresql import psycopg

from extensions import db, settings
from history import copying, workbook
from history.export_cells import NAMES, Format, as_lines, cells, headings
from history.filters import HistoryFilter
from history.query import Question
from history.scope import Scope
from history.sentences import chips

__all__ = ["Format", "filename", "more_than", "stream"]

_DIALECT = psycopg.dialect()
# Along an index from the first row on, where the planner would sort everything before the first byte; the addresses
# and contacts that were met stay at hand (at PostgreSQL's own 4 MB it takes 1.6 times as long); and where the tables
# are large a second process reads ahead.
_OF_MANY = """
SET LOCAL enable_sort = off; SET LOCAL work_mem = '32MB'; SET LOCAL max_parallel_workers_per_gather = 1"""


def stream(
    scope: Scope, filter_: HistoryFilter, now: datetime, format_: Format, most: int | None = None,
    columns: Sequence[str] = NAMES,
) -> Iterator[bytes]:  # fmt: skip
    """The file in chunks of about 64 KiB, memory flat. The first chunk is read at once, so that what is wrong is known
    before an answer begins. Whoever knows that there are no more than `most` rows gets them sooner."""
    chunks = _chunks(Question(scope, filter_, now), scope.zone, format_, most, columns)
    if format_ is Format.XLSX:
        chunks = _workbook(chunks, columns)
    first = next(chunks)

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield from chunks

    return all_of_it()


def filename(
    filter_: HistoryFilter, now: datetime, zone: str, format_: Format, what: str = "emails", about: str = ""
) -> str:
    """emails_2026-11-22_0914_en-erreur.csv: of `what` and (a session's title, a name) of whom, when, in the
    organisation's zone, and what is filtered."""
    stamp = f"{now.astimezone(ZoneInfo(zone)):%Y-%m-%d_%H%M}"
    said = "-".join(filter(None, (_slug(chip.label.partition(":")[2]) for chip in chips(filter_))))
    of = _slug(about)[:60].strip("-")
    return "_".join(filter(None, (what, of, stamp, said[:60].strip("-")))) + f".{format_.extension}"


def _slug(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def more_than(scope: Scope, filter_: HistoryFilter, now: datetime, rows: int) -> bool:
    """Whether more than `rows` e-mails answer; looks no further."""
    question = Question(scope, filter_, now)
    limit = literal_column(str(int(rows) + 1))
    found = (question.all_ids().limit(limit) if question.texts else question.walk(rows + 1)).subquery("found")
    return db.session.execute(select(func.count()).select_from(found)).scalar_one() > rows


def opening(format_: Format, columns: Sequence[str] = NAMES) -> bytes:
    """What stands before the first row."""
    if format_ is Format.JSON:
        return b"["
    if format_ in (Format.NDJSON, Format.XLSX):
        return b""
    mark, between = ("\ufeff", ";") if format_ is Format.EXCEL else ("", ",")
    return f"{mark}{between.join(headings(format_, columns).values())}\r\n".encode()


def framed(batches: Iterable[bytes], format_: Format, first: bool = True) -> Iterator[bytes]:
    """Batches of whole lines as that format has them; not `first` when rows stand before them in the file."""
    if format_ is Format.JSON:
        before = b"\n" if first else b",\n"
        for batch in batches:
            yield before + batch[:-1].replace(b"\n", b",\n")
            before = b",\n"
    elif format_ in (Format.NDJSON, Format.XLSX):
        yield from batches
    else:  # no cell holds a line end, so each one ends a row; RFC 4180 wants CRLF
        for batch in batches:
            yield batch.replace(b"\n", b"\r\n")


def closing(format_: Format) -> bytes:
    """What stands after the last row."""
    return b"\n]\n" if format_ is Format.JSON else b""


def copied(connection: Connection, rows: Select[Any], format_: Format) -> Iterator[bytes]:
    """The rows in batches of whole lines, as COPY writes them, in the connection's transaction."""
    compiled = as_lines(rows, format_).compile(dialect=_DIALECT)
    if format_.is_json:  # characters that JSON never holds bare: nothing is quoted, nothing escaped
        options = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', ENCODING 'UTF8'"
    else:
        options = f"FORMAT csv, DELIMITER '{';' if format_ is Format.EXCEL else ','}', ENCODING 'UTF8'"
    raw = connection.connection.driver_connection
    assert raw is not None
    yield from copying.batches(raw, f"COPY ({compiled}) TO STDOUT WITH ({options})", compiled.params)


def _chunks(
    question: Question, zone: str, format_: Format, most: int | None, columns: Sequence[str]
) -> Iterator[bytes]:
    shown = cells(zone, format_, columns)
    rows = question.all_rows(shown) if most is None else question.part(shown, most, None)
    # A connection of its own: the request's is given back before the stream ends.
    with db.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("SET TRANSACTION READ ONLY")
        if most is None:
            cursor.execute(_OF_MANY)
        batches = copied(connection, rows, format_)
        yield opening(format_, columns)
        yield from framed(batches, format_)
        yield closing(format_)


def _workbook(rows: Iterator[bytes], columns: Sequence[str]) -> Iterator[bytes]:
    """A workbook made of `rows` in a folder that is gone afterwards."""
    folder = settings().places.exports
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="now-", dir=folder) as made:
        lines, book = Path(made, "rows"), Path(made, "book.xlsx")
        with lines.open("wb") as file:
            file.writelines(rows)
        workbook.write(lines, book, headings(Format.XLSX, columns))
        with book.open("rb") as file:
            while chunk := file.read(65536):
                yield chunk
