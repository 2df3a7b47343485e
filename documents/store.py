"""generate, current, files: the documents of a session as rows that are never changed, their bytes in documents.blobs.

Generating again adds a row; what was sent names its blob by sha256, so it cannot change. The caller commits. A shelf
reads a session's documents once for a whole mailing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from documents import blobs, dates, sheets
from documents.blobs import Stored
from documents.sheet_pages import Roll
from errors import UserMistake
from extensions import db
from models import Contact, Document, DocumentKind, Organisation, TrainingSession, User
from models.document import InvoiceNumber
from models.words import N_, ContactKind

EVENT = "event"  # in a template's files: what a business event brought; nothing of a session's
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200b-\u200f\u2028-\u202e\u2066-\u2069]+')


@dataclass(frozen=True)
class Ready:
    """A document ready to be attached: as mail.compose.File (`size` in bytes), and whose it is."""

    filename: str
    sha256: str
    size: int
    media_type: str
    document: Document


def generate(
    kind: DocumentKind, training_session: TrainingSession, contacts: Iterable[Contact], by: User | None
) -> list[Document]:
    """Make the document anew for each of these people (once, for the whole session, where the kind has no people).

    An invoice gets its number when it is first made. Raises UserMistake for what cannot be made.
    """
    shelf = Shelf(training_session, by)
    return [shelf.make(kind, owner) for owner in (list(contacts) if kind.kinds else [None])]


def current(training_session: TrainingSession, kind: DocumentKind) -> dict[int | None, Document]:
    """The document in use of each person, by the contact's id (None: the whole session's)."""
    query = (
        select(Document)
        .where(Document.training_session_id == training_session.id, Document.kind == kind,
               Document.withdrawn_at.is_(None))
        .ext(distinct_on(Document.contact_id))
        .order_by(Document.contact_id, Document.id.desc())
    )  # fmt: skip
    return {document.contact_id: document for document in db.session.scalars(query)}


def uploaded(training_session: TrainingSession, kind: DocumentKind = DocumentKind.UPLOADED) -> list[Document]:
    """What was put there by hand and not withdrawn, newest first."""
    query = select(Document).where(
        Document.training_session_id == training_session.id, Document.kind == kind, Document.withdrawn_at.is_(None)
    )
    return list(db.session.scalars(query.order_by(Document.id.desc())))


def files(names: Sequence[str], training_session: TrainingSession, contact: Contact) -> tuple[Ready, ...]:
    """What `names` (values of DocumentKind; "event" is passed over) attach to an e-mail to this person: what is
    missing or says something else by now is made first. Raises UserMistake for what cannot be made."""
    return Shelf(training_session).files(names, contact)


def keep(
    training_session: TrainingSession, kind: DocumentKind, contact: Contact | None, stored: Stored, filename: str,
    by: User | None,
) -> Document:  # fmt: skip
    """An uploaded file becomes the document in use; it says what it says, so it is never out of date."""
    document = Document(
        organisation_id=training_session.organisation_id, training_session_id=training_session.id, kind=kind,
        contact_id=contact.id if contact else None, filename=filename, sha256=stored.sha256,
        made_by_id=by.id if by else None,
    )  # fmt: skip
    db.session.add(document)
    db.session.flush()
    return document


def withdraw(document: Document) -> None:
    """Take a document away: it is offered no more; what was sent of it, and its bytes, stay."""
    document.withdrawn_at = db.session.scalar(select(func.now()))


class Shelf:
    """The documents of one session while a mailing is made: who takes part and what exists are read once."""

    def __init__(self, training_session: TrainingSession, by: User | None = None) -> None:
        self.session, self.by = training_session, by
        self._current: dict[DocumentKind, dict[int | None, Document]] = {}
        self._facts: dict[tuple[DocumentKind, int | None], str | None] = {}

    @cached_property
    def roll(self) -> Roll:
        return sheets.roll_of(self.session)

    @cached_property
    def organisation(self) -> Organisation:
        return db.session.get_one(Organisation, self.session.organisation_id)

    def current(self, kind: DocumentKind) -> dict[int | None, Document]:
        """As current(), read once."""
        if kind not in self._current:
            self._current[kind] = current(self.session, kind)
        return self._current[kind]

    def facts(self, kind: DocumentKind, owner: Contact | None) -> str | None:
        """The digest of what the document would say if it were made now; None where it cannot be made."""
        key = (kind, owner.id if owner else None)
        if key not in self._facts:
            try:
                data = sheets.said(kind, self.session, owner, self.organisation, roll=self.roll)
                self._facts[key] = sheets.printing.facts_sha256(data)
            except UserMistake:
                self._facts[key] = None
        return self._facts[key]

    def stale(self, kind: DocumentKind, owner: Contact | None, document: Document | None) -> bool:
        """Whether a generated document would say something else if it were made now."""
        if document is None or not document.facts_sha256:
            return False
        facts = self.facts(kind, owner)
        return facts is not None and facts != document.facts_sha256

    def make(self, kind: DocumentKind, owner: Contact | None) -> Document:
        """Make one document anew. Raises UserMistake."""
        if owner is not None and owner.kind not in kind.kinds:
            raise UserMistake(N_("Ce document n'existe pas pour %(name)s."), name=owner.name)
        if kind is DocumentKind.INVOICE and owner is not None:
            self._number(owner)
        made = sheets.make(kind, self.session, owner, self.organisation, roll=self.roll)
        stored = blobs.store(made.pdf, made.filename)
        document = keep(self.session, kind, owner, stored, made.filename, self.by)
        document.facts_sha256 = made.facts_sha256
        self.current(kind)[document.contact_id] = document
        self._facts[kind, document.contact_id] = made.facts_sha256
        return document

    def _number(self, owner: Contact) -> None:
        """Give the invoice its number: the next of the year; makings at once wait for each other."""
        if self.session.price is None or sheets.number_of(self.session, owner):
            return
        db.session.execute(
            text("SELECT FROM organisation WHERE id = :id FOR NO KEY UPDATE"), {"id": self.organisation.id}
        )
        if sheets.number_of(self.session, owner):  # another making gave one while we waited
            return
        year = dates.today(self.organisation.timezone).year
        taken = select(func.max(InvoiceNumber.number)).where(
            InvoiceNumber.organisation_id == self.organisation.id, InvoiceNumber.year == year
        )
        db.session.add(
            InvoiceNumber(
                organisation_id=self.organisation.id, year=year, number=(db.session.scalar(taken) or 0) + 1,
                training_session_id=self.session.id, contact_id=owner.id,
            )
        )  # fmt: skip
        db.session.flush()

    def owners(self, kind: DocumentKind, contact: Contact) -> list[Contact | None]:
        """Whose documents of this kind go to this person: their own; a company's the ones of its learners; a
        funder's the ones of the companies. Empty where the kind has none for them."""
        if not kind.kinds:
            return [None]
        if contact.kind in kind.kinds:
            return [contact]
        if contact.kind is ContactKind.COMPANY and ContactKind.LEARNER in kind.kinds:
            return [*self.roll.staff_of(contact)]
        if contact.kind is ContactKind.FUNDER and ContactKind.COMPANY in kind.kinds:
            return [*self.roll.of(ContactKind.COMPANY)]
        return []

    def ready(self, kind: DocumentKind, owner: Contact | None) -> Document:
        """The document in use, made first where it is missing or out of date. Raises UserMistake."""
        known = self.current(kind).get(owner.id if owner else None)
        return self.make(kind, owner) if known is None or self.stale(kind, owner, known) else known

    def files(self, names: Sequence[str], contact: Contact) -> tuple[Ready, ...]:
        """As files()."""
        found: list[Ready] = []
        for name in names:
            if name == EVENT:
                continue
            kind = DocumentKind(name)
            if kind is DocumentKind.UPLOADED:
                theirs = [d for d in uploaded(self.session) if d.contact_id in (None, contact.id)]
                found += [attached(document) for document in reversed(theirs)]
                continue
            owners = self.owners(kind, contact)
            if not owners:
                raise UserMistake(N_("Ce document n'existe pas pour %(name)s."), name=contact.name)
            for owner in owners:
                whose = owner.name if owner is not None and owner.id != contact.id else ""
                found.append(attached(self.ready(kind, owner), whose))
        return tuple(found)


def attached(document: Document, whose: str = "") -> Ready:
    """A document as an e-mail attaches it; `whose` is added to the name where it is another person's."""
    name, blob = document.filename, document.blob
    if whose:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem} - {_UNSAFE.sub(' ', whose).strip()[:60]}{dot}{extension}"
    return Ready(name, blob.sha256, blob.size, blob.media_type, document)


def counts(training_session: TrainingSession) -> dict[DocumentKind, tuple[int, datetime]]:
    """Of each kind, for how many people (or once, for the session) a document is in use, and the newest's moment."""
    whose = func.count(func.distinct(func.coalesce(Document.contact_id, 0)))
    query = (
        select(Document.kind, whose, func.max(Document.created_at))
        .where(Document.training_session_id == training_session.id, Document.withdrawn_at.is_(None))
        .group_by(Document.kind)
    )  # fmt: skip
    return {kind: (number, newest) for kind, number, newest in db.session.execute(query)}
