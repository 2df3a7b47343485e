"""Sending an e-mail again: to a corrected address, to oneself, later, with words above, made anew, with a link; then
the other e-mails that failed at the old address.

The short form stands in the opened e-mail (blueprints.resend_form); here are its answers and its own page. What leaves
is mail.resend's.
"""

from __future__ import annotations

import re
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from blueprints.remedies import WRONG_ADDRESS
from blueprints.resend_foreseen import foreseen
from blueprints.resend_form import ResendForm, offer, person_of, read, tomorrow
from blueprints.support import allow, get_or_404, page, wants_partial
from errors import Permanent, UserMistake
from extensions import db
from history import same_address
from i18n import _, ngettext
from mail import advice, reach
from mail.resend import ON_ITS_WAY, Ask, Mode, resend, resendable
from models import Address, AuditAction, Contact, Email, Mailing
from models.words import Permission, Reason, Status
from people import audit, contacts, training

blueprint = Blueprint("resending", __name__)


@blueprint.get("/<public_id>/resends/new")
@allow(Permission.RESEND)
def new(public_id: str) -> Response:
    """All the ways to send it again, and what each of them would send."""
    email = get_or_404(Email, public_id)
    form = _form(email)
    form.request_key, form.open = str(uuid4()), True
    if not request.args.get("mode"):
        form.mode = Mode.LINK if email.reason is Reason.TOO_BIG and email.attachment_count else Mode.COPY
    form.fix = form.wrong
    return _page(email, form)


@blueprint.post("/<public_id>/resends")
@allow(Permission.RESEND)
def create(public_id: str) -> Response:
    """Send it again, once however often the same press comes."""
    email = get_or_404(Email, public_id)
    form = _form(email)
    if not form.request_key:
        abort(400)
    try:
        asked = form.ask(current_user.organisation.timezone)
        if not asked.own_copy and not form.sure:
            _refuse_unreachable(form, asked)
        sent = resend(email, by=current_user, request_key=form.key(email), ask=asked)
        fixed = _fix(email, asked) if form.fix else None
        audit.sent(AuditAction.EMAIL_RESENT, [sent], email, to=asked.to, mode=asked.mode.value,
                   own_copy=asked.own_copy)  # fmt: skip
        db.session.commit()
    except UserMistake as mistake:
        db.session.rollback()
        form.blame(mistake)
        return _page(get_or_404(Email, public_id), form, 422)
    except Permanent:
        db.session.rollback()
        abort(410)
    flash(_said(asked, fixed), "success")
    return redirect(_next(email, sent, asked), 303)


def _form(email: Email) -> ResendForm:
    given = db.session.get_one(Address, email.address_id)
    wrong = email.status in (Status.FAILED, Status.UNDELIVERABLE) and email.reason in WRONG_ADDRESS
    return read(email, given.address, wrong, request.form if request.method == "POST" else request.args)


def _refuse_unreachable(form: ResendForm, asked: Ask) -> None:
    """A corrected address whose domain takes no mail is refused once; whoever is sure says so."""
    assert asked.to is not None
    if advice.canonical(asked.to) == advice.canonical(form.given):
        return
    checked = reach.check(asked.to)
    if checked.refuses:
        form.doubtful = True
        raise UserMistake(checked.reach.label, "to", domain=checked.domain)


def _fix(email: Email, asked: Ask) -> Contact | None:
    """Correct the record too: the contact now has the address that was written to."""
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    same = contact is None or asked.to is None or advice.canonical(contact.email) == advice.canonical(asked.to)
    given = db.session.get_one(Address, email.address_id).address
    if same or asked.own_copy or advice.canonical(asked.to or "") == advice.canonical(given):
        return None
    assert contact is not None
    contacts.save(contact, email=asked.to)
    audit.note(AuditAction.CONTACT_CHANGED, contact, also=[email.public_id], **audit.changed(contact, "email"))
    return contact


def _said(asked: Ask, fixed: Contact | None) -> str:
    if asked.own_copy:
        return _("La copie part à %(address)s.", address=asked.to)
    if asked.send_at is not None:
        said = _("L'e-mail partira à %(address)s à l'heure choisie.", address=asked.to)
    else:
        said = _("L'e-mail est renvoyé à %(address)s.", address=asked.to)
    return " ".join([said, _("La fiche de %(name)s est corrigée.", name=fixed.name)]) if fixed else said


def _next(email: Email, sent: Email, asked: Ask) -> str:
    """Where to go then: to the other failures at the old address where there are some."""
    if not asked.own_copy and _others(sent):
        return url_for("resending.others", public_id=sent.public_id)
    return url_for("emails.email", public_id=sent.public_id)


