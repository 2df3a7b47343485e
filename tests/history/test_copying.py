"""COPY read past psycopg's rows: the same bytes, a reader that leaves stops it, an error is psycopg's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask

from extensions import db
from history import copying

MANY = "COPY (SELECT n || repeat('é', 200) FROM generate_series(1, 100000) AS n) TO STDOUT"


@pytest.fixture
def raw(app: Flask) -> Iterator[psycopg.Connection[Any]]:
    with db.engine.connect() as connection:
        yield connection.connection.driver_connection  # type: ignore[misc]


def test_the_bytes_are_those_of_psycopg_in_batches_of_whole_rows(raw: psycopg.Connection[Any]) -> None:
    with raw.cursor().copy(MANY) as copy:
        known = b"".join(copy)
    found = list(copying.batches(raw, MANY))
    assert b"".join(found) == known
    assert len(found) > 100 and all(batch.endswith(b"\n") for batch in found)
    assert max(map(len, found)) < 2 * copying.BATCH_BYTES


def test_nothing_to_copy_is_nothing(raw: psycopg.Connection[Any]) -> None:
    assert list(copying.batches(raw, "COPY (SELECT 1 WHERE false) TO STDOUT")) == []


def test_values_are_put_in_as_values(raw: psycopg.Connection[Any]) -> None:
    hostile = "a'; DROP TABLE email; -- \\ %"
    found = b"".join(copying.batches(raw, "COPY (SELECT %(value)s::text) TO STDOUT (FORMAT csv)", {"value": hostile}))
    assert found == hostile.encode() + b"\n"


def test_a_statement_longer_than_a_socket_holds_is_sent_whole(raw: psycopg.Connection[Any]) -> None:
    long = "COPY (SELECT length(%(value)s::text)) TO STDOUT"
    assert b"".join(copying.batches(raw, long, {"value": "é" * 4_000_000})) == b"4000000\n"


def test_a_reader_that_leaves_stops_the_statement(raw: psycopg.Connection[Any]) -> None:
    # among the columns, for in FROM it is made whole before its first row
    endless = "COPY (SELECT generate_series(1, 1000000000), repeat('x', 500)) TO STDOUT"
    batches = copying.batches(raw, endless)
    assert next(batches)
    batches.close()  # type: ignore[attr-defined]
    raw.rollback()
    assert raw.execute("SELECT 1").fetchone() == (1,)


def test_an_error_on_the_way_is_psycopgs_and_the_connection_goes_on(raw: psycopg.Connection[Any]) -> None:
    breaks = "COPY (SELECT 1000 / (50000 - n), repeat('x', 50) FROM generate_series(1, 60000) AS n) TO STDOUT"
    with pytest.raises(psycopg.errors.DivisionByZero):
        list(copying.batches(raw, breaks))
    raw.rollback()
    with pytest.raises(psycopg.errors.UndefinedTable):
        list(copying.batches(raw, "COPY (SELECT FROM no_such_table) TO STDOUT"))
    raw.rollback()
    assert raw.execute("SELECT 1").fetchone() == (1,)


def test_what_is_no_copy_is_refused(raw: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error):
        list(copying.batches(raw, "SELECT 1"))
    raw.rollback()
    assert raw.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_goes_away_is_an_error(raw: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        list(copying.batches(raw, "COPY (SELECT pg_terminate_backend(pg_backend_pid())) TO STDOUT"))
    raw.close()
