"""All the attachments of a list as one archive: a folder an e-mail, a list of what is in it, nothing held in memory.

Which e-mails it holds is settled when it is asked for; they are then read a hundred at a time, so no transaction lasts
as long as a slow download. What cannot be given (bytes gone or damaged) stands in the list and stops nothing. Who may
ask is the caller's, who also gives an app context for each step.
"""

from __future__ import annotations

import csv
import io
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select

from documents import zipped
from documents.file_names import Unique, safe
from extensions import db
from history.export_cells import defused
from history.filters import HistoryFilter
from history.query import Question
from history.rows import COLUMNS, Row, everything_of
from history.scope import Scope
from i18n import _, language
from models import Attachment, Blob, Email, EmailContent

# The list at an archive's end is all that grows with it: some 20 MB for so many.
MOST_FILES = 20_000
_EMAILS_AT_ONCE = 100
_LIST_IN_MEMORY = 256 * 1024


@dataclass(frozen=True)
class Wanted:
    """What an archive would hold: e-mails in the list's order, how many files, how many bytes. `more`: the list has
    more attachments than one archive takes."""

    ids: array[int]
    file_count: int = 0
    size: int = 0
    more: bool = False


class _File(NamedTuple):
    position: int
    filename: str
    sha256: str
    size: int
    media_type: str
    erased_at: datetime | None

    @property
    def given(self) -> str:
        """The blob to give; what was erased has none, although another e-mail may still hold the same bytes."""
        return zipped.GONE if self.erased_at else self.sha256


def wanted(scope: Scope, filter_: HistoryFilter, now: datetime) -> Wanted:
    """What the archive of that list would hold, in two statements; looks no further than MOST_FILES."""
    ids: array[int] = array("q")
    if filter_.attachment == "no":
        return Wanted(ids)
    question = Question(scope, filter_.with_(attachment="yes"), now)
    rows = question.part([Email.id, Email.attachment_count], MOST_FILES + 1, None)
    files, more = 0, False
    for email_id, count in db.session.execute(rows):
        if files + count > MOST_FILES:
            more = True
            break
        ids.append(email_id)
        files += count
    return Wanted(ids, files, _bytes(ids), more)


def session_has_files(training_session_id: int) -> bool:
    """Whether any e-mail of that session carried a file."""
    carrying = exists().where(Email.training_session_id == training_session_id, Email.attachment_count > 0)
    return bool(db.session.scalar(select(carrying)))


def of_email(organisation_id: int, public_id: str) -> Wanted | None:
    """The attachments of one e-mail; None where the organisation has no such e-mail."""
    found = db.session.execute(
        select(Email.id, Email.attachment_count)
        .where(Email.public_id == public_id, Email.organisation_id == organisation_id)
    ).one_or_none()  # fmt: skip
    return Wanted(array("q", [found[0]]), found[1]) if found else None


def _bytes(ids: array[int]) -> int:
    weight = select(func.coalesce(func.sum(Blob.size), 0)).join(Attachment, Attachment.sha256 == Blob.sha256)
    return int(db.session.execute(weight.where(Attachment.email_id.in_(ids.tolist()))).scalar_one())


def of_list(organisation_id: int, zone: str, ids: array[int]) -> Iterator[bytes]:
    """The archive in chunks: `DATE NAME NUMBER/FILE - NAME - SESSION` of each e-mail, then list.csv, in the language of
    the context."""
    with tempfile.SpooledTemporaryFile(max_size=_LIST_IN_MEMORY) as spool:
        text = io.TextIOWrapper(spool, "utf-8-sig", newline="")  # type: ignore[type-var]
        lines = csv.writer(text, delimiter="," if language() == "en" else ";")
        lines.writerow(_headings())
        about: dict[str, list[Any]] = {}

        def members() -> Iterator[zipped.Member]:
            folders = Unique()
            for row, files in _emails(organisation_id, ids):
                folder = folders(folder_of(row, zone))
                names = Unique()
                for file in files:
                    name = names(safe(_whose(row, file.filename)))
                    member = zipped.Member(f"{folder}/{name}", file.given, file.size)
                    about[member.name] = _line(row, file, member, zone)
                    yield member

        def tell(member: zipped.Member, whole: bool) -> None:
            lost = _("effacé par la règle de conservation") if member.sha256 == zipped.GONE else _("abîmé ou perdu")
            said = "" if whole else lost
            lines.writerow([*map(defused, about.pop(member.name)), said])

        def last() -> tuple[str, Iterable[bytes]]:
            text.flush()
            spool.seek(0)
            return _("liste.csv"), _chunks(spool)

        yield from zipped.stream(members(), tell, last)


