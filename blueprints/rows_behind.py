"""The rows behind a number: the address of the history's list of them, or the form that leads there for whoever wants
no words in addresses (history.views.always_short). Drawn by rows_link of templates/ui/charts.html."""

from __future__ import annotations

from typing import NamedTuple

from flask import url_for
from flask_login import current_user

from history import HistoryFilter, short_links, views


class Rows(NamedTuple):
    """An address, or where words must stay out of it the fields to be posted."""

    href: str
    fields: tuple[tuple[str, str], ...] = ()


def rows_of(asked: HistoryFilter) -> Rows:
    """The organisation's e-mails that answer a question."""
    discreet = current_user.is_authenticated and views.always_short(current_user)
    if discreet and short_links.words_of(asked) != HistoryFilter():
        return Rows("", tuple(asked.to_query()))
    return Rows(asked.address(url_for("emails.index")))
