"""Every component in every state, on one page, with no row of the database: for eyes and for visual comparison.

Not registered in production. The samples live here; the markup lives in templates/gallery and templates/ui.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    EmailField,
    FileField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
)

from blueprints import gallery_charts
from blueprints.support import allow_anyone, page
from models.words import Chip, Status

blueprint = Blueprint("gallery", __name__)

_LONG = "Anne-Charlotte de La Rochefoucauld-Montmorency d'Aubigné de Saint-Exupéry"
_SCRIPT = "<script>alert(1)</script> ; =HYPERLINK(\"http://x\")"  # fmt: skip


def _choices(*pairs: tuple[str, str]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in pairs]


class SampleForm(FlaskForm):
    """One field of each kind; `broken` shows them with their errors."""

    class Meta:
        csrf = False

    first_name = StringField("Prénom", description="Tel qu'il apparaîtra dans l'e-mail.")
    email = EmailField("Adresse e-mail")
    password = PasswordField("Mot de passe")
    starts_on = DateField("Premier jour", description="Au format jj/mm/aaaa.")
    send_at = DateTimeLocalField("Envoyer le")
    company = SelectField("Entreprise", choices=_choices(("", "—"), ("1", "Menuiserie Petit"), ("2", _LONG)))
    message = TextAreaField("Message")
    file = FileField("Fichier")
    kind = RadioField("Destinataires", choices=_choices(("all", "Tous les inscrits"), ("some", "Certains")))
    consent = BooleanField("Mesurer les ouvertures")


def _form(prefix: str = "", broken: bool = False) -> SampleForm:
    form = SampleForm(
        formdata=None, prefix=prefix, first_name="Camille", email="camille.petit@cassiopee",
        starts_on=date(2026, 12, 1), send_at=datetime(2026, 11, 22, 9, 30), kind="all", consent=True,
    )  # fmt: skip
    if broken:
        form.email.errors = ["Cette adresse n'est pas complète : il manque la fin (.fr, .com…)."]
        form.starts_on.errors = ["Le premier jour est après le dernier."]
        form.kind.errors = ["Choisissez les destinataires."]
        form.consent.errors = ["Une réponse est attendue."]
    return form


def _rows() -> list[SimpleNamespace]:
    """One row for each status, and the extreme ones."""

    def row(number: int, status: Status, name: str, address: str, **more: Any) -> SimpleNamespace:
        values = {
            "type": "Convocation", "subject": "Votre convocation : Sécurité incendie, 1er décembre", "files": 1,
            "extra": None, "chips": [], "open": False, "selected": number == 3,
        }  # fmt: skip
        return SimpleNamespace(
            id=f"E-s{number}", status=status, name=name, address=address,
            at=datetime(2026, 11, 20, 8, 14 + number, tzinfo=UTC), **(values | more),
        )  # fmt: skip

    return [
        row(1, Status.OPENED, "Camille Petit", "camille.petit@menuiserie-petit.example"),
        row(
            2,
            Status.FAILED,
            "Bruno Lefèvre",
            "bruno.lefevre@exemple.invalid",
            open=True,
            files=2,
            extra="Adresse inconnue",
        ),
        row(3, Status.DELIVERED, "Inès Benali", "ines.benali@orange.example", chips=[Chip.AUTO_REPLY]),
        row(4, Status.REQUESTED, "Théo Garnier", "theo.garnier@free.example", extra="Prochain essai : 10:32 (2e)"),
        row(5, Status.SENT, "Zoé Laurent", "zoe@laposte.example", chips=[Chip.DELAYED], files=3),
        row(
            6,
            Status.UNDELIVERABLE,
            _LONG,
            "anne-charlotte.de-la-rochefoucauld@une-tres-longue-adresse.example",
            subject="Un objet interminable " * 8,
            type="Attestation d'assiduité",
            extra="Boîte pleine",
            chips=[Chip.COMPLAINT, Chip.RESENT],
        ),
        row(7, Status.UNCERTAIN, "محمد عبد الله", "mohamed@exemple.example", subject="مرحبا بكم في الدورة", files=0),
        row(
            8,
            Status.SENT,
            _SCRIPT,
            "x@y.example",
            subject=_SCRIPT,
            type="E-mail libre",
            files=0,
            chips=[Chip.NOT_MEASURED],
        ),
    ]


def _events() -> list[dict[str, Any]]:
    """A time-line with a bounce, the server's words folded."""
    return [
        {"icon": "clock", "title": "Demandé", "time": "09:14", "sub": "par Élodie Marchand"},
        {"icon": "send", "title": "Accepté par le serveur", "time": "09:14", "tone": "info",
         "sub": "mx1.exemple.invalid", "words": "250 2.0.0 Ok: queued as 4F2A11C0D2"},
        {"icon": "hourglass", "title": "Retardé", "time": "09:20", "tone": "warning"},
        {"icon": "arrow-back-up", "title": "Retourné", "time": "09:41", "tone": "danger", "sub": "Adresse inconnue",
         "words": "550 5.1.1 <bruno.lefevre@exemple.invalid>: Recipient address rejected: User unknown"},
    ]  # fmt: skip


@blueprint.get("")
@allow_anyone
def index() -> Response:
    """The gallery."""
    return page(
        "gallery/index.html", statuses=list(Status), chips=list(Chip), form=_form(), broken=_form("broken-", True),
        dialog_form=_form("dialog-"),
        sample_rows=_rows(), sample_events=_events(), long_name=_LONG, hostile=_SCRIPT, bare=request.args.get("bare"),
        charts=gallery_charts.sample(_LONG),
    )  # fmt: skip


@blueprint.get("/letter")
@allow_anyone
def letter() -> Response:
    """What the frame of a sample e-mail shows."""
    response = make_response(render_template("gallery/letter.html"))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
    )
    return response
