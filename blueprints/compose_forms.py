"""The form of an e-mail to a session's people: who, the words in one or two languages, the files kept between steps.

Everything travels in the form itself (files as signed names of stored bytes), so that two steps need no script and
nothing is kept on the server for a letter that is never sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.datastructures import FileStorage
from wtforms import (
    DateField,
    HiddenField,
    MultipleFileField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import Optional
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line, Text, within_a_year
from blueprints.matters import Matter
from documents import blobs
from errors import UserMistake
from extensions import settings
from i18n import N_, _
from mail import compose, merge_tags
from mail.compose import File
from mail.letters import Words
from models import Contact
from models.words import ContactKind

MOST_FILES = 10
_BASE64 = 1.37  # what an attachment weighs more on the wire


class PeopleField(SelectMultipleField):
    """Contacts by their public id, as checkboxes; only those offered may be chosen."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class WriteForm(BaseForm):
    """Who gets what. `of()` makes it for a kind of e-mail and those who may get one."""

    people = PeopleField(N_("Destinataires"), validate_choice=False)
    subject_fr = StringField(N_("Objet"), [Line(compose.LONGEST_SUBJECT)])
    message_fr = TextAreaField(N_("Message"), [Text(merge_tags.LONGEST)])
    subject_en = StringField(N_("Objet en anglais"), [Line(compose.LONGEST_SUBJECT)])
    message_en = TextAreaField(N_("Message en anglais"), [Text(merge_tags.LONGEST)])
    # a template written in HTML, or with a plain-text part of its own, stays so
    format = HiddenField(validators=[Line(10)])
    text_fr = HiddenField(validators=[Text(merge_tags.LONGEST)])
    text_en = HiddenField(validators=[Text(merge_tags.LONGEST)])
    attached = PeopleField(N_("Documents à joindre"), validate_choice=False)
    files = MultipleFileField(N_("Ajouter des fichiers"))
    # both empty: at once
    later_day = DateField(N_("Envoyer plus tard, le"), [Optional()])
    later_at = TimeField(N_("à"), [Optional()])
    request_key = HiddenField(validators=[Line(64)])

    matter: Matter
    kept: list[File]

    @classmethod
    def of(cls, matter: Matter, chosen: Sequence[Contact]) -> WriteForm:
        """The form as it opens (`chosen` are ticked, the template's words are in it) or as it was posted."""
        begins: dict[str, Any] = {"request_key": str(uuid4())}
        if request.method != "POST":
            words = matter.words()
            begins |= {
                "people": [contact.public_id for contact in chosen], "attached": matter.first_files(),
                "format": "html" if words["fr"].html else "text",
            }  # fmt: skip
            if matter.kind is None and matter.moment is None:
                words.pop("en", None)  # a free e-mail opens blank in English: it is in French for everybody until then
            for language, said in words.items():
                begins |= {f"subject_{language}": said.subject, f"message_{language}": said.message,
                           f"text_{language}": said.text}  # fmt: skip
        form = cls(data=begins)
        form.matter = matter
        form.kept = form._kept() if form.is_submitted() and form.with_files else []
        offered = {choice.value for choice in matter.choices}
        form.attached.data = [name for name in form.attached.data or [] if name in offered]
        return form

    @property
    def audience(self) -> Mapping[ContactKind, Sequence[Contact]]:
        """Who may be chosen, by kind."""
        return self.matter.audience

    @property
    def with_files(self) -> bool:
        """A free e-mail carries no attachment."""
        return self.matter.with_files

    @property
    def html(self) -> bool:
        """Whether the message is written in HTML."""
        return self.format.data == "html"

    @cached_property
    def problems(self) -> dict[int, str]:
        """Who can't be written to, and why (a message id), by the contact's id."""
        found = {c.id: compose.unreachable(c) for contacts in self.audience.values() for c in contacts}
        return {id: why for id, why in found.items() if why}

    @cached_property
    def reachable(self) -> list[Contact]:
        """Everyone offered who can be written to, by kind and name."""
        return [c for contacts in self.audience.values() for c in contacts if c.id not in self.problems]

    @property
    def chosen(self) -> list[Contact]:
        """Who is ticked, in the order of the page."""
        wanted = set(self.people.data or ())
        return [contact for contact in self.reachable if contact.public_id in wanted]

    @property
    def with_english(self) -> bool:
        """Whether anyone offered reads English (or something is written in it already)."""
        return any(contact.language == "en" for contacts in self.audience.values() for contact in contacts)

    @property
    def english_count(self) -> int:
        return sum(contact.language == "en" for contact in self.reachable)

    def choose(self, group: str) -> None:
        """Tick a whole group: a kind's value, `all`, or nobody for anything else."""
        kinds = [kind for kind in self.audience if group in ("all", kind.value)]
        self.people.data = [c.public_id for c in self.reachable if c.kind in kinds]

    def words(self) -> dict[str, Words]:
        """The words by language; the English ones only where something is written."""
        said = {"fr": self._words("fr")}
        if self.with_english and (self.subject_en.data or self.message_en.data):
            said["en"] = self._words("en")
        return said

    def _words(self, language: str) -> Words:
        subject, message, text = (self[f"{part}_{language}"].data or "" for part in ("subject", "message", "text"))
        return Words(subject, message, text, self.html)

    def key(self) -> str:
        """What makes two presses one: the form's own key and all that it says. A changed letter is another mailing."""
        said = [self.request_key.data, [c.public_id for c in self.chosen], sorted(self.words().items()), self.html,
                self.attached.data, [(f.filename, f.sha256) for f in self.kept],
                self.later_day.data, self.later_at.data]  # fmt: skip
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()

    def send_at(self, zone: str) -> datetime | None:
        """The moment to send at, None for at once. Raises UserMistake for half a moment, and for one gone by or far."""
        day, hour = self.later_day.data, self.later_at.data
        if day is None and hour is None:
            return None
        if day is None or hour is None:
            said = N_("Indiquez aussi le jour.") if day is None else N_("Indiquez aussi l'heure.")
            raise UserMistake(said, "later_day" if day is None else "later_at")
        return within_a_year(day, hour, zone, "later_day")

    def blame(self, mistake: UserMistake) -> None:
        """Show a mistake at its field, or at the head of the form."""
        text = _(mistake.message, **mistake.values)
        if mistake.field in self._fields:
            field = self[mistake.field]
            field.errors = [*field.errors, text]
        else:
            self.form_errors.append(text)

    @property
    def most_bytes(self) -> int:
        """The largest file that an e-mail can carry."""
        return min(settings().max_attachment, int(settings().max_email / _BASE64))

    def keep_uploads(self) -> None:
        """Store what was uploaded with this step, beside what earlier steps kept. Raises UserMistake."""
        if not self.with_files:
            return
        uploads = [u for u in self.files.data or () if isinstance(u, FileStorage) and u.filename]
        if len(self.kept) + len(uploads) > MOST_FILES:
            raise UserMistake(N_("%(most)s fichiers au plus."), "files", most=MOST_FILES)
        for upload in uploads:
            name = upload.filename or ""
            self.kept.append(File.of(name, blobs.store(upload.stream, name[-100:], self.most_bytes)))
        self.weigh(self.kept)

    def weigh(self, files: Sequence[File]) -> None:
        """Raises UserMistake where these are too heavy for one e-mail."""
        limit = int(settings().max_email / _BASE64)
        if sum(file.size for file in files) > limit:
            message = N_("Ensemble, ces fichiers sont trop gros pour un e-mail (%(limit)s Mo au plus).")
            raise UserMistake(message, "files", limit=limit // 1_000_000 or 1)

    def tokens(self, organisation_id: int) -> list[tuple[File, str]]:
        """The kept files with what the form carries for each."""
        return [(f, _signer().dumps([organisation_id, f.sha256, f.filename])) for f in self.kept]

    def _kept(self) -> list[File]:
        from flask_login import current_user

        found: list[File] = []
        dropped = request.form.get("drop", "")
        for token in request.form.getlist("kept")[:MOST_FILES]:
            try:
                organisation_id, sha256, filename = _signer().loads(token)
            except (BadSignature, ValueError, TypeError):
                continue
            stored = blobs.describe(sha256)
            if stored and organisation_id == current_user.organisation_id and token != dropped:
                found.append(File.of(filename, stored))
        return found


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="files of a letter being written")
