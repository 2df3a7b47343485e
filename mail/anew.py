"""An e-mail made anew, as its first was: from today's template, record and documents, instead of the bytes of then.

Only where the matter is still there: a template, a contact, a training session or the business event. `foresee` shows
what would leave and makes nothing; freezing and queueing are mail.resend's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, text

from documents import blobs, evaluations, sheets, spaces
from documents.store import Ready, Shelf, attached, uploaded
from errors import UserMistake
from extensions import db, settings
from mail import templates
from mail.compose import Draft, File, Writing
from models import (
    Attachment,
    BusinessEvent,
    Contact,
    Document,
    DocumentKind,
    Email,
    Evaluation,
    EvaluationMoment,
    Organisation,
    Sender,
    Template,
    TrainingSession,
    User,
)
from models.words import N_, EmailType

BY_HAND = N_("Ce texte a été écrit à la main : il n'y a pas de modèle dont le refaire. Renvoyez la copie exacte.")
NO_TEMPLATE = N_("Il n'y a pas de modèle pour ce type d'e-mail. Renvoyez la copie exacte.")
NO_CONTACT = N_("La fiche de cette personne n'existe plus. Renvoyez la copie exacte.")
NO_SESSION = N_("La session de cet e-mail n'existe plus. Renvoyez la copie exacte.")
NO_EVENT = N_("Les données de cet e-mail ne sont plus connues. Renvoyez la copie exacte.")
FILES_ERASED = N_("Les fichiers de cet e-mail ont été effacés par la règle de conservation : écrivez un nouvel e-mail.")
NO_FILE = N_("Le document n'est plus là : déposez-le de nouveau, ou renvoyez la copie exacte.")
ANSWERED = N_("Cette personne a déjà répondu : il n'y a plus rien à lui demander.")
NO_SENDER = N_("Aucune adresse d'expédition n'est configurée : demandez à un administrateur.")
_BY_HAND = {EmailType.FREE.value, EmailType.ALERT.value}
_ASKED = {moment.type.value: moment for moment in EvaluationMoment}
_DOCUMENTS = {kind.type.value: kind for kind in DocumentKind}
_ROOT = text("""
WITH RECURSIVE above AS (
  SELECT id, resend_of_id FROM email WHERE id = :id
  UNION SELECT email.id, email.resend_of_id FROM email JOIN above ON email.id = above.resend_of_id
) SELECT id FROM above""")


@dataclass(frozen=True)
class Attached:
    """A file that would go with it: the document as it is (`sha256`), or one that is made when it leaves (none)."""

    filename: str
    sha256: str | None = None


@dataclass(frozen=True)
class Made:
    """The e-mail as it would leave today. `files` name what foresee() does not make."""

    draft: Draft
    sender: Sender
    files: tuple[Attached, ...] = ()


@dataclass(frozen=True)
class _Matter:
    """What an e-mail was about, all of it still there."""

    email: Email
    organisation: Organisation
    contact: Contact
    template: Template
    session: TrainingSession | None = None
    event: BusinessEvent | None = None
    asked: EvaluationMoment | None = None


def foresee(email: Email, to: str, by: User | None) -> Made:
    """The e-mail as it would be made now for the address `to`; nothing is made or kept, so addresses that are only
    made when it leaves show as /r/… . Raises UserMistake where it cannot be made, saying why."""
    matter = _matter(email)
    shelf = Shelf(matter.session, by) if matter.session is not None else None
    files: list[Attached] = []
    for kind in _kinds(matter, shelf):
        assert shelf is not None
        for owner in shelf.owners(kind, matter.contact):
            known = shelf.current(kind).get(owner.id if owner else None)
            if known is None or shelf.stale(kind, owner, known):
                # said() raises what making it would raise
                sheets.said(kind, shelf.session, owner, shelf.organisation, roll=shelf.roll)
                files.append(Attached(sheets.filename(kind, shelf.session, owner)))
            else:
                whose = owner.name if owner is not None and owner.id != matter.contact.id else ""
                ready = attached(known, whose)
                files.append(Attached(ready.filename, ready.sha256))
    files += [Attached(file.filename, file.sha256) for file in _others(matter)]
    return Made(_draft(matter, to, by, leaving=False), _sender(matter), tuple(files))


def make(email: Email, to: str, by: User | None) -> Made:
    """The e-mail made now for the address `to`: documents that are missing or out of date are made, personal addresses
    too, in the caller's transaction. Raises UserMistake."""
    matter = _matter(email)
    shelf = Shelf(matter.session, by) if matter.session is not None else None
    files: list[File] = []
    if shelf is not None:
        ready = shelf.files([kind.value for kind in _kinds(matter, shelf)], matter.contact)
        files += [_file(one) for one in ready]
    files += _others(matter)
    draft = replace(_draft(matter, to, by, leaving=True), files=tuple(files))
    return Made(draft, _sender(matter), tuple(Attached(file.filename, file.sha256) for file in files))


