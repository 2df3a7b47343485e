"""Exports of exactly what is filtered, streamed from COPY: the database writes the file, nothing is kept here.

Two CSV flavours (French Excel; RFC 4180), JSON and NDJSON. A cell that a spreadsheet would take for a formula gets a
leading apostrophe, as does one that begins with an apostrophe: so a reader that drops one gets the value back. JSON
carries it bare. The API's fields and these have the same names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, psycopg

from extensions import db
from history.filters import HistoryFilter
from history.query import Question
from history.scope import Scope
from history.sentences import chips
from i18n import _
from models import Address, Attachment, Contact, Email, Sender, TrainingSession, User
from models.words import N_, EmailType, Reason, Status

_CHUNK = 64 * 1024
# = + - @ TAB CR and their full-width sisters, LF, and the apostrophe itself.
_RISKY = (61, 43, 45, 64, 9, 13, 10, 39, 65309, 65291, 65293, 65312)


class Format(Enum):
    """The value is the query's `format`."""

    EXCEL = "csv-excel"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"  # one object a line

    @property
    def extension(self) -> str:
        return self.value if self.is_json else "csv"

    @property
    def media_type(self) -> str:
        if self is Format.NDJSON:
            return "application/x-ndjson"
        return "application/json" if self is Format.JSON else "text/csv; charset=utf-8"

    @property
    def is_json(self) -> bool:
        return self in (Format.JSON, Format.NDJSON)


# (field, heading in French, what it is): the order of every format.
_FIELDS: tuple[tuple[str, str, ColumnElement[Any]], ...] = (
    ("id", N_("Numéro"), Email.public_id),
    ("created_at", N_("Demandé le"), Email.created_at),
    ("sent_at", N_("Envoyé le"), Email.sent_at),
    ("updated_at", N_("Dernier changement"), Email.updated_at),
    ("type", N_("Type"), Email.type),
    ("recipient", N_("Adresse"), Address.address),
    ("name", N_("Nom"), Address.name),
    ("contact", N_("Numéro du client"), Contact.public_id),
    ("contact_name", N_("Client"), Contact.name),
    ("session", N_("Numéro de la session"), TrainingSession.public_id),
    ("session_title", N_("Session"), TrainingSession.title),
    ("subject", N_("Objet"), Email.subject),
    ("attachment_count", N_("Nombre de pièces"), Email.attachment_count),
    ("attachment_names", N_("Pièces jointes"), Attachment.filename),
    ("status", N_("Statut"), Email.status),
    ("reason", N_("Motif"), Email.reason),
    ("sender", N_("Expéditeur"), Sender.address),
    ("requested_by", N_("Demandé par"), User.name),
)  # fmt: skip
_WRITTEN_BY_PEOPLE = {"recipient", "name", "contact_name", "session_title", "subject", "attachment_names", "type",
                      "sender", "requested_by"}  # fmt: skip


def stream(scope: Scope, filter_: HistoryFilter, now: datetime, format_: Format) -> Iterator[bytes]:
    """The file in chunks of about 64 KiB, memory flat. The first chunk is read at once, so that what is wrong is known
    before an answer begins."""
    chunks = _chunks(Question(scope, filter_, now), scope.zone, format_)
    first = next(chunks)

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield from chunks

    return all_of_it()


def filename(filter_: HistoryFilter, now: datetime, zone: str, format_: Format) -> str:
    """emails_2026-11-22_0914_en-erreur.csv: when, in the organisation's zone, and what is filtered."""
    stamp = f"{now.astimezone(ZoneInfo(zone)):%Y-%m-%d_%H%M}"
    said = "-".join(filter(None, (_slug(chip.label.partition(":")[2]) for chip in chips(filter_))))
    return "_".join(filter(None, ("emails", stamp, said[:60].strip("-")))) + f".{format_.extension}"


