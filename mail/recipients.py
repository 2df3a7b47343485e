"""Who a mailing goes to: the address rows of its drafts, made where new, with what quarantine says of each.

Two statements, however many drafts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from mail import mime, quarantine
from mail.compose import Draft


def of_drafts(
    connection: Connection, organisation_id: int, drafts: Sequence[Draft]
) -> dict[tuple[str, str], tuple[int, str, dict[str, Any] | None]]:
    """(address, name) → (address_id, envelope address, why it is in quarantine), made where new."""
    wanted = sorted({(draft.recipient, draft.name) for draft in drafts})
    envelopes = {pair: mime.wire_address(pair[0])[0] for pair in wanted}
    values = {
        "organisation": organisation_id,
        "address": [address for address, _ in wanted],
        "name": [name for _, name in wanted],
        "domain": [envelopes[pair].rpartition("@")[2].lower() for pair in wanted],
    }
    connection.exec_driver_sql(
        "INSERT INTO address (organisation_id, address, name, domain) SELECT %(organisation)s, * "
        "FROM unnest(%(address)s::text[], %(name)s::text[], %(domain)s::text[]) ON CONFLICT DO NOTHING",
        values,
    )
    rows = connection.exec_driver_sql(
        f"SELECT address.id, address.address, address.name, {quarantine.STORY} FROM address "
        "JOIN unnest(%(address)s::text[], %(name)s::text[]) AS wanted (address, name) "
        f"ON (address.address, address.name) = (wanted.address, wanted.name) {quarantine.HELD} "
        "WHERE address.organisation_id = %(organisation)s",
        values,
    )
    return {(address, name): (id, envelopes[address, name], story) for id, address, name, story in rows}
