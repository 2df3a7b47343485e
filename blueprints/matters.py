"""What an e-mail to a session's people is about: a free one, one that carries a document, an evaluation's invitation.

A matter gives the writing page its words, its recipients, its attachments and the addresses made for each recipient;
the page itself is blueprints.compose's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flask import url_for

from documents import evaluations, sent, sheets, spaces, store
from documents.sent import Sent
from errors import UserMistake
from extensions import settings
from i18n import _
from mail import templates
from mail.compose import Draft, File, Writing
from mail.letters import Words
from models import Contact, Document, DocumentKind, EvaluationMoment, Organisation, Template, TrainingSession, User
from models.words import N_, ContactKind, EmailType
from people import training

# Who may be written to from a session (customers are the subscription back-office's).
PEOPLE = (ContactKind.LEARNER, ContactKind.TRAINER, ContactKind.COMPANY, ContactKind.FUNDER)


@dataclass
class Choice:
    """Something that can be attached: `value` is a DocumentKind's value or an uploaded document's id."""

    value: str
    label: str
    note: str = ""


@dataclass
class Matter:
    """One kind of writing about one session. `kind`: the document it carries; `moment`: the evaluation it asks for,
    `remind` those who have not answered; `only`: one kind of recipient."""

    session: TrainingSession
    organisation: Organisation
    type: EmailType
    kind: DocumentKind | None = None
    moment: EvaluationMoment | None = None
    remind: bool = False
    only: ContactKind | None = None
    added: bool = False  # whether the person adds files of their own
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def tab(self) -> str:
        if self.moment is not None:
            return "evaluations"
        if self.kind is DocumentKind.CONVOCATION:
            return "convocation"
        return "documents" if self.kind else "new"

    # where the pages of writing stand, and what follows a sending; deals have their own

    layout = "sessions/_layout.html"
    preview = "compose/preview.html"
    of_session = True

    @property
    def subject(self) -> Any:
        """What the e-mails are about, as the log names it."""
        return self.session

    @property
    def frame(self) -> dict[str, Any]:
        """What the layout needs."""
        return {"training_session": self.session}

    def about(self, draft: Draft) -> Draft:
        """The draft with what it is about."""
        return draft

    def sent(self, kept: Sequence[File], by: User) -> None:
        """What follows a sending, in its transaction; `kept` are the files the person added."""

    @property
    def title(self) -> str:
        if self.moment is not None:
            label = _(self.moment.label)
            return _("Relancer : évaluation %(moment)s", moment=label.lower()) if self.remind else _(
                "Évaluation %(moment)s", moment=label.lower()
            )
        return _(self.kind.label) if self.kind else _("Nouvel e-mail")

    @property
    def back(self) -> str:
        """The page one came from."""
        id = self.session.public_id
        if self.moment is not None:
            kind = self.only.value if self.only else None
            return url_for("evaluations.moment", public_id=id, moment=self.moment.value, kind=kind)
        if self.kind is not None:
            return url_for("documents.kind", public_id=id, slug=self.kind.value.replace("_", "-"))
        return url_for("sessions.emails", public_id=id)

    @property
    def with_files(self) -> bool:
        """A free e-mail carries no attachment."""
        return self.kind is not None

    @cached_property
    def people(self) -> dict[ContactKind, list[Contact]]:
        return training.participants(self.session)

    @cached_property
    def audience(self) -> dict[ContactKind, list[Contact]]:
        """Who may be chosen, by kind."""
        if self.moment is not None:
            kinds: tuple[ContactKind, ...] = (self.only,) if self.only else evaluations.ASKED
        else:
            kinds = self.kind.recipients if self.kind else PEOPLE
        found = {kind: self.people[kind] for kind in kinds}
        if self.remind and self.moment is not None:
            waiting = evaluations.unanswered(self.session, self.moment)
            found = {kind: evaluations.reminded(people, waiting, {*self.last}) for kind, people in found.items()}
        return found

    @cached_property
    def last(self) -> dict[int, Sent]:
        """The newest e-mail about the same to each person."""
        if self.kind is not None:
            return sent.last_of(self.session, self.kind)
        return sent.last(self.session, [self.moment.type]) if self.moment is not None else {}

    def first_choice(self, who: str, named: Sequence[str]) -> list[Contact]:
        """Who is ticked when the page opens: those named; all, or one kind, where asked; else those who miss it (of a
        free e-mail the learners; of a reminder everybody it may go to)."""
        everyone = [contact for people in self.audience.values() for contact in people]
        if named:
            return [contact for contact in everyone if contact.public_id in named]
        if who in ("all", *ContactKind):
            return [contact for contact in everyone if who in ("all", contact.kind.value)]
        if self.remind:
            return everyone
        if self.kind is None and self.moment is None:
            return self.audience[ContactKind.LEARNER]
        return [contact for contact in everyone if contact.id not in self.last or self.last[contact.id].failed]

    @cached_property
    def template(self) -> Template | None:
        """The organisation's template: of the only kind of recipient there is, else the one for everybody."""
        kinds = [kind for kind, people in self.audience.items() if people]
        kind = kinds[0].value if len(kinds) == 1 else ""
        return templates.find(self.organisation.id, self.type.value, kind)

    def words(self) -> dict[str, Words]:
        """What the page opens with, by language."""
        assert self.template is not None, "every type has words of the house"
        return templates.words_of(templates.newest(self.template))

    # what goes with it

    @cached_property
    def choices(self) -> list[Choice]:
        """Everything of the session that could be attached for somebody here, the matter's own document first."""
        if self.kind is None:
            return []
        found: list[Choice] = []
        kinds = [self.kind, *(kind for kind in sheets.made_here() if kind is not self.kind)]
        contacts = [people[0] for people in self.audience.values() if people]
        for kind in kinds:
            if kind is not DocumentKind.UPLOADED and any(self.shelf.owners(kind, contact) for contact in contacts):
                found.append(Choice(kind.value, _(kind.label)))
        names = {contact.id: contact.name for people in self.people.values() for contact in people}
        for document in self.uploads:
            note = names.get(document.contact_id, "") if document.contact_id else ""
            found.append(Choice(document.public_id, document.filename, note))
        return found

    @cached_property
    def uploads(self) -> list[Document]:
        return store.uploaded(self.session)

    def first_files(self) -> list[str]:
        """What is ticked when the page opens: what the template says, the matter's own document in any case."""
        if self.kind is None:
            return []
        if self.kind is DocumentKind.UPLOADED:
            return [document.public_id for document in self.uploads]
        offered = {choice.value for choice in self.choices}
        wanted = [self.kind.value, *(self.template.files if self.template else [])]
        return [name for name in dict.fromkeys(wanted) if name in offered]

    @cached_property
    def shelf(self) -> store.Shelf:
        return store.Shelf(self.session)

    def files(self, names: Sequence[str], contact: Contact, by: User) -> tuple[File, ...]:
        """What this person's e-mail carries, made now where it is missing or out of date. Raises UserMistake."""
        self.shelf.by = by
        found: list[File] = []
        for document in self._uploads(names, contact):
            ready = store.attached(document)
            found.append(File(ready.filename, ready.sha256, ready.size, ready.media_type))
        mine = [
            File(ready.filename, ready.sha256, ready.size, ready.media_type)
            for ready in self.shelf.files(self._kinds(names, contact), contact)
        ]
        enough = self.added and self.kind is DocumentKind.UPLOADED
        if self.kind is not None and not (mine or found or enough):
            raise UserMistake(N_("Il n'y a rien à joindre pour %(name)s."), "attached", name=contact.name)
        return (*mine, *found)

    def foreseen(self, names: Sequence[str], contact: Contact) -> list[tuple[str, Document | None, str]]:
        """What files() will attach, nothing made yet: (name, the document as it is or None, whose PDF to look at)."""
        found: list[tuple[str, Document | None, str]] = []
        for name in self._kinds(names, contact):
            kind = DocumentKind(name)
            for owner in self.shelf.owners(kind, contact):
                document = self.shelf.current(kind).get(owner.id if owner else None)
                if self.shelf.stale(kind, owner, document):
                    document = None
                filename = document.filename if document else sheets.filename(kind, self.session, owner)
                address = url_for(
                    "documents.preview_pdf", public_id=self.session.public_id, slug=kind.value.replace("_", "-"),
                    contact=owner.public_id if owner else None,
                )  # fmt: skip
                found.append((filename, document, address))
        for document in self._uploads(names, contact):
            address = url_for("documents.file", public_id=self.session.public_id, document_id=document.public_id)
            found.append((document.filename, document, address))
        return found

    def _kinds(self, names: Sequence[str], contact: Contact) -> list[str]:
        """The chosen kinds that this person has: a further document that is not theirs is passed over."""
        known = {kind.value for kind in sheets.made_here()}
        chosen = [name for name in names if name in known]
        return [name for name in chosen if self.shelf.owners(DocumentKind(name), contact)]

    def _uploads(self, names: Sequence[str], contact: Contact) -> list[Document]:
        return [d for d in reversed(self.uploads) if d.public_id in names and d.contact_id in (None, contact.id)]

    # what is written

    def writing(self, words: dict[str, Words], author: User, leaving: bool) -> Writing:
        """The press of Send; `leaving` False only shows it, so no address is made for anybody yet."""
        return Writing(
            self.type.value, words, self.organisation, self.session, author,
            links=lambda contact: self._links(contact, leaving),
        )  # fmt: skip

    def _links(self, contact: Contact, leaving: bool) -> dict[str, str]:
        base = settings().base_url
        found = {"espace": spaces.url(self.session, contact) if leaving else f"{base}/r/…"}
        if self.moment is not None:
            known = self._made.setdefault("evaluations", evaluations.of_session(self.session, self.moment))
            asked = known.get(contact.id)
            if asked is None and leaving:
                asked = known[contact.id] = evaluations.ensure(self.session, contact, self.moment)
            found["evaluation"] = evaluations.url(asked, self._form_template()) if asked else f"{base}/f/…"
        return found

    def _form_template(self) -> Template | None:
        """Whose form_url counts: a reminder leads where the first e-mail did, unless it says otherwise."""
        if self.template is not None and self.template.form_url:
            return self.template
        assert self.moment is not None
        return templates.find(self.organisation.id, self.moment.type.value, self.only.value if self.only else "")
