"""Bytes kept once, by their sha256, with a row that says how many they are and what they are.

A blob is written whole or not at all, before the row that names it; a row rolled back leaves a file that nothing
names, never the other way round. Bytes that are read are proved: what is not what was stored raises Permanent. Where
they lie is documents.vault's; what a blob is called belongs to whoever attaches it (models.Attachment).
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import puremagic
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from documents import pictures, vault
from errors import Permanent, Temporary, UserMistake
from extensions import db, settings
from models import Blob
from models.words import N_

_CHUNK = 256 * 1024
_HEAD = 8192  # the first bytes say what a file is
_SPOOL = 2 * 1024 * 1024  # above this an upload waits on disk, not in memory
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,126}")
# What a browser may show in place; must be what the bytes say, so each has its own signature here.
_SIGNATURES = (
    ("application/pdf", re.compile(rb"%PDF-\d")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
)
# Uploads wait a week at most (blueprints.api.uploads, and the forms that hold files).
_STAY = text("UPDATE leaving_file SET leave_after = now() + interval '8 days' WHERE sha256 = :sha256")
_BACK = text(
    "UPDATE blob SET erased_at = NULL, in_letters = in_letters OR :in_letters "
    "WHERE sha256 = :sha256 AND (erased_at IS NOT NULL OR :in_letters AND NOT in_letters)"
)
SHOWN_IN_PLACE = frozenset(name for name, _ in _SIGNATURES)


@dataclass(frozen=True)
class Stored:
    """A blob in the store: `size` in bytes, `media_type` as sniffed."""

    sha256: str
    size: int
    media_type: str


def sniff(head: bytes, filename: str = "") -> str:
    """The media type that the first bytes say. The name only chooses among types these bytes may be (a .docx and an
    .xlsx begin alike); what nothing recognises is text/plain or application/octet-stream."""
    for media_type, signature in _SIGNATURES:
        if signature.match(head):
            return media_type
    found = ""
    if head:
        try:
            found = _best(puremagic.magic_string(head), filename)
        except Exception:  # PureError for the unknown; whatever else a stranger's bytes provoke means the same
            found = ""
    if found and _MEDIA_TYPE.fullmatch(found) and found not in SHOWN_IN_PLACE:
        return found
    return "text/plain" if _is_text(head) else "application/octet-stream"


def _best(candidates: list[puremagic.PureMagicWithConfidence], filename: str) -> str:
    typed = [c for c in candidates if c.mime_type]
    # puremagic also answers by deeper looks, whose extension has no dot: those do not say what a name may choose
    named = [c for c in typed if c.extension.startswith(".") and filename.lower().endswith(c.extension)]
    best = max(named or typed, key=lambda c: c.confidence, default=None)
    return str(best.mime_type) if best else ""


def _is_text(head: bytes) -> bool:
    if not head or b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD and error.start > _HEAD - 4 and error.reason == "unexpected end of data"
    return True


def store(
    data: bytes | IO[bytes], filename: str = "", limit: int | None = None, in_letters: bool = False
) -> Stored:  # fmt: skip
    """Keep the bytes (once) and their row in the caller's transaction. `in_letters`: for ever, as letters show them
    from within. Bytes that were on their way out (documents.leaving_files), or gone, are kept again.

    Raises UserMistake for no bytes at all, or more than `limit` (default: the settings' largest attachment), Temporary
    where there is no room for them; then nothing is kept.
    """
    limit = settings().max_attachment if limit is None else limit
    try:
        stored = _kept(data, filename, limit)
    except OSError as error:  # where uploads wait
        raise Temporary(str(error)) from error
    row = {"sha256": stored.sha256, "size": stored.size, "media_type": stored.media_type}
    db.session.execute(insert(Blob).values(row).on_conflict_do_nothing())
    db.session.execute(_BACK, {"sha256": stored.sha256, "in_letters": in_letters})
    return stored


def _kept(data: bytes | IO[bytes], filename: str, limit: int) -> Stored:
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        digest, size, head = hashlib.sha256(), 0, b""
        for chunk in _chunks(data):
            size += len(chunk)
            if size > limit:
                raise UserMistake(N_("Ce fichier est trop gros (%(limit)s Mo au plus) : %(name)s"),
                                  "files", limit=limit // 1_000_000 or 1, name=filename)  # fmt: skip
            if len(head) < _HEAD:
                head += chunk[: _HEAD - len(head)]
            digest.update(chunk)
            spool.write(chunk)
        if not size:
            raise UserMistake(N_("Ce fichier est vide : %(name)s"), "files", name=filename)
        stored = Stored(digest.hexdigest(), size, sniff(head, filename))
        # Where they are leaving in this moment this waits until they have left; else they stay for as long as an
        # upload may wait for who sends it.
        db.session.execute(_STAY, {"sha256": stored.sha256})
        if vault.size(stored.sha256) != stored.size:
            spool.seek(0)
            vault.put(stored.sha256, spool)
    return stored


def _chunks(data: bytes | IO[bytes]) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    while chunk := data.read(_CHUNK):
        yield chunk


def open(sha256: str) -> Iterator[bytes]:
    """The bytes in chunks, a range of them in memory at a time. Raises Permanent where they are gone or are not what
    was stored: at once for what one range holds, else at the end, where a reader must not take it for whole."""
    found = vault.pieces(sha256)
    first = next(found)
    digest = hashlib.sha256(first)
    if len(first) < vault.RANGE:
        _prove(sha256, digest)
        return iter([first])

    def all_of_it() -> Iterator[bytes]:
        yield first
        for piece in found:
            digest.update(piece)
            yield piece
        _prove(sha256, digest)

    return all_of_it()


def _prove(sha256: str, digest: hashlib._Hash) -> None:
    if digest.hexdigest() != sha256:
        raise Permanent(f"blob {sha256} is damaged: its bytes are {digest.hexdigest()}")


def read(sha256: str) -> bytes:
    """The bytes whole. Raises Permanent where they are gone or damaged."""
    return b"".join(open(sha256))


def head(sha256: str, size: int) -> bytes:
    """The first `size` bytes, or all there are; unproved. Raises Permanent where they are gone."""
    return vault.head(sha256, size)


def may_show(sha256: str, media_type: str) -> bool:
    """Whether a browser may be asked to show it in place: a PDF, or an image of no more pixels than it can draw. Raises
    Permanent for an image whose bytes are gone."""
    if media_type not in SHOWN_IN_PLACE or not media_type.startswith("image/"):
        return media_type in SHOWN_IN_PLACE
    return pictures.drawable(head(sha256, pictures.HEAD), media_type)


def describe(sha256: str) -> Stored | None:
    """The row of a blob, None for one we do not have (any more). For ids that came with a form."""
    row = db.session.get(Blob, sha256) if _SHA256.fullmatch(sha256) else None
    return Stored(row.sha256, row.size, row.media_type) if row and row.erased_at is None else None
