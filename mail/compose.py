"""What someone wants to write becomes one draft per recipient: subject, HTML, text and files, exactly as it will leave.

A preview and a sending are the same call, so that one shows what the other does. Freezing and queueing the drafts is
left to mail.outbox; the tags to mail.merge_tags, the look to mail.letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from email_validator import EmailNotValidError, validate_email

from documents.blobs import Stored
from errors import UserMistake
from mail import headers, letters, look, merge_tags, tag_list
from mail.letters import Words
from mail.look import Logo, Look
from mail.merge_tags import Merged
from mail.own_address import LEAVE, RECEIPT
from models import Contact, Organisation, TrainingSession, User
from models.words import N_, ContactKind

LONGEST_SUBJECT = 300
_HTML_WEIGHT = 5  # how much longer a message may be where it is HTML
LANGUAGES = ("fr", "en")


@dataclass(frozen=True)
class File:
    """A named attachment whose bytes are already in documents.blobs; `size` in bytes."""

    filename: str
    sha256: str
    size: int
    media_type: str

    @classmethod
    def of(cls, filename: str, stored: Stored) -> File:
        """A blob under a name. Raises UserMistake for a name no file may have."""
        name = headers.file_name(re.split(r"[/\\]", filename)[-1].strip())
        if not name or name in (".", "..") or re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", name):
            message = N_("Ce nom de fichier n'est pas permis, renommez-le : %(name)s")
            raise UserMistake(message, "files", name=filename[-100:])
        stem, dot, extension = name.rpartition(".")
        if len(name) > 150:
            name = (
                (stem or extension)[: 150 - len(extension) - 1] + dot + extension if len(extension) < 20 else name[:150]
            )
        return cls(name, stored.sha256, stored.size, stored.media_type)


@dataclass(frozen=True)
class Draft:
    """One e-mail to one recipient, rendered: what mail.post takes. `recipient` is the address, `name` the display
    name; `type` is an EmailType's value; `html` may be empty (then the message is plain text)."""

    recipient: str
    name: str
    contact_id: int | None
    training_session_id: int | None
    type: str
    subject: str
    html: str
    text: str
    files: tuple[File, ...] = ()
    opportunity_id: int | None = None
    logo: Logo | None = None  # shown by the html, no attachment
    leave_url: str = ""  # where its recipient leaves this type of e-mail (List-Unsubscribe, RFC 2369)

    @property
    def shown(self) -> str:
        """The HTML for a page's frame: the logo stands in it, for no page can look into a message."""
        return self.html.replace(f"cid:{self.logo.cid}", self.logo.as_data()) if self.logo else self.html


# a tag that the words ask about before they use it, or give another word for
_PROVIDED = re.compile(r"\{%-?\s*(?:if|unless)\s+([a-z_.]{1,80})|\{\{-?\s*([a-z_.]{1,80})\s*\|\s*default")
FilesFor = Callable[[Contact], tuple[File, ...]]
LinksFor = Callable[[Contact], Mapping[str, str]]


def unreachable(contact: Contact) -> str | None:
    """Why nobody can write to this contact (a French message id), None when one can."""
    if not contact.email.strip():
        return N_("Pas d'adresse e-mail")
    try:
        validate_email(contact.email, check_deliverability=False, allow_smtputf8=True, test_environment=True)
        headers.wire_address(contact.email)
    except (EmailNotValidError, UserMistake):
        return N_("Adresse e-mail non valide")
    return None


@dataclass(frozen=True)
class _Letter:
    """The words of one language, compiled once for a mailing."""

    subject: Merged
    html: Merged
    text: Merged
    message: frozenset[str]  # the tags of the message as typed, without the layout's own

    @cached_property
    def names(self) -> dict[str, frozenset[str]]:
        own = {"text": self.text.names} if self.text.field and self.text.field.startswith("text") else {}
        return {"subject": self.subject.names, "message": self.message, **own}


