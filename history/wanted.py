"""The global search's part of the history: "dupont convocation" → the e-mails meant, and the sessions of those words.

Words may name a person, a type of e-mail and what an e-mail is about, in any order and without saying which is which.
So a few readings are tried, the likeliest first, and the first that finds something is it; each is a filter of the
history like any other. Whoever writes as in the history's own search box (`à:petit statut:erreur`) is understood too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select

import i18n
from extensions import db
from history import pages, prepared, search
from history.conditions import session_text
from history.filters import HistoryFilter
from history.query import at_most
from history.rows import Row
from history.scope import Scope
from history.search_words import fold
from models import TrainingSession
from models.words import EmailType, SessionState

LONGEST = 200
MOST_WORDS = 8
MOST_TRIED = 8
_FOUND = 500  # sessions among which the nearest are chosen
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"E-[0-9a-z]{6,20}")
_OPERATOR = re.compile(r"[^\W\d]:\S")
# Words of labels that say nothing of a type, or a person's name as well.
_COMMON = {"les", "des", "nouvelle", "nouveau", "moyen", "libre", "free", "new", "mail", "mails", "par", "pour", "the"}


@dataclass(frozen=True)
class Found:
    """The newest e-mails of the reading that found some (of the first one where none did), and whether there are
    more."""

    filter: HistoryFilter
    rows: list[Row]
    more: bool = False


def clean(text: str) -> str:
    """One line of words, of at most LONGEST characters; empty where there is nothing to look for."""
    words = " ".join(text.replace("\0", " ").encode("utf-8", "ignore").decode()[:LONGEST].split())
    return words if sum(c.isalnum() for c in words) > 1 else ""


def emails(scope: Scope, text: str, most: int, now: datetime | None = None) -> Found:
    """The e-mails that clean() words mean."""
    now = now or datetime.now(UTC)
    tried: list[HistoryFilter] = []
    for one in islice(readings(text, now.astimezone(ZoneInfo(scope.zone)).date()), MOST_TRIED):
        asked = one.with_(limit=most)
        tried.append(one)
        page = pages.answer(prepared.question(scope, asked, now), asked, counted=False)
        if page.rows:
            return Found(one, page.rows, bool(page.next))
    return Found(tried[0] if tried else HistoryFilter(), [])


def readings(text: str, today: date) -> Iterator[HistoryFilter]:
    """What the words may mean, the likeliest first, none twice."""
    seen: set[HistoryFilter] = set()
    for one in _readings(text, today):
        if one not in seen and one.narrowed:
            seen.add(one)
            yield one


def untyped(text: str) -> str:
    """The words without those that name a type of e-mail."""
    return " ".join(word for word in text.split() if not types_of(word))


def _readings(text: str, today: date) -> Iterator[HistoryFilter]:
    if number := _NUMBER.fullmatch(text):
        yield HistoryFilter.from_query([("number", number[0])])
    if _OPERATOR.search(text):
        understood = search.read(text, today)
        if not understood.mistakes:
            yield understood.filter
            return
    words = text.split()[:MOST_WORDS]
    rest = [word for word in words if not types_of(word)]
    types = _types([types_of(word) for word in words if word not in rest])
    if types:
        yield _asking(rest, [], types)
    yield _asking(words, [], ())
    if types:
        yield _asking([], rest, types)
    yield _asking([], words, ())
    if types:
        yield from (_asking(who, what, types) for who, what in _splits(rest))
    yield from (_asking(who, what, ()) for who, what in _splits(words))


def _asking(recipient: list[str], subject: list[str], types: tuple[str, ...]) -> HistoryFilter:
    pairs = [("recipient", " ".join(recipient)), ("subject", " ".join(subject)), *(("type", code) for code in types)]
    return HistoryFilter.from_query(pairs)


def _splits(words: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """(who, what): a name is said in one piece, before or after the rest."""
    for place in range(1, len(words)):
        yield words[:place], words[place:]
    for place in range(1, len(words)):
        yield words[place:], words[:place]


@lru_cache(maxsize=1)
def _labels() -> dict[str, frozenset[str]]:
    """The words of each type's labels, in both languages."""
    english = i18n.english()
    texts = {one.value: f"{one.label} {english.gettext(one.label)}" for one in EmailType}
    return {code: frozenset(word for word in map(fold, _WORD.findall(text)) if len(word) > 2 and word not in _COMMON)
            for code, text in texts.items()}  # fmt: skip


@lru_cache(maxsize=1024)
def types_of(word: str) -> frozenset[str]:
    """The types of e-mail a word may name: it begins a word of their labels, with four letters or more."""
    folded = fold(word).removesuffix("s")
    if len(folded) < 4 or not folded.isalpha():
        return frozenset()
    return frozenset(code for code, words in _labels().items() if any(one.startswith(folded) for one in words))


def _types(named: list[frozenset[str]]) -> tuple[str, ...]:
    """The types that all the words name, or any of them where no type has them all."""
    if not named:
        return ()
    common = frozenset.intersection(*named) or frozenset.union(*named)
    return tuple(sorted(common))


def sessions(organisation_id: int, text: str, today: date, most: int) -> list[TrainingSession]:
    """The sessions whose title or reference has words that begin so: those that run or are to come first, the soonest
    first, then the last that ended."""
    ids = session_text(organisation_id, text).ids().limit(at_most(_FOUND)).cte("found").prefix_with("MATERIALIZED")
    over = func.coalesce(TrainingSession.ends_on < today, False)
    cancelled = TrainingSession.state == SessionState.CANCELLED
    far = func.abs(func.coalesce(TrainingSession.starts_on, today) - today)
    order = (case((over | cancelled, 1), else_=0), far, TrainingSession.id)
    query = select(TrainingSession).where(TrainingSession.id.in_(select(ids.c.id))).order_by(*order)
    return list(db.session.scalars(query.limit(most)))
