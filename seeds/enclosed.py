"""What the demo has for attachments: an e-mail that carries a PDF, two images (one of more pixels than a browser should
be asked to draw), a spreadsheet, and a file whose name would do harm where names are believed.
"""

from __future__ import annotations

import io
import struct
import zlib
from datetime import UTC, datetime, timedelta

import xlsxwriter

from documents import blobs
from mail.compose import File
from models import Contact, DocumentKind, Organisation, TrainingSession
from seeds import documents
from seeds.load import letter_of
from seeds.stories import STORIES

# No name our forms take; kept as what came before they refused it: a way out of the folder, markup, and a turn of the
# direction of writing that makes .exe look like .pdf.
HOSTILE_NAME = "../../<img src=x onerror=alert(1)> facture\u202efdp.exe"
_WIDE = (24_000, 2_000)
# what the map is drawn with: paper, a street, a building, the river, the way, the place
_COLOURS = ((247, 245, 240), (255, 255, 255), (222, 216, 204), (178, 210, 226), (15, 110, 132), (190, 50, 40))
_MAP = (900, 600)


def keep(organisation: Organisation, run: TrainingSession, trainer: Contact) -> None:
    """Write to that trainer about `run`, yesterday; it was read."""
    at = datetime.now(UTC) - timedelta(days=1, hours=2)
    text = (
        f"Bonjour {trainer.first_name},\n\nVoici de quoi préparer « {run.title} » : le programme, le plan d'accès, une "
        f"vue de la salle et la feuille d'émargement à compléter.\n\n{organisation.name}\n"
    )
    files = (*documents.attached(DocumentKind.PROGRAMME, run, trainer, at), *_files())
    letter_of(organisation, trainer, at, run, f"Pour préparer : {run.title}", text, files, STORIES["opened"])


def _files() -> tuple[File, ...]:
    made = (
        ("Plan d'accès.png", _map()), ("Vue de la salle (panorama).png", _panorama()),
        ("Feuille d'émargement.xlsx", _sheet()), (HOSTILE_NAME, b"MZ, which is no programme.\r\n"),
    )  # fmt: skip
    stored = [(name, blobs.store(data, name)) for name, data in made]
    return tuple(File(name, blob.sha256, blob.size, blob.media_type) for name, blob in stored)


def _map() -> bytes:
    """A quarter seen from above: streets between buildings, the river, the way to the door."""
    width, height = _MAP
    rows = [bytearray(width) for _ in range(height)]

    def box(x: int, y: int, right: int, bottom: int, colour: int) -> None:
        for row in rows[max(0, y) : bottom]:
            row[x:right] = bytes([colour]) * (min(right, width) - x)

    for y in range(40, height, 140):
        for x in range(30, width, 180):
            box(x, y, x + 150, y + 104, 2)
    for y in (20, 160, 300, 440, 580):
        box(0, y - 12, width, y + 14, 1)
    for x in range(0, width, 180):
        box(x, 0, x + 26, height, 1)
    for x in range(width):
        top = 455 + (x * 70) // width
        for row in rows[top : top + 60]:
            row[x] = 3
    box(0, 296, 552, 304, 4)
    box(546, 160, 554, 304, 4)
    box(530, 120, 570, 160, 5)
    return _png(width, height, 8, 3, b"".join(b"\0" + bytes(row) for row in rows))


def _panorama() -> bytes:
    """An image of a few kilobytes that asks for more than a browser should give."""
    width, height = _WIDE
    return _png(width, height, 1, 0, (b"\0" + bytes(width // 8)) * height)


def _png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    palette = chunk(b"PLTE", bytes(sum(_COLOURS, ()))) if kind == 3 else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + palette + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def _sheet() -> bytes:
    held = io.BytesIO()
    with xlsxwriter.Workbook(held, {"in_memory": True}) as book:
        page = book.add_worksheet("Émargement")
        for column, word in enumerate(("Nom", "Prénom", "Matin", "Après-midi")):
            page.write_string(0, column, word)
    return held.getvalue()
