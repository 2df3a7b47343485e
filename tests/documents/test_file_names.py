"""documents.file_names: what a stranger called a file, made fit for every disk."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from documents.file_names import LONGEST, Unique, readable, safe

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples"))
NAMES = [
    ("Convocation – Élodie.pdf", "Convocation – Élodie.pdf"),
    ("../../etc/passwd", "etc_passwd"),
    ("..\\..\\WINDOWS\\win.ini", "WINDOWS_win.ini"),
    ("C:\\Users\\x.pdf", "C__Users_x.pdf"),
    ("facture\u202efdp.exe", "facture fdp.exe"),
    ("a\r\nb\0c.pdf", "a b c.pdf"),
    ("nul", "_nul"), ("COM1.txt", "_COM1.txt"), ("aux.tar.gz", "_aux.tar.gz"), ("communes.txt", "communes.txt"),
    (".htaccess", "htaccess"), ("rapport. ", "rapport"), ("...", "piece"), ("", "piece"), ("//", "piece"),
    ("a" * 300 + ".pdf", "a" * (LONGEST - 4) + ".pdf"),
    ("é" * 300 + ".pdf", "é" * 58 + ".pdf"),
    ("un:deux?trois*.pdf", "un_deux_trois_.pdf"),
    ("e\u0301t\u00e9.pdf", "\u00e9t\u00e9.pdf"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_names(name: str, expected: str) -> None:
    assert safe(name) == expected


def test_what_cannot_be_seen_is_shown() -> None:
    assert readable("facture\u202efdp.exe") == "facture\ufffdfdp.exe" and readable("Été (1).pdf") == "Été (1).pdf"
    assert readable("a\r\nb\u200b.pdf", "_") == "a__b_.pdf"


def fits_every_disk(name: str) -> None:
    assert name and len(name.encode()) <= LONGEST
    assert name == unicodedata.normalize("NFC", name)
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        assert path.parts == (name,) and not path.is_absolute() and not path.drive
    assert not PureWindowsPath(name).is_reserved()
    assert not set(name) & set('<>:"/\\|?*') and ".." not in name
    assert not name.startswith((".", " ", "_.")) and not name.endswith((".", " "))
    assert all(unicodedata.category(c)[0] != "C" for c in name)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="./\\ :nulcom1\u202e\u0301\n", max_size=40))
@example("_" * 400)
@example("0.nul")
@example("a." + "é" * 9)
@example("ﬀ" * 50)
def test_any_name_fits_every_disk(name: str) -> None:
    made = safe(name)
    fits_every_disk(made)
    assert safe(made) == made


def test_hostile_names_fit_every_disk() -> None:
    lines = []
    for kind in ("path", "string", "crlf"):
        file = SAMPLES / "hostile" / f"{kind}.jsonl"
        if not file.exists():
            pytest.skip(f"{file} is not here (SILLAGE_SAMPLES)")
        lines += [json.loads(line)["payload"] for line in file.read_text().splitlines()]
    for name in lines:
        fits_every_disk(safe(name))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["a.pdf", "A.PDF", "a (2).pdf", "é", "e\u0301", "É", "x" * LONGEST, "b.tar.gz"])))
def test_no_two_are_the_same_to_any_disk(names: list[str]) -> None:
    unique = Unique()
    made = [unique(safe(name)) for name in names]
    assert len({unicodedata.normalize("NFKD", name).casefold() for name in made}) == len(names)
    for name in made:
        fits_every_disk(name)


def test_the_second_of_a_name_is_numbered_before_its_extension() -> None:
    unique = Unique()
    assert [unique(name) for name in ("a.pdf", "a.pdf", "A.pdf", "b", "b")] == [
        "a.pdf", "a (2).pdf", "A (3).pdf", "b", "b (2)",
    ]  # fmt: skip
