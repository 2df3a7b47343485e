"""What became of an e-mail: statuses, reasons, kinds of fact.

Ranks and groups are the one table from which mail.fold and mail.tracking compute a status.
"""

from __future__ import annotations

from enum import IntFlag
from typing import NamedTuple

from models.words.word import N_, Word


class Status(Word):
    """What the user sees of an e-mail. `icon` and `tone` are for the badge, `meaning` for help and title texts."""

    def __init__(self, _value: str, _label: str, icon: str, tone: str, meaning: str) -> None:
        self.icon, self.tone, self.meaning = icon, tone, meaning

    REQUESTED = (
        "requested", N_("Demandé"), "clock", "neutral",
        N_("En attente de départ : rien n'est encore parti."),
    )
    UNCERTAIN = (
        "uncertain", N_("Envoi incertain"), "help-circle", "warning",
        N_("La liaison a été coupée juste après l'envoi : on ne sait pas si le serveur l'a pris."),
    )
    SENT = (
        "sent", N_("Envoyé"), "send", "info",
        N_("Accepté par le serveur suivant ; rien ne dit encore qu'il a été reçu."),
    )
    DELIVERED = (
        "delivered", N_("Reçu"), "check", "success",
        N_("Accepté par l'opérateur du destinataire. Cela ne dit pas qu'il a été lu."),
    )
    OPENED = (
        "opened", N_("Reçu et ouvert"), "checks", "success-strong",
        N_("L'e-mail a été ouvert, un lien suivi ou la réception confirmée."),
    )
    UNDELIVERABLE = (
        "undeliverable", N_("Réception impossible"), "ban", "danger",
        N_("Refusé du côté du destinataire, pour un autre motif que son adresse."),
    )
    FAILED = (
        "failed", N_("Erreur à l'envoi"), "alert-triangle", "danger",
        N_("N'a pas pu être envoyé : le plus souvent à cause de l'adresse, sinon de notre fait."),
    )


class StatusGroup(Word):
    """Filter groups of the global list; `statuses` are its members."""

    def __init__(self, _value: str, _label: str, *statuses: Status) -> None:
        self.statuses = statuses

    WAITING = ("waiting", N_("En attente"), Status.REQUESTED, Status.UNCERTAIN)
    SENT_ALL = ("sent_all", N_("Envoyés"), Status.SENT, Status.DELIVERED, Status.OPENED)
    ERROR = ("error", N_("En erreur"), Status.UNDELIVERABLE, Status.FAILED)


