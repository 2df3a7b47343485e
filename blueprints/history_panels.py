"""What the bar of a history unfolds: further filters, the columns a person wants. Both come when they are opened."""

from __future__ import annotations

from flask import request
from flask_login import current_user
from markupsafe import Markup

from blueprints.history_asked import Asked
from blueprints.keeping import hole, kept
from history import HistoryFilter, columns, more, views
from history.scope import Kind

Offered = dict[str, list[tuple[str, str]]]


def more_names(kind: Kind) -> list[str]:
    """The filters of the panel, in order."""
    return [name for name in more.FIELDS if name != "segment" or kind == "global"]


def more_count(asked: HistoryFilter, kind: Kind) -> int:
    """How many of them are chosen."""
    return sum(len(v) if isinstance(v := getattr(asked, name), tuple) else bool(v) for name in more_names(kind))


def is_unfolded(asked: Asked) -> bool:
    """Whether the panel stands in the page at once: something of it is chosen (it then goes with every submit), no
    word may come to stand in an address, or it was asked for without script."""
    return asked.discreet or bool(more_count(asked.filter, asked.scope.kind)) or "more" in request.args


def more_filters(asked: HistoryFilter, kind: Kind, offered: Offered, unfolded: bool) -> Markup:
    """The menu of further filters, its panel in it where it is `unfolded`."""
    opened = unfolded and "more" in request.args
    count = more_count(asked, kind)
    inputs = _inputs(asked, kind, offered) if unfolded else {"names": ()}
    return kept("history/_more.html", {"operator": asked.operator}, list=kind, open=opened, count=count, **inputs)


def more_panel(kind: Kind, offered: Offered) -> Markup:
    """The panel alone, nothing chosen."""
    return kept("history/_more_panel.html", {"operator": ""}, **_inputs(HistoryFilter(), kind, offered))


def _inputs(asked: HistoryFilter, kind: Kind, offered: Offered) -> dict[str, object]:
    names = more_names(kind)
    chosen = {name: getattr(asked, name) for name in names}
    picked = HistoryFilter(**{**chosen, "operator": hole("operator")})
    segments, senders, people = (tuple(offered.get(name, ())) for name in ("segment", "sender", "by"))
    return {"picked": picked, "names": tuple(names), "segments": segments, "senders": senders, "people": people}


def columns_form(kind: Kind, back: str = "") -> Markup:
    """The form of the columns; `back` is where it returns to, where no list in the page says so."""
    wanted = columns.shown(kind, views.columns_of(current_user, kind))
    rest = [column for column in columns.shown(kind) if column not in wanted]
    choices = (*((column, True) for column in wanted), *((column, False) for column in rest))
    place = hole("back") if back else ""
    return kept("history/_columns_form.html", {"back": back}, list=kind, choices=choices, back=place)
