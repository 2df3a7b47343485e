"""What every form says of a new password: how long, and typed twice."""

from __future__ import annotations

from typing import Any

from wtforms import PasswordField, ValidationError

from blueprints.forms import BaseForm, Needed
from i18n import N_, _


class NewPassword(BaseForm):
    """A new password and the same again."""

    new = PasswordField(
        N_("Nouveau mot de passe"), [Needed(N_("Choisissez un nouveau mot de passe."))],
        description=N_("Douze caractères ou plus ; une phrase convient très bien."),
    )  # fmt: skip
    again = PasswordField(N_("Encore une fois"), [Needed(N_("Retapez le nouveau mot de passe."))])

    def validate_new(self, field: Any) -> None:
        if len(field.data) < 12:
            raise ValidationError(_("Douze caractères au moins."))

    def validate_again(self, field: Any) -> None:
        if field.data != self.new.data:
            raise ValidationError(_("Les deux saisies diffèrent."))
