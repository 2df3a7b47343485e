"""Configuration › Conservation: for how many years the content of e-mails is kept, and what a rule would erase."""

from __future__ import annotations

from flask import Blueprint, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from blueprints.support import allow, done, page
from extensions import db
from i18n import _, ngettext
from models import AuditAction, Retention
from models.words import Permission
from people import audit
from planning import retention

blueprint = Blueprint("retention", __name__)


@blueprint.get("")
@allow(Permission.CONFIGURE)
def index() -> Response:
    """The rule, and what it, or the one asked for (?years=), would erase."""
    rule = retention.known(current_user.organisation_id)
    return _shown(rule, _years(request.args.get("years", "")) or rule.years)


@blueprint.post("")
@allow(Permission.CONFIGURE)
def change() -> Response:
    """A shorter rule is confirmed by a tick beside what it would erase."""
    rule = retention.known(current_user.organisation_id)
    years = _years(request.form.get("years", ""))
    if years is None:
        return _shown(rule, rule.years, _("Choisissez une durée."))
    if years < rule.years and "sure" not in request.form:
        return _shown(rule, years, _("Cochez la case : ce qui est effacé ne revient pas."))
    before = rule.years
    if retention.change(current_user.organisation_id, years):
        audit.note(AuditAction.RETENTION_CHANGED, years=[before, years])
    said = ngettext(
        "Le contenu des e-mails est gardé %(num)s an.", "Le contenu des e-mails est gardé %(num)s ans.", years
    )  # fmt: skip
    return done(said, url_for("retention.index"))


def _years(typed: str) -> int | None:
    return next((years for years in retention.YEARS if str(years) == typed), None)


def _shown(rule: Retention, years: int, wrong: str = "") -> Response:
    now = db.session.scalar(db.select(db.func.now()))
    return page(
        "settings/retention.html", status=422 if wrong else 200, rule=rule, years=years, choices=retention.YEARS,
        default=retention.DEFAULT_YEARS, foreseen=retention.foresee(current_user.organisation_id, years), wrong=wrong,
        rests_until=rule.effective_at if rule.effective_at and now and rule.effective_at > now else None,
        most=retention.MOST_COUNTED,
    )  # fmt: skip
