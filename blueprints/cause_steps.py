"""What À traiter offers to do about a cause as a whole, and about each of its e-mails; the reasons' first steps are
mail.remedies'."""

from __future__ import annotations

from typing import NamedTuple

from flask import url_for
from flask_login import current_user

from blueprints import remedies
from blueprints.remedies import WRONG_ADDRESS
from history.untreated import Cause, Failed
from i18n import _
from mail.remedies import OUR_DOMAIN, STEPS, Step
from models.words import N_, Permission, Reason

# Another address is needed: the same e-mail to the same one would fail again, or never leave.
CORRECTED = frozenset(WRONG_ADDRESS - {Reason.SUPPRESSED})
# Each is another matter, or an exact copy would be refused again.
_ONE_BY_ONE = CORRECTED | {Reason.SUPPRESSED, Reason.TOO_BIG, Reason.CONTENT, Reason.NOT_PREPARED}
_SHORT = {
    Step.CORRECT: N_("Corriger…"), Step.RECORD: N_("Corriger…"), Step.OTHER_ADDRESS: N_("Autre adresse…"),
    Step.LINK: N_("Avec un lien…"), Step.ANEW: N_("Refaire…"), Step.DOCUMENT: N_("Refaire…"), Step.LIFT: N_("Lever…"),
}  # fmt: skip


class Do(NamedTuple):
    """A link to where something is done."""

    label: str
    icon: str
    href: str


def of_cause(group: Cause) -> Do | None:
    """Where the cause itself is put right, for who may."""
    if group.reason is None:
        return None
    if group.reason in CORRECTED and current_user.may(Permission.RESEND):
        return Do(_("Corriger les adresses…"), "pencil",
                  url_for("corrections.form", cause=group.key, domain=group.domain))  # fmt: skip
    if not current_user.may(Permission.CONFIGURE):
        return None
    if group.reason is Reason.SENDER_REJECTED:
        return Do(_(Step.SENDER.label), Step.SENDER.icon, url_for("settings.senders"))
    if group.reason in OUR_DOMAIN and group.rows:
        return Do(_(Step.DOMAIN.label), Step.DOMAIN.icon,
                  url_for("domains.of_email", public_id=group.rows[0].public_id))  # fmt: skip
    return None


def resends(group: Cause) -> bool:
    """Whether sending all of it again is a thing to offer."""
    return group.reason is not None and group.reason not in _ONE_BY_ONE and current_user.may(Permission.RESEND)


def of_row(group: Cause, row: Failed) -> Do | None:
    """What repairs one of its e-mails, where that is not the same for all of them."""
    if not current_user.may(Permission.RESEND):
        return None
    if group.reason is None:
        return Do(_("Reçu ou non…"), Step.JUDGE.icon, _at(row, "judgment"))
    if group.reason not in _ONE_BY_ONE:
        return None
    step = STEPS[group.reason]
    assert step is not None
    if step is Step.LIFT:
        return Do(_(_SHORT[step]), step.icon, _at(row, "quarantine"))
    if step is Step.DOCUMENT:
        return Do(_(_SHORT[step]), step.icon, _at(row, "remedy"))
    return Do(_(_SHORT[step]), step.icon, url_for(
        "emails.email", public_id=row.public_id, repair=step.value, _anchor=f"resend-{row.public_id}"
    ))  # fmt: skip


def remedy_of(group: Cause) -> str:
    """What to do about all of it."""
    if group.reason is None:
        return _("Demandez au destinataire s'il l'a reçu avant de le renvoyer.")
    return remedies.remedy_of(group.reason)


def _at(row: Failed, part: str) -> str:
    return url_for("emails.email", public_id=row.public_id, _anchor=f"{part}-{row.public_id}")
