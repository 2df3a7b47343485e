"""Conditions: the few shapes that a filter's SQL takes, so that history.query can walk the index that serves them.

`Among` and `Within` are read from an index, `Belongs` walks an index of its own, `Text` is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    ScalarSelect,
    Select,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from history.filters import is_short
from models import Address, Contact, Email, TrainingSession

Dimension = Literal["status", "type", "files", "reason"]
# What the dimensions are in the table. The 0 is written out: a bound one would not be the index's expression.
DIMENSIONS: dict[str, Any] = {
    "status": Email.status,
    "type": Email.type,
    "files": Email.attachment_count > literal_column("0"),
    "reason": Email.reason,
}


# Written out as its index has it (models.training): a bound blank would be another expression.
_WORDS_OF_SESSION: ColumnElement[Any] = literal_column(
    "words_of(training_session.organisation_id, training_session.title || ' ' || training_session.reference)"
)
# The words that ANALYZE found most often in subjects, each with its share of the e-mails.
_FREQUENT = text(
    "SELECT word, share FROM pg_stats, "
    "unnest(most_common_elems::text::text[], most_common_elem_freqs) AS t (word, share) WHERE schemaname = 'public' "
    "AND tablename = 'email' AND attname = 'subject_words' AND word IS NOT NULL"
).columns(column("word", SqlText), column("share", Float)).subquery("frequent")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_WHOSE = re.compile(r"[^@]*(?=@)")
# An e-mail that a thin walk looks up by its id.
_looked_up = Email.__table__.alias("looked_up")


@dataclass(frozen=True)
class Among:
    """The e-mail's status, type, reason or having of attachments is one of `values`."""

    dimension: Dimension
    values: tuple[Any, ...]

    def holds(self) -> ColumnElement[bool]:
        kind: Any = Boolean if self.dimension == "files" else SqlText
        plain = [value if self.dimension == "files" else str(value) for value in self.values]
        column = DIMENSIONS[self.dimension]
        return column == (written(plain[0], kind()) if len(plain) == 1 else any_(written(plain, kind())))


