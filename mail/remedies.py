"""PURE: the first thing to do about an e-mail that did not arrive, by its reason and by what the person may do.

One Step for each reason (STATUSES.md), so that a screen shows one button; where it leads and how it is said beside the
reason is blueprints.remedies' business. Who may not do a step is told to ask who may.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.words import N_, Reason, Status, Word


class Step(Word):
    """One thing to do. `label` is the button's; `needs_resend`, `needs_configure` say which right it takes."""

    def __init__(
        self, _value: str, _label: str, icon: str, needs_resend: bool = False, needs_configure: bool = False
    ) -> None:
        self.icon, self.needs_resend, self.needs_configure = icon, needs_resend, needs_configure

    CORRECT = ("correct", N_("Corriger et renvoyer"), "pencil", True)
    RECORD = ("record", N_("Mettre la fiche à jour et renvoyer"), "pencil", True)
    OTHER_ADDRESS = ("other_address", N_("Renvoyer à une autre adresse"), "repeat", True)
    RESEND = ("resend", N_("Renvoyer"), "repeat", True)
    TOMORROW = ("tomorrow", N_("Renvoyer demain à 8 h"), "clock", True)
    LINK = ("link", N_("Renvoyer avec un lien de téléchargement"), "link", True)
    ANEW = ("anew", N_("Refaire l'e-mail et renvoyer"), "rotate-clockwise", True)
    LIFT = ("lift", N_("Lever la quarantaine et renvoyer"), "repeat", True)
    JUDGE = ("judge", N_("Dire si la personne l'a reçu"), "help-circle", True)
    OWN_DOMAIN = ("own_domain", N_("Configurer votre adresse d'expédition"), "settings", False, True)
    DOMAIN = ("domain", N_("Vérifier le domaine d'expédition"), "search", False, True)
    SENDER = ("sender", N_("Voir l'expéditeur"), "at", False, True)
    DOCUMENT = ("document", N_("Générer de nouveau le document"), "file")
    REPLY = ("reply", N_("Lire la réponse du serveur"), "message-circle")
    LETTER = ("letter", N_("Écrire à son service informatique"), "copy")
    ADMINISTRATOR = ("administrator", N_("Prévenir l'administrateur"), "send")


@dataclass(frozen=True)
class Seen:
    """What is known of the e-mail and of who looks at it."""

    status: Status
    reason: Reason | None
    default_sender: bool = True
    sender_paused: bool = False
    has_contact: bool = True
    has_files: bool = False
    has_document: bool = False  # its type is that of a document of its session
    quarantined: bool = True  # its address is in quarantine still
    judged: bool = False  # a person said that it was not received
    may_resend: bool = True
    may_configure: bool = True


# The remedy of each reason for who may do everything; what depends on the e-mail is in `_wanted`.
STEPS: dict[Reason, Step | None] = {
    Reason.ADDRESS_SYNTAX: Step.CORRECT,
    Reason.DOMAIN_UNKNOWN: Step.CORRECT,
    Reason.USER_UNKNOWN: Step.CORRECT,
    Reason.MOVED: Step.RECORD,
    Reason.MAILBOX_DISABLED: Step.OTHER_ADDRESS,
    Reason.MAILBOX_FULL: Step.TOMORROW,
    Reason.TOO_BIG: Step.LINK,
    Reason.SPAM: Step.DOMAIN,
    Reason.AUTHENTICATION: Step.DOMAIN,
    Reason.BLOCKED: Step.LETTER,
    Reason.CONTENT: Step.LINK,
    Reason.POLICY: Step.REPLY,
    Reason.GREYLISTED: Step.RESEND,
    Reason.THROTTLED: Step.RESEND,
    Reason.UNREACHABLE: Step.RESEND,
    Reason.EXPIRED: Step.RESEND,
    Reason.SUPPRESSED: Step.LIFT,
    Reason.SENDER_REJECTED: Step.SENDER,
    Reason.NOT_PREPARED: Step.DOCUMENT,
    Reason.CANCELLED: None,
    Reason.TOO_LATE: None,
    Reason.UNKNOWN: Step.REPLY,
}
# Refused by the recipient's side for one of these: what their IT needs to know can be copied.
ON_THEIR_SIDE = frozenset(
    {Reason.BLOCKED, Reason.POLICY, Reason.SPAM, Reason.CONTENT, Reason.AUTHENTICATION, Reason.UNKNOWN}
)
# Refused for one of these when it left from the default sender: its own address is the likeliest remedy (STATUSES.md).
OUR_DOMAIN = frozenset({Reason.SPAM, Reason.AUTHENTICATION, Reason.BLOCKED, Reason.POLICY})
FAILURES = frozenset({Status.FAILED, Status.UNDELIVERABLE})


def first_step(seen: Seen) -> Step | None:
    """The one thing to do, None where there is nothing (all is well, it is still being tried, a person decided)."""
    wanted = _wanted(seen)
    if wanted is None:
        return None
    lacks = (wanted.needs_resend and not seen.may_resend) or (wanted.needs_configure and not seen.may_configure)
    return Step.ADMINISTRATOR if lacks else wanted


def _wanted(seen: Seen) -> Step | None:
    if seen.status is Status.UNCERTAIN:
        return Step.JUDGE
    if seen.status is Status.REQUESTED and seen.sender_paused:
        return Step.SENDER
    if seen.status not in FAILURES:
        return None
    if seen.judged:
        return Step.RESEND
    reason = seen.reason or Reason.UNKNOWN
    if reason is Reason.SUPPRESSED and not seen.quarantined:
        return Step.RESEND
    if reason in OUR_DOMAIN and seen.default_sender and seen.status is Status.UNDELIVERABLE:
        return Step.OWN_DOMAIN
    step = STEPS[reason]
    if step is Step.RECORD and not seen.has_contact:
        return Step.CORRECT
    if step is Step.LINK and not seen.has_files:
        return Step.ANEW
    if step is Step.DOCUMENT and not seen.has_document:
        return Step.ANEW
    return step
