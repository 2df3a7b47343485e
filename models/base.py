"""What every model stands on: the typed base, columns for the fixed vocabulary, public ids, moments."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Text, TypeDecorator, func
from sqlalchemy.orm import DeclarativeBase, mapped_column

from extensions import db
from models.words import Word

if TYPE_CHECKING:

    class Model(DeclarativeBase):
        """db.Model is untyped for mypy; at run time it is db.Model."""
else:
    Model = db.Model

# Crockford's alphabet in lower case: no i, l, o, u, so that an id can be read over the phone.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

bigid = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now(), nullable=False)]


def public_id(prefix: str, length: int = 10) -> str:
    """A random id for addresses and the API, such as E-7m2k9x0c4t (50 bits at 10 characters; unique in its table)."""
    return f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


class WordColumn(TypeDecorator[Any]):
    """text in the database, a member of a Word in Python."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else str(self.words(value).value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else self.words(value)


def word(words: type[Word], **kwargs: Any) -> Any:
    """A column of one fixed vocabulary; pair it with one_of() in __table_args__."""
    return mapped_column(WordColumn(words), **kwargs)


def one_of(column: str, words: type[Word]) -> CheckConstraint:
    """CHECK that the column holds one of the words."""
    listed = ", ".join(f"'{w.value}'" for w in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def owner() -> Any:
    """The organisation that owns the row; every owned table has it and every query names it."""
    return mapped_column(BigInteger, ForeignKey("organisation.id", ondelete="CASCADE"), nullable=False)