class Reason(Word):
    """Why an e-mail failed or waits, filed by remedy (STATUSES.md).

    `status` is what a *failure* with this reason makes; `sentence` explains, `remedy` says what to do;
    `address_dead` is true only for the three reasons that condemn the address itself.
    """

    def __init__(
        self, _value: str, _label: str, status: Status, sentence: str, remedy: str, address_dead: bool = False
    ) -> None:
        self.status, self.sentence, self.remedy, self.address_dead = status, sentence, remedy, address_dead

    ADDRESS_SYNTAX = (
        "address_syntax", N_("Adresse mal écrite"), Status.FAILED,
        N_("L'adresse n'a pas la forme d'une adresse e-mail."),
        N_("Corrigez l'adresse et renvoyez."),
    )
    DOMAIN_UNKNOWN = (
        "domain_unknown", N_("Domaine inconnu"), Status.FAILED,
        N_("Le domaine de l'adresse (ce qui suit l'arobase) n'existe pas ou ne reçoit pas d'e-mail."),
        N_("Vérifiez la fin de l'adresse, corrigez-la et renvoyez."), True,
    )
    USER_UNKNOWN = (
        "user_unknown", N_("Adresse inconnue"), Status.FAILED,
        N_("L'opérateur du destinataire répond que cette adresse n'existe pas."),
        N_("Vérifiez l'adresse auprès de la personne, corrigez-la et renvoyez."), True,
    )
    MOVED = (
        "moved", N_("Adresse abandonnée"), Status.FAILED,
        N_("L'opérateur du destinataire répond que la personne n'utilise plus cette adresse."),
        N_("Demandez la nouvelle adresse, mettez la fiche à jour et renvoyez."), True,
    )
    MAILBOX_DISABLED = (
        "mailbox_disabled", N_("Boîte désactivée"), Status.UNDELIVERABLE,
        N_("La boîte existe mais elle est fermée ou suspendue."),
        N_("Demandez une autre adresse à la personne, puis renvoyez."),
    )
    MAILBOX_FULL = (
        "mailbox_full", N_("Boîte pleine"), Status.UNDELIVERABLE,
        N_("La boîte du destinataire est pleine."),
        N_("Renvoyez demain, ou téléphonez pour qu'elle soit vidée."),
    )
    TOO_BIG = (
        "too_big", N_("E-mail trop gros"), Status.UNDELIVERABLE,
        N_("Le serveur du destinataire n'accepte pas un e-mail de cette taille."),
        N_("Renvoyez avec un lien de téléchargement à la place de la pièce jointe."),
    )
    SPAM = (
        "spam", N_("Pris pour un indésirable"), Status.UNDELIVERABLE,
        N_("Le serveur du destinataire a jugé l'e-mail indésirable."),
        N_("Revoyez l'objet et le texte, et vérifiez votre domaine d'envoi."),
    )
    AUTHENTICATION = (
        "authentication", N_("Expéditeur non authentifié"), Status.UNDELIVERABLE,
        N_("Le serveur du destinataire n'a pas pu vérifier que l'e-mail vient bien de vous (SPF, DKIM, DMARC)."),
        N_("Configurez votre adresse d'expédition."),
    )
    BLOCKED = (
        "blocked", N_("Envoi bloqué"), Status.UNDELIVERABLE,
        N_("Le serveur du destinataire refuse les e-mails venant de notre serveur."),
        N_("Signalez-le à votre administrateur ; le service informatique du destinataire peut lever le blocage."),
    )
    CONTENT = (
        "content", N_("Contenu refusé"), Status.UNDELIVERABLE,
        N_("Le contenu ou une pièce jointe est refusé (format interdit, antivirus)."),
        N_("Renvoyez avec un lien de téléchargement, ou changez le format du fichier."),
    )
    POLICY = (
        "policy", N_("Refusé par une règle"), Status.UNDELIVERABLE,
        N_("Une règle du serveur du destinataire refuse cet e-mail."),
        N_("Lisez la réponse du serveur ; le service informatique du destinataire peut autoriser votre adresse."),
    )
    GREYLISTED = (
        "greylisted", N_("Mis en attente par le destinataire"), Status.UNDELIVERABLE,
        N_("Le serveur du destinataire demande d'essayer de nouveau un peu plus tard ; c'est habituel."),
        N_("Renvoyez : le serveur l'acceptera sans doute plus tard."),
    )
    THROTTLED = (
        "throttled", N_("Trop d'envois à la fois"), Status.UNDELIVERABLE,
        N_("Le serveur demande de ralentir."),
        N_("Renvoyez un peu plus tard."),
    )
    UNREACHABLE = (
        "unreachable", N_("Serveur injoignable"), Status.UNDELIVERABLE,
        N_("Le serveur ne répond pas."),
        N_("Renvoyez, ou téléphonez."),
    )
    EXPIRED = (
        "expired", N_("Délai dépassé"), Status.UNDELIVERABLE,
        N_("Malgré plusieurs essais, l'e-mail n'a pas pu être remis à temps."),
        N_("Renvoyez, ou téléphonez."),
    )
    SUPPRESSED = (
        "suppressed", N_("Adresse en quarantaine"), Status.FAILED,
        N_("Cette adresse est en quarantaine depuis un envoi précédent : rien n'est parti."),
        N_("Corrigez l'adresse, ou levez la quarantaine."),
    )
    SENDER_REJECTED = (
        "sender_rejected", N_("Notre expéditeur est refusé"), Status.FAILED,
        N_("Le serveur d'envoi refuse notre adresse d'expédition ou notre mot de passe."),
        N_("Prévenez votre administrateur : tous les envois de cet expéditeur sont concernés."),
    )
    NOT_PREPARED = (
        "not_prepared", N_("E-mail non préparé"), Status.FAILED,
        N_("Le modèle, le document ou une pièce jointe manquait."),
        N_("Générez de nouveau le document, puis renvoyez."),
    )
    CANCELLED = (
        "cancelled", N_("Annulé"), Status.FAILED,
        N_("Une personne a annulé cet envoi."),
        N_("Rien à faire."),
    )
    TOO_LATE = (
        "too_late", N_("Trop tard"), Status.FAILED,
        N_("La session avait commencé avant que l'e-mail puisse partir."),
        N_("Rien à faire."),
    )
    UNKNOWN = (
        "unknown", N_("Motif inconnu"), Status.UNDELIVERABLE,
        N_("Le serveur n'a pas donné de motif reconnaissable."),
        N_("Lisez la réponse du serveur, puis renvoyez ou téléphonez."),
    )

    @property
    def silent(self) -> bool:
        """True for what a person or the calendar decided: shown as failed, never counted as a failure."""
        return self in (Reason.CANCELLED, Reason.TOO_LATE)


