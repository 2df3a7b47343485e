"""À traiter › one cause › Corriger les adresses: every address that a cause is about, a field beside each, one press.

Each address is a matter of its own: what is right leaves, what is wrong stays with what is wrong about it. A resend is
mail.resend's; an address that several e-mails failed at is asked for once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from blueprints.cause_steps import CORRECTED
from blueprints.support import allow, page
from errors import Permanent, UserMistake
from extensions import db
from history import untreated
from history.same_address import BEFORE_THE_END
from history.untreated import Failed
from i18n import _, ngettext
from mail import advice, reach
from mail.resend import Ask, corrected, resend
from models import AuditAction, Contact, Email
from models.words import N_, Permission
from people import audit, contacts, training

blueprint = Blueprint("corrections", __name__)
_CAUSES = {reason.value for reason in CORRECTED}
_LONGEST = 320
_LOST = N_("Le contenu de cet e-mail n'est plus conservé : écrivez-en un nouveau.")


@dataclass
class Line:
    """One address that failed, its e-mails (the newest first), and what was typed in its place."""

    key: str
    address: str
    emails: list[Failed] = field(default_factory=list)
    suggested: str = ""
    typed: str = ""
    error: str = ""
    doubtful: bool = False  # the domain takes no mail: whoever is sure says so

    @property
    def first(self) -> Failed:
        return self.emails[0]

    def ticked(self, email: Failed, asked: bool) -> bool:
        """Whether it goes: as it was ticked, at first what is still of use."""
        if asked:
            return email.public_id in request.form.getlist(f"of-{self.key}")
        still_of_use = email.soon is not None or not email.session_id or email.type not in BEFORE_THE_END
        return still_of_use or len(self.emails) == 1


@blueprint.get("/todo/corrections")
@allow(Permission.RESEND)
def form() -> Response:
    cause, domain = _cause(request.args.get("cause", ""), request.args.get("domain", ""))
    lines = _lines(cause, domain)
    for line in lines:
        line.typed = line.suggested
    return _page(cause, domain, lines, str(uuid4()))


@blueprint.post("/todo/corrections")
@allow(Permission.RESEND)
def correct() -> Response:
    """Send to the addresses that were typed; a press that comes twice sends once."""
    cause, domain = _cause(request.form.get("cause", ""), request.form.get("domain", ""))
    key = re.sub(r"[^0-9a-zA-Z-]", "", request.form.get("request_key", ""))[:64] or abort(400)
    lines = _lines(cause, domain)
    for line in lines:
        line.typed = request.form.get(f"to-{line.key}", "").replace("\0", "").strip()[:_LONGEST]
    asked = [line for line in lines if line.typed]
    reached = reach.check_all({line.typed for line in asked if contacts.address_problem(line.typed) is None})
    sent, fixed = 0, 0
    for line in asked:
        try:
            went, record = _send(line, reached.get(line.typed), key)
        except UserMistake as mistake:
            db.session.rollback()
            line.error = _(mistake.message, **mistake.values)
        except Permanent:
            db.session.rollback()
            line.error = _(_LOST)
        else:
            db.session.commit()
            sent, fixed = sent + went, fixed + record
    _say(sent, fixed)
    wrong = [line for line in asked if line.error]
    nothing = not any(name.startswith("to-") and value.strip() for name, value in request.form.items())
    if wrong or nothing:
        if nothing:
            flash(_("Écrivez au moins une adresse."), "warning")
        left = [line for line in lines if line.error or not line.typed]
        return _page(cause, domain, left, str(uuid4()), 422)
    return redirect(url_for("todo.index"), 303)


def _send(line: Line, checked: reach.Checked | None, key: str) -> tuple[int, bool]:
    """Send what was ticked of one address again, in one transaction; how many, and whether the record was corrected.
    Raises UserMistake."""
    to = corrected(line.typed)
    if advice.canonical(to) == advice.canonical(line.address):
        raise UserMistake(N_("C'est l'adresse qui a échoué."), "to")
    if checked is not None and checked.refuses and not request.form.get(f"sure-{line.key}"):
        line.doubtful = True
        raise UserMistake(checked.reach.label, "to", domain=checked.domain)
    chosen = [email for email in line.emails if line.ticked(email, asked=True)]
    if not chosen:
        raise UserMistake(N_("Cochez au moins un e-mail."), "to")
    contact_id = None
    for one in chosen:
        email = db.session.scalars(select(Email).where(
            Email.public_id == one.public_id, Email.organisation_id == current_user.organisation_id
        )).one()  # fmt: skip
        again = resend(email, by=current_user, request_key=f"correct:{key}:{one.public_id}", ask=Ask(to))
        audit.sent(AuditAction.EMAIL_RESENT, [again], email, to=to)
        contact_id = contact_id or email.contact_id
    contact = db.session.get(Contact, contact_id) if contact_id and request.form.get("fix") else None
    if contact is None or advice.canonical(contact.email) == advice.canonical(to):
        return len(chosen), False
    contacts.save(contact, email=to)
    audit.note(AuditAction.CONTACT_CHANGED, contact, also=[line.key], **audit.changed(contact, "email"))
    return len(chosen), True


def _lines(cause: str, domain: str) -> list[Line]:
    """What the cause is about, an address a line; what was sent again since is not among it."""
    today = training.today(current_user.organisation)
    found = untreated.read(current_user.organisation_id, today, cause=cause, domain=domain, rates=False)
    lines: dict[str, Line] = {}
    for row in (row for group in found.causes for row in group.rows):
        lines.setdefault(advice.canonical(row.address), Line(row.public_id, row.address)).emails.append(row)
    records = _records([line.first.contact for line in lines.values() if line.first.contact])
    for line in lines.values():
        record = records.get(line.first.contact or "", "")
        since = record if record and advice.canonical(record) != advice.canonical(line.address) else ""
        line.suggested = since or contacts.likely_address(line.address) or ""
    return list(lines.values())


def _records(public_ids: list[str]) -> dict[str, str]:
    """The addresses of those contacts' records."""
    query = select(Contact.public_id, Contact.email).where(
        Contact.organisation_id == current_user.organisation_id, Contact.public_id.in_(public_ids)
    )
    return {public_id: email or "" for public_id, email in db.session.execute(query)}


def _cause(cause: str, domain: str) -> tuple[str, str]:
    if cause not in _CAUSES:
        abort(redirect(url_for("todo.index"), 303))
    return cause, domain[:255].replace("\0", "")


def _say(sent: int, fixed: int) -> None:
    if not sent:
        return
    said = ngettext("%(num)s e-mail est renvoyé à une adresse corrigée.",
                    "%(num)s e-mails sont renvoyés à des adresses corrigées.", sent)  # fmt: skip
    if fixed:
        said += " " + ngettext("%(num)s fiche est corrigée.", "%(num)s fiches sont corrigées.", fixed)
    flash(said, "success")


def _page(cause: str, domain: str, lines: list[Line], key: str, status: int = 200) -> Response:
    reason = next(reason for reason in CORRECTED if reason.value == cause)
    return page(
        "todo/corrections.html", status=status, reason=reason, domain=domain, lines=lines, request_key=key,
        asked=request.method == "POST", most=untreated.MANY,
    )  # fmt: skip
