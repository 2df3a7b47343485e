"""What a request asks of a history, and the addresses of its neighbours: openly, or with the words kept under a link.

A person may want the words they look for out of addresses (history.views.always_short), and whoever came by a short
link goes on so. Then forms are posted (blueprints.views.step) and every address says `v` instead of the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import abort, request, session, url_for
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from history import HistoryFilter, Scope, export_jobs, short_links, views
from history.short_links import Link
from models import SavedView

_TYPED = ("session", "contact", "recipient", "subject", "operator")
_ECHOED = 400  # a session's cookie is no place for more


@dataclass(frozen=True)
class Asked:
    """A question where it is asked. `discreet`: its words stay out of addresses; `link` keeps them then."""

    scope: Scope
    filter: HistoryFilter
    link: Link | None = None
    discreet: bool = False

    @cached_property
    def path(self) -> str:
        """The path of the list."""
        if self.scope.training_session is not None:
            return url_for("sessions.emails", public_id=self.scope.training_session.public_id)
        if self.scope.contact is not None:
            return url_for("contacts.emails", public_id=self.scope.contact.public_id)
        if self.scope.opportunity is not None:
            return url_for("opportunities.emails", public_id=self.scope.opportunity.public_id)
        return url_for("emails.index")

    @property
    def exposed(self) -> bool:
        """Whether its words cannot stay out of the addresses of the page, for they came by one."""
        words = short_links.words_of(self.filter)
        return self.discreet and words != HistoryFilter() and not (self.link and self.link.covers(words))

    def address(self, other: HistoryFilter, **extra: str) -> str:
        """The address of another question in the same place."""
        return f"{self.path}?{query}" if (query := _encoded(tuple(self.pairs(other, **extra)))) else self.path

    def pairs(self, other: HistoryFilter, **extra: str) -> list[tuple[str, str]]:
        """The query of that address."""
        hides = self.discreet and self.link is not None and self.link.covers(other)
        pairs = [*(self.link.pairs(other) if hides and self.link else other.to_query()), *extra.items()]
        if not pairs and self.scope.kind == "global" and views.default_view(current_user):
            return [("view", "all")]  # a bare address opens the person's own view
        return pairs

    def of(self, other: HistoryFilter) -> Asked:
        """Another question in the same place."""
        return replace(self, filter=other)

    def keeping(self, other: HistoryFilter) -> Asked:
        """Another question here, its words kept where they are to stay out of addresses. The caller commits."""
        link = short_links.keep(current_user, other, self.link) if self.discreet else None
        return replace(self, filter=other, link=link)


@lru_cache(maxsize=1024)
def _encoded(pairs: tuple[tuple[str, str], ...]) -> str:
    return urlencode(pairs)  # a page says a dozen addresses, most of them those of the page before


def of_request(scope: Scope, opened: SavedView | None = None) -> Asked:
    """What the address asks. `opened` is what a short address stands for, all of it."""
    if opened is not None:
        return Asked(scope, views.filter_of(opened.query), Link.of(opened), discreet=True)
    pairs = list(request.args.items(multi=True))
    return _asked(scope, pairs, _link(request.args.get("v", "")), by_link="v" in request.args)


def of_selection(form: MultiDict[str, str]) -> Asked:
    """The list that a selection was made in, as templates/history/_select.html says it; 404 for a foreign scope."""
    try:
        key, asked = export_jobs.read_query(form.get("query", ""))
    except ValueError:  # more fields than any page of ours sends
        abort(400)
    scope = export_jobs.scope_of(current_user.organisation, key) or abort(404)
    link = short_links.find(current_user, form.get("v", ""))
    return Asked(scope, asked, link, link is not None or "discreet" in form or views.always_short(current_user))


def of_form(scope_key: str) -> Asked:
    """What a posted form of the list asks; 404 for a foreign scope."""
    scope = export_jobs.scope_of(current_user.organisation, scope_key) or abort(404)
    link = short_links.find(current_user, request.form.get("v", ""))
    by_link = link is not None or "discreet" in request.form
    asked = HistoryFilter.from_query(request.form)
    return Asked(scope, asked, link, by_link or views.always_short(current_user))


def _link(public_id: str) -> Link | None:
    return short_links.find(current_user, public_id) or abort(404) if public_id else None


def _asked(scope: Scope, pairs: Iterable[tuple[str, str]], link: Link | None, by_link: bool) -> Asked:
    filter_ = link.opened(pairs) if link else HistoryFilter.from_query(pairs)
    always = views.always_short(current_user)
    return Asked(scope, filter_, link, always or (by_link and link is not None and link.covers(filter_)))


def moved(asked: Asked) -> dict[str, str]:
    """Which address the browser shows now. A step of its own for Back, but while one goes on typing in the same
    input the step is replaced: Back does not walk letter by letter."""
    filter_, address = asked.filter, asked.address(asked.filter)
    before = _before()
    if before == filter_:
        return {"HX-Push-Url": "false"}
    for name in _TYPED:
        old, new = getattr(before, name), getattr(filter_, name)
        typed_on = old and new and (new.startswith(old) or old.startswith(new))
        if typed_on and before.with_(**{name: new}) == filter_.with_():
            return {"HX-Replace-Url": address}
    return {"HX-Push-Url": address}


def _before() -> HistoryFilter:
    """The question that the page in the browser shows."""
    was = urlsplit(request.headers.get("HX-Current-URL", ""))
    opened = re.fullmatch(r"/v/(V-\w{1,20})", was.path)
    view = views.linked(current_user, opened[1]) if opened else None
    return views.filter_of(view.query) if view else short_links.read(current_user, parse_qsl(was.query))


# --- what a search could not be read as, until the page that shows it ---


def remember_mistakes(text: str, said: list[str]) -> None:
    """Keep what was typed and what is wrong with it for the next page of this person."""
    session["search"] = [text if len(text) <= _ECHOED else "", said[:3]]


def recall_mistakes() -> tuple[str, list[str]]:
    """What was kept, once: (text, sentences), both empty for nothing."""
    kept: Any = session.pop("search", None) if "search" in session else None
    return (str(kept[0]), [str(one) for one in kept[1]]) if isinstance(kept, list) and len(kept) == 2 else ("", [])
