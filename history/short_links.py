"""Addresses that keep the words people look for to themselves: `?v=V-…` stands for the words, the rest is said openly.

Names and addresses stay out of address bars and logs; status, dates, order and page need no hiding, so tabs, chips,
pages and exports are plain links from one kept set of words: only new words need a new link. Pure but for find().
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from history import views
from history.filters import HistoryFilter, Pairs
from models import SavedView, User

# What people type, or what names a person: everything else is a code, a day or a random id.
WORDS = ("recipient", "subject", "session", "contact", "sender", "by", "operator")


def words_of(filter_: HistoryFilter) -> HistoryFilter:
    """The words that a question looks for, alone."""
    return HistoryFilter(**{name: getattr(filter_, name) for name in WORDS})


def without_words(filter_: HistoryFilter) -> HistoryFilter:
    """The rest of the question, its page too."""
    blank: dict[str, Any] = dict.fromkeys(WORDS, "")
    return filter_.with_(cursor=filter_.cursor, **blank)


@dataclass(frozen=True)
class Link:
    """Kept words, and the id they stand under."""

    public_id: str
    words: HistoryFilter

    @classmethod
    def of(cls, view: SavedView) -> Link:
        """The words of a short link, or of a saved view."""
        return cls(view.public_id, words_of(views.filter_of(view.query)))

    def covers(self, asked: HistoryFilter) -> bool:
        """Whether the question looks for these words, all or some, and for no others."""
        return all(getattr(asked, name) in ("", getattr(self.words, name)) for name in WORDS)

    def pairs(self, asked: HistoryFilter) -> Pairs:
        """The query of a question that this link covers: `v`, a `drop` for each word left out, and the rest."""
        words = words_of(asked)
        if words == HistoryFilter():
            return asked.to_query()
        dropped = [name for name in WORDS if getattr(self.words, name) and not getattr(words, name)]
        return [("v", self.public_id), *(("drop", name) for name in dropped), *without_words(asked).to_query()]

    def opened(self, query: Iterable[tuple[str, str]]) -> HistoryFilter:
        """The question of a query with `v`: what it says openly, and the kept words that it neither says nor drops."""
        pairs = list(query)
        asked = HistoryFilter.from_query(pairs)
        dropped = {value for name, value in pairs if name == "drop"}
        kept = {name: getattr(self.words, name) for name in WORDS if name not in dropped and not getattr(asked, name)}
        return asked.with_(cursor=asked.cursor, **kept)


def find(user: User, public_id: str) -> Link | None:
    """The link of that id, for whoever may open it."""
    view = views.linked(user, public_id) if public_id else None
    return Link.of(view) if view else None


def read(user: User, query: Iterable[tuple[str, str]]) -> HistoryFilter:
    """The question of a query, with or without a link; one that is gone says nothing."""
    pairs = list(query)
    link = find(user, next((value for name, value in pairs if name == "v"), ""))
    return link.opened(pairs) if link else HistoryFilter.from_query(pairs)


def keep(user: User, asked: HistoryFilter, link: Link | None = None) -> Link | None:
    """A link that covers the question, the given one where it does; None where there are no words. Caller commits."""
    words = words_of(asked)
    if words == HistoryFilter():
        return None
    if link is not None and link.covers(asked):
        return link
    return Link.of(views.shorten(user, views.query_of(words)))


def opening(user: User, public_id: str, query: str) -> str:
    """The query string that opens a saved view: its words stay out of it for whoever wants that."""
    if not views.always_short(user):
        return query
    asked = views.filter_of(query)
    return urlencode(Link(public_id, words_of(asked)).pairs(asked))
