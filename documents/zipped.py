"""A zip that streams: members are read as they leave, so its size costs no memory but that of the list at its end.

Nothing is packed: PDFs and images gain nothing by it. What is gone or proves damaged does not end the archive, of which
the rest is worth having: the archive then ends by a text that names what is missing, or, where whoever asked wants to
be told of each member, by what they make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
        whole = [True]
        try:
            if member.sha256 == GONE:
                raise Permanent("erased")
            data = blobs.open(member.sha256)
        except Permanent:
            whole[0] = False
        else:
            archive.add(_as_far_as_whole(data, whole), member.name, size=member.size)
            yield from archive.all_files()
        if tell:
            tell(member, whole[0])
        elif not whole[0]:
            lost.append(member.name)
    if last or lost:
        name, said = last() if last else (_("MANQUE.txt"), _missing(lost))
        archive.add(said, name)
        yield from archive.all_files()
    yield from archive.finalize()


def _missing(names: list[str]) -> list[bytes]:
    said = _("Perdus ou abîmés dans notre stockage, ils manquent à cette archive ou n'y sont pas entiers :")
    return ["\r\n".join([said, "", *names, ""]).encode("utf-8-sig")]


def _as_far_as_whole(data: Iterator[bytes], whole: list[bool]) -> Iterator[bytes]:
    try:
        yield from data
    except Permanent:
        whole[0] = False
