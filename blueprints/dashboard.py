"""Tableau de bord: what to do today (failures, sessions at risk, what waits and what leaves), then the figures of a
period (blueprints.figure_charts)."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, request, url_for
from flask_login import current_user

from blueprints.figure_charts import Charts
from blueprints.support import allow, page, wants_partial
from history import HistoryFilter, Scope, export_jobs, figures, segments, untreated, waiting
from history.periods import Period, read_day
from i18n import _, number_filter
from models.figure import Facet, Outcome
from models.standing import Standing
from models.words import Permission
from people import training
from planning import agenda, completeness

blueprint = Blueprint("dashboard", __name__)
# The causes that are named here; the rest is a step away.
_CAUSES = 5


@blueprint.get("/")
@allow(Permission.READ)
def home() -> Response:
    organisation = current_user.organisation
    shown = _figures()
    if wants_partial():
        response = page("dashboard/home.html", "dashboard/_figures.html", **shown)
        response.headers["HX-Push-Url"] = shown["here"]
        return response
    queued = waiting.counts(organisation.id)
    untreated_now = untreated.read(organisation.id, training.today(organisation), rates=False)
    return page(
        "dashboard/home.html",
        risks=completeness.at_risk(organisation),
        untreated=untreated_now,
        most=untreated.MOST,
        causes=untreated_now.causes[:_CAUSES],
        waiting=queued,
        waiting_said=", ".join(
            _("%(what)s : %(value)s", what=_(one.label).lower(), value=number_filter(number))
            for one, number in queued.items()
        ),
        most_waiting=waiting.MOST,
        Standing=Standing,
        today=agenda.today(organisation),
        **shown,
    )


def _figures() -> dict[str, object]:
    """What templates/dashboard/_figures.html shows of the period and segment that the address asks for."""
    organisation, now = current_user.organisation, datetime.now(UTC)
    scope = Scope(organisation.id, zone=organisation.timezone)
    asked = figures.period_of(HistoryFilter.from_query(request.args), now, scope.zone)
    # Chosen, but its days not yet said: the form asks for them.
    custom = request.args.get("period") == Period.CUSTOM.value
    days = asked.days(now, scope.zone)
    assert days.first and days.last
    found = figures.read(scope, asked, now)
    default = asked.period is figures.DEFAULT and not asked.segment
    query = "" if default else urlencode(asked.to_query())
    return {
        "charts": Charts(found, asked, days.first, days.last),
        "figures": found,
        "asked": asked,
        "custom": custom,
        "typed": {name: read_day(request.args.get(name, "")) for name in ("from", "to")} if custom else {},
        "segments": segments.all_of(organisation.id),
        "periods": list(Period),
        "Facet": Facet,
        "Outcome": Outcome,
        "scope_key": export_jobs.scope_key(scope),
        "here": url_for("dashboard.home") + (f"?{query}" if query else ""),
    }
