"""Addresses of ours that stand in an e-mail and are that one e-mail's: where to confirm it, where to leave its kind.

Words are rendered while nobody knows the e-mail's number, so a place is kept for the address; mail.post fills it, and a
copy of the e-mail gets an address of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from extensions import settings
from mail import tokens

PLACE_TOKEN = "a" * tokens.LENGTH  # of no e-mail: what a preview leads to


@dataclass(frozen=True)
class OwnAddress:
    """One kind of such addresses: `kind` is the token's, `path` where its page stands."""

    kind: str
    path: str

    @cached_property
    def _token(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.path) + rf"([a-z2-7]{{{tokens.LENGTH}}})(?![a-z2-7])")

    def place(self) -> str:
        """What words say before the e-mail has a number."""
        return f"{settings().base_url}{self.path}{PLACE_TOKEN}"

    def of(self, email_id: int) -> str:
        """The address of that e-mail."""
        return f"{settings().base_url}{self.path}{tokens.token(self.kind, email_id)}"

    def stands_in(self, words: str) -> bool:
        """Whether such an address, or the place of one, stands in these words."""
        return self.path in words and bool(self._token.search(words))

    def moved(self, words: str, email_id: int | None) -> str:
        """Words of an earlier e-mail for a copy of it, which is `email_id` (None: it has no number yet)."""
        mine = tokens.token(self.kind, email_id) if email_id else PLACE_TOKEN

        def again(found: re.Match[str]) -> str:
            return self.path + mine if tokens.read(self.kind, found[1]) else found[0]

        return self._token.sub(again, words) if self.path in words else words


RECEIPT = OwnAddress("receipt", "/t/r/")
LEAVE = OwnAddress("leave", "/t/u/")
ALL = (RECEIPT, LEAVE)
