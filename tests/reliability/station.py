"""A house of a test's own whose servers may be killed: PostgreSQL as it runs for people (with fsync), Valkey, the app,
a mail server, workers. The other tests' servers know nothing of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import redis
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text

from app import create_app
from config import Config, psycopg_url
from extensions import db, limiter
from local.postgres import Postgres
from local.valkey import Valkey
from people import accounts
from tests.conftest import House, make_house
from tests.crew import Crew, Nursery
from tests.reliability.disk import Disk, small_disk
from tests.smtp_server import SmtpServer

LEASE = 2.0


@dataclass
class Station:
    """The servers and the app; `house` is new in each test, its tables and Valkey are empty before."""

    postgres: Postgres
    valkey: Valkey
    app: Flask
    nursery: Nursery
    server: SmtpServer
    house: House
    disk: Disk

    @contextlib.contextmanager
    def crew(self, **settings: str) -> Iterator[Crew]:
        """Workers of this house, none yet."""
        with Crew(self.nursery, self.app, self.server.port, **{"SILLAGE_LEASE": str(LEASE)} | settings) as crew:
            yield crew

    def store(self) -> redis.Redis:
        """A client of Valkey that is not the app's."""
        return redis.Redis.from_url(self.valkey.url, socket_timeout=5)

    def signal_valkey(self, number: signal.Signals) -> None:
        """SIGSTOP makes it mute (a line that nobody answers), SIGCONT lets it speak again."""
        os.kill(json.loads((self.valkey.places.run / "valkey.pid").read_text())[0], number)

    def machine_dies(self, crew: Crew) -> None:
        """kill -9 everything at once: workers, Valkey, PostgreSQL with all its processes."""
        for worker in crew.workers:
            worker.kill()
        self.valkey.kill()
        self.postgres.stop("immediate")
        db.session.remove()

    def machine_starts(self) -> None:
        """Bring the servers back as they were left."""
        self.postgres.start()
        self.valkey.start()


@contextlib.contextmanager
def servers(folder: Path, config: Config) -> Iterator[tuple[Postgres, Valkey, Flask, Disk]]:
    """The two servers and an app on them, with rate limits as a real one has them, on a disk of their own."""
    with small_disk(folder, 768) as disk:
        yield from _servers(disk, config)


def _servers(disk: Disk, config: Config) -> Iterator[tuple[Postgres, Valkey, Flask, Disk]]:
    folder = disk.path
    postgres, valkey = Postgres(folder / "pg"), Valkey(folder / "valkey")
    postgres.start()
    valkey.start()
    app = create_app(
        replace(
            config, env="development", database_url=psycopg_url(postgres.create_database("station")),
            redis_url=valkey.url, lease=LEASE, data=folder / "data", bounce_maildir=folder / "bounces",
        )
    )  # fmt: skip
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as a real one
    limiter.enabled = False
    try:
        with app.app_context():
            upgrade()
        yield postgres, valkey, app, disk
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        if "outbox_engine" in app.extensions:
            app.extensions["outbox_engine"].dispose()
        app.extensions["redis"].close()
        valkey.kill()
        postgres.stop("immediate")


@contextlib.contextmanager
def station(made: tuple[Postgres, Valkey, Flask, Disk], nursery: Nursery) -> Iterator[Station]:
    """A station with a new house on servers that run, whatever the test before did to them."""
    postgres, valkey, app, disk = made
    disk.empty()
    postgres.start()
    valkey.start()
    with app.app_context(), SmtpServer() as server:
        db.engine.dispose()  # connections to what was killed
        tables = ", ".join(f'"{table.name}"' for table in db.metadata.sorted_tables)
        db.session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        db.session.commit()
        app.extensions["redis"].flushall()
        limiter.enabled = True
        try:
            house = make_house("Atelier Cassiopée", "cassiopee.example")
            accounts.prefer_digest(house.admin, False)  # on a working morning the cron would count it in
            db.session.commit()
            yield Station(postgres, valkey, app, nursery, server, house, disk)
        finally:
            limiter.enabled = False
            disk.empty()
            db.session.remove()
