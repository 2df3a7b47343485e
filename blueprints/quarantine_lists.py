"""Configuration › Quarantaine, as lists: taken away as CSV, brought in from one; each line is foreseen first."""

from __future__ import annotations

import csv
import io
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, flash, redirect, request, url_for
from flask_login import current_user
from wtforms import FileField, TextAreaField

from blueprints.forms import BaseForm
from blueprints.support import allow, page
from extensions import db
from history.export_cells import Format, defused
from i18n import N_, _, ngettext
from mail.quarantine_entries import Entry, Fate, enter, foresee
from models import AuditAction, Grounds
from models.words import Permission
from people import audit, csv_text, quarantined

blueprint = Blueprint("quarantine_lists", __name__)

FORMATS = {Format.EXCEL: "file-spreadsheet", Format.CSV: "file-type-csv"}
_KEPT_FOR = 2 * 3600
_SHOWN = 200
_FIELDS = (
    ("address", N_("Adresse")), ("reason", N_("Motif")), ("since", N_("Depuis le")),
    ("email", N_("Montré par l'e-mail")), ("lifted_at", N_("Levée le")), ("lifted_by", N_("Levée par")),
    ("note", N_("Note")),
)  # fmt: skip
# What each column of a list may be called, folded.
_HEADERS = {
    "email": (*csv_text.HEADERS["email"], "adresse", "address", "recipient", "destinataire"),
    "reason": ("motif", "raison", "reason", "cause", "type"),
    "since": ("depuis", "depuis le", "date", "since", "created", "created at", "added", "added at"),
    "lifted_at": ("levee le", "lifted at"),
}
# Words of people and of other services for the same.
_GROUNDS = {
    "hard bounce": Grounds.USER_UNKNOWN, "hardbounce": Grounds.USER_UNKNOWN, "bounce": Grounds.USER_UNKNOWN,
    "spam": Grounds.COMPLAINT, "complaint": Grounds.COMPLAINT, "spam complaint": Grounds.COMPLAINT,
    "plainte": Grounds.COMPLAINT, "a change d adresse": Grounds.MOVED, "": Grounds.USER_UNKNOWN,
}  # fmt: skip
_DATES = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y")


class ListForm(BaseForm):
    file = FileField(N_("Fichier CSV"), description=N_("5 Mo au plus, avec une ligne d'en-têtes."))
    text = TextAreaField(N_("Ou collez les lignes ici"))


@dataclass(frozen=True)
class Line:
    """A line of the file: what it says, and what would become of it."""

    number: int
    entry: Entry
    fate: Fate
    problem: str = ""


@blueprint.get("/settings/quarantine.csv")
@allow(Permission.RESEND)
def export() -> Response:
    """The list as it stands, those lifted too with `state=all`; taking it is an act of its own."""
    wanted = {one.value: one for one in FORMATS}
    format_ = wanted.get(request.args.get("format", Format.CSV.value)) or abort(400)
    everything = request.args.get("state") == "all"
    audit.taken(AuditAction.QUARANTINE_EXPORTED, format=format_.value, lifted=everything)
    zone = ZoneInfo(current_user.organisation.timezone)
    rows = quarantined.rows(current_user.organisation_id, lifted=everything)
    response = Response(_csv(rows, format_, zone), content_type=format_.media_type)
    name = f"quarantaine_{datetime.now(zone):%Y-%m-%d_%H%M}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/settings/quarantine/import", methods=["GET", "POST"])
@allow(Permission.RESEND)
def bring() -> Response:
    """Give a list, read what would enter, confirm exactly that."""
    if request.form.get("confirm"):
        return _confirm()
    form = ListForm()
    if form.validate_on_submit():
        try:
            return _preview(_given(form))
        except csv_text.Unreadable as problem:
            form.file.errors = [
                _("La première ligne doit nommer les colonnes : adresse, motif, depuis le.")
                if problem.code == "no_header" else _(csv_text.UNREADABLE[problem.code])
            ]  # fmt: skip
    return page("quarantine/import.html", status=422 if request.method == "POST" else 200, form=form)


def _given(form: ListForm) -> str:
    file = form.file.data
    if file is not None and file.filename:
        return csv_text.decode(file.stream.read(csv_text.MOST_BYTES + 1))
    return form.text.data or ""


