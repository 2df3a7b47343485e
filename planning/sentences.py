"""Why a plan is what it is, in the words of the page's language and the organisation's days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from documents import dates
from i18n import N_, gettext, language
from models import PlannedEmail

PUT_OFF = N_("Repoussé à la fin des heures de silence.")


def of_plan(plan: PlannedEmail) -> list[str]:
    """The sentences beside a plan: what decided its state first, then the rule, then the quiet hours."""
    rule = plan.values.get("rule", "")
    said = [filled(plan.why, plan.values)]
    if rule and rule != plan.why:
        said.append(filled(rule, plan.values))
    if plan.values.get("quiet"):
        said.append(gettext(PUT_OFF))
    return said


def filled(why: str, values: Mapping[str, Any]) -> str:
    """A stored sentence, its days written out; one whose values are gone says itself."""
    if not why:
        return ""
    try:
        return gettext(why, **{name: _shown(name, value) for name, value in values.items()})
    except (KeyError, ValueError, TypeError):
        return gettext(why)


def _shown(name: str, value: Any) -> Any:
    return dates.long_date(date.fromisoformat(value), language()) if name == "day" else value
