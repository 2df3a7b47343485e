"""PostgreSQL and Valkey, lent: to the supervisor for as long as it runs, to a command for its own duration.

Promises that several commands at once share one pair, that the last one stops it, and that none of them stops
what a supervisor runs. Where DATABASE_URL or REDIS_URL is set, its embedded twin is left alone.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from local.folders import prepare
from local.postgres import ROLE, Postgres
from local.valkey import Valkey
from places import Places

Server = Postgres | Valkey


def embedded(places: Places, database_url: str | None = None, redis_url: str | None = None) -> list[Server]:
    """The servers that these settings leave to us (default: the environment's), in the order they start."""
    database_url = database_url or os.environ.get("DATABASE_URL")
    redis_url = redis_url or os.environ.get("REDIS_URL")
    servers: list[Server] = []
    if database_url in (None, "", places.database_url()):
        servers.append(Postgres(places.data))
    if redis_url in (None, "", places.redis_url):
        servers.append(Valkey(places.data))
    return servers


@contextmanager
def running(places: Places, database_url: str | None = None, redis_url: str | None = None) -> Iterator[None]:
    """Servers that answer, with the database `sillage` in them, for the duration of the block.

    Uses those of a running `make run`; else starts them, and stops them when no other command needs them. A server
    that these settings (default: the environment's) name elsewhere is left alone. Raises CannotStart.
    """
    servers = embedded(places, database_url, redis_url)
    if not servers:
        yield
        return
    with _terminable(), _open(places, "users.lock") as users:
        with turn(places):
            fcntl.flock(users, fcntl.LOCK_SH)
            start(servers, outlive_us=True)
        try:
            yield
        finally:
            with turn(places):
                if _alone(users):
                    stop(servers)


@contextmanager
def turn(places: Places) -> Iterator[None]:
    """One process at a time starts or stops servers on this data folder."""
    with _open(places, "turn.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def in_use(places: Places) -> Iterator[bool]:
    """Be one of the servers' users; yields whether others already were (else whatever runs is a leftover)."""
    with _open(places, "users.lock") as users:
        others = not _alone(users)
        fcntl.flock(users, fcntl.LOCK_SH)
        yield others


def start(servers: list[Server], outlive_us: bool = False) -> None:
    """Start or adopt each in order, and make the database. Raises CannotStart."""
    for server in servers:
        server.start(outlive_us)
        if isinstance(server, Postgres):
            server.create_database(ROLE)


def stop(servers: list[Server], patience: float = 20.0) -> None:
    """Stop each, the last started first, with `patience` seconds for each."""
    for server in reversed(servers):
        server.stop(patience=patience)


def _open(places: Places, name: str) -> IO[bytes]:
    prepare(places)
    return (places.run / name).open("ab")


def _alone(users: IO[bytes]) -> bool:
    """Whether nobody else holds the users' lock (ours becomes exclusive then)."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _terminable() -> Iterator[None]:
    """Within it SIGTERM ends the block as Ctrl-C would, so that what was started gets stopped."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
