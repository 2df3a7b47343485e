"""Configuration's map: every page of it under five headings, each with a sentence for who has never been there.

The first page lists them all; a page shows its own heading and, as tabs, what stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from i18n import N_


@dataclass(frozen=True)
class Place:
    """A page of Configuration. `tab` is what its template calls itself; the texts are French message ids."""

    tab: str
    label: str
    endpoint: str
    icon: str
    about: str


@dataclass(frozen=True)
class Heading:
    """Pages that belong together; `key` is the heading's anchor on the first page."""

    key: str
    label: str
    about: str
    places: tuple[Place, ...]


HEADINGS = (
    Heading("house", N_("Votre organisme"), N_("Qui vous êtes, qui travaille ici, ce que chacun a fait."), (
        Place("organisation", N_("Organisme"), "settings.organisation", "building",
              N_("Nom, adresse, fuseau horaire ; si l'ouverture des e-mails est mesurée.")),
        Place("look", N_("Logo et couleur"), "look.index", "photo",
              N_("Ce que portent vos e-mails et vos documents.")),
        Place("users", N_("Utilisateurs"), "settings.users", "users",
              N_("Qui se connecte, et ce que chacun peut faire.")),
        Place("retention", N_("Conservation"), "retention.index", "clock",
              N_("Combien d'années le contenu des e-mails est gardé.")),
        Place("audit", N_("Journal"), "audit.index", "history",
              N_("Qui a fait quoi, et quand.")),
    )),
    Heading("letters", N_("Vos e-mails"), N_("Ce qu'ils disent, et ceux qui partent tout seuls."), (
        Place("templates", N_("Modèles d'e-mails"), "templates.index", "template",
              N_("Les mots de chaque e-mail, en français et en anglais.")),
        Place("automations", N_("Envois automatiques"), "automations.defaults", "robot",
              N_("Ce qui part d'après les dates d'une session. Tout est éteint au départ.")),
        Place("training_types", N_("Types de formation"), "training_types.index", "certificate",
              N_("Les e-mails que chaque apprenant doit avoir reçus.")),
    )),
    Heading("sending", N_("Envoi"), N_("D'où partent vos e-mails, par quel serveur, à quelle cadence."), (
        Place("senders", N_("Expéditeurs"), "settings.senders", "at",
              N_("Vos adresses d'expédition, leur domaine, vos comptes d'envoi.")),
        Place("pace", N_("Cadences"), "pace.index", "clock",
              N_("La vitesse d'envoi, et ce qu'un opérateur ralentit.")),
        Place("operations", N_("Envois en cours"), "operations.index", "send",
              N_("Ce qui attend de partir, et pourquoi.")),
    )),
    Heading("returns", N_("Après l'envoi"), N_("Ce que répondent les serveurs et les personnes."), (
        Place("quarantine", N_("Quarantaine"), "quarantine.index", "shield",
              N_("Les adresses auxquelles on n'écrit plus, et pourquoi.")),
        Place("opt_outs", N_("Désinscriptions"), "leaving.index", "user-x",
              N_("Qui ne veut plus de certains e-mails.")),
        Place("reports", N_("Retours"), "reports.index", "mail-question",
              N_("Les rapports qui n'ont pas retrouvé leur e-mail.")),
        Place("providers", N_("Services d'envoi"), "providers.index", "server",
              N_("Les services d'envoi qui disent ce que deviennent vos e-mails.")),
    )),
    Heading("programs", N_("Vos logiciels"), N_("Relier Sillage à vos autres outils."), (
        Place("tokens", N_("Clés d'API"), "tokens.index", "key",
              N_("Pour qu'un programme envoie des e-mails ou lise leur historique.")),
        Place("webhooks", N_("Webhooks"), "webhooks.index", "bolt",
              N_("Pour prévenir un programme quand un e-mail change de statut.")),
        Place("billing", N_("Facturation"), "billing_sources.index", "database",
              N_("Pour écrire quand votre facturation signale une facture, une carte, un abonnement.")),
    )),
)  # fmt: skip
_OF_TAB = {place.tab: (heading, place) for heading in HEADINGS for place in heading.places}


def standing(tab: str) -> tuple[Heading, Place]:
    """The heading and the place of the page that calls itself `tab`."""
    return _OF_TAB[tab]
