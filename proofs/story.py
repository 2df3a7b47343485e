"""What happened to an e-mail in plain words: from whom or how each fact is known, for screens and for proofs."""

from __future__ import annotations

from datetime import datetime

from history.detail import Detail, Event
from i18n import N_, _
from mail.providers import PROVIDERS
from models import LeftBy

# Why a look was taken for a machine's (mail.lookers).
_MACHINES = {
    "head": N_("demandé sans être regardé"), "prefetch": N_("chargé d'avance"),
    "name": N_("relais d'images ou robot"), "soon": N_("aussitôt après l'arrivée"),
    "burst": N_("en rafale depuis un même réseau"),
}  # fmt: skip
_LEFT_BY = {way.value: way.label for way in LeftBy}


def story(detail: Detail) -> list[tuple[datetime, str, str, str]]:
    """When, what, from whom or how, the server's own words; the oldest first."""
    return [(one.occurred_at, _(one.kind.label), " · ".join(known(one)), one.server_words) for one in detail.events]


def known(event: Event) -> list[str]:
    """From whom or how one thing is known, in few words each."""
    found = [_(event.reason.label)] if event.reason else []
    if event.attempt:
        found.append(_("essai %(number)s", number=event.attempt))
    if event.remote_host:
        found.append(event.remote_host)
    kind, _colon, name = event.source.partition(":")
    name = PROVIDERS[name].LABEL if name in PROVIDERS else name
    sources = {
        "dsn": _("rapport reçu par e-mail"), "pixel": _("image d'ouverture"), "link": _("lien suivi"),
        "webhook": _("nouvelle de %(name)s", name=name), "poll": _("nouvelle de %(name)s", name=name),
        "reaper": _("constaté après une interruption"),
    }  # fmt: skip
    if kind in sources:
        found.append(sources[kind])
    left_by = _LEFT_BY.get(event.data.get("left_by", ""))
    if left_by:
        found.append(_(left_by))
    if event.data.get("receipt"):
        found.append(_("accusé de réception demandé"))
    if event.data.get("because") == "opt_out":
        found.append(_("le destinataire ne veut plus de ce type d'e-mails"))
    machine = _MACHINES.get(event.data.get("why", ""))
    if machine:
        found.append(_(machine))
    author, address = event.data.get("by"), event.data.get("to")
    if author:
        found.append(_("par %(name)s", name=author))
    if address:
        found.append(_("à %(address)s", address=address))
    if event.data.get("key") == "by-hand":
        found.append(_("note : %(note)s", note=event.data.get("note", "")))
    return found
