"""What the proof of one e-mail holds: the page, the exact bytes, its files, the raw reports, the facts, the log.

Whether its bytes are those of the request, and whether a signature of ours is still true, is looked at while it is put
together. Nothing is kept: what is handed out is docs/proof.md's.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import select

from documents.file_names import Unique, safe
from errors import Permanent
from extensions import db
from history import detail, proof
from history.export_cells import defused
from history.proof import Member, Proof
from history.rows import Row
from i18n import _
from mail import mime, outbox, signature_check
from mail.signature_check import Signature
from models import DkimKey, Sender
from models.domain_check import SendingDomain
from people import audit_log, audit_words
from people.audit_log import Filter
from proofs import sheet
from proofs.story import story
from proofs.taker import Taker

_MOST_LINES = 500  # of the log


@dataclass(frozen=True)
class One:
    """The proof of one e-mail. `intact` is None where its content was erased."""

    found: Proof
    members: list[Member]
    intact: bool | None
    signature: Signature | None

    @property
    def row(self) -> Row:
        return self.found.detail.row


def of_email(taker: Taker, public_id: str) -> One | None:
    """All that its archive holds; None where the organisation has no such e-mail."""
    organisation_id = taker.organisation.id
    found = proof.read(organisation_id, public_id)
    if found is None:
        return None
    row, erased = found.detail.row, found.detail.erased_at is not None
    message = None if erased else _message(organisation_id, public_id)
    message_id = outbox.message_id(row.id, Sender(address=row.sender_address))
    members = [] if message is None else [Member("message.eml", message)]
    members += _files(found, erased)
    intact = None if erased else message is not None and hashlib.sha256(message).hexdigest() == found.detail.sha256
    signature = _signature(organisation_id, message)
    members.append(Member(_("faits.json"), proof.as_json(
        found, message_id, taken_at=taker.at, taken_by=taker.name, organisation=taker.organisation.name,
        integrity={"sha256_is_that_of_the_request": intact, "dkim": asdict(signature) if signature else None},
    )))  # fmt: skip
    lines = _log(taker, public_id)
    if lines:
        members.append(Member(_("journal.csv"), _as_csv(lines)))
    name = page_name(public_id)
    told = sheet.Told(
        message_id, intact, signature, story(found.detail),
        log=[(one.at, one.who or _("Sans compte"), _(one.action.label)) for one in lines],
        names=[name, *(member.name for member in members), proof.SUMS],
    )  # fmt: skip
    return One(found, [Member(name, sheet.pdf(taker, found, told)), *members], intact, signature)


def page_name(public_id: str) -> str:
    """What the page that people read is called."""
    return _("Preuve %(number)s", number=public_id) + ".pdf"


def _files(found: Proof, erased: bool) -> Iterable[Member]:
    unique, folder = Unique(), _("pieces-jointes")
    if not erased:
        yield from (Member(f"{folder}/{unique(safe(p.filename))}", None, p.sha256, p.size) for p in found.pieces)
    folder = _("rapports")
    yield from (Member(f"{folder}/{report.public_id}.eml", report.raw) for report in found.reports if report.raw)


def _message(organisation_id: int, public_id: str) -> bytes | None:
    """The exact bytes; None where they are lost or damaged, or there never were any."""
    stored = detail.frozen(organisation_id, public_id)
    try:
        return mime.join(stored.skeleton, stored.cuts) if stored else None
    except Permanent:
        return None


def _signature(organisation_id: int, message: bytes | None) -> Signature | None:
    def public_key(domain: str, selector: str) -> str | None:
        """The public half of a key of the organisation's, as long as it is kept here."""
        return db.session.scalar(
            select(DkimKey.public_key)
            .join(SendingDomain, SendingDomain.id == DkimKey.domain_id)
            .where(
                DkimKey.organisation_id == organisation_id, SendingDomain.domain == domain,
                DkimKey.selector == selector,
            )
        )  # fmt: skip

    return signature_check.check(message, public_key) if message is not None else None


def _log(taker: Taker, public_id: str) -> list[Any]:
    """The newest lines of the log about it, the oldest first."""
    found = []
    for line in audit_log.rows(taker.organisation, Filter(subject=public_id)):
        found.append(line)
        if len(found) == _MOST_LINES:
            break
    return found[::-1]


def _as_csv(lines: list[Any]) -> bytes:
    """Who did what; not from which address, which is nobody's outside."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_("Quand"), _("Qui"), _("Action"), _("Par"), _("Détails")])
    for line in lines:
        said = " ; ".join(f"{name} : {value}" if value else name for name, value in audit_words.said(line))
        at = line.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        cells = [at, line.who, _(line.action.label), _(line.channel.label), said]
        writer.writerow([defused(cell) for cell in cells])
    return out.getvalue().encode("utf-8-sig")
