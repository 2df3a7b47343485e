"""The form of a training session: its title and state, and a row for each of its modules.

Without script: "Ajouter une ligne" is a submit that gives the page back with one more blank row.
"""

from __future__ import annotations

import re
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    DecimalField,
    FieldList,
    FormField,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import NumberRange, Optional

from blueprints.forms import BaseForm, Line, Needed, RowForm, Text
from i18n import N_, _, language
from models import Organisation, Programme, TrainingSession
from models.words import SessionState
from people import programmes
from people.training import ModuleRow, rows_of

MOST_MODULES = 100
_BLANK_ROWS = 3


class ModuleForm(RowForm):
    id = HiddenField()
    day = DateField(N_("Date"), [Optional()], format=["%Y-%m-%d", "%d/%m/%Y"])
    starts = TimeField(N_("Début"), [Optional()], format=["%H:%M", "%H:%M:%S"])
    ends = TimeField(N_("Fin"), [Optional()], format=["%H:%M", "%H:%M:%S"])
    title = StringField(N_("Intitulé du module"), [Line(200)])
    place = StringField(N_("Lieu, s'il diffère"), [Line(200)])
    remove = BooleanField(N_("Retirer"))

    @property
    def blank(self) -> bool:
        """Whether nothing was typed in the row (or it is to go)."""
        typed = (self.day, self.starts, self.ends, self.title, self.place)
        return bool(self.remove.data) or not any(field.data or field.errors or _raw(field) for field in typed)

    def validate(self, extra_validators: Any = None) -> bool:
        if self.remove.data:
            return True
        sound = super().validate(extra_validators)
        if self.blank:
            return sound
        for field, words in (
            (self.day, _("Indiquez la date.")),
            (self.starts, _("Indiquez l'heure de début.")),
            (self.ends, _("Indiquez l'heure de fin.")),
        ):
            if not field.data and not field.errors:
                field.errors = [words]
        if self.starts.data and self.ends.data and self.ends.data <= self.starts.data:
            self.ends.errors = [_("La fin doit suivre le début.")]
        return not any(field.errors for field in self)


def _raw(field: Any) -> bool:
    return any(str(value).strip() for value in (field.raw_data or []))


class MoneyField(DecimalField):
    """A decimal number as people write it: 12,5 or 12.5, spaces between thousands; shown as the page has it."""

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        shown = f"{self.data:f}" if self.data % 1 == 0 else f"{self.data:.2f}"
        return shown.removesuffix(".00").replace(".", "," if language() == "fr" else ".")

    def process_formdata(self, valuelist: list[Any]) -> None:
        typed = [re.sub(r"[\s\u00a0\u202f€%]", "", value).replace(",", ".") for value in valuelist]
        super().process_formdata(typed)
        if self.data is not None and (not self.data.is_finite() or abs(self.data) > 10**9):
            self.data = None
            raise ValueError(_("Indiquez un nombre, comme 690 ou 690,50."))
        if self.data is not None:
            self.data = round(self.data, 2)


def _named(programme: Programme) -> str:
    return f"{programme.title} ({programme.reference})" if programme.reference else programme.title


class SessionForm(BaseForm):
    programme_id = SelectField(
        N_("Programme"), coerce=int, default=0,
        description=N_("Il donne les objectifs et le contenu de ses documents."),
    )  # fmt: skip
    title = StringField(N_("Titre"), [Needed(N_("Donnez un titre à la session.")), Line(200)])
    reference = StringField(N_("Référence"), [Line(60)])
    state = SelectField(N_("État"))
    place = StringField(N_("Lieu"), [Line(300)], description=N_("L'adresse que les convocations indiqueront."))
    price = MoneyField(
        N_("Prix par apprenant, en euros hors taxes"), [Optional(), NumberRange(0, 1_000_000)],
        description=N_("Pour la convention et la facture."),
    )  # fmt: skip
    vat_rate = MoneyField(
        N_("TVA (%)"), [Optional(), NumberRange(0, 99)], description=N_("0 : exonérée (formation professionnelle)."),
    )  # fmt: skip
    notes = TextAreaField(N_("Notes internes"), [Text(5000)], description=N_("Jamais envoyées."))
    modules = FieldList(FormField(ModuleForm), N_("Modules"), max_entries=MOST_MODULES)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state.choices = [(state.value, _(state.label)) for state in SessionState]
        for field in (self.price, self.vat_rate):
            for validator in field.validators:
                if isinstance(validator, NumberRange):
                    validator.message = _("Entre %(least)s et %(most)s.", least=validator.min, most=validator.max)

    @classmethod
    def of(
        cls, training_session: TrainingSession | None, organisation: Organisation, programme: Programme | None = None
    ) -> SessionForm:
        """The form as sent, else filled from the session (a new one with what its programme says), with blank rows to
        type in."""
        if training_session is None:
            begins: dict[str, Any] = {"state": SessionState.PLANNED.value}
            if programme is not None:
                begins |= {"programme_id": programme.id, "title": programme.title, "reference": programme.reference}
            form = cls(data=begins)
        else:
            form = cls(obj=_Filled(training_session, organisation))
        form.programme_id.choices = [
            (0, "—"), *((one.id, _named(one)) for one in programmes.choices(organisation.id))
        ]  # fmt: skip
        if not form.is_submitted():
            for _row in range(_BLANK_ROWS if training_session is None else 1):
                form.add_row()
        return form

    def add_row(self) -> None:
        """One more blank row, while there is room."""
        if len(self.modules.entries) < MOST_MODULES:
            self.modules.append_entry()

    def rows(self) -> list[ModuleRow]:
        """The modules as typed, blank rows left out; call it once the form is valid."""
        found = []
        for entry in self.modules.entries:
            row = entry.form
            if not row.blank:
                known = int(row.id.data) if (row.id.data or "").isdigit() else None
                texts = (row.title.data or "", row.place.data or "")
                found.append(ModuleRow(row.day.data, row.starts.data, row.ends.data, *texts, known))
        return found

    def values(self) -> dict[str, Any]:
        """The columns of the session."""
        return {
            "programme_id": self.programme_id.data or None,
            "title": self.title.data,
            "reference": self.reference.data or "",
            "state": SessionState(self.state.data),
            "place": self.place.data or "",
            "price": self.price.data,
            "vat_rate": self.vat_rate.data or 0,
            "notes": self.notes.data or "",
        }


class _Filled:
    """A session as the form reads it."""

    def __init__(self, training_session: TrainingSession, organisation: Organisation) -> None:
        self._of = training_session
        self.state = training_session.state.value
        self.programme_id = training_session.programme_id or 0
        self.modules = rows_of(training_session, organisation)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_of"], name)
