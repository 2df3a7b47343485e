"""The form of a template: its words in two languages, what goes with it, from whom it leaves."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask_login import current_user
from sqlalchemy import select
from wtforms import (
    BooleanField,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    URLField,
    ValidationError,
)
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line, Needed, Text
from extensions import db
from i18n import N_, _
from mail import compose, event_tags, letters, merge_tags, template_versions, templates
from mail.letters import Words
from mail.template_versions import Problem
from models import DocumentKind, Sender, Template, TemplateFormat, TemplateVersion

LANGUAGES = ("fr", "en")
_LONGEST = merge_tags.LONGEST * 5  # an HTML message; a text is held to a fifth of it by mail.compose


def file_label(name: str) -> str:
    """What a name in Template.files is called, translated."""
    if name == templates.EVENT_FILES:
        return _("La pièce jointe de l'évènement")
    return _(DocumentKind(name).label)


def format_labels() -> dict[TemplateFormat, str]:
    """What each format is called, translated."""
    return {one: _(one.label) for one in TemplateFormat}


def senders() -> list[Sender]:
    """The organisation's senders, the default one first."""
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    return list(db.session.scalars(query.order_by(Sender.is_default.desc(), Sender.id)))


class _Boxes(SelectMultipleField):
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class TemplateForm(BaseForm):
    """A template as it is edited. `base` is the version it began from."""

    name = StringField(N_("Nom du modèle"), [Needed(N_("Donnez un nom au modèle.")), Line(120)])
    format = RadioField(N_("Format du message"))
    subject_fr = StringField(N_("Objet"), [Line(compose.LONGEST_SUBJECT)])
    message_fr = TextAreaField(N_("Message"), [Text(_LONGEST)])
    text_fr = TextAreaField(N_("Texte seul"), [Text(merge_tags.LONGEST)])
    subject_en = StringField(N_("Objet en anglais"), [Line(compose.LONGEST_SUBJECT)])
    message_en = TextAreaField(N_("Message en anglais"), [Text(_LONGEST)])
    text_en = TextAreaField(N_("Texte seul en anglais"), [Text(merge_tags.LONGEST)])
    files = _Boxes(N_("Pièces jointes"))
    sender = SelectField(N_("Expéditeur"))
    form_url = URLField(N_("Adresse de votre formulaire"), [Line(500)])
    track_links = BooleanField(N_("Savoir quels liens sont suivis"))
    note = StringField(N_("Ce qui change"), [Line(200)])
    base = HiddenField(validators=[Line(10)])
    request_key = HiddenField(validators=[Line(64)])

    template: Template

    @classmethod
    def of(cls, template: Template, version: TemplateVersion) -> TemplateForm:
        """The form as it opens, or as it was posted."""
        said = template_versions.columns_of(version)
        begins = said | {
            "format": version.format.value, "name": _(template.name), "files": list(template.files),
            "track_links": template.track_links,
            "sender": str(template.sender_id or ""), "form_url": template.form_url, "base": str(version.number),
            "request_key": str(uuid4()),
        }  # fmt: skip
        form = cls(data=begins)
        form.template = template
        form.format.choices = [(one.value, _(one.label)) for one in TemplateFormat]
        form.files.choices = [(name, file_label(name)) for name in templates.file_choices(template)]
        default = _("L'expéditeur par défaut")
        form.sender.choices = [("", default), *((str(s.id), f"{s.name} <{s.address}>") for s in senders())]
        if not form.files.choices:
            del form.files
        if not template.type.startswith("evaluation"):
            del form.form_url
        return form

    def validate_form_url(self, field: Any) -> None:
        if field.data and not event_tags.address(field.data):
            raise ValidationError(_("Indiquez une adresse complète, qui commence par https://."))

    @property
    def columns(self) -> dict[str, Any]:
        """What a version would hold."""
        said = {name: (self[name].data or "").replace("\r\n", "\n").replace("\r", "\n").strip()
                for name in template_versions.WORDS}  # fmt: skip
        html = self.format.data == TemplateFormat.HTML.value
        return {"format": TemplateFormat.HTML if html else TemplateFormat.TEXT} | said

    @property
    def words(self) -> dict[str, Words]:
        """The words by language; English as soon as anything is written in it."""
        columns = self.columns
        html = columns["format"] is TemplateFormat.HTML
        said = {
            language: Words(
                columns[f"subject_{language}"], columns[f"message_{language}"], columns[f"text_{language}"], html
            )
            for language in LANGUAGES
        }  # fmt: skip
        if not any(columns[f"{part}_en"] for part in ("subject", "message", "text")):
            del said["en"]
        return said

    @property
    def began_from(self) -> int:
        """The number of the version it began from."""
        base = self.base.data or ""
        return int(base) if base.isascii() and base.isdigit() else 0

    def blame(self, problems: list[Problem]) -> None:
        """Show what is wrong at its field."""
        for problem in problems:
            field = self[problem.field] if problem.field in self._fields else self.message_fr
            field.errors = [*field.errors, told(problem)]

    def fill_text(self, language: str) -> None:
        """Begin the plain-text part from the one that is made automatically."""
        words = self.words.get(language) or Words("", "")
        made = letters.plain(Words(words.subject, words.message, "", words.html), language)
        self[f"text_{language}"].data = made.strip()

    def settle(self, template: Template) -> None:
        """Set the template's own columns (the words are a version's)."""
        if self.name.data != _(template.name):
            template.name = self.name.data or ""
        if "files" in self._fields:
            template.files = list(self.files.data or ())
        if "form_url" in self._fields:
            template.form_url = self.form_url.data or ""
        template.track_links = bool(self.track_links.data)
        template.sender_id = int(self.sender.data) if self.sender.data else None


def told(problem: Problem) -> str:
    """A problem in the page's language."""
    values = dict(problem.values) | ({"kind": _(problem.kind.label)} if problem.kind else {})
    said = _(problem.message, **values)
    if problem.line:
        where = _("ligne %(line)s", line=problem.line)  # outside the f-string: there the extraction cannot see it
        said = f"{said.rstrip('.')} ({where})."
    if problem.meant:
        said += " " + _("Vouliez-vous dire %(meant)s ?", meant=problem.meant)
    return said
