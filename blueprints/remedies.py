"""What the opened e-mail says of a failure: what happened, the one button that repairs it, the server's own words, and
for a refusal by the recipient's side a text ready for their IT. Which step is first is mail.remedies' business.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import url_for
from flask_login import current_user

from extensions import settings
from history.detail import Detail, Event
from i18n import N_, _, zone
from mail import outbox
from mail.domain_checks import domain_of
from mail.remedies import FAILURES, ON_THEIR_SIDE, OUR_DOMAIN, Seen, Step, first_step
from models import DocumentKind, Sender
from models.words import Chip, EventKind, Mark, Permission, Reason, Status
from people.contacts import likely_address

# The address itself is in question.
WRONG_ADDRESS = frozenset({
    Reason.ADDRESS_SYNTAX, Reason.DOMAIN_UNKNOWN, Reason.USER_UNKNOWN, Reason.MOVED, Reason.MAILBOX_DISABLED,
    Reason.SUPPRESSED,
})  # fmt: skip
_BAD_NEWS = (EventKind.REFUSED, EventKind.NOT_SENT, EventKind.BOUNCED, EventKind.DEFERRED, EventKind.OUTCOME_UNKNOWN)
# Steps with a form of their own in the opened e-mail.
_UNFOLDS = {Step.LIFT: "quarantine", Step.JUDGE: "judgment"}
_DOCUMENTS = {kind.type.value for kind in DocumentKind if kind.value == kind.type.value}
# What an admin reads where the reason's own remedy is to tell the admin.
FOR_ADMINS = {
    Reason.SENDER_REJECTED: N_(
        "Corrigez l'expéditeur ou son mot de passe, puis renvoyez : tous ses envois sont concernés."
    ),
    Reason.BLOCKED: N_(
        "Le service informatique du destinataire peut lever le blocage : envoyez-lui le texte tout prêt."
    ),
}
_ASKS = {
    Reason.BLOCKED: N_("Pouvez-vous autoriser cet expéditeur, ou nous dire sur quelle liste il figure ?"),
    Reason.POLICY: N_("Pouvez-vous autoriser cet expéditeur, ou nous dire quelle règle s'applique ?"),
    Reason.SPAM: N_("Pouvez-vous autoriser cet expéditeur dans votre filtre antispam ?"),
    Reason.CONTENT: N_("Pouvez-vous nous dire quel contenu ou quel format de fichier est refusé ?"),
    Reason.AUTHENTICATION: N_("Pouvez-vous nous dire quelle vérification a échoué (SPF, DKIM ou DMARC) ?"),
    Reason.UNKNOWN: N_("Pouvez-vous nous dire pourquoi, et autoriser cet expéditeur ?"),
}


@dataclass
class Remedy:
    """The notice above an e-mail. `href` is where the first step leads; None where the step unfolds in place."""

    tone: str
    title: str
    text: str
    icon: str
    lines: list[str] = field(default_factory=list)
    step: Step | None = None
    href: str | None = None
    next_try: datetime | None = None
    until_then: str = ""  # what stands before that moment
    reply: Event | None = None  # bad news in its own words, a server's or our own side's
    letter: str = ""
    phone: str = ""
    record: str = ""  # where who may not resend corrects the address for the e-mails to come
    assistance: str = ""
    assistance_missing: bool = False


def remedy(detail: Detail) -> Remedy | None:
    """What to know and to do; None where all is well."""
    row = detail.row
    said = _said(detail)
    if said is None:
        return None
    said.step = first_step(seen(detail))
    said.href = _href(detail, said.step)
    said.reply = reply_of(detail)
    if row.status in FAILURES and not (row.reason and row.reason.silent):
        said.phone = detail.phone
        if row.reason in WRONG_ADDRESS and row.contact_id and not current_user.may(Permission.RESEND):
            said.record = url_for("contacts.edit", public_id=row.contact_id)
        if _refused_by_them(row.status, row.reason, said.reply):
            said.letter = _letter(detail, said.reply)
        if settings().support_email:
            said.assistance = url_for("assistance.ask", public_id=row.public_id, to="support")
        else:
            said.assistance_missing = current_user.may(Permission.CONFIGURE)
    return said


def seen(detail: Detail) -> Seen:
    """What mail.remedies judges by."""
    row = detail.row
    return Seen(
        row.status, row.reason, default_sender=detail.default_sender, sender_paused=row.sender_paused,
        has_contact=bool(row.contact_id), has_files=bool(row.attachment_count),
        has_document=bool(row.session_id) and row.type in _DOCUMENTS,
        quarantined=detail.quarantine is not None and detail.quarantine.lasts,
        judged=any(event.kind is EventKind.CORRECTED for event in detail.events),
        may_resend=current_user.may(Permission.RESEND), may_configure=current_user.may(Permission.CONFIGURE),
    )  # fmt: skip


def _said(detail: Detail) -> Remedy | None:
    row = detail.row
    if row.status is Status.UNCERTAIN:
        text = _("Demandez au destinataire s'il l'a reçu avant de le renvoyer : il ne repartira pas tout seul.")
        return Remedy("warning", _(Status.UNCERTAIN.meaning), text, "help-circle", phone=detail.phone)
    if row.status is Status.REQUESTED and row.sender_paused:
        text = _("Le serveur d'envoi a refusé cet expéditeur : l'e-mail attend, rien n'est perdu.")
        return Remedy("warning", _("Expéditeur en pause"), text, "player-pause")
    if row.reason and row.status is Status.REQUESTED:
        return Remedy(
            "info", _(row.reason.label), _(row.reason.sentence), "clock", next_try=row.next_attempt_at,
            until_then=_("Rien à faire : prochain essai le"),
        )  # fmt: skip
    if any(shown.chip is Chip.SCHEDULED for shown in row.chips):
        return Remedy(
            "info", _("Départ programmé"), _("L'e-mail est prêt ; il attend le moment choisi."), "calendar",
            next_try=row.next_attempt_at, until_then=_("Il partira le"),
        )  # fmt: skip
    if row.status in FAILURES:
        return _failed(detail, row.reason or Reason.UNKNOWN)
    if row.marks & Mark.COMPLAINED:
        text = _("La personne a signalé cet e-mail comme indésirable : son adresse est en quarantaine.")
        lines = [_("Ne lui écrivez plus sans son accord ; si c'est nécessaire, téléphonez.")]
        return Remedy("warning", _("Signalé comme indésirable"), text, "flag", lines, phone=detail.phone)
    return None


def remedy_of(reason: Reason) -> str:
    """What to do, for the person who reads it: an admin is not told to tell the admin."""
    own = FOR_ADMINS.get(reason) if current_user.may(Permission.CONFIGURE) else None
    return _(own or reason.remedy)


def _failed(detail: Detail, reason: Reason) -> Remedy:
    row = detail.row
    if reason.silent:
        return Remedy("neutral", _(reason.label), _(reason.sentence), "info-circle", [_(reason.remedy)])
    if any(event.kind is EventKind.CORRECTED for event in detail.events):
        said = _("Quelqu'un a demandé à la personne : elle ne l'a pas reçu.")
        return Remedy("danger", _("Pas reçu"), said, "alert-circle", [_("Renvoyez-le, ou téléphonez.")])
    lines = [remedy_of(reason)]
    if reason in OUR_DOMAIN and row.status is Status.UNDELIVERABLE and detail.default_sender:
        first = _("Configurez d'abord votre adresse d'expédition : c'est la cause la plus probable.")
        if not current_user.may(Permission.CONFIGURE):
            first = _("Le plus probable : l'adresse d'expédition par défaut, qu'un administrateur peut remplacer.")
        lines = [first] if reason is Reason.AUTHENTICATION else [first, *lines]  # its own remedy says the same
    likely = likely_address(row.address) if reason in WRONG_ADDRESS else None
    if likely:
        lines.append(_("Vouliez-vous dire %(address)s ?", address=likely))
    return Remedy("danger", _(reason.label), _(reason.sentence), "alert-circle", lines)


def _href(detail: Detail, step: Step | None) -> str | None:
    row = detail.row
    if step is None or step in (Step.REPLY, Step.LETTER):
        return None
    if step in (Step.OWN_DOMAIN, Step.DOMAIN):
        return url_for("domains.show", domain=domain_of(row.sender_address), email=row.public_id)
    if step is Step.SENDER:
        return url_for("settings.senders")
    if step is Step.DOCUMENT:
        return url_for("documents.kind", public_id=row.session_id, slug=row.type.replace("_", "-"))
    if step is Step.ADMINISTRATOR:
        return url_for("assistance.ask", public_id=row.public_id, to="administrator")
    if step in _UNFOLDS:
        return url_for("emails.email", public_id=row.public_id, _anchor=f"{_UNFOLDS[step]}-{row.public_id}")
    return url_for("emails.email", public_id=row.public_id, repair=step.value, _anchor=f"resend-{row.public_id}")


def reply_of(detail: Detail) -> Event | None:
    """The newest bad news that has words of a server's."""
    told = [event for event in detail.events if event.kind in _BAD_NEWS and event.server_words]
    return told[-1] if told else None


