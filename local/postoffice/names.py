"""The practice name server on the post office's page: its records, changed as one would at a domain's registrar.

What is changed here is what Sillage hears at its next question. Reading asks nothing and changes nothing.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from local.postoffice.demo_zones import TO_TRY
from local.postoffice.zones import KINDS, Record, WrongRecord, Zones

ENGLISH = {
    "Noms de domaine": "Domain names",
    "Les enregistrements DNS de la démonstration, comme chez l'hébergeur d'un domaine. Ce qui est changé ici vaut "
    "aussitôt : vérifiez ensuite le domaine dans Sillage, Configuration, Expéditeurs.": (
        "The demo's DNS records, as at a domain's host. What is changed here holds at once: then check the domain in "
        "Sillage, Settings, Senders."
    ),
    "Nom": "Name",
    "Type": "Type",
    "Valeur": "Value",
    "Enregistrer": "Save",
    "Retirer": "Remove",
    "Ajouter": "Add",
    "Ajouter un enregistrement": "Add a record",
    "Remettre tous les enregistrements du début": "Set all records back to the start",
    "Les autres noms": "The other names",
    "Cet enregistrement n'est pas valable :": "This record is not valid:",
    "FAIL et SILENT ne sont pas des types : le serveur de ce nom répond alors par une panne, ou ne répond pas.": (
        "FAIL and SILENT are no types: that name's server then answers with a failure, or not at all."
    ),
}


def register(app: Flask, zones: Zones, port: int | None = None) -> None:
    """Add the page /names over `zones` to the post office's application; `port` is where they are served."""

    @app.get("/names")
    def names() -> str:
        return _page(zones, port)

    @app.post("/names")
    def change_names() -> Response | tuple[str, int]:
        try:
            where = _change(zones, request.form)
        except WrongRecord as wrong:
            return _page(zones, port, str(wrong)), 422
        return redirect(url_for("names", _anchor=where), 303)


def zone_of(name: str) -> str:
    """The domain that a record's name belongs to here: its last two labels."""
    return ".".join(name.split(".")[-2:])


def _change(zones: Zones, form: Any) -> str:
    """Do what a form asks; the zone it was about. Raises WrongRecord."""
    do = form.get("do")
    if do == "reset":
        zones.reset()
        return ""
    old = Record(form.get("old_name", ""), form.get("old_kind", ""), form.get("old_value", ""))
    if do == "remove":
        zones.remove(old)
        return zone_of(old.name)
    new = Record.checked(form.get("name", ""), form.get("kind", ""), form.get("value", ""))
    if do == "change":
        zones.replace(old, new)
    else:
        zones.add(new)
    return zone_of(new.name)


def _page(zones: Zones, port: int | None, wrong: str = "") -> str:
    grouped: dict[str, list[Record]] = {zone: [] for zone in TO_TRY}
    for record in zones.records:
        grouped.setdefault(zone_of(record.name), []).append(record)
    others = {zone: records for zone, records in sorted(grouped.items()) if zone not in TO_TRY}
    first = {zone: grouped[zone] for zone in TO_TRY}
    return render_template("names.html", first=first, others=others, kinds=KINDS, port=port, wrong=wrong)
