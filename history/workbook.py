"""A workbook for Excel out of the lines that COPY wrote for Format.XLSX, in memory that does not grow.

Text cells only ever hold text, so nothing in them runs; moments are real dates. The head row stays in place and
filters; what does not fit on a sheet goes on on the next.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

# Rows a sheet of Excel holds beneath its head row.
ROWS_A_SHEET = 1_048_575
# Bytes of lines above which the archive's ordinary numbers may be too small for it.
_MOST_WITHOUT_ZIP64 = 1_000_000_000
_ROWS_A_STEP = 2_000
_WIDTHS = {"recipient": 32, "name": 24, "contact_name": 24, "session_title": 32, "subject": 40, "status": 20}
_WIDTH = 17


def write(
    lines: Path, book: Path, headings: Mapping[str, str], step: Callable[[int], None] = lambda rows: None,
    rows_a_sheet: int = ROWS_A_SHEET,
) -> int:  # fmt: skip
    """Make the workbook `book` of the CSV file `lines`, whose columns are those of `headings` (name → words); returns
    how many rows it has. `step` is told now and then how many are written and may raise to stop. Temporary files go
    beside `book`. Raises OSError when the disk is full."""
    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        "tmpdir": str(book.parent),
    }  # fmt: skip
    made = xlsxwriter.Workbook(str(book), options)
    made.set_calc_mode("manual")
    head = made.add_format({"bold": True, "bottom": 1})
    when = made.add_format({"num_format": "dd/mm/yyyy hh:mm", "align": "left"})
    dates = {at for at, field in enumerate(headings) if field.endswith("_at")}
    numbers = {at for at, field in enumerate(headings) if field.endswith("_count")}
    total = row = 0
    sheet = _sheet(made, headings, head)
    with lines.open(encoding="utf-8", newline="") as file:
        for record in csv.reader(file):
            if row == rows_a_sheet:
                _finish(sheet, row, len(headings))
                sheet, row = _sheet(made, headings, head), 0
            row += 1
            total += 1
            for at, cell in enumerate(record):
                if not cell:
                    continue
                if at in dates:
                    sheet.write_datetime(row, at, datetime.fromisoformat(cell), when)
                elif at in numbers:
                    sheet.write_number(row, at, int(cell))
                else:  # XlsxWriter takes "<r>…</r>" for markup of its own: the guard's apostrophe makes text of it
                    sheet.write_string(row, at, "'" + cell if cell.startswith("<r>") else cell)
            if not total % _ROWS_A_STEP:
                step(total)
    _finish(sheet, row, len(headings))
    if lines.stat().st_size > _MOST_WITHOUT_ZIP64:
        made.use_zip64()
    try:
        made.close()
    except FileCreateError as error:
        raise error.args[0] from None  # the OSError it hides
    return total


def _sheet(made: xlsxwriter.Workbook, headings: Mapping[str, str], head: object) -> Worksheet:
    sheet = made.add_worksheet()
    for at, (field, heading) in enumerate(headings.items()):
        sheet.set_column(at, at, _WIDTHS.get(field, _WIDTH))
        sheet.write_string(0, at, heading, head)
    sheet.freeze_panes(1, 0)
    return sheet


def _finish(sheet: Worksheet, rows: int, columns: int) -> None:
    sheet.autofilter(0, 0, rows, columns - 1)
