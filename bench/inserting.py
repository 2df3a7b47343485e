"""What each index of `email` costs an insert: rows loaded into the table with all indexes, then without one in turn.

Everything happens in transactions that are rolled back, and the table is vacuumed after each; references are not
checked, but for one line. The rows are new e-mails as time brings them: the latest of all.
"""

from __future__ import annotations

from statistics import median

import psycopg

from bench import filling
from bench.tables import Table

ROWS = 100_000
_COLUMNS = """organisation_id, public_id, address_id, contact_id, training_session_id, sender_id, requested_by_id, type,
  subject, attachment_count, created_at, updated_at, sent_at, status, reason, treated_at, marks"""


def compare(table: Table, rounds: int = 3) -> None:
    """A line an index: µs a row it costs, and its size in the whole table."""
    bare = table.bare
    rows = min(ROWS, table.count // 2)
    _stage(bare, rows)
    found = filling.indexes(bare)
    try:
        bare.execute("SET session_replication_role = replica")
        everything = [_load(table, []) for _again in range(rounds)]
        without: dict[str, list[float]] = {index.name: [] for index in found}
        for _again in range(rounds):
            for index in found:
                without[index.name].append(_load(table, [index]))
            everything.append(_load(table, []))
        none = median(_load(table, found) for _again in range(rounds))
        bare.execute("SET session_replication_role = origin")
        checked = median(_load(table, []) for _again in range(rounds))
    finally:
        bare.execute("DROP TABLE IF EXISTS staged")
    whole = median(everything)
    print(f"\n{rows:,} e-mails into {table.name}: {rows / checked:,.0f} rows/s with references checked, "
          f"{rows / whole:,.0f} unchecked, {rows / none:,.0f} without any of these indexes")  # fmt: skip
    print(f" {'index':26} {'µs a row':>9} {'of the load':>12} {'MB':>8}")
    for index in sorted(found, key=lambda i: median(without[i.name])):
        cost = whole - median(without[index.name])
        print(f" {index.name:26} {cost / rows * 1e6:9.1f} {cost / whole:12.1%} {index.size / 1e6:8.0f}")


def _stage(bare: psycopg.Connection, rows: int) -> None:
    """The newest rows of the table again, under ids of their own, dated a little later."""
    names = [name.strip() for name in _COLUMNS.split(",")]
    later = "+ (SELECT now() - min(created_at) FROM newest)"
    changed = {at: f"{at} {later}" for at in ("created_at", "updated_at", "sent_at")}
    changed["public_id"] = "public_id || 'x'"
    taken = ", ".join(f"{changed.get(name, name)} AS {name}" for name in names)
    bare.execute("DROP TABLE IF EXISTS staged")
    bare.execute(
        f"CREATE UNLOGGED TABLE staged AS WITH newest AS (SELECT * FROM email ORDER BY id DESC LIMIT {rows}) "
        f"SELECT {taken} FROM newest ORDER BY id"
    )


def _load(table: Table, dropped: list[filling.Index]) -> float:
    """Seconds of the load without these indexes (Table.now's); nothing of it stays."""
    bare = table.bare
    with bare.transaction(force_rollback=True):
        for index in dropped:
            bare.execute(index.drop)
        began = table.now()
        bare.execute(f"INSERT INTO email ({_COLUMNS}) SELECT {_COLUMNS} FROM staged")
        spent = table.now() - began
    bare.execute("VACUUM email")
    return spent