class EventKind(Word):
    """One kind of delivery event. `rank` is STATUSES.md's (None: a chip only); `status` is what it makes,
    None where the reason decides (failures) or the person does (a correction)."""

    def __init__(self, _value: str, _label: str, rank: int | None, status: Status | None, icon: str) -> None:
        self.rank, self.status, self.icon = rank, status, icon

    REQUESTED = ("requested", N_("Demandé"), 0, Status.REQUESTED, "clock")
    DEFERRED = ("deferred", N_("Remis à plus tard par le serveur"), 0, Status.REQUESTED, "rotate-clockwise")
    RELEASED = ("released", N_("Essai interrompu avant l'envoi"), 0, Status.REQUESTED, "rotate-clockwise")
    OUTCOME_UNKNOWN = ("outcome_unknown", N_("Envoi incertain"), 1, Status.UNCERTAIN, "help-circle")
    REFUSED = ("refused", N_("Refusé par le serveur"), 2, None, "ban")
    NOT_SENT = ("not_sent", N_("Non envoyé"), 2, None, "ban")
    ACCEPTED = ("accepted", N_("Accepté par le serveur"), 3, Status.SENT, "send")
    RELAYED = ("relayed", N_("Relayé à un autre serveur"), 3, Status.SENT, "send")
    EXPANDED = ("expanded", N_("Transmis à une liste"), 3, Status.SENT, "send")
    DELAYED = ("delayed", N_("Retardé"), 3, Status.SENT, "hourglass")
    DELIVERED = ("delivered", N_("Reçu par l'opérateur"), 4, Status.DELIVERED, "check")
    AUTO_REPLIED = ("auto_replied", N_("Réponse automatique reçue"), 4, Status.DELIVERED, "message-circle")
    MACHINE_OPENED = ("machine_opened", N_("Ouverture automatique"), 4, Status.DELIVERED, "robot")
    BOUNCED = ("bounced", N_("Retourné"), 5, None, "arrow-back-up")
    OPENED = ("opened", N_("Ouvert"), 6, Status.OPENED, "mail-opened")
    CLICKED = ("clicked", N_("Lien suivi"), 6, Status.OPENED, "pointer")
    CONFIRMED = ("confirmed", N_("Réception confirmée"), 6, Status.OPENED, "checks")
    DISPLAYED = ("displayed", N_("Accusé de lecture"), 6, Status.OPENED, "checks")
    CORRECTED = ("corrected", N_("Corrigé par une personne"), 9, None, "pencil")
    COMPLAINED = ("complained", N_("Signalé comme indésirable"), None, None, "flag")
    COPY_FAILED = ("copy_failed", N_("Une copie transférée n'est pas arrivée"), None, None, "info-circle")
    UNSUBSCRIBED = ("unsubscribed", N_("Désinscrit"), None, None, "mail-off")
    RESENT = ("resent", N_("Renvoyé"), None, None, "repeat")
    COPIED = ("copied", N_("Copie pour soi-même"), None, None, "copy")


