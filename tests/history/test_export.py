"""Exports: every format read back is exactly what is filtered, whatever people wrote; nothing in it runs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as rounds
from hypothesis import strategies as st
from sqlalchemy import text

from extensions import db
from history import HistoryFilter, Scope, browse, export, workbook
from history.export_cells import FIELDS, NAMES, Format
from i18n import _
from models import Email
from models.words import EmailType, Reason, Status
from tests.history.making import NOW, make_contact, make_email, make_session

HOSTILE = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1;1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    '=HYPERLINK("http://evil.example")',
    "=cmd|' /C calc'!A0",
    "'=1+1",
    "''",
    '"',
    '""";=1',
    "a;b,c\td",
    "une\nligne",
    "Été à Noël – œuvre €",
    "عنوان الرسالة",
    "👩🏽‍🎓 bravo",
    "<r><t>x</t></r>",
    "_x0041_",
    "\x01\x1f\x7f",
    "\ufffe\uffff",
    "0001",
    "1e5",
    "http://x.example",
    "{=1}",
]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60) | st.sampled_from(
    HOSTILE
)
SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def ask(query: str = "") -> HistoryFilter:
    return HistoryFilter.from_query(parse_qsl(query))


def made(house: Any, format_: Format, query: str = "", **options: Any) -> bytes:
    return b"".join(export.stream(Scope(house.id), ask(query), NOW, format_, **options))


def on_one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def bare(cell: str) -> str:
    """What a reader that drops one leading apostrophe gets."""
    return cell.removeprefix("'")


def sheets(data: bytes) -> list[list[list[Any]]]:
    """Sheets of rows of (kind, value), read with nothing but the XML; formulas are refused."""
    book = zipfile.ZipFile(io.BytesIO(data))
    found = []
    for name in sorted(n for n in book.namelist() if n.startswith("xl/worksheets/sheet")):
        tree = ElementTree.fromstring(book.read(name))
        assert not tree.findall(f".//{SPACE}f") and not tree.findall(f".//{SPACE}hyperlink")
        rows = []
        for row in tree.iter(f"{SPACE}row"):
            cells: list[Any] = [""] * len(FIELDS)
            for cell in row:
                column = ord(re.sub(r"\d", "", cell.get("r", ""))) - ord("A")
                if cell.get("t") == "inlineStr":
                    raw = "".join(t.text or "" for t in cell.iter(f"{SPACE}t"))
                    cells[column] = re.sub(r"_x([0-9A-F]{4})_", lambda m: chr(int(m[1], 16)), raw)
                else:
                    cells[column] = float(cell.findtext(f"{SPACE}v", "nan"))
            rows.append(cells)
        found.append(rows)
    return found


def moment(number: float) -> datetime:
    return datetime(1899, 12, 30) + timedelta(seconds=round(number * 86400))