def written(value: Any, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """A word or a list of words that belongs to the statement, written out in it for the planner to see also when it
    plans once for all other values: of an unknown one it expects more, and each page would be planned anew. Bound
    where it is no word."""
    of, words = (ARRAY(kind), value) if isinstance(value, list) else (kind, [value])
    if not all(_WORD.fullmatch(str(word)) for word in words):
        return cast(bindparam(None, value), of)
    listed = ",".join(f'"{word}"' for word in words)  # else null would be none
    return cast(literal_column(f"'{{{listed}}}'" if isinstance(value, list) else f"'{value}'", of), of)


@dataclass(frozen=True)
class Within:
    """The chosen date is in start ≤ x < end; None is open."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Belongs:
    """The e-mail is of one of few sessions, contacts or opportunities, or is one of few itself: `column` is one of
    `ids` (one, or a select)."""

    column: Literal["training_session_id", "contact_id", "opportunity_id", "id"]
    ids: int | ScalarSelect[Any] | Select[Any]


@dataclass(frozen=True)
class Test:
    """A plain test of the e-mail's own columns. `indexed`: an index holds just those that pass it, in order; `owned`:
    whose sender or user it is was looked up in the organisation, so only its own e-mails pass."""

    clause: ColumnElement[bool]
    indexed: bool = False
    owned: bool = False


class Text(Protocol):
    """Words to look for. `column` is what a walked e-mail must carry along for `holds`; where less than `worth` of
    the walked e-mails hold them, their own index is quicker than walking on (measured: docs/decisions)."""

    column: str
    worth: float

    def holds(self, walked: Any) -> ColumnElement[bool]:
        """Whether a row of `walked` (anything with .c or the e-mail's own columns) holds the words."""
        ...

    def picked(self, walked: Any) -> ColumnElement[bool]:
        """The same where `walked` goes along the index of dates and carries ids of owners alone."""
        ...


@dataclass(frozen=True)
class WordsOfSubject:
    """Every word of `text` begins a word of the subject."""

    organisation_id: int
    text: str
    column: str = "subject_words"
    worth: float = 0.002

    @property
    def hits(self) -> ColumnElement[int]:
        """How many subjects hold the rarest of the words, as the table's statistics know it (of the thousand or so
        most frequent words; 0 for others): e-mails that came together make the nearest ones a poor sample."""
        query = cast(func.words_query(self.organisation_id, self.text), SqlText)
        asked = func.unnest(func.string_to_array(query, " & ")).table_valued("word").render_derived(name="asked")
        beginning = func.rtrim(func.ltrim(asked.c.word, "'"), "':*") + "%"
        share = select(func.sum(_FREQUENT.c.share)).where(_FREQUENT.c.word.like(beginning)).scalar_subquery()
        rarest = select(func.min(func.coalesce(share, 0))).select_from(asked).scalar_subquery()
        rows = literal_column("(SELECT reltuples FROM pg_class WHERE oid = 'email'::regclass)")
        return cast(rarest * rows, BigInteger)

    def holds(self, walked: Any) -> ColumnElement[bool]:
        return walked.subject_words.bool_op("@@")(_once(func.words_query(self.organisation_id, self.text)))


    def picked(self, walked: Any) -> ColumnElement[bool]:
        return select(self.holds(_looked_up.c)).where(_looked_up.c.id == walked.id).scalar_subquery()


@dataclass(frozen=True)
class TextOfOwner:
    """`matches` holds for the row of `key`'s table that the e-mail's `column` points to. `listed`: the ids of those
    that match are soon known, so an e-mail is looked for among them."""

    column: Literal["address_id", "contact_id", "training_session_id"]
    key: Any  # that table's primary key
    owned: ColumnElement[bool]  # that table's row is the organisation's
    matches: ColumnElement[bool]
    worth: float = 0.008
    listed: bool = False

    def holds(self, walked: Any) -> ColumnElement[bool]:
        if self.listed:
            return self.picked(walked)
        # A scalar subselect stays what it is: the planner cannot turn it into a join that reads all matches first.
        return select(self.matches).where(self.key == getattr(walked, self.column)).scalar_subquery()

    def picked(self, walked: Any) -> ColumnElement[bool]:
        column = getattr(walked, self.column, None)
        if column is None:  # not carried: of the e-mail itself
            column = select(_looked_up.c[self.column]).where(_looked_up.c.id == walked.id).scalar_subquery()
        # As a value, not as a condition: the planner makes the list once and cannot turn it into a join.
        return column.in_(self._list if self.listed else self.ids()).is_(True)

    @cached_property
    def _list(self) -> Select[Any]:
        return _made_once(self.ids(), f"text_of_{self.column}")

    def ids(self) -> Select[Any]:
        """The ids of that table's rows that match."""
        return select(self.key.label("id")).where(self.owned, self.matches)


@dataclass(frozen=True)
class AmongOwners:
    """The e-mail's `column` is one of `members`, few or many: walked among the newest where they are frequent, else
    the newest of each. None is left out, however many they are. `listed`: who they are is looked up by them, not by
    testing a contact, so they are made a list once."""

    column: Literal["address_id", "contact_id"]
    members: Select[Any]
    worth: float = 0.008
    listed: bool = False

    def holds(self, walked: Any) -> ColumnElement[bool]:
        return getattr(walked, self.column).in_(self._list if self.listed else self.members)

    @cached_property
    def _list(self) -> Select[Any]:
        return _made_once(self.members, f"among_{self.column}")

    def picked(self, walked: Any) -> ColumnElement[bool]:
        return self.holds(walked).is_(True)

    def ids(self) -> Select[Any]:
        return self.members


def recipient_text(organisation_id: int, text: str) -> TextOfOwner:
    """Every part of `text` is contained in "address name", folded; one without three letters in a row begins words."""
    tests = [test for part in _parts(text) for test in _of_address(organisation_id, part)]
    return TextOfOwner("address_id", Address.id, Address.organisation_id == organisation_id, and_(*tests))


def _of_address(organisation_id: int, part: str) -> Iterable[ColumnElement[bool]]:
    if is_short(part):
        yield Address.words.bool_op("@@")(_once(func.words_query(organisation_id, part)))
        return
    whose = _WHOSE.match(part)
    if whose and not is_short(whose[0]):
        # The letters before the @ find it; those of the operator are in so many addresses that their long lists cost
        # seven times as much. `|| ''` keeps the planner from looking these up too.
        yield Address.folded.like(_once(_containing(func.split_part(part, "@", 1) + literal("@"))))
        yield (Address.folded + "").like(_once(_containing(part)))
    else:
        yield Address.folded.like(_once(_containing(part)))


def contact_text(organisation_id: int, text: str) -> TextOfOwner:
    """The same over the contact's name, as lists sort it (last name, first name)."""
    name = Contact.sort_name
    tests = [
        or_(name.like(_once(_beginning(part))), name.like(_once(literal("% ") + _beginning(part))))
        if is_short(part)
        else name.like(_once(_containing(part)))
        for part in _parts(text)
    ]
    return TextOfOwner("contact_id", Contact.id, Contact.organisation_id == organisation_id, and_(*tests))


def session_text(organisation_id: int, text: str) -> TextOfOwner:
    """Every word of `text` begins a word of the session's title or reference."""
    matches = _WORDS_OF_SESSION.bool_op("@@")(_once(func.words_query(organisation_id, text)))
    owned = TrainingSession.organisation_id == organisation_id
    return TextOfOwner("training_session_id", TrainingSession.id, owned, matches, listed=True)


def _once(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Made once a statement: a plan for all values would make it again for every row it tests."""
    return select(value).scalar_subquery()


def _made_once(ids: Select[Any], name: str) -> Select[Any]:
    """The same ids out of a list that the statement makes once, however often it tests them."""
    made = ids.cte(name).prefix_with("MATERIALIZED")
    return select(made.c.id)


def _parts(text: str) -> list[str]:
    return [part for part in text.split() if any(c.isalnum() for c in part)]


def _folded(part: Any) -> ColumnElement[str]:
    # Escaped after folding, which can make a % (％) or a \ (＼).
    return func.regexp_replace(func.fold_text(part), r"([\\%_])", r"\\\1", "g", type_=SqlText)


def _containing(part: Any) -> ColumnElement[str]:
    return literal("%") + _folded(part) + "%"


def _beginning(part: str) -> ColumnElement[str]:
    return _folded(part) + "%"
