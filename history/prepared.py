"""Statements made once for each shape of a question, and run with the values of the day.

Building a page's SQL in Python costs ten times what sending it does. So a question is built from *names* for whose
history it is, between which moments and from which place on (bindparams: code that would look at their values fails),
from texts of the same form as those that are looked for (Typed), and from the rest of the filter as it is; such a
question and the texts of its statements are kept by exactly that. The values go along with each run. What is looked up
to be built, as the rule of a segment is, is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple, Self, cast

import psycopg
from psycopg.raw_cursor import RawCursor
from sqlalchemy import BigInteger, Executable, String, Text, bindparam
from sqlalchemy.exc import DBAPIError

from extensions import db
from history.cursors import Cursor
from history.filters import HistoryFilter
from history.query import Question
from history.scope import Scope

HOUSE = bindparam("house", type_=BigInteger)
PERSON = bindparam("person", type_=BigInteger)
_START, _END, _AT = (bindparam(name, type_=Text) for name in ("start", "end", "place_at"))
_ID = bindparam("place_id", type_=BigInteger)
_OWNERS = ("training_session", "contact", "opportunity")
_TEXTS = ("recipient", "subject", "session", "contact", "sender", "by", "operator")
_NAMED = re.compile(r"%\((\w+)\)s")
_RUN = re.compile(r"[^\W_]+")
_KEPT = 256  # questions; a few statements each


class Prepared:
    """The text of a statement, with the values that belong to its shape and the names of those that are Typed."""

    __slots__ = ("fixed", "numbered", "order", "sql", "typed")

    def __init__(self, statement: Executable) -> None:
        dialect = db.engine.dialect
        compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
        self.sql: str = compiled.string
        self.fixed: dict[str, Any] = {}
        self.typed: list[tuple[str, str]] = []
        for name, value in compiled.params.items():
            if isinstance(value, Typed):
                self.typed.append((name, value.name))
            elif not compiled.binds[name].required:
                process = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
                self.fixed[name] = process(value) if process else value
        # As the server numbers them: else the driver reads a long statement's names anew each time.
        places: dict[str, int] = {}
        numbered = _NAMED.sub(lambda found: f"${places.setdefault(found[1], len(places) + 1)}", self.sql)
        self.numbered = numbered.replace("%%", "%").encode()
        self.order = tuple(places)

    def run(self, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows, their values as the driver gives them. In the session's transaction, after what is pending."""
        db.session.flush()
        all_values = {**self.fixed, **values}
        for name, typed in self.typed:
            all_values[name] = values[typed]
        connection = db.session.connection()
        if connection.dispatch.before_cursor_execute:  # somebody listens to what is sent
            result = connection.exec_driver_sql(self.sql, all_values)
            rows: list[tuple[Any, ...]] = result.cursor.fetchall()  # type: ignore[union-attr]
            result.close()
            return rows
        driver: Any = connection.connection.dbapi_connection
        try:
            with RawCursor(driver) as cursor:
                return cursor.execute(
                    self.numbered, [all_values[name] for name in self.order], prepare=True
                ).fetchall()  # fmt: skip
        except psycopg.Error as error:
            if gone := driver.closed:
                connection.invalidate(error)
            raise DBAPIError.instance(
                self.sql, all_values, error, psycopg.Error, hide_parameters=True, connection_invalidated=gone,
                dialect=connection.dialect,
            ) from error  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """All that a question's statements are made from, but for the values that run() is given."""

    filter: HistoryFilter  # without period and cursor
    start: bool
    end: bool
    owners: tuple[str, ...]  # which of _OWNERS the scope names
    has_learners: bool


class Typed(str):
    """Stands in for a text that people typed: its letters and digits are others, its form is the same. A statement may
    hold the text or its parts as they are; what Python would make of it fails."""

    name: str
    __sa_type_engine__ = String()  # bound as a str is

    def __new__(cls, text: str, name: str) -> Self:
        made = super().__new__(cls, text)
        made.name = name
        return made

    def split(self, *_: Any) -> list[Any]:
        return [Typed(part, f"{self.name} {place}") for place, part in enumerate(super().split())]

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("A statement that is kept cannot hold what Python makes of a text: let SQL make it.")

    __add__ = __mod__ = __getitem__ = casefold = format = join = lower = lstrip = partition = removeprefix = _refuse
    removesuffix = replace = rpartition = rsplit = rstrip = strip = title = translate = upper = _refuse


