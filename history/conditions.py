"""Conditions: the few shapes that a filter's SQL takes, so that history.query can walk the index that serves them.

`Among` and `Within` are read from an index, `Belongs` walks an index of its own, `Text` is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import (
    Boolean,
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    any_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY

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


@dataclass(frozen=True)
class Among:
    """The e-mail's status, type, reason or having of attachments is one of `values`."""

    dimension: Dimension
    values: tuple[Any, ...]

    def holds(self) -> ColumnElement[bool]:
        kind: Any = Boolean if self.dimension == "files" else SqlText
        plain = [value if self.dimension == "files" else str(value) for value in self.values]
        column = DIMENSIONS[self.dimension]
        return column == (literal(plain[0], kind()) if len(plain) == 1 else any_(cast(literal(plain), ARRAY(kind))))


@dataclass(frozen=True)
class Within:
    """The chosen date is in start ≤ x < end; None is open."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Belongs:
    """The e-mail is of one of few sessions, contacts or opportunities: `column` is one of `ids` (one, or a select)."""

    column: Literal["training_session_id", "contact_id", "opportunity_id"]
    ids: int | ScalarSelect[Any] | Select[Any]


@dataclass(frozen=True)
class Test:
    """A plain test of the e-mail's own columns. `indexed`: an index holds just those that pass it, in order."""

    clause: ColumnElement[bool]
    indexed: bool = False


class Text(Protocol):
    """Words to look for. `column` is what a walked e-mail must carry along for `holds`; where less than `worth` of
    the walked e-mails hold them, their own index is quicker than walking on (measured: docs/decisions)."""

    column: str
    worth: float

    def holds(self, walked: Any) -> ColumnElement[bool]:
        """Whether a row of `walked` (anything with .c or the e-mail's own columns) holds the words."""
        ...


@dataclass(frozen=True)
class WordsOfSubject:
    """Every word of `text` begins a word of the subject."""

    organisation_id: int
    text: str
    column: str = "subject_words"
    worth: float = 0.002

    def holds(self, walked: Any) -> ColumnElement[bool]:
        return walked.subject_words.bool_op("@@")(func.words_query(self.organisation_id, self.text))


@dataclass(frozen=True)
class TextOfOwner:
    """`matches` holds for the row of `key`'s table that the e-mail's `column` points to."""

    column: Literal["address_id", "contact_id", "training_session_id"]
    key: Any  # that table's primary key
    organisation: Any  # that table's organisation_id
    matches: ColumnElement[bool]
    worth: float = 0.008

    def holds(self, walked: Any) -> ColumnElement[bool]:
        # A scalar subselect stays what it is: the planner cannot turn it into a join that reads all matches first.
        return select(self.matches).where(self.key == getattr(walked, self.column)).scalar_subquery()

    def ids(self, organisation_id: int) -> Select[Any]:
        """The ids of that table's rows that match."""
        return select(self.key.label("id")).where(self.organisation == organisation_id, self.matches)


@dataclass(frozen=True)
class AmongOwners:
    """The e-mail's `column` is one of `members`, few or many: walked among the newest where they are frequent, else
    the newest of each. None is left out, however many they are."""

    column: Literal["address_id", "contact_id"]
    members: Select[Any]
    worth: float = 0.008

    def holds(self, walked: Any) -> ColumnElement[bool]:
        return getattr(walked, self.column).in_(self.members)

    def ids(self, _organisation_id: int) -> Select[Any]:
        return self.members


def recipient_text(organisation_id: int, text: str) -> TextOfOwner:
    """Every part of `text` is contained in "address name", folded; one without three letters in a row begins words."""
    tests = [
        Address.words.bool_op("@@")(func.words_query(organisation_id, part))
        if is_short(part)
        else Address.folded.like(_containing(part))
        for part in _parts(text)
    ]
    return TextOfOwner("address_id", Address.id, Address.organisation_id, and_(*tests))


def contact_text(organisation_id: int, text: str) -> TextOfOwner:
    """The same over the contact's name, as lists sort it (last name, first name)."""
    name = Contact.sort_name
    tests = [
        or_(name.like(_beginning(part)), name.like(func.concat("% ", _beginning(part))))
        if is_short(part)
        else name.like(_containing(part))
        for part in _parts(text)
    ]
    return TextOfOwner("contact_id", Contact.id, Contact.organisation_id, and_(*tests))


def session_text(organisation_id: int, text: str) -> TextOfOwner:
    """Every word of `text` begins a word of the session's title or reference."""
    owner = TrainingSession.organisation_id
    words = func.words_of(owner, TrainingSession.title + " " + TrainingSession.reference)
    matches = words.bool_op("@@")(func.words_query(organisation_id, text))
    return TextOfOwner("training_session_id", TrainingSession.id, owner, matches)


def _parts(text: str) -> list[str]:
    return [part for part in text.split() if any(c.isalnum() for c in part)]


def _folded(part: str) -> ColumnElement[str]:
    # Escaped after folding, which can make a % (％) or a \ (＼).
    return func.regexp_replace(func.fold_text(part), r"([\\%_])", r"\\\1", "g")


def _containing(part: str) -> ColumnElement[str]:
    return func.concat("%", _folded(part), "%")


def _beginning(part: str) -> ColumnElement[str]:
    return func.concat(_folded(part), "%")
