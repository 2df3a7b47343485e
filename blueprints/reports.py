"""Configuration › Retours: what came back by mail and matched no e-mail, or could not be read; for admins. What
providers told of no e-mail stands beside it (blueprints.told).

Each may be read again, attached to an e-mail with a reason, or put aside. A raw message is shown as text and never
run; beside a fact of an e-mail it is the evidence.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select

from blueprints.downloads import download
from blueprints.erased import gone
from blueprints.support import allow, done, get_or_404, page
from errors import UserMistake
from extensions import db
from i18n import _
from mail import inbound
from mail.notes import one_line
from models import AuditAction, Email, InboundMessage
from models.words import N_, EventKind, Permission, Reason
from people import audit, returns, told

blueprint = Blueprint("reports", __name__)

SHOWN = 200_000  # characters of a raw message on a page
_LONGEST_ID = 40
# What a reader made of a message.
KINDS = {
    "bounce": (N_("Échec annoncé"), "arrow-back-up"), "delayed": (N_("Retard annoncé"), "hourglass"),
    "delivered": (N_("Remise annoncée"), "check"), "relayed": (N_("Remise annoncée"), "check"),
    "feedback": (N_("Plainte"), "flag"), "auto-reply": (N_("Réponse automatique"), "message-circle"),
    "read-receipt": (N_("Accusé de lecture"), "checks"), "": (N_("Illisible"), "help-circle"),
}  # fmt: skip
# Reasons of a failure told by hand: those that a recipient's side gives.
REASONS = tuple(r for r in Reason if not r.silent and r not in (Reason.SUPPRESSED, Reason.NOT_PREPARED))


@blueprint.get("/settings/reports")
@allow(Permission.RESEND)
def index() -> Response:
    state = "poison" if request.args.get("state") == "unreadable" else "orphan"
    listed = returns.page(current_user.organisation_id, state, request.args.get("cursor"))
    return page(
        "reports/index.html", "reports/_list.html", listed=listed, state=state, kinds=KINDS,
        counts=told.counts(current_user.organisation_id), most=returns.MOST_COUNTED, days=inbound.FORGOTTEN_AFTER.days,
    )  # fmt: skip


@blueprint.get("/settings/reports/<public_id>")
@allow(Permission.RESEND)
def report(public_id: str) -> Response:
    """One message: what its reader made of it, the raw text, and what can be done."""
    return _shown(_waiting(public_id))


@blueprint.get("/settings/reports/<public_id>/raw.eml")
@allow(Permission.RESEND)
def raw(public_id: str) -> Response:
    """The message's bytes, to keep."""
    found = get_or_404(InboundMessage, public_id)
    return download(Response(found.raw), f"{found.public_id}.eml", "message/rfc822")


@blueprint.post("/settings/reports/<public_id>/read")
@allow(Permission.RESEND)
def read_again(public_id: str) -> Response:
    found = _waiting(public_id)
    outcome = inbound.look_again(found)
    audit.note(AuditAction.REPORT_READ_AGAIN, found, outcome=outcome)
    if outcome == "applied":
        return done(_("Ce message a retrouvé son e-mail : son historique le dit."), url_for("reports.index"))
    if outcome == "ignored":
        return done(_("Ce message ne dit rien d'un e-mail : il est retiré de la liste."), url_for("reports.index"))
    said = _("Relu : il ne correspond toujours à aucun e-mail.") if outcome == "orphan" else _("Toujours illisible.")
    return done(said, url_for("reports.report", public_id=public_id))


@blueprint.post("/settings/reports/<public_id>/attached")
@allow(Permission.RESEND)
def attach(public_id: str) -> Response:
    """A person says which e-mail a message is about, and how they know."""
    found = _waiting(public_id)
    asked = (request.form.get("email_id") or request.form.get("email") or "").strip()[:_LONGEST_ID]
    email = db.session.scalar(
        select(Email).where(Email.public_id == asked, Email.organisation_id == current_user.organisation_id)
    )
    kinds = {kind.value: kind for kind in inbound.MEANINGS}
    reasons = {reason.value: reason for reason in REASONS}
    note = one_line(request.form.get("note", ""))
    try:
        if email is None:
            raise UserMistake(N_("Aucun de vos e-mails ne porte ce numéro."), "email")
        inbound.attach(
            found, email, by=current_user, note=note, meaning=kinds.get(request.form.get("meaning", "")),
            reason=reasons.get(request.form.get("reason", "")),
        )  # fmt: skip
    except UserMistake as mistake:
        db.session.rollback()
        return _shown(found, mistake)
    audit.note(AuditAction.REPORT_ATTACHED, found, also=[email.public_id], note=note)
    said = _("Le message est rattaché à cet e-mail : son historique le dit, avec votre nom.")
    return done(said, url_for("emails.email", public_id=email.public_id))


@blueprint.post("/settings/reports/<public_id>/dismissed")
@allow(Permission.RESEND)
def dismiss(public_id: str) -> Response:
    found = _waiting(public_id)
    note = one_line(request.form.get("note", ""))
    inbound.dismiss(found, by=current_user, note=note)
    audit.note(AuditAction.REPORT_DISMISSED, found, note=note)
    return done(_("Le message est mis de côté : il n'a rien changé."), url_for("reports.index"))


@blueprint.get("/emails/<public_id>/messages/<int:number>")
@allow(Permission.READ)
def evidence(public_id: str, number: int) -> Response:
    """The raw message behind a line of an e-mail's story."""
    found = _evidence(public_id, number)
    return page("reports/evidence.html", found=found, text=_text(found), public_id=public_id, number=number)


@blueprint.get("/emails/<public_id>/messages/<int:number>.eml")
@allow(Permission.READ)
def evidence_raw(public_id: str, number: int) -> Response:
    """Its bytes, to keep."""
    found = _evidence(public_id, number)
    return download(Response(found.raw), f"{found.public_id}.eml", "message/rfc822")


def _waiting(public_id: str) -> InboundMessage:
    """A message that waits for somebody; one that no longer does leads back to the list."""
    found = get_or_404(InboundMessage, public_id)
    if found.outcome not in inbound.WAITING:
        flash(_("Quelqu'un s'est déjà occupé de ce message."), "info")
        abort(redirect(url_for("reports.index"), 303))
    return found


def _evidence(public_id: str, number: int) -> InboundMessage:
    found = (number < 2**63 and returns.evidence(current_user.organisation_id, public_id, number)) or abort(404)
    if found.erased_at is not None:
        gone(public_id, found.erased_at)
    return found


def _shown(found: InboundMessage, mistake: UserMistake | None = None) -> Response:
    wrong = {mistake.field or "": _(mistake.message, **mistake.values)} if mistake else {}
    return page(
        "reports/report.html", status=422 if mistake else 200, found=found, text=_text(found), kinds=KINDS,
        reason_of=_reason, offered=returns.offered(found), meanings=inbound.MEANINGS, reasons=REASONS,
        asked=request.form, wrong=wrong, bounced=EventKind.BOUNCED,
    )  # fmt: skip


def _text(found: InboundMessage) -> dict[str, Any]:
    """The raw message as text, no more of it than a page bears."""
    said = found.raw[: SHOWN * 2].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return {"said": said[:SHOWN], "cut": len(said) > SHOWN or found.size > SHOWN * 2}


def _reason(value: str) -> str:
    """A stored reason's label."""
    known = {reason.value: reason.label for reason in Reason}
    return _(known[value]) if value in known else ""