def _form(text: str) -> str:
    """A text of the same form: letters and digits are others, three or more in a row are three."""
    return _RUN.sub(lambda found: "qxz"[: len(found[0])], text)


class _Named(HistoryFilter):
    """A filter whose days are names: `now` holds them."""

    def days(self, now: Any, zone: str) -> Any:
        return now


class _Moments(NamedTuple):
    """What days() gives, by name."""

    start: Any
    end: Any

    def moments(self, _zone: str) -> tuple[Any, Any]:
        return self


class Ready(Question):
    """A question of one shape, its statements as they are made, and this time's values."""

    def __init__(self, shape: Shape) -> None:
        owners = {name: SimpleNamespace(id=bindparam(f"{name}_id", type_=BigInteger)) for name in shape.owners}
        scope = SimpleNamespace(
            organisation_id=HOUSE, has_learners=shape.has_learners, zone="",
            **{name: owners.get(name) for name in _OWNERS},
        )  # fmt: skip
        moments = _Moments(_START if shape.start else None, _END if shape.end else None)
        typed = {name: Typed(text, name) for name in _TEXTS if (text := getattr(shape.filter, name))}
        super().__init__(cast(Any, scope), _Named(**{**vars(shape.filter), **typed}), cast(Any, moments))
        self.shape = shape
        self.statements: dict[Any, Prepared] = {}
        self.values: dict[str, Any] = {}


@lru_cache(_KEPT)
def _kept(shape: Shape) -> Ready:
    return Ready(shape)


def question(scope: Scope, filter_: HistoryFilter, now: datetime) -> Question:
    """What `filter_` asks of `scope` at that moment, ready to run."""
    if filter_.segment or filter_.number:  # looked up to be built; as many values as chosen
        return Question(scope, filter_, now)
    start, end = filter_.days(now, scope.zone).moments(scope.zone)
    owners = {name: owner.id for name in _OWNERS if (owner := getattr(scope, name)) is not None}
    texts = {name: text for name in _TEXTS if (text := getattr(filter_, name))}
    forms = {name: _form(text) for name, text in texts.items()}
    for name, text in (("session", filter_.session_id), ("contact", filter_.contact_id)):
        if text:
            forms[name] = f"{text[:2]}0"
    asked = filter_.with_(period=None, first=None, last=None, **forms)
    shape = Shape(asked, start is not None, end is not None, tuple(owners), scope.has_learners)
    ready = copy(_kept(shape))
    ready.values = {"house": scope.organisation_id, "start": start and start.isoformat(),
                    "end": end and end.isoformat()}  # fmt: skip
    for name, owner_id in owners.items():
        ready.values[f"{name}_id"] = owner_id
    for name, text in texts.items():
        ready.values[name] = text
        for place, part in enumerate(text.split()):
            ready.values[f"{name} {place}"] = part
    return ready


def run(asked: Question, what: Any, make: Callable[[Cursor | None], Executable], cursor: Cursor | None = None,
        **values: Any) -> Sequence[Any]:  # fmt: skip
    """The rows of the statement that `make` makes for a place to start from. `what` names it among those of its
    question: everything it is made from but the question and the cursor's values."""
    if not isinstance(asked, Ready):
        return db.session.execute(make(cursor), {"house": asked.organisation_id, **values}).all()
    key = (what, cursor and cursor.backward)
    prepared = asked.statements.get(key)
    if prepared is None:
        named = None if cursor is None else Cursor(asked.order, cursor.backward, cast(Any, _AT), cast(Any, _ID))
        prepared = asked.statements[key] = Prepared(make(named))
    if cursor is not None:
        values |= {"place_at": cursor.at.isoformat() if cursor.at else "-infinity", "place_id": cursor.id}
    return prepared.run({**asked.values, **values})
