"""Configuration › Retours › Services d'envoi: what a provider told of no e-mail of ours; for admins.

Each may be attached to an e-mail with a reason, or put aside. Its call, kept raw, is shown as text and never run.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import select

from blueprints.support import allow, done, page
from errors import UserMistake
from extensions import db
from i18n import _, ngettext
from mail.notes import one_line
from mail.providers import PROVIDERS, hearing
from mail.providers.facts import Said
from models import AuditAction, Email, ProviderAccount, ProviderCall, ProviderEvent
from models.provider import Heard
from models.words import N_, Permission
from people import audit, returns, told

blueprint = Blueprint("told", __name__)

SHOWN = 20_000  # characters of a call on a page
_LONGEST_ID = 40


@blueprint.get("")
@allow(Permission.RESEND)
def index() -> Response:
    listed = told.page(current_user.organisation_id, request.args.get("cursor"))
    newest = max((row[0].id for row in listed.rows), default=0)
    return page(
        "told/index.html", "told/_list.html", listed=listed, newest=newest, said=said_by, providers=PROVIDERS,
        counts=told.counts(current_user.organisation_id), most=returns.MOST_COUNTED,
    )  # fmt: skip


@blueprint.post("/dismissed")
@allow(Permission.RESEND)
def dismiss_all() -> Response:
    """Put aside all that waited when the page was shown: a provider that sends for other software tells much."""
    newest = request.form.get("newest", type=int) or 0
    many = hearing.dismiss_until(current_user.organisation_id, min(newest, 2**63 - 1), by=current_user)
    audit.note(AuditAction.NEWS_DISMISSED, count=many)
    said = ngettext("%(num)s nouvelle est mise de côté.", "%(num)s nouvelles sont mises de côté.", many)
    return done(said, url_for("told.index"))


@blueprint.get("/<int:number>")
@allow(Permission.RESEND)
def event(number: int) -> Response:
    """One event: what it says, the call that told it, and what can be done."""
    return _shown(*_waiting(number))


@blueprint.post("/<int:number>/attached")
@allow(Permission.RESEND)
def attach(number: int) -> Response:
    """A person says which e-mail it is about, and how they know."""
    found, account = _waiting(number)
    asked = (request.form.get("email_id") or request.form.get("email") or "").strip()[:_LONGEST_ID]
    email = db.session.scalar(
        select(Email).where(Email.public_id == asked, Email.organisation_id == current_user.organisation_id)
    )
    note = one_line(request.form.get("note", ""))
    try:
        if email is None:
            raise UserMistake(N_("Aucun de vos e-mails ne porte ce numéro."), "email")
        hearing.attach(found, email, by=current_user, note=note)
    except UserMistake as mistake:
        db.session.rollback()
        return _shown(found, account, mistake)
    audit.note(AuditAction.NEWS_ATTACHED, email, note=note, provider=account.name, event=found.event_type)
    said = _("La nouvelle est rattachée à cet e-mail : son historique le dit, avec votre nom.")
    return done(said, url_for("emails.email", public_id=email.public_id))


@blueprint.post("/<int:number>/dismissed")
@allow(Permission.RESEND)
def dismiss(number: int) -> Response:
    found, account = _waiting(number)
    note = one_line(request.form.get("note", ""))
    hearing.dismiss(found, by=current_user, note=note)
    audit.note(
        AuditAction.NEWS_DISMISSED, found.recipient, note=note, provider=account.name, event=found.event_type
    )  # fmt: skip
    return done(_("La nouvelle est mise de côté : elle n'a rien changé."), url_for("told.index"))


def _waiting(number: int) -> tuple[ProviderEvent, ProviderAccount]:
    """An event that waits for somebody; one that no longer does leads back to the list."""
    found = (number < 2**63 and told.one(current_user.organisation_id, number)) or abort(404)
    if found[0].outcome is not Heard.ORPHAN:
        flash(_("Quelqu'un s'est déjà occupé de cette nouvelle."), "info")
        abort(redirect(url_for("told.index"), 303))
    return found


def _shown(found: ProviderEvent, account: ProviderAccount, mistake: UserMistake | None = None) -> Response:
    wrong = {mistake.field or "": _(mistake.message, **mistake.values)} if mistake else {}
    return page(
        "told/event.html", status=422 if mistake else 200, found=found, account=account, text=_text(found),
        said=said_by(found), label=PROVIDERS[account.provider].LABEL, offered=told.offered(found), asked=request.form,
        wrong=wrong,
    )  # fmt: skip


def said_by(event: ProviderEvent) -> Said | None:
    """What an event says of its e-mail."""
    return Said.of_json(event.said) if event.said else None


def _text(found: ProviderEvent) -> dict[str, Any] | None:
    """The call's body as text, no more of it than a page bears; None where it is kept no more."""
    call = db.session.get(ProviderCall, found.call_id) if found.call_id else None
    if call is None:
        return None
    said = call.body[: SHOWN * 2].decode("utf-8", "replace").replace("\0", "")
    return {"said": said[:SHOWN], "cut": len(said) > SHOWN or len(call.body) > SHOWN * 2}
