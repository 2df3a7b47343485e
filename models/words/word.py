"""What every word of the vocabulary is."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


def N_(text: str) -> str:
    """Mark a message id for extraction; translated where it is shown."""
    return text


class Word(StrEnum):
    """A StrEnum whose members carry a French `label`; extra attributes are set by subclasses."""

    label: str

    def __new__(cls, value: str, label: str, *_: object) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member
