"""Who a mailing goes to: the address rows of its drafts, made where new, with what keeps an e-mail from each.

Two statements, however many drafts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection

from mail import leaving, mime, quarantine
from mail.compose import Draft
from mail.fold import Fact

# (e-mail's id, moment) → the fact that says why it was not sent
HeldBack = Callable[[int, Any], Fact]


def of_drafts(
    connection: Connection, organisation_id: int, drafts: Sequence[Draft]
) -> dict[tuple[str, str, str], tuple[int, str, HeldBack | None]]:
    """(address, name, type) → (address_id, envelope address, what keeps it back: quarantine, or that its recipient left
    this type), made where new."""
    wanted = sorted({(draft.recipient, draft.name, str(draft.type)) for draft in drafts})
    envelopes = {one[0]: mime.wire_address(one[0])[0] for one in wanted}
    pairs = sorted({one[:2] for one in wanted})
    connection.exec_driver_sql(
        "INSERT INTO address (organisation_id, address, name, domain) SELECT %(organisation)s, * "
        "FROM unnest(%(address)s::text[], %(name)s::text[], %(domain)s::text[]) ON CONFLICT DO NOTHING",
        {
            "organisation": organisation_id,
            "address": [address for address, _ in pairs],
            "name": [name for _, name in pairs],
            "domain": [envelopes[address].rpartition("@")[2].lower() for address, _ in pairs],
        },
    )
    rows = connection.exec_driver_sql(
        f"SELECT address.id, address.address, address.name, wanted.type, {quarantine.STORY}, {leaving.STORY} "
        "FROM address "
        "JOIN unnest(%(address)s::text[], %(name)s::text[], %(type)s::text[]) AS wanted (address, name, type) "
        f"ON (address.address, address.name) = (wanted.address, wanted.name) {quarantine.HELD} {leaving.LEFT} "
        "WHERE address.organisation_id = %(organisation)s",
        {
            "organisation": organisation_id,
            "address": [one[0] for one in wanted],
            "name": [one[1] for one in wanted],
            "type": [one[2] for one in wanted],
        },
    )
    return {
        (address, name, type): (id, envelopes[address], _held_back(held, left))
        for id, address, name, type, held, left in rows
    }


def _held_back(held: dict[str, Any] | None, left: dict[str, Any] | None) -> HeldBack | None:
    if held:
        return partial(quarantine.not_sent, story=held)
    return partial(leaving.called_off, story=left) if left else None
