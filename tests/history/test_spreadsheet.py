"""Exports opened by LibreOffice: no formula, every accent, dates that are dates; 20,000 rows, or as many as one asks.

`make sheets` does it with a million (SILLAGE_SHEET_ROWS), which takes some minutes.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from extensions import db
from history import HistoryFilter, Scope, export_jobs, export_work
from history.export_cells import Format
from models.words import ExportState
from tests.conftest import House
from tests.history import many, spreadsheet
from tests.need import need

ROWS = int(os.environ.get("SILLAGE_SHEET_ROWS", "20000"))
ZONE = "Europe/Paris"
SECONDS = 60 + ROWS / 500


def say(**measured: Any) -> None:
    """A line of figures (pytest -s shows it)."""
    print(json.dumps({name: round(said, 1) if isinstance(said, float) else said for name, said in measured.items()}))


@pytest.fixture
def files(cassiopee: House, tmp_path: Path) -> dict[Format, Path]:
    """A workbook and a French CSV of every e-mail, made by the worker's job."""
    need("libreoffice")
    began = time.perf_counter()
    many.fill(cassiopee, ROWS)
    say(rows=ROWS, filled_s=time.perf_counter() - began)
    made = {}
    for format_ in (Format.XLSX, Format.EXCEL):
        asked = export_jobs.ask(cassiopee.admin, Scope(cassiopee.id, zone=ZONE), HistoryFilter(), format_)
        db.session.commit()
        began = time.perf_counter()
        assert export_work.run() == 1
        db.session.expire_all()
        assert (asked.state, asked.row_count) == (ExportState.READY, ROWS)
        say(format=format_.value, job_s=time.perf_counter() - began, megabytes=asked.size / 1e6)
        made[format_] = tmp_path / format_.value / f"export.{format_.extension}"
        made[format_].parent.mkdir()
        shutil.move(export_jobs.file_of(asked), made[format_])
    return made


def test_nothing_runs_and_everything_reads_as_it_was_written(cassiopee: House, files: dict[Format, Path]) -> None:
    for format_, file in files.items():
        began = time.perf_counter()
        book = spreadsheet.opened(file, SECONDS)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        say(format=format_.value, opened_s=time.perf_counter() - began, libreoffice_mb=most)
        cells = spreadsheet.Cells(book)
        rows = iter(cells)
        assert next(rows)[:3] == ["Numéro", "Demandé le", "Envoyé le"]
        for number, (found, wanted) in enumerate(zip(rows, many.rows_for_people(cassiopee, ROWS, ZONE), strict=True)):
            if format_ is Format.XLSX:
                found = [cell[1:] if str(cell).startswith("'<r>") else cell for cell in found]
            assert found == wanted, (format_, number)
        assert (cells.formulas, cells.links, cells.sheets) == (0, 0, 1)
        say(format=format_.value, compared_s=time.perf_counter() - began)


def test_a_formula_would_be_seen(tmp_path: Path) -> None:
    """What the guard is for: the same text without its apostrophe is taken for a formula, by the same LibreOffice."""
    bare = tmp_path / "bare.csv"
    bare.write_text("\ufeffA;B;C\r\n=1+1;'=1+1;22/11/2026 10:14\r\n2;12,5;Été\r\n", "utf-8", newline="")
    cells = spreadsheet.Cells(spreadsheet.opened(bare, SECONDS))
    head, first, second = cells
    assert head == ["A", "B", "C"] and first[1] == "'=1+1" and first[2].isoformat() == "2026-11-22T10:14:00"
    assert second[1:] == [12.5, "Été"] and cells.formulas == 1
