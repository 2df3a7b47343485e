"""What was last sent of a document, or of a type of e-mail, to each person of a session, and what it said then.

An e-mail counts for a document when it is of its type or carries it; what it carried is known by the blob's sha256.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from documents.store import Shelf
from extensions import db
from models import Attachment, Contact, Document, DocumentKind, Email, TrainingSession
from models.words import EmailType, Reason, Status, StatusGroup


@dataclass
class Sent:
    """The newest e-mail to one person; `documents` are the (digest of what it says, sha256) of those it carried."""

    email_id: int
    public_id: str
    created_at: datetime
    status: Status
    reason: Reason | None
    documents: frozenset[tuple[str, str]] = frozenset()

    @property
    def failed(self) -> bool:
        """Whether it did not reach the person and never will."""
        return self.status in StatusGroup.ERROR.statuses


def last(training_session: TrainingSession, types: list[EmailType]) -> dict[int, Sent]:
    """The newest e-mail of one of the types to each person, by the contact's id."""
    return _newest(training_session, Email.type.in_([type.value for type in types]))


def last_of(training_session: TrainingSession, kind: DocumentKind) -> dict[int, Sent]:
    """The newest e-mail to each person that was about this document or carried it, with what it carried."""
    carried = exists().where(
        Attachment.email_id == Email.id, Attachment.sha256 == Document.sha256,
        Document.training_session_id == training_session.id, Document.kind == kind,
    )  # fmt: skip
    found = _newest(training_session, or_(Email.type == kind.type.value, carried))
    by_email = {sent.email_id: sent for sent in found.values()}
    query = (
        select(Attachment.email_id, Document.facts_sha256, Document.sha256)
        .join(Document, Document.sha256 == Attachment.sha256)
        .where(Attachment.email_id.in_(by_email), Document.training_session_id == training_session.id,
               Document.kind == kind)
        .distinct()
    )  # fmt: skip
    for email_id, facts, sha256 in db.session.execute(query) if by_email else ():
        by_email[email_id].documents |= {(facts, sha256)}
    return found


def _newest(training_session: TrainingSession, wanted: object) -> dict[int, Sent]:
    query = (
        select(Email.contact_id, Email.id, Email.public_id, Email.created_at, Email.status, Email.reason)
        .where(Email.training_session_id == training_session.id, Email.contact_id.is_not(None), wanted)  # type: ignore[arg-type]
        .ext(distinct_on(Email.contact_id))
        .order_by(Email.contact_id, Email.created_at.desc(), Email.id.desc())
    )  # fmt: skip
    return {contact_id: Sent(*columns) for contact_id, *columns in db.session.execute(query)}


def modified(shelf: Shelf, kind: DocumentKind, contact: Contact, sent: Sent | None) -> bool:
    """Whether what was sent of the document no longer is what it would say today; False where nothing was sent of it
    (or nobody can tell)."""
    if sent is None or not sent.documents:
        return False
    said = {facts for facts, _sha256 in sent.documents if facts}
    bytes_sent = {sha256 for _facts, sha256 in sent.documents}
    for owner in shelf.owners(kind, contact):
        document = shelf.current(kind).get(owner.id if owner else None)
        if document is not None and not document.facts_sha256:  # put there by hand: its bytes are what it says
            if document.sha256 not in bytes_sent:
                return True
        elif (now := shelf.facts(kind, owner)) is not None and now not in said:
            return True
    return False