@dataclass(frozen=True)
class Writing:
    """One press of Send before it happens: what is said (by language, French first) and about what.

    `data` is what a business event tells; `links` gives a recipient's own addresses by name ("evaluation", "espace").
    A recipient gets the words of their language, French where there are none in it.
    """

    type: str
    words: Mapping[str, Words]
    organisation: Organisation
    training_session: TrainingSession | None = None
    author: User | None = None
    data: Mapping[str, Any] | None = None
    links: LinksFor | None = None

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups of merge tags that this type of e-mail offers beyond those of all."""
        return tag_list.groups(self.type)

    @cached_property
    def _letters(self) -> dict[str, _Letter]:
        return {
            language: _compiled(words, language, self._look, tag_list.OWN_PAGE in self.groups, self._leave)
            for language, words in self.words.items()
        }

    @cached_property
    def _leave(self) -> str:
        return LEAVE.place() if self.type in (self.organisation.optional_types or ()) else ""

    @cached_property
    def _look(self) -> Look:
        return look.of(self.organisation)

    def language_for(self, contact: Contact) -> str:
        """The language this person's e-mail will be in."""
        return contact.language if contact.language in self.words else "fr"

    def check(self, kinds: Mapping[ContactKind, str]) -> None:
        """Raises UserMistake for what cannot be sent to these kinds of recipient (kind → its label on screen)."""
        for language, letter in self._letters.items():
            for field, names in letter.names.items():
                for kind, label in kinds.items():
                    with_session = self.training_session is not None
                    merge_tags.check(names, kind, with_session, f"{field}_{language}", label, self.groups)

    def draft(self, contact: Contact, files: tuple[File, ...] = (), to: str = "") -> Draft:
        """Exactly what this person will get, at `to` where that is another address than the record's. Raises
        UserMistake for what can't be sent."""
        if not to and unreachable(contact):
            raise UserMistake(N_("On ne peut pas écrire à %(name)s : vérifiez son adresse e-mail."),
                              "people", name=contact.name)  # fmt: skip
        language = self.language_for(contact)
        letter, values = self._letters[language], self._values(contact, language)
        field = f"subject_{language}"
        subject = headers.one_line(letter.subject.render(values).replace("\t", " ").strip(), field)
        subject = " ".join(subject.split(" "))
        if not subject:
            raise UserMistake(N_("L'objet est vide."), field)
        if len(subject) > LONGEST_SUBJECT:
            raise UserMistake(N_("L'objet est trop long."), field)
        return Draft(
            recipient=to or contact.email.strip(), name=headers.one_line(contact.name, "people"), contact_id=contact.id,
            training_session_id=self.training_session.id if self.training_session else None, type=self.type,
            subject=subject, html=letter.html.render(values), text=letter.text.render(values), files=files,
            logo=self._look.logo,
        )  # fmt: skip

    def blanks(self, contact: Contact) -> list[str]:
        """The tags used that have nothing to say for this person, as written: {{ session.lieu }}. Those that the
        words themselves provide for (an `if`, a `default`) are not among them."""
        language = self.language_for(contact)
        values = self._values(contact, language)
        words = self.words[language]
        used = set().union(*self._letters[language].names.values())
        used -= {match[1] or match[2] for match in _PROVIDED.finditer(f"{words.subject} {words.message} {words.text}")}
        return [tag.written for tag in tag_list.EVERY if tag.name in used and not _found(values, tag.name)]

    def _values(self, contact: Contact, language: str) -> dict[str, dict[str, str]]:
        return merge_tags.values(
            contact, training_session=self.training_session, organisation=self.organisation, author=self.author,
            language=language, groups=self.groups, data=self.data, links=self.links(contact) if self.links else None,
            receipt=RECEIPT.place(),
        )  # fmt: skip


def _found(values: Mapping[str, Any], name: str) -> str:
    group, _, key = name.partition(".")
    return str(values.get(group, {}).get(key, ""))


def _compiled(words: Words, language: str, look: Look, own_page: bool, leave: str) -> _Letter:
    subject, message = f"subject_{language}", f"message_{language}"
    if not words.subject.strip():
        raise UserMistake(N_("L'objet est vide."), subject)
    if not words.message.strip():
        raise UserMistake(N_("Le message est vide."), message)
    if len(words.message) > merge_tags.LONGEST * (_HTML_WEIGHT if words.html else 1):
        raise UserMistake(N_("Ce texte est trop long."), message)
    try:
        text = merge_tags.compiled(
            letters.plain(words, language, own_page, leave), field=f"text_{language}" if words.text.strip() else message
        )
        html = merge_tags.compiled(letters.page(words, language, look, own_page, leave), html=True, field=message)
    except UserMistake as mistake:
        raise UserMistake(mistake.message, mistake.field or message, **mistake.values) from mistake
    typed = merge_tags.compiled(words.message, html=words.html, field=message)
    head = merge_tags.compiled(headers.one_line(words.subject.strip(), subject), field=subject)
    return _Letter(head, html, text, typed.names)


def drafts(writing: Writing, contacts: Sequence[Contact], files_for: FilesFor | None = None) -> list[Draft]:
    """One draft per contact, in their order. `files_for` gives each their files. Raises UserMistake."""
    if not contacts:
        raise UserMistake(N_("Choisissez au moins un destinataire."), "people")
    return [writing.draft(contact, files_for(contact) if files_for else ()) for contact in contacts]


def preview(writing: Writing, contact: Contact, files: tuple[File, ...] = ()) -> Draft:
    """Exactly what this person will get, frozen by nobody yet."""
    return writing.draft(contact, files)
