"""A template tried on a real person: what they would get, found while it is being written, and sent to oneself.

Nothing is written here but the files of a test; a person, a session or an event that there is none of yet is replaced
by an example, and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_login import current_user
from sqlalchemy import func, select

from documents import blobs, sheets, store
from documents.blobs import Stored
from errors import UserMistake
from extensions import db, settings
from i18n import N_, _
from mail import compose, event_tags, html_body, tag_list, template_versions, templates
from mail.compose import Draft, File, Writing
from mail.letters import Words
from mail.template_versions import Problem
from models import Contact, DocumentKind, Enrolment, Module, Template, TrainingSession
from models.words import ContactKind
from people import contacts

_MOST = 6
_EXAMPLES = {
    ContactKind.LEARNER: ("Camille", "Exemple"), ContactKind.TRAINER: ("Dominique", "Exemple"),
    ContactKind.CUSTOMER: ("Claude", "Exemple"), ContactKind.COMPANY: ("", "Entreprise Exemple"),
    ContactKind.FUNDER: ("", "Financeur Exemple"),
}  # fmt: skip


@dataclass
class Trial:
    """What the preview shows: the person, what the e-mail is about, and the e-mail or what is wrong with it."""

    contact: Contact
    found: list[Contact]
    training_session: TrainingSession | None
    writing: Writing
    draft: Draft | None = None
    problems: list[Problem] = field(default_factory=list)
    mistake: UserMistake | None = None
    blanks: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def real(self) -> bool:
        """Whether the person is one of the organisation's contacts."""
        return self.contact.id is not None

    @property
    def real_session(self) -> bool:
        """Whether the session is one of the organisation's."""
        return self.training_session is not None and self.training_session.id is not None

    @property
    def language(self) -> str:
        """The language the e-mail is in."""
        return self.writing.language_for(self.contact)


def of(
    template: Template, words: Mapping[str, Words], asked: Mapping[str, str], form_url: str = ""
) -> Trial:  # fmt: skip
    """Try these words on the person that `asked` names (`person`, else the first that `q` finds, else the latest), in
    the `preview_language` asked for or the person's own."""
    kinds = templates.kinds_of(template)
    searched = asked.get("q", "")[:200].strip()
    found = _found(template, kinds, searched)
    contact = _named(asked.get("person", ""), kinds)
    if contact is None or (searched and found and contact not in found):
        contact = next(iter(found), None) or _example(kinds[0])
    language = asked.get("preview_language", "")
    if language in words and language != contact.language:
        if contact.id is not None:
            _company = contact.company  # read before the person is set apart
            db.session.expunge(contact)
        contact.language = language
    run = _session(contact) if tag_list.of_session(template.type) else None
    data: Mapping[str, Any] | None = event_tags.EXAMPLE if templates.is_event(template) else None
    writing = Writing(
        template.type, words, current_user.organisation, run, current_user, data, lambda _c: _links(form_url)
    )
    trial = Trial(contact, found, run, writing)
    if any(said.html for said in words.values()):
        trial.left_out = sorted({name for said in words.values() for name in html_body.left_out(said.message)})
    trial.problems = template_versions.problems(template.type, kinds, words)
    if not trial.problems:
        try:
            trial.draft = writing.draft(contact)
            trial.blanks = writing.blanks(contact)
        except UserMistake as mistake:
            trial.mistake = mistake
    return trial


def to_oneself(trial: Trial, names: Sequence[str]) -> Draft:
    """The e-mail tried, to the person who is signed in: of no contact and no session, so that it counts for nothing.

    The documents that `names` attach are printed for it and kept nowhere else. Raises UserMistake when there is no
    e-mail to send, or a document that cannot be made.
    """
    if trial.draft is None:
        raise trial.mistake or UserMistake(N_("Cet e-mail ne peut pas être préparé."))
    subject = f"[{_('Essai')}] {trial.draft.subject}"[: compose.LONGEST_SUBJECT]
    return replace(
        trial.draft, recipient=current_user.email, name=current_user.name, contact_id=None, training_session_id=None,
        subject=subject, files=_printed(trial, names),
    )  # fmt: skip


def _printed(trial: Trial, names: Sequence[str]) -> tuple[File, ...]:
    run, contact = trial.training_session, trial.contact
    if run is None or not trial.real_session or not trial.real:
        return ()
    files: list[File] = []
    for kind in (DocumentKind(name) for name in names if name != templates.EVENT_FILES):
        if kind not in sheets.made_here():
            files += [
                File.of(one.filename, Stored(one.sha256, one.blob.size, one.blob.media_type))
                for one in store.uploaded(run, kind)
            ]
        elif not kind.kinds or contact.kind in kind.kinds:
            made = sheets.make(kind, run, contact if kind.kinds else None, current_user.organisation)
            files.append(File.of(made.filename, blobs.store(made.pdf, made.filename)))
    return tuple(files)


def _found(template: Template, kinds: tuple[ContactKind, ...], words: str) -> list[Contact]:
    """Who matches, else the latest who could get such an e-mail, those of the most usual kind first."""
    usual = Contact.kind == kinds[0]
    organisation_id = current_user.organisation_id
    if words:
        return contacts.found(organisation_id, words, kinds, most=_MOST)
    query = select(Contact).where(
        Contact.organisation_id == organisation_id, Contact.kind.in_(kinds), Contact.email != ""
    )
    if tag_list.of_session(template.type):
        latest = (
            select(Enrolment.contact_id, func.max(Enrolment.id).label("at"))
            .where(Enrolment.organisation_id == organisation_id)
            .group_by(Enrolment.contact_id)
            .subquery()
        )
        query = query.join(latest, latest.c.contact_id == Contact.id).order_by(usual.desc(), latest.c.at.desc())
    else:
        query = query.order_by(usual.desc(), Contact.id.desc())
    return list(db.session.scalars(query.limit(_MOST)))


def _named(public_id: str, kinds: tuple[ContactKind, ...]) -> Contact | None:
    if not public_id.isascii() or not 2 < len(public_id) < 40:
        return None
    query = select(Contact).where(
        Contact.organisation_id == current_user.organisation_id, Contact.public_id == public_id,
        Contact.kind.in_(kinds),
    )  # fmt: skip
    return db.session.scalar(query)


def _example(kind: ContactKind) -> Contact:
    first, last = _EXAMPLES[kind]
    return Contact(
        kind=kind, first_name=first, last_name=last, name=f"{first} {last}".strip(), language="fr",
        email="exemple@exemple.example",
    )  # fmt: skip


def _session(contact: Contact) -> TrainingSession:
    """The person's latest session with dates, else an example."""
    if contact.id is not None:
        for run in contacts.sessions_of(contact, 5):
            if run.starts_on is not None:
                return run
    starts = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(days=14)
    run = TrainingSession(title=_("Titre de la session"), reference="FOR-2026-01", place="12 rue de la Paix, Paris")
    run.modules = [
        Module(starts_at=starts + timedelta(days=day), ends_at=starts + timedelta(days=day, hours=8)) for day in (0, 1)
    ]
    return run


def _links(form_url: str) -> dict[str, str]:
    base = settings().base_url
    return {"evaluation": form_url or f"{base}/f/exemple", "espace": f"{base}/p/exemple"}