class Mark(IntFlag):
    """Bits of Email.marks: chips that facts leave beside a status. Set-union, so order cannot matter."""

    DELAYED = 1
    AUTO_REPLIED = 2
    MACHINE_OPENED = 4
    COMPLAINED = 8
    COPY_FAILED = 16
    RESENT = 32
    BOUNCED = 64
    OPENED = 128
    OWN_COPY = 256  # of another e-mail, sent to whoever asked for it: no resend of it


MARK_OF_KIND: dict[EventKind, Mark] = {
    EventKind.DELAYED: Mark.DELAYED,
    EventKind.AUTO_REPLIED: Mark.AUTO_REPLIED,
    EventKind.MACHINE_OPENED: Mark.MACHINE_OPENED,
    EventKind.COMPLAINED: Mark.COMPLAINED,
    EventKind.COPY_FAILED: Mark.COPY_FAILED,
    EventKind.RESENT: Mark.RESENT,
    EventKind.BOUNCED: Mark.BOUNCED,
    EventKind.OPENED: Mark.OPENED,
    EventKind.CLICKED: Mark.OPENED,
    EventKind.CONFIRMED: Mark.OPENED,
    EventKind.DISPLAYED: Mark.OPENED,
    EventKind.COPIED: Mark.OWN_COPY,
}


class Chip(Word):
    """Small words beside a status, never statuses of their own."""

    def __init__(self, _value: str, _label: str, tone: str, icon: str) -> None:
        self.tone, self.icon = tone, icon

    SCHEDULED = ("scheduled", N_("programmé"), "info", "calendar")
    IN_PROGRESS = ("in_progress", N_("en cours"), "info", "loader")
    RETRY = ("retry", N_("nouvel essai"), "neutral", "rotate-clockwise")
    SENDER_PAUSED = ("sender_paused", N_("expéditeur en pause"), "warning", "player-pause")
    DELAYED = ("delayed", N_("retardé"), "warning", "hourglass")
    CANCELLED = ("cancelled", N_("annulé"), "neutral", "x")
    TOO_LATE = ("too_late", N_("trop tard"), "neutral", "x")
    COMPLAINT = ("complaint", N_("plainte (spam)"), "danger", "flag")
    AUTO_REPLY = ("auto_reply", N_("réponse automatique"), "neutral", "message-circle")
    MACHINE_OPEN = ("machine_open", N_("ouverture automatique"), "neutral", "robot")
    NOT_MEASURED = ("not_measured", N_("ouverture non mesurée"), "neutral", "eye-off")
    NOT_CONFIRMED = ("not_confirmed", N_("non confirmé"), "neutral", "help-circle")
    COPY_FAILED = ("copy_failed", N_("une copie transférée n'est pas arrivée"), "neutral", "info-circle")
    RESENT = ("resent", N_("renvoyé"), "neutral", "repeat")
    IS_RESEND = ("is_resend", N_("renvoi"), "neutral", "repeat")
    OWN_COPY = ("own_copy", N_("copie pour soi-même"), "neutral", "copy")


class Verdict(NamedTuple):
    """What one fact says by itself: its rank and the status it makes."""

    rank: int
    status: Status


def verdict(kind: EventKind, reason: Reason | None, corrected: Status | None = None) -> Verdict | None:
    """The rank and status of one fact, None where it only leaves a mark (STATUSES.md's table)."""
    if kind.rank is None:
        return None
    if kind is EventKind.CORRECTED:
        return Verdict(kind.rank, corrected or Status.UNCERTAIN)
    status = kind.status or (reason or Reason.UNKNOWN).status
    return Verdict(kind.rank, status)
