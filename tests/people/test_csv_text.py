"""Reading CSVs as people have them."""

from __future__ import annotations

import pytest

from people import csv_text
from people.csv_text import Unreadable, decode, fold, read

ROW = {"first_name": "Léa", "last_name": "Fontaine", "email": "lea@mail.example"}


@pytest.mark.parametrize(
    "data",
    [
        "Prénom;Nom;E-mail\r\nLéa;Fontaine;lea@mail.example\r\n".encode(),
        "\ufeffPrénom,Nom,Adresse e-mail\nLéa,Fontaine,lea@mail.example".encode(),
        "PRENOM\tNOM\tCOURRIEL\rLéa\tFontaine\tlea@mail.example\r".encode("cp1252"),
        "Prénom;Nom;E-mail\nLéa;Fontaine;lea@mail.example\n".encode("utf-16"),
        '"Prénom";"Nom";"E-mail"\n"Léa";"Fontaine";"lea@mail.example"\n'.encode(),
        "first name,last name,email\nLéa,Fontaine,lea@mail.example\n".encode(),
        "\n\n;;\nPrénom ; Nom ; E-mail\n\n Léa ; Fontaine ; lea@mail.example \n;;\n".encode(),
    ],
)
def test_one_person_whatever_the_dress(data: bytes) -> None:
    sheet = read(decode(data))
    assert [row for _line, row in sheet.rows] == [ROW]
    assert sheet.ignored == ()


def test_lines_are_numbered_as_in_the_file() -> None:
    sheet = read('nom;notes\nA;"deux\nlignes"\n\nB;\n')
    assert [(line, row["last_name"]) for line, row in sheet.rows] == [(2, "A"), (5, "B")]
    assert sheet.rows[0][1]["notes"] == "deux\nlignes"


def test_unknown_columns_are_named_and_short_rows_filled() -> None:
    sheet = read("nom;couleur préférée;email\nA\nB;bleu;b@mail.example;trop\n")
    assert sheet.ignored == ("couleur préférée",)
    assert [row for _line, row in sheet.rows] == [
        {"last_name": "A", "email": ""}, {"last_name": "B", "email": "b@mail.example"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"), (b"\n \n;;\n", "empty"), (b"nom;email\n", "empty"), (b"1;2;3\n4;5;6\n", "no_header"),
        (b"PK\x03\x04rest of a workbook", "binary"), (b"nom\0\0;email\nA;b", "binary"),
        (b"\xd0\xcf\x11\xe0rest of an old workbook", "binary"), (b"n" * (csv_text.MOST_BYTES + 1), "too_big"),
        (b"nom\n" + b"A\n" * (csv_text.MOST_ROWS + 1), "too_many"), (b'nom\n"' + b"a" * 200_000, "binary"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as problem:
        read(decode(data))
    assert problem.value.code == code


def test_fold() -> None:
    assert fold("  Adresse   E-MAIL ") == "adresse e mail"
    assert fold("Prénom(s)") == "prenom s"
