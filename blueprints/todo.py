"""À traiter: the failures nobody has dealt with, by cause; marked as dealt with by row, selection or cause; undone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, session, url_for
from flask_login import current_user

from blueprints import cause_steps, treated
from blueprints.support import allow, get_or_404, page
from extensions import db
from history import untreated
from i18n import _, ngettext
from mail import bulk_resend, treating
from models import AuditAction, Email
from models.words import Permission, Reason
from people import audit, training

blueprint = Blueprint("todo", __name__)
_MOST_CHOSEN = 500
_MINE = "mine"
_CAUSES = {untreated.UNCERTAIN, *(reason.value for reason in Reason)}


@blueprint.get("/todo")
@allow(Permission.READ)
def index() -> Response:
    today = training.today(current_user.organisation)
    cause, domain = _cause(request.args)
    found = untreated.read(current_user.organisation_id, today, mine=_mine(request.args), cause=cause, domain=domain)
    return page(
        "todo/index.html", found=found, today=today, mine=_mine(request.args) is not None, one=cause, domain=domain,
        seen=datetime.now(UTC), undo=session.pop(treated.UNDO, None), most=untreated.MOST, few=untreated.FEW,
        runs=bulk_resend.waiting(current_user.organisation_id),
    )  # fmt: skip


@blueprint.post("/todo/treated")
@allow(Permission.TREAT)
def treat() -> Response:
    """Mark one row (`only`), those chosen (`email…`), or the whole cause as it was seen (`what` = cause)."""
    form = request.form
    if form.get("what") == "cause":
        cause, domain = _cause(form)
        ids = untreated.ids_of(
            current_user.organisation_id, training.today(current_user.organisation), cause or abort(400), domain,
            treated.moment(form.get("seen", "")), _mine(form),
        )  # fmt: skip
    else:
        only = form.get("only", "")
        chosen = [only] if only else [value for key in form if key.startswith("email") for value in form.getlist(key)]
        ids = treating.ids_of(chosen[:_MOST_CHOSEN], current_user)
        if only and not ids:
            abort(404)
        if not chosen:
            flash(_("Cochez au moins un e-mail."), "warning")
            return _back()
    batch = treating.treat(ids, current_user, form.get("note", ""))
    if batch is not None:
        audit.note(AuditAction.TREATED, also=batch.emails, count=batch.count, note=form.get("note", "")[:500])
    db.session.commit()
    treated.keep(batch)
    return _back()


@blueprint.post("/todo/undone")
@allow(Permission.TREAT)
def undo() -> Response:
    """Take back what the person has just marked."""
    at, oldest, newest = (treated.moment(request.form.get(name, "")) for name in ("at", "oldest", "newest"))
    undone = treating.undo(current_user, at, oldest, newest)
    count = len(undone)
    if undone:
        audit.note(AuditAction.UNTREATED, also=undone, count=count)
    db.session.commit()
    said = ngettext("%(num)s e-mail est de nouveau à traiter.", "%(num)s e-mails sont de nouveau à traiter.", count)
    flash(said, "info")
    return _back()


@blueprint.post("/emails/<public_id>/treated")
@allow(Permission.TREAT)
def treat_one(public_id: str) -> Response:
    """The same from an e-mail's own detail, with a note."""
    email = get_or_404(Email, public_id)
    batch = treating.treat([email.id], current_user, request.form.get("note", ""))
    if batch:
        audit.note(AuditAction.TREATED, email, note=request.form.get("note", "")[:500])
    db.session.commit()
    if batch:
        flash(_("L'e-mail est marqué comme traité."), "success")
    return redirect(url_for("emails.email", public_id=public_id), 303)  # type: ignore[return-value]


@blueprint.post("/emails/<public_id>/untreated")
@allow(Permission.TREAT)
def reopen(public_id: str) -> Response:
    """Put an e-mail back among those to deal with, whoever had marked it."""
    email = get_or_404(Email, public_id)
    again = treating.reopen(email)
    if again:
        audit.note(AuditAction.UNTREATED, public_id)
    db.session.commit()
    if again:
        flash(_("L'e-mail est de nouveau à traiter."), "info")
    return redirect(url_for("emails.email", public_id=public_id), 303)  # type: ignore[return-value]


def days_to(day: date, today: date) -> str:
    """How far a session's start is, in words."""
    left = (day - today).days
    if left <= 0:
        return _("aujourd'hui")
    return _("demain") if left == 1 else ngettext("dans %(num)s jour", "dans %(num)s jours", left)


@blueprint.app_context_processor
def _words() -> dict[str, Any]:
    return {"days_to": days_to, "cause_steps": cause_steps}


def _cause(asked: Any) -> tuple[str | None, str]:
    """The cause a form or address names: (key, operator's domain), or (None, '')."""
    key = asked.get("cause", "")
    return (key, asked.get("domain", "")[:255].replace("\x00", "")) if key in _CAUSES else (None, "")


def _mine(asked: Any) -> int | None:
    return current_user.id if asked.get("who") == _MINE else None


def _back() -> Response:
    """To the list as it was, at its causes: the one dealt with may be gone."""
    who = {"who": _MINE} if request.form.get("who") == _MINE else {}
    return redirect(url_for("todo.index", **who), 303)  # type: ignore[return-value]
