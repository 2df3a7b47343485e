"""make(): any document of a session, for one person or for all, as a tagged PDF with a name and the digest of what
it says.

Nothing is kept: documents.store does that. Each document is in its person's language; one for the whole session is in
French. The convocation is documents.convocation's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from documents import convocation, dates, printing, sheet_words
from documents.sheet_pages import HEADINGS, PAGES, Roll, Sheet, bill
from errors import UserMistake
from extensions import db
from models import Contact, DocumentKind, Enrolment, Organisation, TrainingSession
from models.document import InvoiceNumber
from models.words import N_, ContactKind

__all__ = ["Made", "Roll", "filename", "made_here", "make", "roll_of", "said"]


class Made(NamedTuple):
    """A document printed: its bytes, its name, the digest of what it says."""

    pdf: bytes
    filename: str
    facts_sha256: str


def made_here() -> list[DocumentKind]:
    """The kinds this house prints."""
    return [kind for kind in DocumentKind if kind is not DocumentKind.UPLOADED]


def roll_of(training_session: TrainingSession) -> Roll:
    """Who takes part, by kind and name, in one query."""
    query = (
        select(Contact, Enrolment.module_ids).join(Enrolment, Enrolment.contact_id == Contact.id)
        .where(Enrolment.training_session_id == training_session.id).options(joinedload(Contact.company))
        .order_by(Contact.sort_name, Contact.id)
    )  # fmt: skip
    people: dict[ContactKind, list[Contact]] = {}
    followed: dict[int, list[int]] = {}
    for contact, module_ids in db.session.execute(query):
        people.setdefault(contact.kind, []).append(contact)
        if module_ids:
            followed[contact.id] = module_ids
    return Roll(people, followed)


def language_of(contact: Contact | None) -> str:
    """The language a document is written in."""
    return contact.language if contact is not None and contact.language in ("fr", "en") else "fr"


def make(
    kind: DocumentKind, training_session: TrainingSession, contact: Contact | None, organisation: Organisation,
    *, roll: Roll | None = None, today: date | None = None,
) -> Made:  # fmt: skip
    """The document as it is now. Raises UserMistake for what cannot be made (a kind that is only uploaded, an invoice
    of a session without a price)."""
    today = today or dates.today(organisation.timezone)
    data = said(kind, training_session, contact, organisation, roll=roll, today=today)
    look = printing.Look.of(organisation)
    template = "convocation.typ" if kind is DocumentKind.CONVOCATION else "sheet.typ"
    name = filename(kind, training_session, contact)
    return Made(printing.pdf(template, data, look, today), name, printing.facts_sha256(data))


def said(
    kind: DocumentKind, training_session: TrainingSession, contact: Contact | None, organisation: Organisation,
    *, roll: Roll | None = None, today: date | None = None, number: InvoiceNumber | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Everything the document says: what typst gets, what facts_sha256 is of. Raises UserMistake like make()."""
    today = today or dates.today(organisation.timezone)
    if kind is DocumentKind.UPLOADED:
        raise UserMistake(N_("Ce document ne se génère pas : déposez-le."))
    if kind.kinds and contact is None:
        raise UserMistake(N_("Ce document se génère pour une personne."))
    roll = roll or roll_of(training_session)
    if kind is DocumentKind.CONVOCATION:
        assert contact is not None
        return convocation.said(
            training_session, contact, organisation, today, roll.followed(training_session, contact)
        )  # fmt: skip
    if kind is DocumentKind.INVOICE:
        number = number or number_of(training_session, contact)
    sheet = Sheet(
        kind, training_session, contact, organisation, roll, language_of(contact), today,
        number.written if number else "",
        dates.local_day(number.created_at, organisation.timezone) if number else None,
    )  # fmt: skip
    if kind is DocumentKind.INVOICE and bill(sheet) is None:
        raise UserMistake(N_("Indiquez d'abord le prix de la session (Modifier la session)."))
    heading = sheet.word(HEADINGS[kind])
    if sheet.number:
        heading = sheet.word("invoice.heading", number=sheet.number)
    data: dict[str, Any] = printing.printable({
        "language": sheet.language,
        "title": " – ".join(part for part in (heading, contact.name if contact else training_session.title) if part),
        "heading": heading,
        "wide": kind is DocumentKind.ATTENDANCE_SHEET,
        "organisation": {"name": organisation.name, "lines": _letterhead(sheet)},
        "to": _to(contact),
        "dated": sheet.word("dated", date=dates.plain_date(today, sheet.language)),
        "footer": _footer(sheet),
        "blocks": PAGES[kind](sheet),
    })  # fmt: skip
    return data


def filename(kind: DocumentKind, training_session: TrainingSession, contact: Contact | None) -> str:
    """`Convention FOR-2026-014.pdf`, in the person's language."""
    if kind is DocumentKind.CONVOCATION and contact is not None:
        return convocation.filename(training_session, contact)
    reference = re.sub(r"[^\w .-]", "", training_session.reference).strip(" .")[:60]
    return f"{sheet_words.word(f'file.{kind.value}', language_of(contact))} {reference}".strip() + ".pdf"


def number_of(training_session: TrainingSession, contact: Contact | None) -> InvoiceNumber | None:
    """The number that the invoice of this customer for this session has, None before it is first made."""
    if contact is None:
        return None
    query = select(InvoiceNumber).where(
        InvoiceNumber.training_session_id == training_session.id, InvoiceNumber.contact_id == contact.id
    )
    return db.session.scalar(query)


def _to(contact: Contact | None) -> dict[str, Any] | None:
    if contact is None:
        return None
    lines: Sequence[str] = [contact.company.name] if contact.company else []
    return {"name": contact.name, "lines": [*lines]}


def _letterhead(sheet: Sheet) -> list[str]:
    lines = [line.strip() for line in sheet.organisation.address.splitlines() if line.strip()]
    return [*lines, sheet.word("phone", phone=sheet.organisation.phone)] if sheet.organisation.phone else lines


def _footer(sheet: Sheet) -> str:
    if not sheet.organisation.registration:
        return sheet.organisation.name
    return f"{sheet.organisation.name} – " + sheet.word("registration", number=sheet.organisation.registration)
