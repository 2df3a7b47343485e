"""The tables that bench.history reads: one database a size in a data folder of their own, each with an app on it.

Made where they are missing and kept for the next run; the server is the one of `make run`, with its settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import event

import config
from app import create_app
from bench import asking, filling
from extensions import db
from local.postgres import ROLE, Postgres
from local.valkey import Valkey

Statement = tuple[str, Any]
SECRET = "the bench's own secret key, long enough"


@dataclass
class Table:
    """A database of `count` e-mails, an app on it, and a bare connection as the app's own are made."""

    count: int
    app: Flask
    bare: psycopg.Connection
    held: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return short(self.count)

    @contextmanager
    def recorded(self) -> Iterator[list[Statement]]:
        """The statements that the app sends within the block."""
        sent: list[Statement] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            sent.append((statement, values))

        with self.app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            try:
                yield sent
            finally:
                event.remove(db.engine, "before_cursor_execute", note)
                db.session.remove()

    def seconds(self, statements: list[Statement]) -> float:
        """What these take on the bare connection, rows fetched: of the server process's own processor time where the
        system tells it (a busy machine changes the clock's tenfold), else by the clock."""
        began = self.now()
        for statement, values in statements:
            self.bare.execute(statement, values).fetchall()
        return self.now() - began

    def now(self) -> float:
        """Seconds of the server process's processor time, or of the clock."""
        try:
            told = Path(f"/proc/{self.bare.info.backend_pid}/schedstat").read_text().split()
        except OSError:
            return time.perf_counter()
        return int(told[0]) / 1e9

    def blocks(self, statements: list[Statement]) -> int:
        """How many blocks of the database these touch: the same on a busy machine."""
        total = 0
        for statement, values in statements:
            cursor = self.bare.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}", values)
            plan = cursor.fetchall()[0][0][0]["Plan"]
            total += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return total


def short(count: int) -> str:
    """10 k, 1 M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size and not count % size:
            return f"{count // size} {unit}"
    return str(count)


@contextmanager
def opened(folder: Path, counts: list[int], say: Callable[[str], None]) -> Iterator[list[Table]]:
    """Tables of these sizes under `folder`; servers run for the duration of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    postgres, valkey = Postgres(folder, fsync=False), Valkey(folder)
    ours = not postgres.alive()
    postgres.start()
    valkey.start()
    tables: list[Table] = []
    try:
        for count in counts:
            tables.append(_table(folder, postgres, valkey, count, say))
        yield tables
    finally:
        for table in tables:
            table.bare.close()
            with table.app.app_context():
                db.engine.dispose()
            table.app.extensions["redis"].close()
        valkey.stop()
        if ours:
            postgres.stop()


def connect(postgres: Postgres, name: str) -> psycopg.Connection:
    """A connection of our own to one of its databases."""
    return psycopg.connect(host=str(postgres.places.postgres_socket), user=ROLE, dbname=name)


def _table(folder: Path, postgres: Postgres, valkey: Valkey, count: int, say: Callable[[str], None]) -> Table:
    name = f"history_{count}"
    app = create_app(
        config.Config(
            env="production", data=folder, secret_key=SECRET,
            base_url="http://localhost", database_url=config.psycopg_url(postgres.create_database(name)),
            redis_url=valkey.url,
        )
    )  # fmt: skip
    with app.app_context():
        upgrade()
        db.session.remove()
    with connect(postgres, name) as connection:
        if connection.execute("SELECT NOT EXISTS (SELECT FROM organisation)").fetchone() == (True,):
            began = time.monotonic()
            filling.fill(connection, count, lambda said: say(f"{name} {time.monotonic() - began:5.0f} s {said}"))
    bare = connect(postgres, name)
    bare.autocommit, bare.prepare_threshold = True, 3
    return Table(count, app, bare, asking.sample(bare))
