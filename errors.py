"""The three families of errors. A leaf: it imports nothing of ours.

UserMistake is shown on the form (422). Temporary will pass if tried again; Permanent will not. The messages are
French message ids marked with N_; whoever shows one translates it: `_(mistake.message, **mistake.values)`.
"""

from __future__ import annotations

from typing import Any


class UserMistake(Exception):
    """Something a person can put right. `field` names the form's field it belongs to, where it belongs to one;
    `values` fill the %(name)s of the message after translation."""

    def __init__(self, message: str, field: str | None = None, **values: Any) -> None:
        super().__init__(message % values if values else message)
        self.message, self.field, self.values = message, field, values


class Temporary(Exception):
    """It did not work now and may work later: a network fault, a full disk, a lock."""


class Permanent(Exception):
    """It will not work however often it is tried: bytes that are gone, a record that contradicts itself."""
