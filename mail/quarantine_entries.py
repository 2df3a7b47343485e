"""Addresses that a person or a program puts into quarantine: a list brought from elsewhere, or one of the API.

The rule is mail.quarantine's: the moments decide. An entry is a verdict of its moment (now, where none is given), so
one from before the last lift changes nothing. `foresee` says what `enter` would do; each is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from errors import UserMistake
from extensions import db
from mail.headers import wire_address
from models.suppression import Grounds
from models.words import N_, Word


class Fate(Word):
    """What becomes of an entry."""

    NEW = ("new", N_("Entre en quarantaine"))
    HELD = ("held", N_("Y est déjà"))
    LIFTED = ("lifted", N_("Levée depuis cette date"))
    TWICE = ("twice", N_("Déjà dans le fichier"))
    WRONG = ("wrong", N_("À corriger"))


@dataclass(frozen=True)
class Entry:
    """An address as given, why, and since when (None: from now on)."""

    address: str
    grounds: Grounds
    since: datetime | None = None


# Entries with their canonical form, and what is known of each. A moment never lies ahead.
_ASKED = """
asked AS (
  SELECT place, address, reason, least(coalesce(since, clock_timestamp()), clock_timestamp()) AS shown_at
  FROM unnest(%(place)s::int[], %(address)s::text[], %(reason)s::text[], %(since)s::timestamptz[])
    AS given (place, address, reason, since)
), judged AS (
  SELECT asked.*,
    EXISTS (SELECT FROM suppression AS s WHERE s.organisation_id = %(organisation)s AND s.address = asked.address
            AND s.lifted_at IS NULL) AS held,
    EXISTS (SELECT FROM suppression AS s WHERE s.organisation_id = %(organisation)s AND s.address = asked.address
            AND s.lifted_at >= asked.shown_at) AS lifted
  FROM asked
)"""


def canonical(address: str) -> str | None:
    """The form in which an address is compared; None for what is no address."""
    try:
        return wire_address(address.strip())[0].lower()
    except UserMistake:
        return None


def foresee(organisation_id: int, entries: Sequence[Entry]) -> list[Fate]:
    """The fate of each entry, in order."""
    fates, asked = _sorted(entries)
    if asked["place"]:
        rows = _connection().exec_driver_sql(
            f"WITH {_ASKED} SELECT place, held, lifted FROM judged", asked | {"organisation": organisation_id}
        )
        for place, held, lifted in rows:
            fates[place] = Fate.HELD if held else Fate.LIFTED if lifted else Fate.NEW
    return [fates[place] for place in range(len(entries))]


def enter(organisation_id: int, entries: Sequence[Entry]) -> list[str]:
    """Enter those that are new, in the caller's transaction. Returns the public ids of the spells that began."""
    _fates, asked = _sorted(entries)
    if not asked["place"]:
        return []
    rows = _connection().exec_driver_sql(
        f"""WITH {_ASKED} INSERT INTO suppression (organisation_id, address, reason, shown_at)
        SELECT %(organisation)s, address, reason, shown_at FROM judged WHERE NOT held AND NOT lifted ORDER BY place
        ON CONFLICT (organisation_id, address) WHERE lifted_at IS NULL DO NOTHING RETURNING public_id""",
        asked | {"organisation": organisation_id},
    )
    return list(rows.scalars())


def _connection() -> Connection:
    return db.session.connection()


def _sorted(entries: Sequence[Entry]) -> tuple[dict[int, Fate], dict[str, Any]]:
    """The fates already certain (no address, named before), and the others as parameters."""
    fates: dict[int, Fate] = {}
    seen: set[str] = set()
    asked: dict[str, list[Any]] = {"place": [], "address": [], "reason": [], "since": []}
    for place, entry in enumerate(entries):
        address = canonical(entry.address)
        if address is None:
            fates[place] = Fate.WRONG
        elif address in seen:
            fates[place] = Fate.TWICE
        else:
            seen.add(address)
            since = entry.since.astimezone(UTC) if entry.since else None
            for name, value in zip(asked, (place, address, entry.grounds.value, since), strict=True):
                asked[name].append(value)
    return fates, asked