def _slug(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _chunks(question: Question, zone: str, format_: Format) -> Iterator[bytes]:
    statement = _statement(question, zone, format_)
    dialect = psycopg.dialect()
    compiled = statement.compile(dialect=dialect)
    if format_.is_json:  # characters that JSON never holds bare: nothing is quoted, nothing escaped
        options = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', ENCODING 'UTF8'"
    else:
        options = f"FORMAT csv, DELIMITER '{';' if format_ is Format.EXCEL else ','}', ENCODING 'UTF8'"
    # A connection of its own: the request's is given back before the stream ends.
    with db.engine.connect() as connection:
        cursor = connection.connection.cursor()
        # Along an index from the first row on, where the planner would sort everything before the first byte.
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute("SET LOCAL enable_sort = off")
        with cursor.copy(f"COPY ({compiled}) TO STDOUT WITH ({options})", compiled.params) as copy:
            lines = (bytes(block) for block in copy)
            yield from _json(lines, format_) if format_.is_json else _csv(lines, format_)


def _csv(lines: Iterator[bytes], format_: Format) -> Iterator[bytes]:
    excel = format_ is Format.EXCEL
    heads = [_(heading) if excel else field for field, heading, _what in _FIELDS]
    head = (";" if excel else ",").join(heads) + "\r\n"
    # No cell holds a line end (see _cell), so each one ends a row; RFC 4180 wants CRLF.
    yield (b"\xef\xbb\xbf" if excel else b"") + head.encode()
    for chunk in _gathered(lines):
        yield chunk.replace(b"\n", b"\r\n")


def _json(lines: Iterator[bytes], format_: Format) -> Iterator[bytes]:
    if format_ is Format.NDJSON:
        yield b""  # nothing comes before the first line, and there may be none
        yield from _gathered(lines)
        return
    yield b"["
    before = b"\n"
    for chunk in _gathered(lines):
        yield before + chunk[:-1].replace(b"\n", b",\n")
        before = b",\n"
    yield b"\n]\n"


def _gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _statement(question: Question, zone: str, format_: Format) -> Select[Any]:
    columns = [_cell(field, what, zone, format_).label(field) for field, _heading, what in _FIELDS]
    rows = question.all_rows(columns)
    if not format_.is_json:
        return rows
    return select(cast(func.row_to_json(literal_column("line")), Text)).select_from(rows.subquery("line"))


def _cell(field: str, what: Any, zone: str, format_: Format) -> ColumnElement[Any]:
    if field == "attachment_names":
        what = _attachment_names(format_)
        return what if format_.is_json else _guarded(what)
    if field.endswith("_at"):
        return _moment(what, zone, format_)
    if format_ is Format.EXCEL and field in ("type", "status", "reason"):
        words: dict[str, Any] = {"type": EmailType, "status": Status, "reason": Reason}
        labels = {str(word.value): _(word.label) for word in words[field]}
        plain = cast(what, Text)
        return case(labels, value=plain, else_=_guarded(plain))
    if field in _WRITTEN_BY_PEOPLE and not format_.is_json:
        return _guarded(what)
    return cast(what, Text) if field in ("status", "reason") else what


def _moment(what: Any, zone: str, format_: Format) -> ColumnElement[str]:
    if format_ is Format.EXCEL:
        return func.to_char(func.timezone(zone, what), "DD/MM/YYYY HH24:MI")
    return func.to_char(func.timezone("UTC", what), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')


def _guarded(text: Any) -> ColumnElement[str]:
    """The cell on one line, defused."""
    line = func.translate(text, "\r\n", "  ")
    return case((func.ascii(text).in_([literal_column(str(code)) for code in _RISKY]), literal("'") + line), else_=line)


def _attachment_names(format_: Format) -> ColumnElement[Any]:
    names = Attachment.filename
    listed = (
        func.json_agg(aggregate_order_by(names, Attachment.position))
        if format_.is_json
        else func.string_agg(names, aggregate_order_by(literal(" | "), Attachment.position))
    )
    found = select(listed).where(Attachment.email_id == Email.id).correlate(Email).scalar_subquery()
    some = Email.attachment_count > literal_column("0")
    return case((some, found), else_=func.json_build_array()) if format_.is_json else case((some, found), else_="")
