"""Every merge tag there is: its name, what it says, who has it, and which types of e-mail offer it.

mail.merge_tags parses, checks and fills them; mail.event_tags knows where an event's tags come from.
docs/merge-tags.md lists them for people (a test holds the two equal).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from models.words import N_, ContactKind, EmailType

_PEOPLE = (ContactKind.LEARNER, ContactKind.TRAINER, ContactKind.CUSTOMER)


@dataclass(frozen=True)
class MergeTag:
    """One tag: its name, what it says (a French message id), who has it, whether it needs a training session."""

    name: str
    label: str
    kinds: tuple[ContactKind, ...] = tuple(ContactKind)
    of_session: bool = False

    @property
    def written(self) -> str:
        return "{{ " + self.name + " }}"

    @property
    def group(self) -> str:
        """What the tag is about: the part of its name before the dot."""
        return self.name.partition(".")[0]

    @property
    def is_link(self) -> bool:
        """Whether it says an address to go to."""
        return self.name.endswith(".lien")


# What every e-mail has (those of a session where it is about one).
TAGS = (
    MergeTag("personne.prenom", N_("Prénom"), _PEOPLE),
    MergeTag("personne.nom", N_("Nom de famille ou d'entreprise")),
    MergeTag("personne.nom_complet", N_("Prénom et nom")),
    MergeTag("personne.email", N_("Adresse e-mail")),
    MergeTag("personne.entreprise", N_("Entreprise de la personne"), _PEOPLE),
    MergeTag("session.titre", N_("Titre de la session"), of_session=True),
    MergeTag("session.reference", N_("Référence de la session"), of_session=True),
    MergeTag("session.dates", N_("Dates de la session"), of_session=True),
    MergeTag("session.debut", N_("Premier jour"), of_session=True),
    MergeTag("session.heure", N_("Heure de début"), of_session=True),
    MergeTag("session.fin", N_("Dernier jour"), of_session=True),
    MergeTag("session.lieu", N_("Lieu"), of_session=True),
    MergeTag("organisme.nom", N_("Nom de l'organisme")),
    MergeTag("organisme.adresse", N_("Adresse de l'organisme")),
    MergeTag("organisme.telephone", N_("Téléphone de l'organisme")),
    MergeTag("expediteur.nom", N_("Votre nom")),
    MergeTag("accuse.lien", N_("Adresse où confirmer la réception")),
)
# Addresses made for one recipient.
LINK_TAGS = (
    MergeTag("evaluation.lien", N_("Adresse du questionnaire d'évaluation")),
    MergeTag("espace.lien", N_("Adresse de la page personnelle du destinataire")),
)
# What a business event tells.
EVENT_TAGS = (
    MergeTag("evenement.date", N_("Date de l'évènement")),
    MergeTag("client.reference", N_("Référence du client")),
    MergeTag("facture.numero", N_("Numéro de la facture")),
    MergeTag("facture.date", N_("Date de la facture")),
    MergeTag("facture.montant", N_("Montant de la facture")),
    MergeTag("facture.reste", N_("Reste à payer")),
    MergeTag("facture.echeance", N_("Échéance de la facture")),
    MergeTag("facture.lien", N_("Adresse de la facture en ligne")),
    MergeTag("paiement.date", N_("Date du paiement")),
    MergeTag("paiement.motif", N_("Motif du refus de paiement")),
    MergeTag("paiement.prochain", N_("Date du prochain prélèvement")),
    MergeTag("paiement.lien", N_("Adresse de la page de paiement")),
    MergeTag("litige.motif", N_("Motif du litige")),
    MergeTag("avoir.numero", N_("Numéro de l'avoir")),
    MergeTag("avoir.date", N_("Date de l'avoir")),
    MergeTag("avoir.montant", N_("Montant de l'avoir")),
    MergeTag("carte.marque", N_("Marque de la carte")),
    MergeTag("carte.numero", N_("Quatre derniers chiffres de la carte")),
    MergeTag("carte.fin", N_("Mois d'expiration de la carte")),
    MergeTag("moyen.nom", N_("Moyen de paiement")),
    MergeTag("moyen.lien", N_("Adresse où changer de moyen de paiement")),
    MergeTag("abonnement.nom", N_("Nom de l'abonnement")),
    MergeTag("abonnement.reference", N_("Référence de l'abonnement")),
    MergeTag("abonnement.fin", N_("Fin de l'abonnement")),
)
EVERY = (*TAGS, *LINK_TAGS, *EVENT_TAGS)
BY_NAME = {tag.name: tag for tag in EVERY}

_ALL_EVENTS = frozenset({"evenement", "client", "abonnement"})
_OF_EVENTS = {
    "invoice": _ALL_EVENTS | {"facture", "paiement", "litige", "carte", "moyen"},
    "credit_note": _ALL_EVENTS | {"avoir", "facture"},
    "subscription": _ALL_EVENTS | {"facture", "paiement", "moyen"},
    "card": _ALL_EVENTS | {"carte", "moyen"},
    "payment_method": _ALL_EVENTS | {"carte", "moyen", "facture", "paiement"},
}
_EVALUATIONS = frozenset(t.value for t in EmailType if t.value.startswith("evaluation"))
OWN_PAGE = "espace"  # the group of the recipient's own page
_WITHOUT_SESSION = frozenset({EmailType.QUOTE.value, EmailType.ALERT.value})


def is_event(type: str) -> bool:
    """Whether a type of e-mail is written because of a business event."""
    return type.partition(".")[0] in _OF_EVENTS and "." in type


def of_session(type: str) -> bool:
    """Whether a type of e-mail is about a training session."""
    return not is_event(type) and type not in _WITHOUT_SESSION


def groups(type: str) -> frozenset[str]:
    """The groups of tags that a type of e-mail offers beyond TAGS."""
    if is_event(type):
        return _OF_EVENTS[type.partition(".")[0]]
    if type in _EVALUATIONS:
        return frozenset({"evaluation", OWN_PAGE})
    return frozenset({OWN_PAGE}) if of_session(type) else frozenset()


def tags_for(
    kinds: Iterable[ContactKind], with_session: bool = True, more: Collection[str] = ()
) -> list[MergeTag]:  # fmt: skip
    """The tags that every one of the kinds has, those of the groups `more` included, in the order of the menu."""
    wanted = set(kinds)
    offered = [*TAGS, *(tag for tag in (*LINK_TAGS, *EVENT_TAGS) if tag.group in more)]
    return [tag for tag in offered if wanted <= set(tag.kinds) and (with_session or not tag.of_session)]


def tags_of_type(type: str, kinds: Iterable[ContactKind]) -> list[MergeTag]:
    """The tags that a template of a type may use where it goes to these kinds of recipient."""
    return tags_for(kinds, of_session(type), groups(type))