@rounds(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(subject=TEXT, name=TEXT, filename=TEXT.filter(bool))
def test_what_people_wrote_comes_back(cassiopee: Any, subject: str, name: str, filename: str) -> None:
    db.session.execute(text("TRUNCATE email, address CASCADE"))
    db.session.commit()
    make_email(cassiopee, "x@example.org", name, subject=subject, at=NOW, files=((filename, "text/plain", "a" * 64),))
    for format_, mark in ((Format.CSV, ","), (Format.EXCEL, ";")):
        whole = made(cassiopee, format_).decode("utf-8-sig" if format_ is Format.EXCEL else "utf-8")
        rows = list(csv.reader(io.StringIO(whole, newline=""), delimiter=mark))
        assert [len(row) for row in rows] == [len(FIELDS)] * 2 and whole.count("\r\n") == 2
        cells = dict(zip((field for field, *_rest in FIELDS), rows[1], strict=True))
        wanted = {"subject": subject, "name": name, "attachment_names": filename}
        assert {key: bare(cells[key]) for key in wanted} == {key: on_one_line(v) for key, v in wanted.items()}
        assert not any(cell[:1] in "=+-@\t\r\n" for cell in rows[1] if cell)
    (told,) = json.loads(made(cassiopee, Format.JSON))
    (line,) = made(cassiopee, Format.NDJSON).decode().removesuffix("\n").split("\n")
    assert told == json.loads(line)
    assert (told["subject"], told["name"], told["attachment_names"]) == (subject, name, [filename])
    ((_head, row),) = sheets(made(cassiopee, Format.XLSX))
    cell = dict(zip((field for field, *_rest in FIELDS), row, strict=True))
    shown = on_one_line(subject).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert bare(cell["subject"]) == shown


@pytest.fixture
def filled(cassiopee: Any, boreale: Any) -> Any:
    session = make_session(cassiopee, "Sécurité incendie")
    petit = make_contact(cassiopee, "Élodie Petit")
    for number in range(40):
        status = list(Status)[number % len(Status)]
        reason = Reason.MAILBOX_FULL if status is Status.UNDELIVERABLE else None
        make_email(
            cassiopee,
            f"n{number % 7}@example.org",
            f"Nom {number % 7}",
            ago=timedelta(hours=13 * number),
            status=status,
            reason=reason,
            type=["convocation", "free", "invoice.new"][number % 3],
            subject=f"Objet n° {number}",
            training_session_id=session.id if number % 2 else None,
            contact_id=petit.id if number % 5 else None,
            files=(("b.pdf", "application/pdf", "b" * 64), ("a.pdf", "application/pdf", "a" * 64))
            if number % 4 == 0
            else (),
        )
    make_email(boreale, "elsewhere@example.org", "Ailleurs")
    return cassiopee


QUERIES = [
    "",
    "status=error",
    "type=free&attachment=no",
    "recipient=nom+3",
    "subject=objet+12",
    "sort=date&status=sent&status=delivered",
    "date_field=sent",
    "date_field=updated&sort=date",
    "session=incendie",
    "contact=elodie",
    "period=week",
    "reason=mailbox_full",
    "operator=example.org&resent=no",
    "treated=no",
    "sender=formation@cassiopee.example",
    "by=staff@cassiopee.example",
    "subject=rien",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_file_has_the_rows_of_the_table_in_their_order(filled: Any, query: str) -> None:
    rows = browse(Scope(filled.id), ask(f"{query}&limit=200"), NOW).rows
    ids = [row.public_id for row in rows]
    assert len(rows) < 200 and (ids or query == "subject=rien")
    for options in ({}, {"most": 1000}):
        lines = made(filled, Format.CSV, query, **options).decode().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == ids
        assert [one["id"] for one in json.loads(made(filled, Format.JSON, query, **options))] == ids
        told = [json.loads(line) for line in made(filled, Format.NDJSON, query, **options).splitlines()]
        assert [one["id"] for one in told] == ids
    for row, one in zip(rows, told, strict=True):
        assert one == {
            "id": row.public_id,
            "type": row.type,
            "recipient": row.address,
            "name": row.recipient_name,
            "contact": row.contact_id,
            "contact_name": row.contact_name,
            "session": row.session_id,
            "session_title": row.session_title,
            "subject": row.subject,
            "attachment_count": row.attachment_count,
            "attachment_names": [file.filename for file in row.attachments],
            "status": row.status,
            "reason": row.reason,
            "sender": row.sender_address,
            "requested_by": row.requested_by,
            **{
                at: moment and f"{moment:%Y-%m-%dT%H:%M:%SZ}"
                for at, moment in (
                    ("created_at", row.created_at),
                    ("sent_at", row.sent_at),
                    ("updated_at", row.updated_at),
                )
            },
        }


def test_people_read_their_own_words_and_hours(filled: Any) -> None:
    rows = browse(Scope(filled.id), ask("limit=200"), NOW).rows
    excel = made(filled, Format.EXCEL).decode("utf-8-sig")
    cells = list(csv.DictReader(io.StringIO(excel, newline=""), delimiter=";"))
    ((head, *book),) = sheets(made(filled, Format.XLSX))
    assert list(cells[0]) == head and head[:3] == ["Numéro", "Demandé le", "Envoyé le"]
    assert len(cells) == len(book) == 40
    for row, cell, line in zip(rows, cells, book, strict=True):
        local = row.created_at.astimezone(ZoneInfo("Europe/Paris"))
        assert cell["Demandé le"] == f"{local:%d/%m/%Y %H:%M}"
        assert moment(line[1]) == local.replace(tzinfo=None)
        assert cell["Statut"] == line[14] == _(row.status.label)
        assert cell["Motif"] == (_(row.reason.label) if row.reason else "")
        known = row.type in EmailType._value2member_map_
        assert cell["Type"] == (_(EmailType(row.type).label) if known else row.type)
        assert line[12] == row.attachment_count


def test_a_sheet_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    lines, book = tmp_path / "rows", tmp_path / "book.xlsx"
    lines.write_text("".join(f"E-{n},2026-11-22T09:14:00,,,,,,,,,,Objet {n},{n},,,,,\n" for n in range(25)))
    told: list[int] = []
    assert workbook.write(lines, book, {name: name for name in NAMES}, told.append, rows_a_sheet=10) == 25
    found = sheets(book.read_bytes())
    assert [len(sheet) for sheet in found] == [11, 11, 6]
    assert [row[0] for sheet in found for row in sheet[1:]] == [f"E-{n}" for n in range(25)]
    first = zipfile.ZipFile(book).read("xl/worksheets/sheet1.xml").decode()
    assert 'state="frozen"' in first and '<autoFilter ref="A1:R11"' in first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.xlsx", "rows"]


def test_names_say_when_and_what(app: Any) -> None:
    zone = "Europe/Paris"
    assert export.filename(ask(), NOW, zone, Format.XLSX) == "emails_2026-11-22_1014.xlsx"
    assert export.filename(ask("status=error"), NOW, zone, Format.EXCEL) == "emails_2026-11-22_1014_en-erreur.csv"


def test_the_first_bytes_come_before_the_rows(filled: Any) -> None:
    chunks = export.stream(Scope(filled.id), ask(), NOW, Format.CSV)
    assert next(chunks).startswith(b"id,created_at,")
    chunks.close()  # type: ignore[attr-defined]
    assert db.session.query(Email).count() == 41


def test_utc_is_said_in_files_for_programs(filled: Any) -> None:
    (first, *_rest) = json.loads(made(filled, Format.JSON))
    assert datetime.fromisoformat(first["created_at"]).astimezone(UTC) == NOW
