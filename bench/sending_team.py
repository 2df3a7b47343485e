"""How sending grows with lines and with workers: drains in processes of their own, at one queue and one sink.

Workers are warm when the clock starts: their lines open and shared out (mail.pace does so every two seconds).
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import text

from extensions import db
from mail.drain import drain

if TYPE_CHECKING:
    from bench.sending import Place

LATENCY = 0.05
_WARM, _PATIENCE = 5.0, 300.0  # seconds


def lines(place: Place, options: argparse.Namespace) -> None:
    """1 and 8 lines of one worker to a server with a delay."""
    from bench import sending

    count = options.emails // 5
    rates: dict[int, list[float]] = {1: [], 8: []}
    with sending.sink(latency=LATENCY) as server:
        for _ in range(options.rounds):
            for number, found in rates.items():
                with crew(place, server.port, 1, number):
                    found.append(timed(place, max(40, count * number // 8)))
    one, eight = (median(found) for found in rates.values())
    print(f"  1 line {one:.0f} a second, 8 lines {eight:.0f}: {eight / one:.2f} × (target: 7)", flush=True)


def workers(place: Place, options: argparse.Namespace) -> None:
    """1, 2 and 4 workers to a server with a delay; 1 and 2 to one without."""
    from bench import sending

    for latency, numbers, targets in ((LATENCY, (1, 2, 4), (1.8, 3.4)), (0.0, (1, 2), (1.4,))):
        # without a delay enough of them that no worker claims a large part of all at once
        count = options.emails * 8 if not latency else options.emails // 2
        rates: dict[int, list[float]] = {number: [] for number in numbers}
        with sending.sink(latency=latency) as server:
            for _ in range(options.rounds):
                for number, found in rates.items():
                    with crew(place, server.port, number, 8):
                        found.append(timed(place, count * number if latency else count))
        one, *more = (median(found) for found in rates.values())
        told = ", ".join(
            f"{number}: {rate:.0f}, {rate / one:.2f} × (target: {target})"
            for number, rate, target in zip(numbers[1:], more, targets, strict=True)
        )
        print(f"  delay {latency * 1e3:.0f} ms: 1 worker {one:.0f} a second; {told}", flush=True)


@contextmanager
def crew(place: Place, port: int, number: int, each: int) -> Iterator[None]:
    """So many workers, warm, in processes of their own, killed at the end of the block."""
    from bench import sending

    sending.configure(place.app, port, each)
    object.__setattr__(place.app.extensions["tracked_mail"].config, "mail_connections", each * number)
    db.session.remove()
    db.engine.dispose()
    sending.forget_engine(place.app)
    pids = [_worker(place) for _ in range(number)]
    try:
        warm = time.monotonic() + _WARM
        while time.monotonic() < warm:
            sending.ask(place, 4 * number, ())
            time.sleep(0.2)
        _until_sent()
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        db.session.execute(text("DELETE FROM drain"))
        db.session.commit()


def timed(place: Place, count: int) -> float:
    """E-mails a second, from the commit that asks for them until the last status is committed."""
    from bench import sending

    sending.ask(place, count, ())
    began = time.perf_counter()
    _until_sent()
    return count / (time.perf_counter() - began)


def _until_sent() -> None:
    end = time.monotonic() + _PATIENCE
    while db.session.execute(text("SELECT EXISTS (SELECT FROM outbox_entry)")).scalar_one():
        db.session.rollback()
        if time.monotonic() > end:
            raise RuntimeError("the workers send no more")
        time.sleep(0.02)
    db.session.rollback()


def _worker(place: Place) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        place.app.extensions["redis"].connection_pool.reset()
        object.__setattr__(place.app.extensions["tracked_mail"].config, "drain_linger", 600.0)
        parent = os.getppid()
        while os.getppid() == parent:
            drain(lambda: os.getppid() != parent)
    finally:
        os._exit(0)
