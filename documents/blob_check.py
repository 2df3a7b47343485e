"""Whether every blob is whole: each row's bytes are there, as many as it says, and hash to its name.

Reads everything once, a range at a time, and holds one page of names: a store of any size costs no more memory than a
small one. Files that no row names (an upload whose transaction was rolled back leaves one) are listed, never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from sqlalchemy import func, select

from documents import vault
from documents.vault import Kept
from errors import Permanent
from extensions import db
from models import Attachment, Blob, Document, Email

_ROWS = 500
# A file this young may be one whose row is being written.
YOUNG = timedelta(hours=1)


class Fault(Enum):
    """MISSING and DAMAGED are losses; an ORPHAN is bytes that nothing names, a STRAY a file that is no blob."""

    MISSING = "missing"
    DAMAGED = "damaged"
    ORPHAN = "orphan"
    STRAY = "stray"

    @property
    def loss(self) -> bool:
        return self in (Fault.MISSING, Fault.DAMAGED)


@dataclass(frozen=True)
class Finding:
    """One fault. `size` is what the row says (the file, where no row names it) and `found` what there is, in bytes;
    `emails` and `documents` count who names it, and `example` is the newest such e-mail's public id and file name."""

    fault: Fault
    name: str
    size: int
    found: int
    emails: int = 0
    documents: int = 0
    example: tuple[str, str] | None = None


@dataclass
class Tally:
    """What was looked at so far."""

    blobs: int = 0
    size: int = 0
    files: int = 0


def check(tally: Tally, quick: bool = False, tell: Callable[[Tally], None] | None = None) -> Iterator[Finding]:
    """Every fault: first of the rows, then of the files. `quick` takes bytes at their number and hashes none; `tell`
    hears of the tally after each page. Raises Temporary where the store is away."""
    after = ""
    while True:
        page = select(Blob.sha256, Blob.size).where(Blob.sha256 > after, Blob.erased_at.is_(None))
        rows = db.session.execute(page.order_by(Blob.sha256).limit(_ROWS)).all()
        db.session.rollback()  # no transaction lasts as long as the reading
        for sha256, size in rows:
            tally.blobs, tally.size = tally.blobs + 1, tally.size + size
            found = _fault(sha256, size, quick)
            if found:
                yield found
        if tell:
            tell(tally)
        if len(rows) < _ROWS:
            break
        after = rows[-1][0]
    yield from _unnamed(tally, tell)


def _fault(sha256: str, size: int, quick: bool) -> Finding | None:
    there = vault.size(sha256)
    if there is None:
        return _named(Fault.MISSING, sha256, size, 0)
    if there != size or not quick and not _whole(sha256):
        return _named(Fault.DAMAGED, sha256, size, there)
    return None


def _whole(sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        for piece in vault.pieces(sha256):
            digest.update(piece)
    except Permanent:  # it went while it was read
        return False
    return digest.hexdigest() == sha256


def _named(fault: Fault, sha256: str, size: int, found: int) -> Finding:
    """The fault with who names the blob."""
    emails = select(func.count(), func.max(Attachment.id)).where(Attachment.sha256 == sha256)
    count, newest = db.session.execute(emails).one()
    documents = db.session.scalar(select(func.count()).where(Document.sha256 == sha256)) or 0
    example = None
    if newest is not None:
        named = select(Email.public_id, Attachment.filename).join(Attachment, Attachment.email_id == Email.id)
        public_id, filename = db.session.execute(named.where(Attachment.id == newest)).one()
        example = (public_id, filename)
    db.session.rollback()
    return Finding(fault, sha256, size, found, count, documents, example)


def _unnamed(tally: Tally, tell: Callable[[Tally], None] | None) -> Iterator[Finding]:
    """The files that no row names, but for the youngest."""
    page: list[Kept] = []
    for kept in vault.kept():
        tally.files += 1
        page.append(kept)
        if len(page) == _ROWS:
            yield from _strangers(page)
            page = []
            if tell:
                tell(tally)
    yield from _strangers(page)


def _strangers(page: list[Kept]) -> Iterator[Finding]:
    before = datetime.now(UTC) - YOUNG
    old = [kept for kept in page if kept.modified_at < before]
    names = [kept.sha256 for kept in old if kept.sha256]
    rows = select(Blob.sha256).where(Blob.sha256.in_(names), Blob.erased_at.is_(None))
    known = set(db.session.scalars(rows)) if names else set()
    db.session.rollback()
    for kept in old:
        if kept.sha256 is None:
            yield Finding(Fault.STRAY, kept.path, kept.size, kept.size)
        elif kept.sha256 not in known:
            yield Finding(Fault.ORPHAN, kept.sha256, kept.size, kept.size)