def of_one(organisation_id: int, ids: array[int]) -> Iterator[bytes]:
    """The archive of one e-mail: its files under their own names, nothing else."""

    def members() -> Iterator[zipped.Member]:
        names = Unique()
        for _row, files in _emails(organisation_id, ids):
            for file in files:
                yield zipped.Member(names(safe(file.filename)), file.given, file.size)

    return zipped.stream(members())


def _emails(organisation_id: int, ids: array[int]) -> Iterator[tuple[Row, list[_File]]]:
    """Those e-mails with their files, in the order of `ids`; what is no longer there is left out."""
    for start in range(0, len(ids), _EMAILS_AT_ONCE):
        batch = ids[start : start + _EMAILS_AT_ONCE].tolist()
        theirs = (Email.id.in_(batch), Email.organisation_id == organisation_id)
        rows = db.session.execute(select(*COLUMNS).select_from(everything_of(Email.__table__)).where(*theirs))
        known = {row.id: row for row in (Row(*found) for found in rows)}
        files: dict[int, list[_File]] = {}
        listed = (
            select(Attachment.email_id, Attachment.position, Attachment.filename, Blob.sha256, Blob.size,
                   Blob.media_type, EmailContent.erased_at)
            .join(Blob, Blob.sha256 == Attachment.sha256)
            .outerjoin(EmailContent, EmailContent.email_id == Attachment.email_id)
            .where(Attachment.email_id.in_(list(known)))
            .order_by(Attachment.email_id, Attachment.position)
        )  # fmt: skip
        for email_id, *file in db.session.execute(listed):
            files.setdefault(email_id, []).append(_File(*file))
        db.session.rollback()  # nothing is held while the files leave
        yield from ((known[one], files.get(one, [])) for one in batch if one in known)


def folder_of(row: Row, zone: str) -> str:
    """What the folder of an e-mail is called: when it left (or was asked for), to whom, its number."""
    at = (row.sent_at or row.created_at).astimezone(ZoneInfo(zone))
    return safe(f"{at:%Y-%m-%d %Hh%M} {safe(row.recipient)[:60]} {row.public_id}")


def _whose(row: Row, filename: str) -> str:
    """The name of a file that left its folder: what it is, to whom it went and of which session, each said once."""
    stem, dot, extension = filename.rpartition(".")
    if not stem or len(extension) > 10:
        stem, dot, extension = filename, "", ""
    said = stem.casefold()
    also = [one[:40].strip() for one in (row.recipient_name or row.contact_name, row.session_title) if one]
    return " - ".join([stem[:60], *(one for one in also if one.casefold() not in said)]) + dot + extension


def _headings() -> list[str]:
    return [
        _("Dossier"), _("Fichier"), _("Nom d'origine"), _("Taille (octets)"), _("Type de fichier"), _("SHA-256"),
        _("Numéro de l'e-mail"), _("Demandé le"), _("Envoyé le"), _("Destinataire"), _("Adresse"), _("Session"),
        _("Type"), _("Objet"), _("Statut"), _("Remarque"),
    ]  # fmt: skip


def _line(row: Row, file: _File, member: zipped.Member, zone: str) -> list[str]:
    folder, _slash, name = member.name.rpartition("/")
    return [
        folder, name, file.filename, str(file.size), file.media_type, file.sha256, row.public_id,
        moment(row.created_at, zone), moment(row.sent_at, zone), row.recipient, row.address, row.session_title or "",
        _(row.type_label), row.subject, _(row.status.label),
    ]  # fmt: skip


def moment(at: datetime | None, zone: str) -> str:
    """As a list for people has it: sorted as text it is sorted in time."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if at else ""


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(65536):
        yield chunk
