"""Configuration › Envois en cours, for admins: what waits, what is on the line, what is slowed or stopped and why; one
press pauses a sender or all those of an account, resumes them, tries a failed job again or puts it aside.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask_login import current_user
from redis.exceptions import RedisError
from sqlalchemy import func, select

import mail
from blueprints.own_origin import own_path
from blueprints.support import allow, page, wants_partial
from extensions import QUEUES, db
from i18n import _, ngettext
from mail import pace, situation, workers
from models import AuditAction, Sender, SmtpAccount
from models.standing import Standing
from models.words import Permission
from people import audit

blueprint = Blueprint("operations", __name__)
# Seconds between two looks: while something moves, and while something will sooner or later.
_LIVELY, _CALM = 4, 20
HOUSE_ACCOUNT = "house"


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    found = situation.read(current_user.organisation_id)
    crew, slowed = _crew(), [one for one in pace.situation(current_user.organisation_id) if one.slowed]
    seconds = _LIVELY if found.moving else _CALM if found.all.queued else None
    shown = found, crew, seconds, [(one.name, one.domain, one.slowed_since, one.words, one.back_at) for one in slowed]
    version = hashlib.sha1(repr(shown).encode(), usedforsecurity=False).hexdigest()[:12]
    if wants_partial() and request.args.get("seen") == version:
        return Response(status=204, headers={"Cache-Control": "no-store"})
    return page(
        "operations/index.html", partial="operations/_now.html", found=found, crew=crew, slowed=slowed, seconds=seconds,
        version=version, standings=list(Standing), queues=workers.QUEUE_LABELS, jobs=workers.JOB_LABELS,
        other_job=workers.OTHER_JOB, most=situation.MOST, most_uncertain=situation.MOST_UNCERTAIN,
    )  # fmt: skip


@blueprint.post("/senders/<int:sender_id>/pauses")
@allow(Permission.CONFIGURE)
def pause_sender(sender_id: int) -> Response:
    return _paused([_sender_or_404(sender_id)])


@blueprint.post("/senders/<int:sender_id>/resumes")
@allow(Permission.CONFIGURE)
def resume_sender(sender_id: int) -> Response:
    return _resumed([_sender_or_404(sender_id)])


@blueprint.post("/accounts/<account_id>/pauses")
@allow(Permission.CONFIGURE)
def pause_account(account_id: str) -> Response:
    return _paused(_senders_of(account_id))


@blueprint.post("/accounts/<account_id>/resumes")
@allow(Permission.CONFIGURE)
def resume_account(account_id: str) -> Response:
    return _resumed(_senders_of(account_id))


@blueprint.post("/failed")
@allow(Permission.CONFIGURE)
def failed() -> Response:
    """Try jobs again (`do` = retry) or put them aside; `job` holds their ids."""
    ids, again = request.form.getlist("job"), request.form.get("do") == "retry"
    try:
        names = (workers.retry if again else workers.dismiss)(ids, current_user.organisation_id)
    except RedisError:
        flash(_("La file des travaux ne répond pas : réessayez dans un instant."), "warning")
        return _back()
    if names:
        action = AuditAction.JOBS_RETRIED if again else AuditAction.JOBS_DISMISSED
        audit.note(action, names[0], count=len(names))
        db.session.commit()
        said = (
            ngettext("%(num)s travail est relancé.", "%(num)s travaux sont relancés.", len(names)) if again
            else ngettext("%(num)s travail est mis de côté.", "%(num)s travaux sont mis de côté.", len(names))
        )  # fmt: skip
        flash(said, "success")
    else:
        flash(_("Ce travail n'est plus parmi ceux qui ont échoué."), "info")
    return _back()


def _crew() -> dict[str, Any] | None:
    """The living workers, the queues nobody serves and the failed jobs; None while Redis is away."""
    try:
        alive = workers.alive()
        failed_jobs = workers.failed(current_user.organisation_id)
    except (RedisError, OSError):
        return None
    served = {name for one in alive for name in one.queues}
    return {"alive": alive, "failed": failed_jobs, "unserved": [name for name in QUEUES if name not in served]}


def _sender_or_404(sender_id: int) -> Sender:
    mine = Sender.organisation_id == current_user.organisation_id
    return db.session.scalar(select(Sender).where(Sender.id == sender_id, mine)) or abort(404)


def _senders_of(account: str) -> list[Sender]:
    """The organisation's senders that leave by an account of its own, or by the house's; 404 for no such account."""
    mine = Sender.organisation_id == current_user.organisation_id
    if account == HOUSE_ACCOUNT:
        return list(db.session.scalars(select(Sender).where(mine, Sender.account_id.is_(None))))
    query = select(SmtpAccount.id).where(
        SmtpAccount.public_id == account, SmtpAccount.organisation_id == current_user.organisation_id
    )
    account_id = db.session.scalar(query) or abort(404)
    return list(db.session.scalars(select(Sender).where(mine, Sender.account_id == account_id)))


def _paused(senders: list[Sender]) -> Response:
    going = [sender for sender in senders if sender.paused_at is None]
    for sender in going:
        sender.paused_at, sender.paused_why = func.now(), ""  # no server's words: a person did it
        audit.note(AuditAction.SENDER_PAUSED, sender.address)
    many = ngettext("%(num)s expéditeur est en pause.", "%(num)s expéditeurs sont en pause.", len(going))
    return _said(going, _("%(address)s est en pause : ses e-mails attendent, rien n'est perdu."), many)


def _resumed(senders: list[Sender]) -> Response:
    held = [sender for sender in senders if sender.paused_at is not None]
    for sender in held:
        mail.resume(sender)
        audit.note(AuditAction.SENDER_RESUMED, sender.address)
    many = ngettext("%(num)s expéditeur envoie de nouveau.", "%(num)s expéditeurs envoient de nouveau.", len(held))
    return _said(held, _("%(address)s envoie de nouveau."), many)


def _said(changed: list[Sender], one: str, many: str) -> Response:
    addresses = [sender.address for sender in changed]
    db.session.commit()
    if addresses:
        flash(one % {"address": addresses[0]} if len(addresses) == 1 else many, "success")
    return _back()


def _back() -> Response:
    """To the screen, or to the page of ours that the banner was pressed on."""
    where = own_path(request.form.get("next"), url_for("operations.index"))
    return redirect(where, 303)  # type: ignore[return-value]