def _matter(email: Email) -> _Matter:
    """What the e-mail was about. Raises UserMistake where that is gone."""
    if email.type in _BY_HAND:
        raise UserMistake(BY_HAND)
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    if contact is None:
        raise UserMistake(NO_CONTACT)
    template = templates.find(email.organisation_id, email.type, contact.kind.value)
    if template is None:
        raise UserMistake(NO_TEMPLATE)
    organisation = db.session.get_one(Organisation, email.organisation_id)
    matter = _Matter(email, organisation, contact, template)
    if templates.is_event(template):
        return replace(matter, event=_event(email))
    if email.opportunity_id is not None:
        return matter
    session = db.session.get(TrainingSession, email.training_session_id) if email.training_session_id else None
    if session is None:
        raise UserMistake(NO_SESSION)
    return replace(matter, session=session, asked=_asked(email, session, contact))


def _event(email: Email) -> BusinessEvent:
    """What the first e-mail of the chain told of."""
    chain = db.session.scalars(_ROOT, {"id": email.id}).all()
    found = db.session.scalar(select(BusinessEvent).where(BusinessEvent.email_id.in_(chain)).limit(1))
    if found is None:
        raise UserMistake(NO_EVENT)
    return found


def _asked(email: Email, session: TrainingSession, contact: Contact) -> EvaluationMoment | None:
    """The evaluation it asks for; a reminder's is the newest that waits for an answer."""
    if email.type != EmailType.EVALUATION_REMINDER.value:
        return _ASKED.get(email.type)
    query = select(Evaluation.moment).where(
        Evaluation.training_session_id == session.id, Evaluation.contact_id == contact.id,
        Evaluation.answered_at.is_(None),
    )  # fmt: skip
    found = db.session.scalars(query.order_by(Evaluation.id.desc()).limit(1)).first()
    if found is None:
        raise UserMistake(ANSWERED)
    return found


def _kinds(matter: _Matter, shelf: Shelf | None) -> list[DocumentKind]:
    """The documents of the session that go with it: its own, and those that the template names."""
    if shelf is None:
        return []
    own = _DOCUMENTS.get(matter.email.type)
    named = [name for name in matter.template.files if name != templates.EVENT_FILES]
    kinds = dict.fromkeys([*([own] if own else []), *map(DocumentKind, named)])
    return [k for k in kinds if k is not DocumentKind.UPLOADED and shelf.owners(k, matter.contact)]


def _others(matter: _Matter) -> list[File]:
    """Files that no house prints: what the event brought, uploads of the names that the first carried."""
    if matter.event is not None:
        brought = matter.event.files if templates.EVENT_FILES in matter.template.files else ()
        if not all(blobs.describe(one["sha256"]) for one in brought):
            raise UserMistake(FILES_ERASED)
        return [File(one["filename"], one["sha256"], one["size"], one["media_type"]) for one in brought]
    if matter.session is not None and matter.email.type != EmailType.DOCUMENT.value:
        return []
    names = set(db.session.scalars(select(Attachment.filename).where(Attachment.email_id == matter.email.id)))
    newest: dict[str, Document] = {}
    for document in _uploads(matter):
        newest.setdefault(document.filename, document)
    found = [_file(attached(document)) for name, document in newest.items() if name in names]
    if names and not found:
        raise UserMistake(NO_FILE)
    return found


def _uploads(matter: _Matter) -> Sequence[Document]:
    if matter.session is not None:
        return [d for d in uploaded(matter.session) if d.contact_id in (None, matter.contact.id)]
    query = select(Document).where(
        Document.opportunity_id == matter.email.opportunity_id, Document.withdrawn_at.is_(None)
    )
    return db.session.scalars(query.order_by(Document.id.desc())).all()


def _file(ready: Ready) -> File:
    return File(ready.filename, ready.sha256, ready.size, ready.media_type)


def _draft(matter: _Matter, to: str, by: User | None, leaving: bool) -> Draft:
    writing: Writing = templates.writing(
        matter.template, matter.organisation, training_session=matter.session, author=by, data=_told(matter.event),
        links=lambda contact: _links(matter, contact, leaving),
    )  # fmt: skip
    draft = writing.draft(matter.contact, to=to)
    return replace(draft, opportunity_id=matter.email.opportunity_id)


def _told(event: BusinessEvent | None) -> Mapping[str, Any] | None:
    """What an event tells, as the first e-mail was told it."""
    if event is None:
        return None
    around = {name: event.payload[name] for name in ("occurred_at", "customer") if event.payload.get(name)}
    return {**(event.payload.get("data") or {}), **around}


def _links(matter: _Matter, contact: Contact, leaving: bool) -> dict[str, str]:
    if matter.session is None:
        return {}
    base, asked = settings().base_url, matter.asked
    found = {"espace": spaces.url(matter.session, contact) if leaving else f"{base}/r/…"}
    if asked is not None:
        known = evaluations.of_session(matter.session, asked).get(contact.id)
        if known is None and leaving:
            known = evaluations.ensure(matter.session, contact, asked)
        asking = matter.template
        if matter.email.type == EmailType.EVALUATION_REMINDER.value:  # it leads where the question led
            asking = templates.find(matter.organisation.id, asked.type.value, contact.kind.value) or asking
        found["evaluation"] = evaluations.url(known, asking) if known else f"{base}/f/…"
    return found


def _sender(matter: _Matter) -> Sender:
    query = select(Sender).where(Sender.organisation_id == matter.organisation.id)
    own = Sender.id == matter.template.sender_id if matter.template.sender_id else Sender.is_default
    sender = db.session.scalars(query.order_by(own.desc(), Sender.is_default.desc(), Sender.id).limit(1)).first()
    if sender is None:
        raise UserMistake(NO_SENDER)
    return sender
