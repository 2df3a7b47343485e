"""Saved views: a filter with a name, a person's own or shared in the organisation; short links; a person's columns.

Whoever made a view may change it, and an admin those that are shared. A short link keeps a query under a random id, so
that the names people search for stay out of addresses and logs. The caller commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Integer, ScalarSelect, Text, cast, column, func, literal_column, or_, select, text
from sqlalchemy.orm.attributes import flag_modified

from extensions import db
from history import export_jobs, trouble, untreated
from history.columns import COLUMNS
from history.filters import HistoryFilter
from history.prepared import HOUSE, PERSON, Prepared
from history.scope import Kind
from models import Export, SavedView, User
from models.words import Role

LONGEST_NAME = 80
MOST_PINNED = 12
# The navigation counts failures up to here, among so many of the newest.
MOST_COUNTED = 99
_COUNTED_AMONG = 2_000


def canonical(query: str) -> str:
    """The query string of the filter that `query` asks for, at its first page."""
    return query_of(filter_of(query))


def query_of(filter_: HistoryFilter) -> str:
    """The query string of a filter at its first page."""
    return urlencode(filter_.with_().to_query())


def filter_of(query: str) -> HistoryFilter:
    """The filter of a kept query."""
    return HistoryFilter.from_query(parse_qsl(query.removeprefix("?"))).with_()


def visible(user_id: Any, organisation_id: Any) -> Any:
    """The condition that a person may use a view: their own, or shared in their organisation."""
    return (SavedView.organisation_id == organisation_id) & or_(SavedView.user_id == user_id, SavedView.shared)


def find(user: User, public_id: str) -> SavedView | None:
    """A named view that the person may use."""
    return db.session.scalar(
        select(SavedView).where(
            visible(user.id, user.organisation_id), SavedView.public_id == public_id, ~SavedView.link
        )
    )


def listed(user: User) -> list[SavedView]:
    """The views a person may use, by name."""
    query = select(SavedView).where(visible(user.id, user.organisation_id), ~SavedView.link)
    return list(db.session.scalars(query.order_by(func.fold_text(SavedView.name), SavedView.id).limit(200)))


def beside(user: User) -> tuple[list[tuple[str, str, str]], list[Export], int, tuple[trouble.Stopped, ...]]:
    """What stands around every page, in one statement: (name, public id, query) of the pinned views,
    export_jobs.unseen(), how many failures are to be dealt with (up to MOST_COUNTED + 1), and what is stopped."""
    values = {"person": user.id, "house": user.organisation_id, "o": user.organisation_id}
    ((pairs, ready, number, stopped),) = _beside().run(values)
    pinned = [(name, public_id, query) for name, public_id, query in pairs or []]
    return pinned, exports(ready), number, trouble.told(stopped)


@lru_cache(1)
def _beside() -> Prepared:
    pins = select(SavedView.name, SavedView.public_id, SavedView.query)
    pins = pins.where(visible(PERSON, HOUSE), SavedView.pinned, ~SavedView.link)
    pinned_views = pins.order_by(SavedView.name).limit(MOST_PINNED).subquery("pinned")
    listed = select(func.jsonb_agg(func.jsonb_build_array(*pinned_views.c))).scalar_subquery()
    return Prepared(select(listed, unfetched(), failures(), trouble.lines()))


def unfetched() -> ScalarSelect[Any]:
    """The ids of PERSON's exports that are ready and neither fetched nor put aside, as 1,2,3; NULL for none."""
    unseen = export_jobs.unseen_by(PERSON).subquery("unseen")
    return select(func.string_agg(cast(unseen.c.id, Text), literal_column("','"))).scalar_subquery()


def failures() -> ScalarSelect[Any]:
    """How many failures are to be dealt with, of the organisation `:o`, up to MOST_COUNTED + 1."""
    some = untreated.counted(_COUNTED_AMONG, MOST_COUNTED + 1)
    counted = text(f"SELECT count(*) AS failures FROM ({some}) AS counted")
    return counted.columns(column("failures", Integer)).scalar_subquery()


def exports(ids: str | None) -> list[Export]:
    """The exports of such ids, the last to be ready first."""
    if not ids:
        return []
    listed = [int(one) for one in ids.split(",")]
    last_first = (Export.finished_at.desc(), Export.id.desc())
    return list(db.session.scalars(select(Export).where(Export.id.in_(listed)).order_by(*last_first)))


def may_change(user: User, view: SavedView) -> bool:
    """Its owner; an admin too, where it is shared."""
    return view.user_id == user.id or (
        view.shared and user.role is Role.ADMIN and view.organisation_id == user.organisation_id
    )


def keep(user: User, name: str, query: str, *, shared: bool = False, pinned: bool = False) -> SavedView:
    """Save the filter of `query` under a name."""
    view = SavedView(
        organisation_id=user.organisation_id, user_id=user.id, name=name, query=canonical(query), shared=shared,
        pinned=pinned,
    )  # fmt: skip
    db.session.add(view)
    db.session.flush()
    return view


def shorten(user: User, query: str) -> SavedView:
    """The short link of a filter: the person's own one if there is one already."""
    kept = canonical(query)
    found = db.session.scalar(
        select(SavedView)
        .where(
            SavedView.organisation_id == user.organisation_id, SavedView.user_id == user.id, SavedView.link,
            SavedView.query == kept,
        )
        .limit(1)
    )  # fmt: skip
    if found is None:
        found = SavedView(organisation_id=user.organisation_id, user_id=user.id, query=kept, link=True)
        db.session.add(found)
        db.session.flush()
    return found


def linked(user: User, public_id: str) -> SavedView | None:
    """What a short address stands for, for anyone of the organisation; a named view only for who may use it."""
    view = db.session.scalar(
        select(SavedView).where(SavedView.public_id == public_id, SavedView.organisation_id == user.organisation_id)
    )
    return view if view and (view.link or view.shared or view.user_id == user.id) else None


# --- what a person prefers ---


def default_view(user: User) -> str:
    """The public id of the view that opens first, empty for none."""
    chosen = user.preferences.get("view", "")
    return chosen if isinstance(chosen, str) else ""


def prefer_view(user: User, public_id: str) -> None:
    """Open that view first; none where it is empty."""
    _prefer(user, "view", public_id or None)


def always_short(user: User) -> bool:
    """Whether the words a person looks for are to stay out of addresses."""
    return user.preferences.get("short_links") is True


def prefer_short(user: User, always: bool) -> None:
    """Keep the words that are looked for out of addresses, or show them there."""
    _prefer(user, "short_links", always or None)


def columns_of(user: User, kind: Kind) -> tuple[str, ...]:
    """The keys of the columns a person chose for a kind of history, in order; empty for the usual ones."""
    chosen = (user.preferences.get("columns") or {}).get(kind) or ()
    known = {column.key for column in COLUMNS if kind in column.scopes}
    return tuple(key for key in dict.fromkeys(chosen) if key in known)


def prefer_columns(user: User, kind: Kind, keys: Sequence[str]) -> None:
    """Show those columns in that order; the usual ones where there is none."""
    known = [column.key for column in COLUMNS if kind in column.scopes]
    kept = [key for key in dict.fromkeys(keys) if key in known]
    chosen = dict(user.preferences.get("columns") or {})
    chosen.pop(kind, None)
    if kept and kept != known:
        chosen[kind] = kept
    _prefer(user, "columns", chosen or None)


def _prefer(user: User, name: str, value: Any) -> None:
    preferences = {key: kept for key, kept in user.preferences.items() if key != name}
    user.preferences = preferences if value is None else {**preferences, name: value}
    flag_modified(user, "preferences")