def _refused_by_them(status: Status, reason: Reason | None, reply: Event | None) -> bool:
    return status is Status.UNDELIVERABLE and (reason or Reason.UNKNOWN) in ON_THEIR_SIDE and reply is not None


def _letter(detail: Detail, reply: Event | None) -> str:
    """What the recipient's IT needs to find the refusal and to allow the sender, as plain text."""
    row = detail.row
    assert reply is not None
    sender, domain = row.sender_address, row.sender_address.rpartition("@")[2]
    at = reply.occurred_at.astimezone(ZoneInfo(zone()))
    facts: list[tuple[str, Any]] = [
        (_("Date du refus"), f"{at:%d/%m/%Y %H:%M:%S %z}"),
        (_("Destinataire"), row.address),
        (_("Expéditeur"), sender),
        (_("Notre serveur d'envoi"), sending_host()),
        (_("Votre serveur"), reply.remote_host),
        (_("Réponse"), reply.server_words),
        ("Message-ID", outbox.message_id(row.id, Sender(address=sender))),
    ]
    colon = _("%(label)s : %(value)s")
    allow = _("À autoriser : l'adresse %(address)s et le domaine %(domain)s.", address=sender, domain=domain)
    return "\n".join([
        _("Bonjour,"), "",
        _("Votre serveur de messagerie a refusé un e-mail que nous avons envoyé à %(address)s.", address=row.address),
        _(_ASKS[row.reason or Reason.UNKNOWN]), "",
        *(colon % {"label": label, "value": value} for label, value in facts if value), "",
        allow, "",
        _("Merci,"), current_user.name, detail.sender_name,
    ])  # fmt: skip


def sending_host() -> str:
    """The name of the server that hands our mail over, empty where it only has a name on this machine."""
    host = settings().mail_server
    try:
        return host if ipaddress.ip_address(host).is_global else ""
    except ValueError:
        return "" if host == "localhost" or "." not in host else host
