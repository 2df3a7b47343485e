"""Keyset pages of contacts and sessions in the order in which they were made: signed cursors, a capped count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field
from sqlalchemy import Select, func, select

from blueprints.api.emails import links
from blueprints.api.fields import Answer, Query, optional
from blueprints.api.schemas import Limit
from blueprints.problems import Problem
from extensions import db, settings
from people import pages

COUNTED = 10_000
Shape = TypeVar("Shape", bound=Answer)


class PageQuery(Query):
    """Which page of a list."""

    cursor: str = optional(max_length=1000, description="next_cursor or previous_cursor of another page.")
    limit: Limit = Field(default=50, description="Items a page.")


class ListQuery(PageQuery):
    """Which page of a list, and words to look for."""

    q: str = optional(max_length=200, description="Words to find, case and accents aside.")


@dataclass(frozen=True)
class _Asked:
    """The query string, to be written again with another cursor."""

    query: Query
    cursor: str = ""

    def with_(self, cursor: str) -> _Asked:
        return _Asked(self.query, cursor)

    def to_query(self) -> list[tuple[str, str]]:
        said = self.query.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"cursor"})
        pairs = [(name, str(one)) for name, value in said.items() for one in _listed(value)]
        return [*pairs, *([("cursor", self.cursor)] if self.cursor else [])]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def page(
    query: Select[Any], key: Any, asked: PageQuery, shape: Callable[[Any], Shape], *, descending: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:  # fmt: skip
    """(the fields of a PageShape with its items, the header Link)."""
    found = pages.browse(query, (key,), _read(asked.cursor), limit=asked.limit, descending=descending)
    next_, previous = _write(found.next), _write(found.previous)
    counted = select(func.count()).select_from(query.with_only_columns(key).limit(COUNTED + 1).subquery())
    total = db.session.scalar(counted) or 0
    said = {
        "items": [shape(row) for row in found.rows], "next_cursor": next_ or None, "previous_cursor": previous or None,
        "total": min(total, COUNTED), "total_is_capped": total > COUNTED,
    }  # fmt: skip
    return said, links(_Asked(asked), next_, previous)


def _write(cursor: str | None) -> str:
    return str(_signer().dumps(cursor)) if cursor else ""


def _read(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return str(_signer().loads(cursor))
    except (BadData, ValueError) as error:
        wrong = {"detail": "Not a cursor of this list.", "parameter": "cursor"}
        raise Problem(404, "There is no such page: take cursor from next_cursor.", [wrong]) from error


def _signer() -> URLSafeSerializer[str]:
    config = settings()
    return URLSafeSerializer([*reversed(config.old_secret_keys), config.secret_key], salt="api-cursor")
