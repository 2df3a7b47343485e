"""The proofs of many e-mails in one archive: a folder an e-mail, each whole by itself; a list, a page, the digests.

E-mails are read one after the other while the archive leaves, so its size costs no memory but that of the list at its
end; no more than MOST are taken into one. What is lost or damaged is said, in the list, on the page and among the
digests, and stops nothing. A few are answered at once (`stream`), many are an export job's (`making`).
"""

from __future__ import annotations

import csv
import io
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from flask import g
from sqlalchemy import func, select
from zipstream import ZIP_STORED, ZipStream

from documents.file_names import Unique
from extensions import db
from history import export_jobs, proof, sentences
from history.archive import folder_of, moment
from history.export_cells import defused
from history.filters import HistoryFilter
from history.proof import SUMS, Sum
from history.query import Question
from history.scope import Scope
from i18n import _, language
from models import Attachment, Blob, Email, EmailContent, Export, Organisation, User
from proofs import one, summary
from proofs.one import One
from proofs.summary import Tally
from proofs.taker import Taker

AT_ONCE = 200  # e-mails: some ten seconds
MOST = 5_000
_READ_AT_ONCE = 500
_PAGE = 55_000  # bytes of what is made for each: its page, its facts
_IN_MEMORY = 256 * 1024


@dataclass(frozen=True)
class Wanted:
    """What an archive would hold: e-mails in the list's order, and about how many bytes. `more`: the list has more than
    one archive takes."""

    ids: array[int]
    size: int = 0
    more: bool = False

    @property
    def at_once(self) -> bool:
        return len(self.ids) <= AT_ONCE


@dataclass(frozen=True)
class Asked:
    """Whose proof it is, who takes it, and of what: `about` a session or person, '' for all; `sentence` the filter in
    words. `more`: the list had more."""

    organisation_id: int
    name: str
    at: datetime
    about: str
    sentence: str
    more: bool = False

    @classmethod
    def of(cls, user: User, scope: Scope, filter_: HistoryFilter, at: datetime, more: bool) -> Asked:
        """In the language of the context."""
        said = sentences.sentence(filter_, at, scope.zone)
        return cls(scope.organisation_id, user.name, at, sentences.about(scope), said, more)


def wanted(scope: Scope, filter_: HistoryFilter, now: datetime) -> Wanted:
    """What the archive of that list would hold, in two statements; looks no further than MOST."""
    rows = Question(scope, filter_.with_(), now).part([Email.id], MOST + 1, None)
    ids = array("q", (row[0] for row in db.session.execute(rows)))
    more = len(ids) > MOST
    if more:
        ids.pop()
    own = select(func.coalesce(func.sum(EmailContent.size), 0)).where(
        EmailContent.email_id.in_(ids.tolist()), EmailContent.erased_at.is_(None)
    )  # fmt: skip
    files = (
        select(func.coalesce(func.sum(Blob.size), 0))
        .join(Attachment, Attachment.sha256 == Blob.sha256)
        .where(Attachment.email_id.in_(ids.tolist()))
    )
    size = db.session.execute(select(own.scalar_subquery() + files.scalar_subquery())).scalar_one()
    return Wanted(ids, int(size) + _PAGE * len(ids), more)


def stream(asked: Asked, ids: array[int]) -> Iterator[bytes]:
    """The archive in chunks, in the language of the context."""
    return _chunks(asked, ids, Tally(len(ids)))


def making(export_id: int, file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """An export job's archive into `file`: (done, all) as it goes."""
    job = db.session.get_one(Export, export_id)
    user, organisation = db.session.get_one(User, job.user_id), db.session.get_one(Organisation, job.organisation_id)
    g.zone = organisation.timezone
    key, filter_ = export_jobs.read_query(job.query)
    scope = export_jobs.scope_of(organisation, key)
    assert scope is not None  # the job looked before it began
    found = wanted(scope, filter_, job.created_at)
    tally = Tally(len(found.ids))
    said, seen = Asked.of(user, scope, filter_, datetime.now(UTC), found.more), -1
    for chunk in _chunks(said, found.ids, tally):
        file.write(chunk)
        if tally.done != seen:
            seen = tally.done
            yield tally.done, len(found.ids)
    yield tally.done, len(found.ids)


def _chunks(asked: Asked, ids: array[int], tally: Tally) -> Iterator[bytes]:
    taker, folders = Taker.of(asked.organisation_id, asked.name, asked.at), Unique()
    zone = taker.organisation.timezone
    archive = ZipStream(compress_type=ZIP_STORED)
    with _spool() as listed, _spool() as digests:
        text = io.TextIOWrapper(listed, "utf-8-sig", newline="", write_through=True)  # type: ignore[type-var]
        lines = csv.writer(text, delimiter="," if language() == "en" else ";")
        lines.writerow(_headings())
        for public_id in public_ids(asked.organisation_id, ids):
            found = one.of_email(taker, public_id)
            db.session.rollback()  # nothing is held while it leaves
            if found is not None:
                folder = folders(folder_of(found.row, zone))
                sums = yield from proof.written(archive, found.members, folder + "/")
                digests.write("".join(f"{each.line(folder + '/')}\n" for each in sums).encode())
                tally.count(found, folder, [each.name for each in sums if not each.whole])
                lines.writerow([defused(cell) for cell in _line(found, folder, sums, zone)])
            tally.done += 1
        text.flush()
        for name, data in (
            (_("liste.csv"), _whole(listed)), (_("Synthèse.pdf"), summary.pdf(taker, asked.about, asked.sentence,
                                                                              asked.more, tally)),
        ):  # fmt: skip
            archive.add(data, name)
            yield from archive.all_files()
            digests.write(f"{Sum.of(name, data).line()}\n".encode())
        archive.add(_whole(digests), SUMS)
        yield from archive.all_files()
        yield from archive.finalize()
        text.detach()


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def _whole(spool: IO[bytes]) -> bytes:
    spool.seek(0)
    return spool.read()


def public_ids(organisation_id: int, ids: array[int]) -> Iterator[str]:
    """Their public ids in that order; those that are no longer there are left out."""
    for start in range(0, len(ids), _READ_AT_ONCE):
        some = ids[start : start + _READ_AT_ONCE].tolist()
        query = select(Email.id, Email.public_id).where(Email.id.in_(some), Email.organisation_id == organisation_id)
        known = {row.id: row.public_id for row in db.session.execute(query)}
        yield from (known[each] for each in some if each in known)


def _headings() -> list[str]:
    return [
        _("Dossier"), _("Numéro de l'e-mail"), _("Demandé le"), _("Envoyé le"), _("Destinataire"), _("Adresse"),
        _("Session"), _("Type"), _("Objet"), _("Statut"), _("Motif"), _("Nombre de pièces"), _("SHA-256"),
        _("Intact"), _("Remarque"),
    ]  # fmt: skip


def _line(found: One, folder: str, sums: list[Sum], zone: str) -> list[Any]:
    row, lost = found.row, [each.name for each in sums if not each.whole]
    intact = {None: _("effacé par la règle de conservation"), True: _("oui"), False: _("non")}[found.intact]
    said = _("perdu ou abîmé : %(names)s", names=", ".join(lost)) if lost else ""
    return [
        folder, row.public_id, moment(row.created_at, zone), moment(row.sent_at, zone), row.recipient, row.address,
        row.session_title or "", _(row.type_label), row.subject, _(row.status.label),
        _(row.reason.label) if row.reason else "", str(row.attachment_count), found.found.detail.sha256 or "", intact,
        said,
    ]  # fmt: skip
