"""What each kind of recipient does, in one table; docs/operations.md shows it, a test keeps the two equal.

The word stands alone in the local part: `camille.plein@…`, `plein@…` and `camille+plein@…` have a full box,
`pleinel@…` is a plain person. What somebody outside can put right has its `cure`: the page of the post office offers
it, and from then on that word is an ordinary mailbox. Nothing here does anything: `smtp` acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Report:
    """A report by mail some seconds after the e-mail was taken (RFC 3464)."""

    action: Literal["delivered", "failed", "delayed"]
    status: str
    diagnostic: str


@dataclass(frozen=True)
class Behaviour:
    """What happens to an e-mail for such a recipient; all defaults together: taken, and no word more."""

    about: str
    at_rcpt: str | None = None  # the reply that refuses RCPT
    at_data: str | None = None  # the reply that refuses the message after its final dot
    files_only: bool = False  # at_data is for messages with an attachment; others are delivered
    greylists: bool = False  # 451 until some seconds after the first try
    pause: float = 0.0  # seconds before the reply to the final dot
    hangs_up: Literal["", "before the body", "after the dot"] = ""
    report: Report | None = None
    reads: Literal["", "person", "machine"] = ""  # who loads the images
    acts: Literal["", "follows", "confirms", "leaves"] = ""  # what a person does besides, where the e-mail offers it
    answers: bool = False  # an automatic reply (RFC 3834)
    complains: bool = False  # a feedback report (RFC 5965)
    cure: str = ""  # what somebody outside may do so that the next e-mail arrives

    @property
    def keeps(self) -> bool:
        """Whether the e-mail lands in the Maildir."""
        return not (self.at_rcpt or self.at_data or self.hangs_up == "before the body")


_DELIVERED = Report("delivered", "2.0.0", "smtp; 250 2.0.0 delivered to mailbox")

_ALLOWED = "le service informatique du destinataire autorise l'expéditeur"
_BACK = "le serveur du destinataire répond de nouveau"

NOT_PROVEN = "dmarc"  # refuses for as long as the sender is not authenticated, not for ever

PLAIN = Behaviour("accepté, sans autre nouvelle : Envoyé")

TABLE: dict[str, Behaviour] = {
    "recu": Behaviour("remis ; un rapport de remise revient : Reçu", report=_DELIVERED),
    "lu": Behaviour(
        "remis, puis ouvert par une personne 20 s après : Reçu et ouvert", report=_DELIVERED, reads="person"
    ),
    "clic": Behaviour(
        "remis, puis ouvert et un lien suivi par une personne 20 s après : Reçu et ouvert",
        report=_DELIVERED,
        reads="person",
        acts="follows",
    ),
    "accuse": Behaviour(
        "remis, puis ouvert et, si l'e-mail le demande, réception confirmée 20 s après : Reçu et ouvert",
        report=_DELIVERED,
        reads="person",
        acts="confirms",
    ),
    "quitte": Behaviour(
        "remis, puis ouvert et, si son type le permet, désinscrit par la messagerie 20 s après : Reçu et ouvert",
        report=_DELIVERED,
        reads="person",
        acts="leaves",
    ),
    "machine": Behaviour("remis ; images chargées aussitôt par une machine : Reçu", report=_DELIVERED, reads="machine"),
    "syntaxe": Behaviour(
        "adresse mal écrite, refusée à RCPT : Erreur à l'envoi",
        at_rcpt="501 5.1.3 Bad recipient address syntax",
    ),
    "inconnu": Behaviour(
        "adresse inconnue, refusée à RCPT : Erreur à l'envoi",
        at_rcpt="550 5.1.1 The email account that you tried to reach does not exist",
    ),
    "domaine": Behaviour(
        "domaine inconnu, refusé à RCPT : Erreur à l'envoi",
        at_rcpt="550 5.1.2 Host or domain name not found: NXDOMAIN",
    ),
    "demenage": Behaviour(
        "adresse abandonnée pour une autre, refusée à RCPT : Erreur à l'envoi",
        at_rcpt="551 5.1.6 Recipient has moved, no forwarding address",
    ),
    "retour": Behaviour(
        "accepté, puis rapport « adresse inconnue » : Erreur à l'envoi",
        report=Report("failed", "5.1.1", "smtp; 550 5.1.1 User unknown in virtual mailbox table"),
    ),
    "plein": Behaviour(
        "accepté, puis rapport « boîte pleine » : Réception impossible",
        report=Report("failed", "5.2.2", "smtp; 552 5.2.2 The recipient's mailbox is full: over quota"),
        cure="la personne fait de la place dans sa boîte",
    ),
    "expire": Behaviour(
        "accepté, puis rapport « délai dépassé » (4.4.7, pourtant définitif) : Réception impossible",
        report=Report("failed", "4.4.7", "smtp; 451 4.4.7 Delivery time expired, giving up"),
        cure=_BACK,
    ),
    "injoignable": Behaviour(
        "accepté, puis rapport « serveur injoignable » : Réception impossible",
        report=Report("failed", "5.4.1", "smtp; 554 5.4.1 No answer from host, connection timed out"),
        cure=_BACK,
    ),
    "desactive": Behaviour(
        "boîte désactivée, refusée à RCPT : Réception impossible",
        at_rcpt="550 5.2.1 The mailbox is disabled and does not accept messages",
        cure="la boîte du destinataire est rouverte",
    ),
    "spam": Behaviour(
        "refusé comme spam après le message : Réception impossible",
        at_data="554 5.7.1 This message looks like spam and was not accepted",
        cure=_ALLOWED,
    ),
    "bloque": Behaviour(
        "expéditeur sur une liste de réputation, refusé à RCPT : Réception impossible",
        at_rcpt="554 5.7.1 Service unavailable; client host is blocked using a reputation blocklist",
        cure=_ALLOWED,
    ),
    "regle": Behaviour(
        "refusé par une règle du serveur, à RCPT : Réception impossible",
        at_rcpt="550 5.7.1 Delivery not authorized by local policy, message refused",
        cure=_ALLOWED,
    ),
    "etrange": Behaviour(
        "accepté, puis rapport d'échec sans motif reconnaissable : Réception impossible",
        report=Report("failed", "5.0.0", "smtp; 554 5.0.0 Error 0x8F3"),
        cure=_ALLOWED,
    ),
    "dmarc": Behaviour(
        "expéditeur que SPF n'authentifie pas, refusé après le message : Réception impossible",
        at_data="550 5.7.26 Unauthenticated mail is not accepted due to the domain's DMARC policy",
        cure="le domaine d'expédition est authentifié (SPF, DKIM)",
    ),
    "expediteur": Behaviour(
        "adresse d'expédition refusée à RCPT : Erreur à l'envoi",
        at_rcpt="550 5.1.8 Sender address rejected: not owned by the account that sends",
        cure="le compte d'envoi a de nouveau droit à l'adresse d'expédition",
    ),
    "lourd": Behaviour(
        "e-mail avec pièce jointe, refusé comme trop gros ; sans, remis : Réception impossible",
        at_data="552 5.3.4 Message size exceeds the recipient's fixed limit",
        files_only=True,
        report=_DELIVERED,
    ),
    "virus": Behaviour(
        "pièce jointe refusée par l'antivirus ; sans, remis : Réception impossible",
        at_data="552 5.7.0 This message was blocked because of its attachment: forbidden file type",
        files_only=True,
        report=_DELIVERED,
    ),
    "attente": Behaviour("liste grise : refusé 50 s, puis accepté : Demandé, puis Envoyé", greylists=True),
    "grise": Behaviour(
        "liste grise : refusé 50 s, puis remis, avec rapport : Demandé, puis Reçu", greylists=True, report=_DELIVERED
    ),
    "sature": Behaviour(
        "serveur toujours saturé, refus temporaire à RCPT : Demandé",
        at_rcpt="451 4.7.28 Too many messages from your address, please try again later",
        cure=_BACK,
    ),
    "lent": Behaviour("répond 3 s après la fin du message : Envoyé", pause=3.0),
    "coupe": Behaviour(
        "raccroche après la fin du message, sans réponse (le message est gardé) : Envoi incertain",
        hangs_up="after the dot",
    ),
    "raccroche": Behaviour(
        "raccroche avant le corps du message, à chaque essai : Demandé", hangs_up="before the body", cure=_BACK
    ),
    "retard": Behaviour(
        "accepté, puis rapport de retard : Envoyé, « retardé »",
        report=Report("delayed", "4.4.1", "smtp; 451 4.4.1 Connection timed out, will retry"),
    ),
    "absent": Behaviour("accepté, puis réponse automatique d'absence : Reçu", answers=True),
    "plainte": Behaviour(
        "remis, puis signalé comme indésirable : Reçu, « plainte »", report=_DELIVERED, complains=True
    ),
}


def behaviour_of(address: str, cured: Collection[str] = ()) -> Behaviour:
    """How the recipient `address` behaves: by the last word of its local part that the table knows; as an ordinary
    mailbox, which reports what it delivered, where that word is among the `cured`."""
    for word in reversed(re.split(r"[^a-z]+", address.rpartition("@")[0].lower())):
        if word in TABLE:
            return TABLE["recu"] if word in cured else TABLE[word]
    return PLAIN
