"""Désinscription: the page behind an e-mail's link and the button of mail programs; for admins, who left what.

A mail program's one-click POST (RFC 8058) brings neither cookie nor token of a form: the address itself is the key, and
a GET writes nothing, so that scanners which follow links take nobody off.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, redirect, request, url_for
from flask_login import current_user
from wtforms import SelectMultipleField, StringField, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from blueprints.forms import BaseForm, Line
from blueprints.recipient_pages import quiet, speak
from blueprints.support import allow, allow_anyone, done, get_or_404, page
from extensions import csrf, db, limiter
from i18n import N_, _
from mail import leaving
from mail.own_address import PLACE_TOKEN
from models import AuditAction, Email, LeftBy, OptOut, Organisation
from models.words import EmailType, Permission
from people import audit, opt_outs

blueprint = Blueprint("leaving", __name__)
_slowly = limiter.limit("60 per 10 minutes", methods=["POST"])
_looking = limiter.limit("300 per 10 minutes", methods=["GET"])
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_MOST = 20
_TYPES = {type.value: type.label for type in EmailType}


class TypesForm(BaseForm):
    """Which types of e-mail people may leave."""

    types = SelectMultipleField(
        N_("Types que l'on peut cesser de recevoir"), widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )  # fmt: skip
    words = StringField(
        N_("Types de vos autres logiciels"), [Line(900)],
        description=N_("Ceux qu'ils donnent à l'API, séparés par des virgules : newsletter, promo."),
    )  # fmt: skip

    def __init__(self, chosen: list[str], **kwargs: Any) -> None:
        own = ", ".join(word for word in chosen if word not in _TYPES)
        super().__init__(data={"types": [word for word in chosen if word in _TYPES], "words": own}, **kwargs)
        self.types.choices = [(value, _(label)) for value, label in _TYPES.items()]

    def validate_words(self, field: Any) -> None:
        found = self._typed
        if len(found) > _MOST or any(not _WORD.fullmatch(word) for word in found):
            raise ValidationError(_("Des mots en minuscules sans accent ni espace, vingt au plus : newsletter, promo."))

    @property
    def _typed(self) -> list[str]:
        return [word for word in re.split(r"[,;\s]+", self.words.data or "") if word]

    @property
    def chosen(self) -> list[str]:
        """Every chosen type, each once."""
        return list(dict.fromkeys([*(self.types.data or ()), *self._typed]))


@blueprint.get("/t/u/<token>")
@allow_anyone
@_looking
def show(token: str) -> Response:
    if token == PLACE_TOKEN:
        speak(None)
        return _page(None)
    return _page(_email(token))


@blueprint.post("/t/u/<token>")
@csrf.exempt
@allow_anyone
@_slowly
def leave(token: str) -> Response:
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    leaving.leave(_email(token), LeftBy.ONE_CLICK if one_click else LeftBy.PAGE)
    db.session.commit()
    return Response("", 200) if one_click else _to_page(token)


@blueprint.post("/t/u/<token>/back")
@allow_anyone
@_slowly
def back(token: str) -> Response:
    held = leaving.lasting(_email(token))
    if held is not None:
        leaving.back(held)
        db.session.commit()
    return _to_page(token)


def _to_page(token: str) -> Response:
    where = url_for("leaving.show", token=token, language=request.args.get("language"))
    return redirect(where, 303)  # type: ignore[return-value]


def _email(token: str) -> Email:
    """The token's e-mail, the page put into its recipient's language."""
    email = leaving.email_of(token) or abort(404)
    speak(email)
    return email


def _page(email: Email | None) -> Response:
    organisation = db.session.get_one(Organisation, email.organisation_id) if email else None
    return quiet(page(
        "leaving/show.html", email=email, held=leaving.lasting(email) if email else None, organisation=organisation,
        label=_TYPES.get(email.type, "") if email else "",
    ))  # fmt: skip


@blueprint.get("/settings/opt-outs")
@allow(Permission.CONFIGURE)
def index() -> Response:
    return _list(TypesForm(current_user.organisation.optional_types))


@blueprint.post("/settings/opt-outs")
@allow(Permission.CONFIGURE)
def choose() -> Response:
    organisation = current_user.organisation
    form = TypesForm(organisation.optional_types)
    if not form.validate():
        return _list(form, 422)
    organisation.optional_types = form.chosen
    audit.note(AuditAction.OPTIONAL_TYPES, types=form.chosen)
    return done(_("Les types à désinscription sont enregistrés."), url_for("leaving.index"))


@blueprint.post("/settings/opt-outs/<public_id>/restored")
@allow(Permission.RESEND)
def restore(public_id: str) -> Response:
    held = get_or_404(OptOut, public_id)
    if leaving.back(held, by=current_user):
        audit.note(AuditAction.OPT_OUT_RESTORED, held.address, also=[held.public_id], type=held.type)
    said = _("%(address)s recevra de nouveau ce type d'e-mails.", address=held.address)
    return done(said, url_for("leaving.index"))


def _list(form: TypesForm, status: int = 200) -> Response:
    address = request.args.get("address", "").replace("\0", "").strip()[:254]
    listed = opt_outs.page(current_user.organisation_id, address, request.args.get("cursor"))
    return page(
        "leaving/index.html", "leaving/_list.html", status=status, form=form, listed=listed, address=address,
        types=_TYPES,
    )  # fmt: skip
