"""What our forms share: the base with CSRF, validators with words for a person, and forms of a page read by GET."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Field, FileField, Form, ValidationError
from wtforms.fields.core import UnboundField
from wtforms.meta import DefaultMeta
from wtforms.validators import StopValidation

from errors import UserMistake
from i18n import N_, _
from people import contacts
from planning.quiet import at

# Unicode's line and paragraph ends, NUL and the other controls: none belongs in a line of text (headers are
# made of such lines).
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_FURTHEST = timedelta(days=366)
_TRIMMED = ("StringField", "TextAreaField", "EmailField", "TelField", "SearchField")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# WTForms speaks English by itself; what its fields may say of a value, in words of ours.
_OF_FIELDS = {
    "Not a valid date value.": N_("Cette date n'existe pas : écrivez-la comme 22/11/2026."),
    "Not a valid time value.": N_("Cette heure n'existe pas : écrivez-la comme 09:30."),
    "Not a valid integer value.": N_("Indiquez un nombre entier."),
    "Not a valid choice.": N_("Choisissez dans la liste."),
    "Invalid Choice: could not coerce.": N_("Choisissez dans la liste."),
    "'%(value)s' is not a valid choice for this field.": N_("Choisissez dans la liste."),
}


class _FieldWords:
    """What WTForms asks for its own messages; labels made of a field's name pass through."""

    def gettext(self, text: str) -> str:
        return _(_OF_FIELDS[text]) if text in _OF_FIELDS else text

    def ngettext(self, one: str, many: str, num: int) -> str:
        return self.gettext(one)


class Translated:
    """Labels and descriptions are message ids (N_), put into the page's language; blanks around texts go."""

    class Meta:
        def bind_field(self, form: Form, unbound_field: UnboundField, options: dict[str, Any]) -> Field:
            if unbound_field.field_class.__name__ in _TRIMMED:
                options["filters"] = [*unbound_field.kwargs.pop("filters", []), _trim]
            return unbound_field.bind(form=form, **options)

        def get_translations(self, form: Form) -> _FieldWords:
            return _FieldWords()

    def translate(self, fields: Iterable[Field]) -> None:
        for field in fields:
            field.label.text = _(field.label.text) if field.label.text else ""
            field.description = _(field.description) if field.description else ""


class BaseForm(Translated, FlaskForm):
    """A POST form with its CSRF token. A file sent where words are asked for is not there, nor words for a file."""

    class Meta(Translated.Meta, FlaskForm.Meta):
        def wrap_formdata(self, form: Form, formdata: Any) -> Any:
            if formdata is not None and not (request.form or request.files):  # JSON is the API's
                return None
            given = super().wrap_formdata(form, formdata)
            if given is None:
                return None
            for_files = {field.name for field in form if isinstance(field, FileField)}
            apart = MultiDict((name, word) for name, word in request.form.items(multi=True) if name not in for_files)
            apart.update((name, file) for name, file in request.files.items(multi=True) if name in for_files)
            return apart

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.translate(self)


class RowForm(Translated, Form):
    """One row of a repeated part of a form."""

    class Meta(Translated.Meta, DefaultMeta):
        pass

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.translate(self)


def _trim(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


class Needed:
    """The field must hold something; `text` says so."""

    field_flags = {"required": True}

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, form: Form, field: Field) -> None:
        if field.data is None or not str(field.data).strip():
            raise StopValidation(_(self.text))


class Line:
    """One line of text of at most `most` characters, without control characters."""

    def __init__(self, most: int = 200) -> None:
        self.most = most
        self.field_flags = {"maxlength": most}

    def __call__(self, form: Form, field: Field) -> None:
        text = field.data or ""
        if _CONTROL.search(text):
            raise ValidationError(_("Un caractère invisible n'est pas permis ici : retapez ce texte."))
        if len(text) > self.most:
            raise ValidationError(_("%(most)s caractères au plus.", most=self.most))


class Text:
    """Several lines of at most `most` characters."""

    def __init__(self, most: int = 10_000) -> None:
        self.most = most

    def __call__(self, form: Form, field: Field) -> None:
        text = field.data or ""
        if _CONTROL_IN_TEXT.search(text):
            raise ValidationError(_("Un caractère invisible n'est pas permis ici : retapez ce texte."))
        if len(text) > self.most:
            raise ValidationError(_("%(most)s caractères au plus.", most=self.most))


class MailAddress:
    """An e-mail address that can be written to, or nothing."""

    def __call__(self, form: Form, field: Field) -> None:
        problem = contacts.address_problem(field.data) if field.data else None
        if problem:
            raise ValidationError(problem)


def within_a_year(day: date, hour: time, zone: str, field: str) -> datetime:
    """The moment at which something may be sent: that hour on the organisation's clock. Raises UserMistake, of `field`,
    for one gone by or far."""
    now = datetime.now(UTC)
    if not date.min < day < date.max or not now < (moment := at(day, hour, ZoneInfo(zone))) < now + _FURTHEST:
        raise UserMistake(N_("Choisissez un moment à venir, dans l'année."), field)
    return moment
