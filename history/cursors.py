"""Cursors: the place of a row in an order, signed so that nobody writes one by hand, opaque to whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from extensions import settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Cursor:
    """Stand at (at, id) of the order `order` and look `backward` or forward. `at` None: an e-mail that never left."""

    order: str
    backward: bool
    at: datetime | None
    id: int

    def write(self) -> str:
        """The cursor as text for an address."""
        stamp = None if self.at is None else (self.at - _EPOCH) // _MICROSECOND
        return _signer().dumps([self.order, int(self.backward), stamp, self.id])  # type: ignore[return-value]


def read(text: str, order: str) -> Cursor | None:
    """The cursor, None for none, for a forged one and for one of another order (the reader starts at the top)."""
    if not text:
        return None
    try:
        found, backward, stamp, row_id = _signer().loads(text)
        at = None if stamp is None else _EPOCH + stamp * _MICROSECOND
    except (BadData, ValueError, TypeError, OverflowError):
        return None
    return Cursor(order, bool(backward), at, row_id) if found == order else None


def _signer() -> URLSafeSerializer[Any]:
    return _signer_of(tuple(settings().signing_keys))


@lru_cache(4)
def _signer_of(keys: tuple[str, ...]) -> URLSafeSerializer[Any]:
    return URLSafeSerializer(list(keys), salt="history-cursor")
