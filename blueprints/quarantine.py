"""Configuration › Quarantaine: the addresses nothing is written to any more; lifting it there and from an e-mail.

Beside it, a person's word on an e-mail whose outcome nobody knows.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask_login import current_user

from blueprints.email_details import context
from blueprints.quarantine_details import context as quarantine_context
from blueprints.support import allow, done, get_or_404, page
from errors import Permanent, UserMistake
from extensions import db
from history import detail
from i18n import _
from mail import judging, quarantine
from mail.notes import one_line
from mail.resend import ON_ITS_WAY, resend, resendable
from models import AuditAction, Email, Grounds, Suppression
from models.words import Permission
from people import audit, quarantined

blueprint = Blueprint("quarantine", __name__)


@blueprint.get("/settings/quarantine")
@allow(Permission.RESEND)
def index() -> Response:
    asked = _asked()
    listed = quarantined.page(current_user.organisation_id, asked, request.args.get("cursor"))
    return page(
        "quarantine/index.html", "quarantine/_list.html", listed=listed, asked=asked, kept=_kept(asked),
        counts=quarantined.counts(current_user.organisation_id), grounds=list(Grounds),
        most=quarantined.MOST_COUNTED,
    )  # fmt: skip


@blueprint.get("/settings/quarantine/<public_id>")
@allow(Permission.RESEND)
def address(public_id: str) -> Response:
    """One address: why it is there, its records, its history, and the form that lifts it."""
    held = get_or_404(Suppression, public_id)
    spells = quarantined.story(held)
    lasting = next((row[0] for row in spells if row[0].lifted_at is None), None)
    return page(
        "quarantine/address.html", held=held, lasting=lasting, spells=spells, records=quarantined.records(held)
    )  # fmt: skip


@blueprint.post("/settings/quarantine/<public_id>/lifted")
@allow(Permission.RESEND)
def lift(public_id: str) -> Response:
    held = get_or_404(Suppression, public_id)
    if _lift(held):
        return done(_lifted(held), url_for("quarantine.index"))
    flash(_("La quarantaine de cette adresse était déjà levée."), "info")
    return redirect(url_for("quarantine.address", public_id=public_id), 303)  # type: ignore[return-value]


@blueprint.post("/emails/<public_id>/lifted")
@allow(Permission.RESEND)
def lift_for(public_id: str) -> Response:
    """Lift the quarantine of an e-mail's address, and with `resend` send the e-mail again, both or neither."""
    email = get_or_404(Email, public_id)
    if "resend" in request.form and not resendable(email):
        return _refused(email, UserMistake(ON_ITS_WAY))
    held = quarantine.spell_of(email)
    lifted = held is not None and _lift(held, email)
    if "resend" not in request.form:
        if lifted and held is not None:
            return done(_lifted(held), url_for("emails.email", public_id=public_id))
        flash(_("La quarantaine de cette adresse était déjà levée."), "info")
        return redirect(url_for("emails.email", public_id=public_id), 303)  # type: ignore[return-value]
    key = re.sub(r"[^0-9a-zA-Z-]", "", request.form.get("request_key", ""))[:64] or abort(400)
    try:
        new = resend(email, by=current_user, request_key=f"resend:{key}")
        audit.sent(AuditAction.EMAIL_RESENT, [new], email)
    except UserMistake as mistake:
        return _refused(email, mistake)
    except Permanent:
        db.session.rollback()
        abort(410)
    said = _("La quarantaine est levée et l'e-mail renvoyé : voici le nouveau.")
    return done(said, url_for("emails.email", public_id=new.public_id))


@blueprint.post("/emails/<public_id>/judged")
@allow(Permission.RESEND)
def judge(public_id: str) -> Response:
    """A person says whether an uncertain e-mail was received."""
    email = get_or_404(Email, public_id)
    words = {"yes": True, "no": False}
    received = words.get(request.form.get("received", ""))
    if received is None:
        abort(400)
    note = one_line(request.form.get("note", ""))
    try:
        new = judging.judge(email, received, by=current_user, note=note)
    except UserMistake as mistake:
        if not mistake.field:
            return _refused(email, mistake)
        db.session.rollback()
        found = detail.about(current_user.organisation_id, public_id) or abort(404)
        shown = context(found) | quarantine_context(found, _(mistake.message, **mistake.values), note)
        return page("emails/email.html", status=422, back=url_for("emails.index"), **shown)
    if new:
        audit.note(AuditAction.OUTCOME_JUDGED, email, received=received, note=note)
    said = _("C'est noté : la personne l'a reçu.") if received else _("C'est noté : vous pouvez le renvoyer.")
    return done(said, url_for("emails.email", public_id=public_id))


def _refused(email: Email, mistake: UserMistake) -> Response:
    """Back to the e-mail, with why nothing was done."""
    where = url_for("emails.email", public_id=email.public_id)
    db.session.rollback()
    flash(_(mistake.message, **mistake.values), "danger")
    return redirect(where, 303)  # type: ignore[return-value]


def _lift(held: Suppression, email: Email | None = None) -> bool:
    note = one_line(request.form.get("note", ""))
    if not quarantine.lift(held, by=current_user, note=note):
        return False
    also = [held.public_id, *([email.public_id] if email else [])]
    audit.note(AuditAction.QUARANTINE_LIFTED, held.address, also=also, reason=held.reason.value, note=note)
    return True


def _lifted(held: Suppression) -> str:
    return _("La quarantaine de %(address)s est levée : les prochains e-mails partiront.", address=held.address)


def _asked() -> quarantined.Filter:
    grounds = {one.value: one for one in Grounds}
    return quarantined.Filter(
        lifted=request.args.get("state") == "lifted",
        address=request.args.get("address", "").replace("\0", "").strip()[:254],
        grounds=grounds.get(request.args.get("reason", "")),
    )  # fmt: skip


def _kept(asked: quarantined.Filter) -> dict[str, Any]:
    """The filter as the address says it."""
    return {
        "state": "lifted" if asked.lifted else None, "address": asked.address or None,
        "reason": asked.grounds.value if asked.grounds else None,
    }  # fmt: skip
