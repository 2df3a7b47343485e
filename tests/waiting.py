"""Two at once, in an order that does not depend on luck: the second is started once the first holds what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from flask import Flask
from sqlalchemy import text

from extensions import db
from local.processes import wait_until


def held_up() -> bool:
    """Whether a transaction of this database waits for another."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(db.session.scalar(text(waits)))


@contextmanager
def beside(app: Flask, does: Callable[[], object]) -> Iterator[None]:
    """Another thread that `does` something meanwhile: the block begins once it waits for us, or is done."""

    def run() -> None:
        with app.app_context():
            does()

    other = Thread(target=run)
    other.start()
    try:
        wait_until(lambda: held_up() or not other.is_alive(), 60)
        yield
    finally:
        other.join()
