"""The proof of one e-mail: all that is known of it, for somebody who was not there, as an archive that proves itself.

`read` gathers in four statements what the e-mail is, every fact with its source, the raw messages that facts came from
and its files; `stream` writes members as they leave and ends by their SHA-256, as sha256sum reads it. Scoped: another
organisation's e-mail is None. What the members say in words is the caller's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from zipstream import ZIP_STORED, ZipStream

from documents import zipped
from extensions import db
from history import detail
from history.detail import Detail
from models import Attachment, Blob, DeliveryEvent, InboundMessage

SUMS = "SHA256SUMS"
MOST_FACTS = 5_000  # an image loaded again and again


class Report(NamedTuple):
    """A raw message that facts of the e-mail came from, as it was received."""

    id: int
    public_id: str
    received_at: datetime
    sha256: str
    raw: bytes


class Piece(NamedTuple):
    """An attachment: its name, the digest of its bytes, their size."""

    filename: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True)
class Proof:
    """What is known. `facts` have DeliveryEvent's columns, the oldest first."""

    detail: Detail
    facts: list[Any]
    reports: list[Report]
    pieces: list[Piece]


@dataclass(frozen=True)
class Member:
    """A file of the archive: bytes at hand, or those of a blob."""

    name: str
    data: bytes | None = None
    sha256: str = ""
    size: int = 0


class Sum(NamedTuple):
    """The digest of a file of the archive; not `whole`: it is lost, or proved damaged on its way."""

    name: str
    sha256: str
    whole: bool = True

    @classmethod
    def of(cls, name: str, data: bytes) -> Sum:
        """The digest of bytes at hand."""
        return cls(name, hashlib.sha256(data).hexdigest())

    def line(self, folder: str = "") -> str:
        """As sha256sum reads it, a remark where there is nothing to check."""
        name = folder + self.name
        return f"{self.sha256}  {name}" if self.whole else f"# {name}: lost or damaged"


def read(organisation_id: int, public_id: str) -> Proof | None:
    """All of it but the message's own bytes; None where the organisation has no such e-mail."""
    found = detail.about(organisation_id, public_id, head=False)
    if found is None:
        return None
    e, m = DeliveryEvent, InboundMessage
    of_it = (e.email_id == found.row.id, e.organisation_id == organisation_id)
    facts = db.session.execute(
        select(*e.__table__.c).where(*of_it).order_by(e.occurred_at, e.id).limit(MOST_FACTS)
    ).all()
    ids = select(e.inbound_message_id).where(*of_it, e.inbound_message_id.is_not(None))
    reports = db.session.execute(
        select(m.id, m.public_id, m.received_at, m.sha256, m.raw).where(m.id.in_(ids)).order_by(m.received_at, m.id)
    )
    pieces = db.session.execute(
        select(Attachment.filename, Attachment.sha256, Blob.size, Blob.media_type)
        .outerjoin(Blob, Blob.sha256 == Attachment.sha256)
        .where(Attachment.email_id == found.row.id).order_by(Attachment.position)
    )  # fmt: skip
    return Proof(
        found, list(facts), [Report(*one) for one in reports],
        [Piece(name, sha256, size or 0, kind or "") for name, sha256, size, kind in pieces],
    )  # fmt: skip


def as_json(proof: Proof, message_id: str, **more: Any) -> bytes:
    """The e-mail and its facts for programs: codes, UTC, nothing translated."""
    row, said = proof.detail.row, proof.detail
    told = {
        "email": {
            "id": row.public_id, "message_id": message_id, "requested_at": row.created_at, "sent_at": row.sent_at,
            "requested_by": row.requested_by, "from": said.row.sender_address, "to": row.address,
            "recipient_name": row.recipient_name, "contact_id": row.contact_id, "subject": row.subject,
            "type": row.type, "training_session_id": row.session_id, "training_session": row.session_title,
            "status": row.status.value, "reason": row.reason.value if row.reason else None, "size": said.size,
            "sha256": said.sha256, "content_erased_at": said.erased_at,
        },
        "attachments": [piece._asdict() for piece in proof.pieces],
        "facts": [
            {
                "kind": one.kind.value, "source": one.source, "source_event_id": one.source_event_id,
                "occurred_at": one.occurred_at, "recorded_at": one.recorded_at,
                "reason": one.reason.value if one.reason else None, "attempt": one.attempt,
                "smtp_code": one.smtp_code, "enhanced_code": one.enhanced_code, "diagnostic": one.diagnostic,
                "remote_host": one.remote_host, "data": one.data or {},
                "report": next((r.public_id for r in proof.reports if r.id == one.inbound_message_id), None),
            }
            for one in proof.facts
        ],
        "reports": [
            {"id": one.public_id, "received_at": one.received_at, "sha256": one.sha256} for one in proof.reports
        ],
        "family": [
            {"id": one.public_id, "to": one.address, "status": one.status.value, "requested_at": one.created_at}
            for one in said.family
        ],
        **more,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, indent=2, default=_plain).encode() + b"\n"


def stream(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in chunks; what is gone or proves damaged is named at its end in place of its digest."""
    archive = ZipStream(compress_type=ZIP_STORED)
    yield from written(archive, members)
    yield from archive.finalize()


def written(archive: ZipStream, members: Iterable[Member], folder: str = "") -> Generator[bytes, None, list[Sum]]:
    """One proof on its way into `archive`, below `folder` ("" or "name/"), its own list of digests at its end; then
    the digests of all of it."""
    sums = []
    for member in members:
        if member.data is not None:
            archive.add(member.data, folder + member.name)
            yield from archive.all_files()
            sums.append(Sum.of(member.name, member.data))
        else:
            whole = yield from zipped.put(archive, member.sha256, folder + member.name, member.size)
            sums.append(Sum(member.name, member.sha256, whole))
    listed = "\n".join([*(one.line() for one in sums), ""]).encode()
    archive.add(listed, folder + SUMS)
    yield from archive.all_files()
    return [*sums, Sum.of(SUMS, listed)]


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
