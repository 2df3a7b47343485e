"""Resends in number: the preview with what is left out and why, its choices, the run as it goes, its account.

What was ticked where comes from blueprints.bulk; the work is mail.bulk_resend's.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from blueprints.downloads import download
from blueprints.resend_form import moment
from blueprints.support import allow, get_or_404, page
from errors import UserMistake
from extensions import db
from history import export_jobs, sentences
from history.export_cells import defused
from i18n import _, ngettext
from mail import bulk_resend, resend_account
from models import ResendRow, ResendRun, RunState
from models.audit import AuditAction
from models.resend_run import Left
from models.words import Permission, Reason
from people import audit

blueprint = Blueprint("resend_runs", __name__)

_SECONDS_BETWEEN = 2
_SECONDS_WAITING = 60  # while its moment has not come
_MOST_LISTED = 100
_HEADINGS = ("id", "recipient", "name", "type", "subject", "outcome", "why", "new_id", "new_status")


@blueprint.get("/resends")
@allow(Permission.RESEND)
def index() -> Response:
    """What was sent again in number, the newest first."""
    query = select(ResendRun).where(ResendRun.organisation_id == current_user.organisation_id)
    runs = db.session.scalars(query.where(ResendRun.asked_at.is_not(None)).order_by(ResendRun.id.desc()))
    listed = list(runs.fetchmany(_MOST_LISTED))
    return page("bulk/index.html", runs=[(run, _sentence(run)) for run in listed], counts=_counts(listed))


@blueprint.get("/resends/<run_id>")
@allow(Permission.RESEND)
def run(run_id: str) -> Response:
    """The preview, the progress or the account, whichever it is at."""
    return _page(get_or_404(ResendRun, run_id))


@blueprint.post("/resends/<run_id>/choices")
@allow(Permission.RESEND)
def choices(run_id: str) -> Response:
    """Take along all the same (`do` = take) or leave out (`leave`) what is ticked, or take the `whole` group."""
    found, do = get_or_404(ResendRun, run_id), request.form.get("do", "")
    group = request.form.get("group", "")
    if do not in ("take", "leave", "whole"):
        abort(400)
    if do == "whole":
        if group not in Left._value2member_map_:
            abort(400)
        changed = bulk_resend.decide(found, True, group=Left(group))
    else:
        numbers = request.form.getlist("row")[: resend_account.PAGE]
        if not numbers:
            flash(_("Cochez au moins un e-mail."), "warning")
        changed = bulk_resend.decide(found, do == "take", numbers=numbers)
    db.session.commit()
    if changed and do != "leave":
        flash(ngettext("%(num)s e-mail partira quand même.", "%(num)s e-mails partiront quand même.", changed), "info")
    elif changed:
        flash(ngettext("%(num)s e-mail restera de côté.", "%(num)s e-mails resteront de côté.", changed), "info")
    return redirect(url_for("resend_runs.run", run_id=run_id, group=group or None), 303)


@blueprint.post("/resends/<run_id>/start")
@allow(Permission.RESEND)
def start(run_id: str) -> Response:
    """Confirm, for now or for later (`when` as for one e-mail): once, however often it is pressed."""
    found = get_or_404(ResendRun, run_id)
    when, day, hour = (request.form.get(name, "") for name in ("when", "day", "hour"))
    try:
        later = moment(when, day, hour, current_user.organisation.timezone)
    except UserMistake as mistake:
        flash(_(mistake.message, **mistake.values), "warning")
        return redirect(url_for("resend_runs.run", run_id=run_id), 303)
    going = next((one.count for one in resend_account.groups(found) if one.key == resend_account.GO), 0)
    if not going:
        flash(_("Aucun e-mail ne partirait : il n'y a rien à renvoyer."), "warning")
    elif bulk_resend.start(found, later):
        planned = {"not_before": later.isoformat(timespec="minutes")} if later else {}
        audit.note(AuditAction.BULK_RESEND_STARTED, found, count=going, left=found.row_count - going, **planned)
    db.session.commit()
    return redirect(url_for("resend_runs.run", run_id=run_id), 303)


@blueprint.post("/resends/<run_id>/cancel")
@allow(Permission.RESEND)
def cancel(run_id: str) -> Response:
    """Stop after the hundred it is at, or withdraw what waits for its moment."""
    found = get_or_404(ResendRun, run_id)
    waited = _waits(found)
    if found.asked_at and bulk_resend.cancel(found):
        audit.note(AuditAction.BULK_RESEND_CANCELLED, found)
        stopped = _("Le renvoi est arrêté : ce qui est parti reste parti.")
        flash(_("Le renvoi est retiré : rien n'est parti.") if waited else stopped, "info")
    db.session.commit()
    return redirect(url_for("resend_runs.run", run_id=run_id), 303)


@blueprint.get("/resends/<run_id>/list.csv")
@allow(Permission.RESEND)
def account(run_id: str) -> Response:
    """The account of every e-mail as a table, for a French Excel."""
    found = get_or_404(ResendRun, run_id)
    labels = {group.key: _(group.label) for group in resend_account.groups(found)}
    rows = [list(_HEADINGS)]
    for line in resend_account.everything(found):
        why = _(line.why) if line.why else _(line.verdict.label) if line.verdict else ""
        rows.append([
            line.number, line.address, line.name, line.type, line.subject, labels.get(line.group, line.group), why,
            line.new or "", _(line.new_status.label) if line.new_status else "",
        ])  # fmt: skip
    audit.taken(AuditAction.LIST_EXPORTED, found, count=len(rows) - 1)
    return download(Response("\ufeff" + _csv(rows)), f"renvois_{found.public_id}.csv", "text/csv")


def _waits(found: ResendRun) -> bool:
    """Whether its moment has not come."""
    return found.state is RunState.WAITING and found.not_before is not None and found.not_before > datetime.now(UTC)


def _csv(rows: list[list[str]]) -> str:
    """A table of bulk_resend.MOST lines is some megabytes: made at once."""
    made = io.StringIO()
    csv.writer(made, delimiter=";").writerows([defused(cell) for cell in row] for row in rows)
    return made.getvalue()


def _page(found: ResendRun) -> Response:
    listed = resend_account.groups(found)
    moving = found.state in bulk_resend.UNDER_WAY
    wanted = request.args.get("group", "")
    shown = next((one for one in listed if one.key == wanted), listed[0] if listed else None)
    after = request.args.get("after", "0")
    after_position = int(after) if after.isdigit() and len(after) < 9 else 0
    rows = resend_account.lines(found, shown.key, after_position, resend_account.PAGE + 1) if shown else []
    counts = {one.key: one.count for one in listed}
    later = _waits(found)
    full = export_jobs.read_query(found.query)[1].reason == (Reason.MAILBOX_FULL,)  # full today, perhaps not tomorrow
    seconds = _SECONDS_WAITING if later else _SECONDS_BETWEEN
    return page(
        "bulk/run.html", "bulk/_run.html", run=found, groups=listed, shown=shown, rows=rows[: resend_account.PAGE],
        more=len(rows) > resend_account.PAGE, after=after_position, seconds=seconds if moving else 0, later=later,
        tomorrow_first=full, going=counts.get(resend_account.GO, 0), sent=counts.get(resend_account.SENT, 0),
        refused=counts.get(resend_account.REFUSED, 0), left=sum(one.count for one in listed if one.left),
        sentence=_sentence(found), draft=found.state is RunState.DRAFT, type_label=sentences.type_label,
    )  # fmt: skip


def _sentence(found: ResendRun) -> str:
    """The list that it was chosen in, in words."""
    _key, filter_ = export_jobs.read_query(found.query)
    return sentences.sentence(filter_, datetime.now(UTC), current_user.organisation.timezone)


def _counts(runs: list[ResendRun]) -> dict[int, int]:
    """How many e-mails of each run have gone."""
    query = select(ResendRow.run_id, func.count()).where(
        ResendRow.run_id.in_([one.id for one in runs]), ResendRow.new_email_id.is_not(None)
    )  # fmt: skip
    return dict(map(tuple, db.session.execute(query.group_by(ResendRow.run_id))))
