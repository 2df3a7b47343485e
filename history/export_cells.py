"""What an export's columns are, in every format: names, headings, and the SQL of each cell.

A cell that a spreadsheet would take for a formula gets a leading apostrophe, as does one that begins with an
apostrophe: so a reader that drops one gets the value back. JSON carries it bare. No cell but JSON's holds a line end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from i18n import _
from models import Address, Attachment, Contact, Email, Sender, TrainingSession, User
from models.words import N_, EmailType, Reason, Status

# = + - @ TAB CR and their full-width sisters, LF, and the apostrophe itself.
_RISKY = (61, 43, 45, 64, 9, 13, 10, 39, 65309, 65291, 65293, 65312)


class Format(Enum):
    """The value is the query's `format`."""

    EXCEL = "csv-excel"
    CSV = "csv"
    JSON = "json"
    NDJSON = "ndjson"  # one object a line
    XLSX = "xlsx"
    PROOF = "proof"  # no list: a folder an e-mail (the package proofs)

    @property
    def extension(self) -> str:
        return {Format.EXCEL: "csv", Format.PROOF: "zip"}.get(self, self.value)

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def label(self) -> str:
        """A French message id."""
        return _LABELS[self]

    @property
    def is_list(self) -> bool:
        """A row an e-mail, as whoever reads the list may have it."""
        return self is not Format.PROOF

    @property
    def is_json(self) -> bool:
        return self in (Format.JSON, Format.NDJSON)

    @property
    def is_translated(self) -> bool:
        """For people: headings and words in their language, hours in their zone."""
        return self in (Format.EXCEL, Format.XLSX)


_MEDIA_TYPES = {
    Format.EXCEL: "text/csv; charset=utf-8",
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PROOF: "application/zip",
}
_LABELS = {
    Format.EXCEL: N_("Excel français (CSV)"),
    Format.CSV: N_("CSV standard (RFC 4180)"),
    Format.JSON: N_("JSON"),
    Format.NDJSON: N_("JSON, une ligne par e-mail (NDJSON)"),
    Format.XLSX: N_("Classeur Excel (XLSX)"),
    Format.PROOF: N_("Dossier de preuve (ZIP)"),
}

# (field, heading in French, what it is): the order of every format.
FIELDS: tuple[tuple[str, str, ColumnElement[Any]], ...] = (
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
NAMES = tuple(field for field, *_rest in FIELDS)
_WRITTEN_BY_PEOPLE = {"recipient", "name", "contact_name", "session_title", "subject", "attachment_names", "type",
                      "sender", "requested_by"}  # fmt: skip


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The columns of an export: those named, in their order, after `id`, by which a row is found again and a job goes
    on where it stopped. None named: all of them. What is no column is dropped."""
    named = [name for name in dict.fromkeys(names) if name in NAMES]
    return ("id", *(name for name in named if name != "id")) if named else NAMES


def headings(format_: Format, columns: Sequence[str] = NAMES) -> dict[str, str]:
    """Column → what the first row says of it: stable names for programs, words for people."""
    said = {field: _(heading) if format_.is_translated else field for field, heading, _what in FIELDS}
    return {field: said[field] for field in columns}


def cells(zone: str, format_: Format, columns: Sequence[str] = NAMES) -> list[ColumnElement[Any]]:
    """Each column's cell as that format writes it; moments in `zone` where people read them."""
    known = {field: what for field, _heading, what in FIELDS}
    return [_cell(field, known[field], zone, format_).label(field) for field in columns]


def as_lines(rows: Select[Any], format_: Format) -> Select[Any]:
    """The statement to COPY: rows of cells, for JSON one object a row."""
    if not format_.is_json:
        return rows
    return select(cast(func.row_to_json(literal_column("line")), Text)).select_from(rows.subquery("line"))


def _cell(field: str, what: Any, zone: str, format_: Format) -> ColumnElement[Any]:
    if field == "attachment_names":
        what = _attachment_names(format_)
        return what if format_.is_json else _guarded(what, format_)
    if field.endswith("_at"):
        return _moment(what, zone, format_)
    if format_.is_translated and field in ("type", "status", "reason"):
        words: dict[str, Any] = {"type": EmailType, "status": Status, "reason": Reason}
        labels = {str(word.value): _(word.label) for word in words[field]}
        plain = cast(what, Text)
        return case(labels, value=plain, else_=_guarded(plain, format_))
    if field in _WRITTEN_BY_PEOPLE and not format_.is_json:
        return _guarded(what, format_)
    return cast(what, Text) if field in ("status", "reason") else what


def _moment(what: Any, zone: str, format_: Format) -> ColumnElement[str]:
    if format_ is Format.EXCEL:
        return func.to_char(func.timezone(zone, what), "DD/MM/YYYY HH24:MI")
    if format_ is Format.XLSX:  # history.workbook makes a real date of it
        return func.to_char(func.timezone(zone, what), 'YYYY-MM-DD"T"HH24:MI:SS')
    return func.to_char(func.timezone("UTC", what), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')


def _guarded(text: Any, format_: Format) -> ColumnElement[str]:
    """The cell on one line, defused. XML, of which a workbook is made, has no U+FFFE and U+FFFF."""
    wrong, right = ("\r\n\ufffe\uffff", "  \ufffd\ufffd") if format_ is Format.XLSX else ("\r\n", "  ")
    line = func.translate(text, wrong, right)
    return case((func.ascii(text).in_([literal_column(str(code)) for code in _RISKY]), literal("'") + line), else_=line)


def defused(text: str) -> str:
    """A cell written here rather than by the database: on one line, and no formula."""
    line = text.replace("\r", " ").replace("\n", " ")
    return f"'{line}" if text and ord(text[0]) in _RISKY else line


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
