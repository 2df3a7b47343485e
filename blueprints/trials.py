"""Configuration › Expéditeurs › Essai, for admins: a message to oneself over an account, and every line that was said.

A worker sends it (mail.trials); the page fills in by itself, or when it is loaded again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from blueprints.support import allow, get_or_404, page
from extensions import db, limiter
from i18n import _
from mail import trials
from mail.accounts import house
from models import AuditAction, Sender, SenderTrial, SmtpAccount, TrialPhase
from models.words import Permission
from people import audit

blueprint = Blueprint("trials", __name__)
# A worker that has not begun by then is not there.
_PATIENCE = timedelta(seconds=20)


@blueprint.post("/senders/<int:sender_id>/trials")
@allow(Permission.CONFIGURE)
@limiter.limit("20 per minute")
def of_sender(sender_id: int) -> Response:
    query = select(Sender).where(Sender.id == sender_id, Sender.organisation_id == current_user.organisation_id)
    sender = db.session.scalar(query) or abort(404)
    return _ask(sender, db.session.get(SmtpAccount, sender.account_id) if sender.account_id else None)


@blueprint.post("/accounts/<public_id>/trials")
@allow(Permission.CONFIGURE)
@limiter.limit("20 per minute")
def of_account(public_id: str) -> Response:
    account = get_or_404(SmtpAccount, public_id)
    sender = _sender_for(account)
    if sender is None:
        flash(_("Ajoutez d'abord un expéditeur : un essai part d'une adresse."), "warning")
        return redirect(url_for("settings.new_sender"), 303)
    return _ask(sender, account)


@blueprint.post("/accounts/house/trials")
@allow(Permission.CONFIGURE)
@limiter.limit("20 per minute")
def of_house() -> Response:
    sender = _sender_for(None)
    if sender is None:
        flash(_("Ajoutez d'abord un expéditeur : un essai part d'une adresse."), "warning")
        return redirect(url_for("settings.new_sender"), 303)
    return _ask(sender, None)


@blueprint.get("/trials/<public_id>")
@allow(Permission.CONFIGURE)
def show(public_id: str) -> Response:
    trial = get_or_404(SenderTrial, public_id)
    late = trial.started_at is None and datetime.now(UTC) - trial.created_at > _PATIENCE
    return page(
        "settings/trial.html", partial="settings/_trial.html", trial=trial, late=late, phases=_phases(trial),
        house=house(), until=_until(trial),
    )  # fmt: skip


def _sender_for(account: SmtpAccount | None) -> Sender | None:
    """Whose address a trial of an account shows: a sender that leaves by it, else the default one."""
    query = select(Sender).where(Sender.organisation_id == current_user.organisation_id)
    mine = Sender.account_id.is_not_distinct_from(account.id if account else None)
    return db.session.scalars(query.order_by(mine.desc(), Sender.is_default.desc(), Sender.id).limit(1)).one_or_none()


def _ask(sender: Sender, account: SmtpAccount | None) -> Response:
    made = trials.ask(sender, account, current_user)
    audit.note(AuditAction.SENDER_TRIED, sender.address, account=account.public_id if account else None)
    db.session.commit()
    return redirect(url_for("trials.show", public_id=made.public_id), 303)


def _until(trial: SenderTrial) -> datetime | None:
    """The end of the certificate that was shown."""
    until = (trial.tls.get("certificate") or {}).get("until")
    return datetime.fromisoformat(until) if until else None


def _phases(trial: SenderTrial) -> list[dict[str, Any]]:
    """Each step with its time in milliseconds and what was said in it, in order."""
    found: list[dict[str, Any]] = []
    for at, what, words in trial.lines:
        if what == "phase":
            found.append({"phase": TrialPhase._value2member_map_[words], "from": at, "to": at, "lines": []})
        elif found:
            found[-1]["lines"].append((at, what, words))
        if found:
            found[-1]["to"] = at
    for one, after in zip(found, found[1:], strict=False):
        one["to"] = after["from"]
    return found
