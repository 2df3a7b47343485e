"""What the proof of one e-mail holds: the page, the exact bytes, its files, the raw reports, the facts, the log.

Whether its bytes are those of the request, and whether a signature of ours is still true, is looked at while it is put
together. Nothing is kept: what is handed out is docs/proof.md's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import select

from documents.file_names import Unique, safe
from errors import Permanent
from extensions import db
from history import detail, proof
from history.proof import Member, Proof
from history.rows import Row
from i18n import _
from mail import mime, outbox, signature_check
from mail.signature_check import Signature
from models import DkimKey, Sender
from models.domain_check import SendingDomain
from proofs import log, sheet
from proofs.story import story
from proofs.taker import Taker


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
    lines = log.about(taker.organisation, public_id)
    if lines:
        members.append(Member(_("journal.csv"), log.as_csv(lines, taker.organisation.timezone)))
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
