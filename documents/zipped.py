"""A zip that streams: members are read as they leave, so its size costs no memory but that of the list at its end.

Nothing is packed: PDFs and images gain nothing by it. What is gone or proves damaged does not end the archive, of which
the rest is worth having: the archive then ends by a text that names what is missing, or, where whoever asked wants to
be told of each member, by what they make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from zipstream import ZIP_STORED, ZipStream

from documents import blobs
from errors import Permanent
from i18n import _

GONE = ""  # in place of a sha256: there is nothing to give


@dataclass(frozen=True)
class Member:
    """One file of an archive. `name` is its path within it, made of names of documents.file_names; `size` in bytes."""

    name: str
    sha256: str
    size: int


def stream(
    members: Iterable[Member], tell: Callable[[Member, bool], None] | None = None,
    last: Callable[[], tuple[str, Iterable[bytes]]] | None = None,
) -> Iterator[bytes]:  # fmt: skip
    """The archive in chunks. `tell` hears of each member whether it is whole, after it has left; `last` then gives the
    name and bytes of one more."""
    archive = ZipStream(compress_type=ZIP_STORED)
    lost: list[str] = []
    for member in members:
        whole = yield from put(archive, member.sha256, member.name, member.size)
        if tell:
            tell(member, whole)
        elif not whole:
            lost.append(member.name)
    if last or lost:
        name, said = last() if last else (_("MANQUE.txt"), _missing(lost))
        archive.add(said, name)
        yield from archive.all_files()
    yield from archive.finalize()


def put(archive: ZipStream, sha256: str, name: str, size: int) -> Generator[bytes, None, bool]:
    """The bytes of one blob on their way into `archive`; at the end whether they were all there and as they were
    stored. Where nothing of it could be read (GONE, lost) there is no such member."""
    whole = True

    def as_far_as_whole(data: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal whole
        try:
            yield from data
        except Permanent:
            whole = False

    try:
        if sha256 == GONE:
            raise Permanent("erased")
        data = blobs.open(sha256)
    except Permanent:
        return False
    archive.add(as_far_as_whole(data), name, size=size)
    yield from archive.all_files()
    return whole


def _missing(names: list[str]) -> list[bytes]:
    said = _("Perdus ou abîmés dans notre stockage, ils manquent à cette archive ou n'y sont pas entiers :")
    return ["\r\n".join([said, "", *names, ""]).encode("utf-8-sig")]
