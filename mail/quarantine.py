"""Quarantine: who is in it, why, and lifting it. What enters an address is a part of mail.tracking's statement.

A verdict says that the *address* is dead (a final refusal or report with one of the three reasons that do, never a
4xx), or that its owner complained. An address is quarantined when a verdict fell after whatever a person lifted last:
the moments decide, not the order in which news comes. An address corrected afterwards is another address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select, update

from errors import UserMistake
from extensions import db
from mail.fold import Fact
from mail.headers import wire_address
from mail.notes import one_line
from models import Address, Email, Suppression, User
from models.suppression import CANONICAL, Grounds
from models.words import EventKind, Reason

SOURCE = "quarantine"

_DEAD = ", ".join(f"'{reason.value}'" for reason in Reason if reason.address_dead)
_FINAL = ", ".join(f"'{kind.value}'" for kind in EventKind if kind.rank in (2, 5))
# The verdict of a fact. A report whose reader was not sure of it says so in data.address_dead.
_VERDICT = f"""fresh.kind = '{EventKind.COMPLAINED.value}' OR (
    fresh.reason IN ({_DEAD}) AND fresh.kind IN ({_FINAL}) AND coalesce(fresh.smtp_code, 500) >= 500
    AND coalesce(fresh.enhanced_code, '') NOT LIKE '4.%%'
    AND coalesce(fresh.data -> 'address_dead', 'true') = 'true')"""
# Part of tracking.RECORD's WITH. A verdict comes after the request of its e-mail and never from the future, whatever
# the clock of whoever says it.
CONDEMNED = f"""
condemned AS (
  INSERT INTO suppression (organisation_id, address, reason, email_id, shown_at)
  SELECT DISTINCT ON (organisation_id, address) organisation_id, address, reason, email_id, shown_at
  FROM (
    SELECT email.organisation_id, {CANONICAL} AS address, fresh.email_id,
      CASE WHEN fresh.kind = '{EventKind.COMPLAINED.value}' THEN '{Grounds.COMPLAINT.value}' ELSE fresh.reason END
        AS reason,
      least(greatest(fresh.occurred_at, email.created_at + interval '1 microsecond'), clock_timestamp()) AS shown_at
    FROM fresh JOIN email ON email.id = fresh.email_id JOIN address ON address.id = email.address_id
    WHERE {_VERDICT}
  ) AS verdict
  WHERE NOT EXISTS (
    SELECT FROM suppression AS past WHERE past.organisation_id = verdict.organisation_id
      AND past.address = verdict.address AND past.lifted_at >= verdict.shown_at)
  ORDER BY organisation_id, address, shown_at, email_id
  ON CONFLICT (organisation_id, address) WHERE lifted_at IS NULL DO NOTHING
)"""
# For a statement about address rows: the spell that lasts, and the e-mail that showed it.
HELD = f"""LEFT JOIN suppression AS held ON held.organisation_id = address.organisation_id
    AND held.address = {CANONICAL} AND held.lifted_at IS NULL
  LEFT JOIN email AS shown ON shown.id = held.email_id"""
STORY = """CASE WHEN held.id IS NOT NULL THEN
    jsonb_build_object('because', held.reason, 'since', held.shown_at, 'shown_by', shown.public_id) END"""


def quarantined(organisation_id: int, addresses: Iterable[str]) -> set[str]:
    """Those of the addresses (as given) that the organisation has in quarantine, in one statement."""
    wires: list[tuple[str, str]] = []
    for address in set(addresses):
        try:
            wires.append((address, wire_address(address)[0]))
        except UserMistake:  # no address: nothing was ever written to it
            continue
    if not wires:
        return set()
    found = db.session.connection().exec_driver_sql(
        "SELECT given FROM unnest(%(given)s::text[], %(wire)s::text[]) AS asked (given, wire) "
        "JOIN suppression ON organisation_id = %(organisation)s AND address = lower(wire) AND lifted_at IS NULL",
        {"organisation": organisation_id, "given": [a for a, _ in wires], "wire": [w for _, w in wires]},
    )  # fmt: skip
    return set(found.scalars())


def spell_of(email: Email) -> Suppression | None:
    """The spell of quarantine that an e-mail's address is in."""
    return spell(email.organisation_id, db.session.get_one(Address, email.address_id).address)


def spell(organisation_id: int, address: str) -> Suppression | None:
    """The spell of quarantine an address is in."""
    try:
        wire = wire_address(address)[0]
    except UserMistake:
        return None
    return db.session.scalar(
        select(Suppression).where(
            Suppression.organisation_id == organisation_id, Suppression.address == db.func.lower(wire),
            Suppression.lifted_at.is_(None),
        )
    )  # fmt: skip


def lift(held: Suppression, *, by: User, note: str = "") -> bool:
    """End a spell of quarantine, in the caller's transaction: from now on the address is written to again, until
    another verdict. False where it was ended already.
    """
    now = db.func.greatest(db.func.now(), Suppression.shown_at)
    lifted = db.session.scalar(
        update(Suppression)
        .where(
            Suppression.id == held.id, Suppression.organisation_id == by.organisation_id,
            Suppression.lifted_at.is_(None),
        )
        .values(lifted_at=now, lifted_by_id=by.id, lifted_note=one_line(note))
        .returning(Suppression.id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    db.session.expire(held)
    return lifted is not None


def not_sent(email_id: int, at: Any, story: dict[str, Any]) -> Fact:
    """The fact about an e-mail asked for to an address in quarantine; `story` is what STORY says of it."""
    return Fact(email_id, EventKind.NOT_SENT, SOURCE, "suppressed", at, Reason.SUPPRESSED, data=story)