def _page(email: Email, form: ResendForm, status: int = 200) -> Response:
    offer(form, person_of(email), ask_dns=True)
    contact = db.session.get(Contact, email.contact_id) if email.contact_id else None
    form.contact_name = contact.name if contact else ""
    return page(
        "resending/new.html", status=status, email=email, form=form, resend=form, whole=True,
        refused="" if resendable(email) else _(ON_ITS_WAY), tomorrow=tomorrow(current_user.organisation.timezone),
        ways=foreseen(email, form.given, current_user),
    )  # fmt: skip


@blueprint.get("/<public_id>/resends/addresses")
@allow(Permission.RESEND)
def addresses(public_id: str) -> Response:
    """The addresses to choose from, looked at in the DNS: what the opened form asks for by itself."""
    email = get_or_404(Email, public_id)
    if not wants_partial():
        return redirect(url_for("resending.new", public_id=public_id), 303)
    form = _form(email)
    offer(form, person_of(email), ask_dns=True)
    answer = page("resending/_choices.html", resend=form, asked=True)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/<public_id>/resends/check")
@allow(Permission.RESEND)
def check(public_id: str) -> Response:
    """What can be said of an address while it is typed."""
    email = get_or_404(Email, public_id)
    if not wants_partial():
        return redirect(url_for("resending.new", public_id=public_id), 303)
    typed = request.args.get("other", "").strip()[:320]
    checked, meant, trouble = None, None, contacts.address_problem(typed) if typed else None
    if typed and trouble is None:
        checked = reach.check(typed)
    if typed and (trouble is not None or (checked is not None and checked.refuses)):
        meant = advice.slip(typed, contacts.COMMON_DOMAINS)
    answer = page(
        "resending/_verdict.html", email_id=email.public_id, trouble=trouble, checked=checked, meant=meant
    )  # fmt: skip
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _others(sent: Email) -> list[same_address.Other]:
    """What else failed at the address that the e-mail before `sent` went to."""
    old = db.session.get(Email, sent.resend_of_id) if sent.resend_of_id else None
    if old is None or old.address_id == sent.address_id:
        return []
    given = db.session.get_one(Address, old.address_id).address
    if given == db.session.get_one(Address, sent.address_id).address:
        return []
    today = training.today(current_user.organisation)
    return same_address.failed_at(sent.organisation_id, given, old=old.id, new=sent.id, today=today)


@blueprint.get("/<public_id>/others")
@allow(Permission.RESEND)
def others(public_id: str) -> Response:
    """The other e-mails that failed at the old address, to go to the new one together."""
    sent = get_or_404(Email, public_id)
    return _others_page(sent, _others(sent))


def _asked_before(key: str) -> bool:
    query = select(Mailing.id).where(
        Mailing.organisation_id == current_user.organisation_id, Mailing.request_key == key
    )
    return db.session.scalar(query) is not None


def _others_page(sent: Email, found: list[same_address.Other], status: int = 200, mistake: str = "") -> Response:
    old = db.session.get(Email, sent.resend_of_id) if sent.resend_of_id else sent
    assert old is not None
    return page(
        "resending/others.html", status=status, sent=sent, others=found, mistake=mistake,
        to=db.session.get_one(Address, sent.address_id), given=db.session.get_one(Address, old.address_id).address,
        request_key=str(uuid4()), most=same_address.MOST,
    )  # fmt: skip


@blueprint.post("/<public_id>/others")
@allow(Permission.RESEND)
def resend_others(public_id: str) -> Response:
    """Send those chosen again, each an exact copy to the new address."""
    sent = get_or_404(Email, public_id)
    key = re.sub(r"[^0-9a-zA-Z-]", "", request.form.get("request_key", ""))[:64] or abort(400)
    found = {other.public_id for other in _others(sent)}
    chosen = [email_id for email_id in request.form.getlist("email")[: same_address.MOST] if len(email_id) < 40]
    if not chosen:
        return _others_page(sent, _others(sent), 422, _("Cochez au moins un e-mail."))
    to, count = db.session.get_one(Address, sent.address_id).address, 0
    for email_id in dict.fromkeys(chosen):
        old = get_or_404(Email, email_id)
        own_key = f"resend:{key}:{old.public_id}"
        # what has left the list since was sent by somebody else; by the same press, it is the same e-mail again
        if email_id not in found and not _asked_before(own_key):
            continue
        again = resend(old, by=current_user, request_key=own_key, ask=Ask(to))
        audit.sent(AuditAction.EMAIL_RESENT, [again], old, to=to)
        count += 1
    db.session.commit()
    said = ngettext("%(num)s e-mail est renvoyé à %(address)s.", "%(num)s e-mails sont renvoyés à %(address)s.",
                    count, address=to)  # fmt: skip
    flash(said, "success")
    contact = db.session.get(Contact, sent.contact_id) if sent.contact_id else None
    if contact is not None:
        return redirect(url_for("contacts.emails", public_id=contact.public_id), 303)
    return redirect(url_for("emails.email", public_id=sent.public_id), 303)
