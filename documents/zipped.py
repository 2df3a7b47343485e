"""A zip that streams: members are read as they leave, so its size costs no memory but that of the list at its end.

Nothing is packed: PDFs and images gain nothing by it. What is gone or proves damaged does not end the archive, of which
the rest is worth having: whoever asked is told which members those are, and says so in what comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from zipstream import ZIP_STORED, ZipStream

from documents import blobs
from errors import Permanent


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
    for member in members:
        whole = [True]
        try:
            data = blobs.open(member.sha256)
        except Permanent:
            whole[0] = False
        else:
            archive.add(_as_far_as_whole(data, whole), member.name, size=member.size)
            yield from archive.all_files()
        if tell:
            tell(member, whole[0])
    if last:
        name, data = last()
        archive.add(data, name)
        yield from archive.all_files()
    yield from archive.finalize()


def _as_far_as_whole(data: Iterator[bytes], whole: list[bool]) -> Iterator[bytes]:
    try:
        yield from data
    except Permanent:
        whole[0] = False