def _preview(text: str) -> Response:
    lines = _read(text)
    key = secrets.token_urlsafe(24)
    current_app.extensions["redis"].set(_place(key), zlib.compress(text.encode(), 1), ex=_KEPT_FOR)
    fates = {fate: [line for line in lines if line.fate is fate] for fate in Fate}
    return page("quarantine/import_preview.html", fates=fates, Fate=Fate, key=key, shown=_SHOWN)


def _confirm() -> Response:
    place = _place(request.form["confirm"][:64])
    kept = current_app.extensions["redis"].getdel(place)
    if kept is None:
        flash(_("Cet aperçu a expiré ou a déjà servi : donnez de nouveau le fichier."), "warning")
        return redirect(request.path, 303)  # type: ignore[return-value]
    lines = _read(zlib.decompress(kept).decode())
    entered = enter(current_user.organisation_id, [line.entry for line in lines if line.fate is Fate.NEW])
    audit.note(AuditAction.QUARANTINE_IMPORTED, also=entered[:50], count=len(entered))
    db.session.commit()
    said = ngettext(
        "%(num)s adresse est entrée en quarantaine.", "%(num)s adresses sont entrées en quarantaine.", len(entered)
    )
    flash(said, "success")
    return redirect(url_for("quarantine.index"), 303)  # type: ignore[return-value]


def _read(text: str) -> list[Line]:
    """Each line with its fate. Raises csv_text.Unreadable."""
    zone = ZoneInfo(current_user.organisation.timezone)
    sheet = csv_text.read(text, _HEADERS, {"email"})
    given = []
    for number, row in sheet.rows:
        if row.get("lifted_at"):  # our own export of all: what was lifted is no entry
            continue
        cells = {name: value.removeprefix("'") for name, value in row.items()}
        grounds, problem = _grounds(cells.get("reason", "")), ""
        since = _moment(cells.get("since", ""), zone)
        if grounds is None:
            problem = _("Motif inconnu : %(reason)s.", reason=cells["reason"][:60])
        elif cells.get("since") and since is None:
            problem = _("Date illisible : %(date)s.", date=cells["since"][:40])
        given.append((number, Entry(cells.get("email", "")[:254], grounds or Grounds.USER_UNKNOWN, since), problem))
    fates = iter(foresee(current_user.organisation_id, [entry for _n, entry, problem in given if not problem]))
    lines = []
    for number, entry, problem in given:
        fate = Fate.WRONG if problem else next(fates)
        said = problem or (_("Ce n'est pas une adresse e-mail.") if fate is Fate.WRONG else "")
        lines.append(Line(number, entry, fate, said))
    return lines


def _grounds(text: str) -> Grounds | None:
    folded = csv_text.fold(text)
    for one in Grounds:
        if folded in (csv_text.fold(one.value), csv_text.fold(one.label), csv_text.fold(_(one.label))):
            return one
    return _GROUNDS.get(folded)


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=zone)
    except ValueError:
        pass
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    return None


def _csv(rows: Iterator[Any], format_: Format, zone: ZoneInfo) -> str:
    """For people (French Excel): words, local hours, semicolons; for programs: RFC 4180, codes, UTC."""
    for_people, out = format_.is_translated, io.StringIO("\ufeff" if format_.is_translated else "", newline="")
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out, delimiter=";" if for_people else ",", lineterminator="\r\n")
    writer.writerow([_(heading) if for_people else name for name, heading in _FIELDS])

    def at(moment: datetime | None) -> str:
        if moment is None:
            return ""
        if for_people:
            return f"{moment.astimezone(zone):%d/%m/%Y %H:%M:%S}"
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    for held, email, lifter in rows:
        reason = _(held.reason.label) if for_people else held.reason.value
        cells = [
            held.address,
            reason,
            at(held.shown_at),
            email or "",
            at(held.lifted_at),
            lifter or "",
            held.lifted_note,
        ]
        writer.writerow([defused(cell) for cell in cells])
    return out.getvalue()


def _place(key: str) -> str:
    return f"quarantine-import:{current_user.organisation_id}:{current_user.id}:{key}"
