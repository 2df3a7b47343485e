"""Keyset pages of a list, and search words folded as the database folds them.

A cursor is opaque to the address bar: which way, and the last row's values. A wrong one is the first page.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, func, literal, tuple_
from sqlalchemy.types import TypeEngine

from extensions import db

PAGE = 50
_MOST_WORDS, _LONGEST = 8, 200


@dataclass(frozen=True)
class Page:
    """One page of rows, and the cursors of its neighbours (None where there is none)."""

    rows: list[Any]
    previous: str | None
    next: str | None


def browse(
    query: Select[Any], keys: Sequence[SQLColumnExpression[Any]], cursor: str | None = None, *, limit: int = PAGE,
    descending: bool = False,
) -> Page:  # fmt: skip
    """A page of `query` in the order of `keys` (all one way, the last one unique, none NULL).

    The rows are those of `query`: its first column alone, or the whole row where it has several.
    """
    backward, values = _read(cursor, keys)
    plain = len(query.column_descriptions) == 1
    falling = descending != backward
    if values is not None:
        mark = tuple_(*(literal(value, _type(key)) for value, key in zip(values, keys, strict=True)))
        row = tuple_(*keys)
        query = query.where(row < mark if falling else row > mark)
    query = query.add_columns(*keys).order_by(*(key.desc() if falling else key.asc() for key in keys))
    found: list[Row[Any]] = list(db.session.execute(query.limit(limit + 1)))
    more, found = len(found) > limit, found[:limit]
    if backward:
        found.reverse()
    ends = (found[0], found[-1]) if found else ()
    edges = [_write(way, row[-len(keys) :]) for way, row in zip("pn", ends, strict=False)]
    has_next = more if not backward else True
    has_previous = more if backward else values is not None
    return Page(
        rows=[row[0] if plain else row for row in found],
        previous=edges[0] if edges and has_previous else None,
        next=edges[1] if edges and has_next else None,
    )


def matches(words: str, *columns: SQLColumnExpression[str]) -> list[ColumnElement[bool]]:
    """Conditions: each word of `words` occurs in one of `columns`, case and accents aside."""
    text = columns[0]
    for column in columns[1:]:
        text = text + " " + column
    folded = func.fold_text(text)
    listed = words.replace("\0", "")[:_LONGEST].split()[:_MOST_WORDS]
    return [folded.contains(func.fold_text(_escaped(word)), autoescape=False) for word in listed]


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _type(key: SQLColumnExpression[Any]) -> TypeEngine[Any]:
    return key.type  # type: ignore[attr-defined, no-any-return]


def _write(way: str, values: Sequence[Any]) -> str:
    raw = json.dumps([way, *(v.isoformat() if hasattr(v, "isoformat") else v for v in values)], ensure_ascii=False)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read(cursor: str | None, keys: Sequence[SQLColumnExpression[Any]]) -> tuple[bool, list[Any] | None]:
    """Whether the cursor points backward, and its values; (False, None) for none and for nonsense."""
    if not cursor or len(cursor) > 4000:
        return False, None
    try:
        way, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        read = [_value(_type(key).python_type, value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, RecursionError):
        return False, None
    return (way == "p", read) if way in ("p", "n") else (False, None)


def _value(kind: type, value: Any) -> Any:
    """The value as the column's Python type; ValueError for what the column could never hold."""
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment
    if kind is date:
        return date.fromisoformat(value)
    if kind is datetime and (moment := datetime.fromisoformat(value)).tzinfo is not None:
        return moment
    if kind is int and isinstance(value, int) and abs(value) < 2**63:
        return value
    if kind is str and isinstance(value, str) and "\0" not in value:
        value.encode()
        return value
    raise ValueError(value)
