"""COPY to the client, read as libpq hands it over: of ten million rows each step between is felt.

psycopg's own `Cursor.copy` starts a generator and a wait for every row, which took as long again as all else that is
done with it. This puts the same questions to the same libpq (`PGconn`, which psycopg documents) and waits only when
there is nothing to read.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg.pq import ConnStatus, ExecStatus, PGconn

# Gathered into one batch before it is handed on.
BATCH_BYTES = 128 * 1024


def batches(connection: psycopg.Connection[Any], statement: str, values: Any = None) -> Iterator[bytes]:
    """What `COPY … TO STDOUT` says, in batches of whole rows, in the connection's transaction. A reader that stops
    before the end stops the statement. Errors: psycopg's."""
    line = connection.pgconn
    wait = _waiter(line)
    copying = False
    line.send_query(psycopg.ClientCursor(connection).mogrify(statement, values).encode())
    try:
        while line.flush():
            wait(writing=True)
        _expect(line, wait, ExecStatus.COPY_OUT)
        copying, read = True, line.get_copy_data
        gathered: list[Any] = []
        held = 0
        while (found := read(1))[0] >= 0:
            count, row = found
            if not count:
                wait()
                continue
            gathered.append(row)
            held += count
            if held > BATCH_BYTES:
                yield b"".join(gathered)
                gathered, held = [], 0
        copying = False
        _expect(line, wait, ExecStatus.COMMAND_OK)
        if gathered:
            yield b"".join(gathered)
    finally:
        if line.status == ConnStatus.OK:
            _finish(connection, copying)


def _finish(connection: psycopg.Connection[Any], copying: bool) -> None:
    """Leave the connection as one that has nothing under way; what is copied still is stopped."""
    line = connection.pgconn
    if copying:
        connection.cancel_safe(timeout=5)
        while line.get_copy_data(0)[0] > 0:
            pass
    while line.get_result():
        pass


def _waiter(line: PGconn) -> Callable[..., None]:
    """Waits until the server has said something, and takes it in; or, when `writing`, until it hears more."""

    def wait(writing: bool = False) -> None:
        there = select.poll()
        there.register(line.socket, select.POLLIN | select.POLLOUT * writing)
        if any(event & ~select.POLLOUT for _socket, event in there.poll()):
            line.consume_input()

    return wait


def _expect(line: PGconn, wait: Callable[..., None], status: ExecStatus) -> None:
    while line.is_busy():
        wait()
    result = line.get_result()
    if result is None or result.status != status:
        raise psycopg.errors.error_from_result(result) if result else psycopg.OperationalError("no answer to COPY")
