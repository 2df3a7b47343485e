"""Contacts by words: each word is contained in a contact's name, address, phone or reference, or in its company's name.

Looked up in the trigram index behind a fence, so that the planner cannot walk all names for a rare word. What is met
often enough among the first names is read from there: a frequent word would have the index name them all.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Text, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from extensions import db
from models import Contact
from models.words import ContactKind

_LONGEST, _MOST_WORDS = 200, 8
# So many names are walked for a first page before the index is asked.
_WALKED = 2_000
_MOST_COMPANIES = 500
_THREE = re.compile(r"[^\W_]{3}")
_company = Contact.__table__.alias("company")


def tests(organisation_id: int, words: str) -> list[ColumnElement[bool]]:
    """A condition on Contact for each word, which the indexes may serve."""
    return [_holds(Contact, organisation_id, word, walking=False) for word in _listed(words)]


def narrowed(query: Select[Any], organisation_id: int, words: str, wanted: int | None = None) -> Select[Any]:
    """`query` (of Contact) to those that hold all the words. `wanted`: that the first so many by name are all that is
    asked for."""
    walked = query.where(*_walking(Contact, organisation_id, words))
    if not any(_THREE.search(word) for word in _listed(words)):
        return walked
    if wanted and _near(query, organisation_id, words) >= wanted:
        return walked
    keys = (Contact.id, Contact.sort_name)
    found = _fence(query.with_only_columns(*keys).where(*tests(organisation_id, words)), "found")
    if wanted:
        found = _fence(select(found.c.id).order_by(found.c.sort_name, found.c.id).limit(wanted), "first")
    return query.where(Contact.id.in_(select(found.c.id)))


def _near(query: Select[Any], organisation_id: int, words: str) -> int:
    """How many there are among the first names."""
    walk = query.with_only_columns(Contact.folded, Contact.company_id).order_by(Contact.sort_name, Contact.id)
    near = _fence(walk.limit(_WALKED), "near")
    held = select(func.count()).select_from(near).where(*_walking(near.c, organisation_id, words))
    return db.session.scalar(held) or 0


def _fence(query: Select[Any], name: str) -> CTE:
    return query.cte(name).prefix_with("MATERIALIZED")


def _walking(row: Any, organisation_id: int, words: str) -> list[ColumnElement[bool]]:
    return [_holds(row, organisation_id, word, walking=True) for word in _listed(words)]


def _listed(words: str) -> list[str]:
    return words.replace("\0", "")[:_LONGEST].split()[:_MOST_WORDS]


def _holds(row: Any, organisation_id: int, word: str, walking: bool) -> ColumnElement[bool]:
    # Escaped after folding, which can make a % (％) or a \ (＼).
    # Written with ||, not concat(): what is immutable is worked out once, not for each row.
    folded = func.regexp_replace(func.fold_text(word), r"([\\%_])", r"\\\1", "g", type_=Text)
    pattern = literal("%").concat(folded).concat("%")
    ids = select(_company.c.id).where(
        _company.c.organisation_id == organisation_id, _company.c.kind == ContactKind.COMPANY,
        _company.c.folded.like(pattern), _company.c.sort_name.like(pattern),
    )  # fmt: skip
    if walking:
        return or_(row.folded.concat("").like(pattern), row.company_id.in_(ids))
    # As an array the companies are known before the index of companies is asked.
    theirs = func.coalesce(func.array(ids.limit(_MOST_COMPANIES).scalar_subquery()), cast([], ARRAY(Contact.id.type)))
    return or_(row.folded.like(pattern), row.company_id == func.any(theirs))
