"""A CSV as people have it: bytes of unknown encoding, some delimiter, headers in French or English → rows by field.

Pure: nothing is looked up or saved. Encodings: UTF-8 with or without BOM, UTF-16 with BOM, else Windows-1252.
Delimiters: semicolon, comma, tab.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from models.words import N_

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 20_000
_LONGEST_CELL = 10_000
# Why a text is no list we can read, in words for a person (French message ids).
UNREADABLE = {
    "empty": N_("Le fichier est vide : il faut une ligne d'en-têtes et une ligne par personne."),
    "binary": N_("Ce fichier n'est pas un CSV. Dans votre tableur : « Enregistrer sous », format CSV."),
    "too_big": N_("Le fichier dépasse 5 Mo : coupez-le en plusieurs."),
    "too_many": N_("Le fichier dépasse 20 000 lignes : coupez-le en plusieurs."),
    "no_header": N_("La première ligne doit nommer les colonnes : nom, prénom, e-mail, référence…"),
}

# What each column may be called, folded (lower case, no accents, words alone).
HEADERS: dict[str, tuple[str, ...]] = {
    "first_name": ("prenom", "prenoms", "first name", "firstname", "given name", "forename"),
    "last_name": ("nom", "nom de famille", "nom usuel", "last name", "lastname", "surname", "family name"),
    "name": ("nom complet", "prenom nom", "nom prenom", "prenom et nom", "nom et prenom", "raison sociale",
             "denomination", "name", "full name", "company name"),
    "email": ("email", "e mail", "mail", "courriel", "adresse email", "adresse e mail", "adresse mail",
              "adresse electronique", "email address", "e mail address"),
    "phone": ("telephone", "tel", "portable", "mobile", "numero de telephone", "phone", "phone number"),
    "tags": ("etiquettes", "etiquette", "tags", "tag"),
    "country": ("pays", "country"),
    "offer": ("offre", "offer", "abonnement"),
    "reference": ("reference", "ref", "identifiant", "id", "code", "matricule", "numero", "external id"),
    "company": ("entreprise", "societe", "employeur", "company", "employer", "organisation", "organization"),
    "kind": ("type", "categorie", "kind", "role", "profil"),
    "language": ("langue", "language", "lang"),
    "notes": ("notes", "note", "commentaire", "commentaires", "remarque", "remarques", "comment", "comments"),
}  # fmt: skip
# A list of people has a column that says who.
_NAMING = ("email", "last_name", "name", "reference")


class Unreadable(ValueError):
    """The text is no list we can read; `code` says why: empty, binary, too_big, too_many, no_header."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Sheet:
    """What was read: the fields recognised, the headers that were not, and each row with its line number."""

    fields: tuple[str, ...]
    ignored: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def decode(data: bytes) -> str:
    """The text of an uploaded file. Raises Unreadable for what is no text."""
    if len(data) > MOST_BYTES:
        raise Unreadable("too_big")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if b"\0" in data or data[:4] == b"PK\x03\x04" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise Unreadable("binary")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def fold(text: str) -> str:
    """Lower case, no accents, words of letters and digits with one blank between."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


def read(text: str, headers: Mapping[str, Sequence[str]] = HEADERS, one_of: Set[str] = frozenset(_NAMING)) -> Sheet:
    """The rows of a CSV text with a line of headers, which name at least `one_of` the fields. Raises Unreadable."""
    field_of = {header: name for name, words in headers.items() for header in words}
    text = text.removeprefix("\ufeff").replace("\0", "")
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise Unreadable("too_big")
    lines = _records(text)
    head: list[str] = next((cells for _line, cells in lines if any(cell.strip() for cell in cells)), [])
    if not head:
        raise Unreadable("empty")
    places: dict[int, str] = {}
    ignored = []
    for place, cell in enumerate(head):
        name = field_of.get(fold(cell))
        if name and name not in places.values():
            places[place] = name
        elif cell.strip():
            ignored.append(cell.strip())
    if not one_of & set(places.values()):
        raise Unreadable("no_header")
    rows: list[tuple[int, dict[str, str]]] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) >= MOST_ROWS:
            raise Unreadable("too_many")
        cells += [""] * len(head)
        rows.append((line, {name: cells[place].strip()[:_LONGEST_CELL] for place, name in places.items()}))
    if not rows:
        raise Unreadable("empty")
    return Sheet(tuple(places.values()), tuple(ignored), tuple(rows))


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, cells) of each record."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:  # a field beyond the module's limit: no list has that
            raise Unreadable("binary") from None
        if cells is None:
            return
        yield line, cells
        line = reader.line_num + 1


def _delimiter(text: str) -> str:
    """The delimiter that the first written line uses most, quoted parts left out."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(";,\t", key=lambda mark: (bare.count(mark), -";,\t".index(mark)))
