"""What the help says of each status, reason and mention, beside what models.words already says of them.

A page shows all of it (blueprints.help); the opened e-mail shows what concerns it. docs/statuses.md is the same for
whoever works on the house.
"""

from __future__ import annotations

from dataclasses import dataclass

from i18n import N_
from models.words import Chip, Reason, Status

# What a status does not say: where people are mistaken about it.
NOT_SAID: dict[Status, str] = {
    Status.REQUESTED: N_("Il partira de lui-même : l'heure du prochain essai est indiquée à côté."),
    Status.UNCERTAIN: N_(
        "L'e-mail a pu arriver : demandez au destinataire avant de renvoyer. "
        "Rien ne repart sans que quelqu'un le décide."
    ),
    Status.SENT: N_(
        "Il ne dit pas que l'e-mail est dans la boîte du destinataire : beaucoup d'opérateurs n'en disent pas plus."
    ),
    Status.DELIVERED: N_("Il peut être rangé parmi les indésirables, ou n'avoir pas encore été lu."),
    Status.OPENED: N_("Ce n'est pas une preuve de lecture ; et un e-mail sans ce statut a pu être lu."),
    Status.UNDELIVERABLE: N_(
        "Il ne dit pas que l'adresse est fausse : c'est un refus, une boîte pleine ou fermée, ou un délai dépassé."
    ),
    Status.FAILED: N_("Il ne dit pas que le destinataire vous a bloqué."),
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """Reasons that have the same thing in common, and what that is."""

    key: str
    label: str
    about: str
    reasons: tuple[Reason, ...]


FAMILIES = (
    Family("address", N_("L'adresse est en cause"),
           N_("Rien n'arrivera à cette adresse telle qu'elle est écrite : il faut la corriger."),
           (Reason.ADDRESS_SYNTAX, Reason.DOMAIN_UNKNOWN, Reason.USER_UNKNOWN, Reason.MOVED)),
    Family("mailbox", N_("La boîte du destinataire"),
           N_("L'adresse existe, mais sa boîte ne prend rien en ce moment."),
           (Reason.MAILBOX_FULL, Reason.MAILBOX_DISABLED)),
    Family("refusal", N_("Le serveur du destinataire refuse"),
           N_("L'adresse est bonne : c'est l'e-mail ou son expéditeur qui est refusé. Ne la corrigez pas."),
           (Reason.SPAM, Reason.AUTHENTICATION, Reason.BLOCKED, Reason.POLICY, Reason.CONTENT, Reason.TOO_BIG)),
    Family("delay", N_("Un retard"),
           N_("Sillage essaie de nouveau tout seul, de plus en plus espacé, pendant 48 heures, puis il renonce."),
           (Reason.GREYLISTED, Reason.THROTTLED, Reason.UNREACHABLE, Reason.EXPIRED)),
    Family("ours", N_("De notre côté"),
           N_("Rien n'est parti. La cause est chez nous, et se répare ici."),
           (Reason.SUPPRESSED, Reason.SENDER_REJECTED, Reason.NOT_PREPARED)),
    Family("decided", N_("Décidé ici"),
           N_("Ce n'est pas un échec : rien n'est à traiter."),
           (Reason.CANCELLED, Reason.TOO_LATE)),
    Family("other", N_("Le reste"),
           N_("La réponse du serveur est gardée mot pour mot dans le détail de l'e-mail."),
           (Reason.UNKNOWN,)),
)  # fmt: skip
_FAMILY = {reason: family for family in FAMILIES for reason in family.reasons}

MENTIONS: dict[Chip, str] = {
    Chip.SCHEDULED: N_("L'e-mail est prêt ; il attend le moment choisi."),
    Chip.IN_PROGRESS: N_("Un serveur est en train de le recevoir."),
    Chip.RETRY: N_("Le serveur a demandé d'attendre : l'essai suivant est à l'heure indiquée."),
    Chip.SENDER_PAUSED: N_("Rien ne part de cet expéditeur tant que sa pause dure ; rien n'est perdu."),
    Chip.DELAYED: N_("Un serveur sur le chemin l'a pris et n'a pas encore pu le remettre."),
    Chip.CANCELLED: N_("Quelqu'un a annulé cet envoi avant son départ."),
    Chip.TOO_LATE: N_("La session avait commencé : l'e-mail n'est pas parti."),
    Chip.COMPLAINT: N_("Le destinataire l'a signalé comme indésirable ; son adresse est en quarantaine."),
    Chip.AUTO_REPLY: N_("Une réponse automatique est revenue, d'absence par exemple : la boîte existe."),
    Chip.MACHINE_OPEN: N_("Les images ont été chargées par un programme : personne ne l'a peut-être lu."),
    Chip.NOT_MEASURED: N_("L'ouverture de cet e-mail n'est pas mesurée ; il a pu être ouvert."),
    Chip.NOT_CONFIRMED: N_("Trois jours ont passé sans que personne ne confirme l'arrivée. C'est habituel."),
    Chip.COPY_FAILED: N_("Le destinataire l'a fait suivre ailleurs, et c'est cette copie qui n'est pas arrivée."),
    Chip.RESENT: N_("Cet e-mail a été renvoyé : le renvoi a sa propre ligne."),
    Chip.IS_RESEND: N_("Cet e-mail en répète un autre, dont le détail donne le lien."),
    Chip.OWN_COPY: N_("Une personne de l'organisme se l'est envoyé à elle-même."),
}


def family_of(reason: Reason) -> Family:
    """The family that the reason belongs to."""
    return _FAMILY[reason]
