"""LibreOffice Calc, opening a file as a person's double-click would, and what it then holds, cell by cell.

It is asked for an .ods, whose XML says of each cell what it is: text, number, date, formula. That is read as a stream,
so a million rows are read in the memory of one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.parsers import expat
from zipfile import ZipFile

from tests.need import need

# CSV as a French Calc reads it: semicolon, quote, UTF-8, from line 1, French, numbers and dates detected.
FRENCH_CSV = "CSV:59,34,76,1,,1036,false,true"
_BLOCK = 1 << 18


def opened(source: Path, seconds: float) -> Path:
    """What LibreOffice makes of it, as .ods beside it."""
    command = [need("libreoffice"), "--headless", f"-env:UserInstallation=file://{source.parent}/profile"]
    if source.suffix == ".csv":
        command.append(f"--infilter={FRENCH_CSV}")
    command += ["--convert-to", "ods", "--outdir", str(source.parent), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    made = source.with_suffix(".ods")
    assert ran.returncode == 0 and made.is_file(), ran.stdout + ran.stderr
    return made


class Cells:
    """The rows of every sheet: lists of str, float and datetime, "" for what is empty, without the empty end of a row.
    `formulas` and `links` are counted on the way."""

    def __init__(self, book: Path) -> None:
        self.formulas = self.links = self.sheets = 0
        self._book = book
        self._rows: list[list[Any]] = []
        self._row: list[Any] = []
        self._cell: Any = None
        self._text: list[str] | None = None
        self._many = self._lines = 1

    def __iter__(self) -> Iterator[list[Any]]:
        reader = expat.ParserCreate()
        reader.buffer_text = True
        reader.StartElementHandler, reader.EndElementHandler = self._start, self._end
        reader.CharacterDataHandler = self._said
        with ZipFile(self._book) as book, book.open("content.xml") as content:
            while block := content.read(_BLOCK):
                reader.Parse(block)
                yield from self._rows
                self._rows = []

    def _start(self, name: str, values: dict[str, str]) -> None:
        match name:
            case "text:p":
                self._text = [] if self._text is None else [*self._text, "\n"]
            case "table:table-cell":
                self._many, self._text = int(values.get("table:number-columns-repeated", 1)), None
                self.formulas += "table:formula" in values
                self._cell = _value(values)
            case "text:s" if self._text is not None:
                self._text.append(" " * int(values.get("text:c", 1)))
            case "text:tab" if self._text is not None:
                self._text.append("\t")
            case "text:line-break" if self._text is not None:
                self._text.append("\n")
            case "text:a":
                self.links += 1
            case "table:table-row":
                self._row, self._lines = [], int(values.get("table:number-rows-repeated", 1))
            case "table:table":
                self.sheets += 1

    def _said(self, said: str) -> None:
        if self._text is not None:
            self._text.append(said)

    def _end(self, name: str) -> None:
        if name == "table:table-cell":
            cell = self._cell if self._cell is not None else "".join(self._text or ())
            self._row += [cell] * (self._many if self._many < 1000 else 1)  # the empty rest of the sheet
            self._text = None
        elif name == "table:table-row":
            while self._row and self._row[-1] == "":
                del self._row[-1]
            if self._row:
                self._rows += [self._row] * self._lines


def _value(cell: dict[str, str]) -> Any:
    """A date or a number; None for text."""
    kind = cell.get("office:value-type", "string")
    if kind == "date":
        moment = datetime.fromisoformat(cell["office:date-value"][:19])
        fraction = cell["office:date-value"][19:]  # a spreadsheet's dates are fractions of days
        return moment + timedelta(seconds=round(float("0" + fraction))) if fraction else moment
    return None if kind == "string" else float(cell["office:value"])
