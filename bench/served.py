"""Requests a second as served: gunicorn with two synchronous workers, four askers at once, a connection each time.

In turn, for a second or so each: an empty answer, the bare page of fifty rows (bench.whole), the same with the
database's memory of look-ups off (`enable_memoize`: of millions of rows it expects so many that making room for them
takes longer than the page), and pages of the list. Printed: the median rates, and each ÷ the bare page's (target: 0.7).

    python -m bench.served --data FOLDER --sizes 10000,10000000
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from flask import Flask
from sqlalchemy import create_engine

import config
from app import create_app
from bench import tables, whole
from bench.web import gunicorn
from extensions import db

PATHS = {
    "empty": "/bench/empty", "bare page": "/bench/bare", "bare, no memoize": "/bench/plain",
    "list": "/emails?limit=50", "en erreur": "/emails?status=error", "a type": "/emails?type=convocation",
}  # fmt: skip
ASKERS = 4
WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where the databases are kept (default: a folder that is removed)")
    parser.add_argument("--sizes", default="10000,1000000", help="numbers of e-mails, the smallest first")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each path and round")
    options = parser.parse_args()
    folder = options.data or Path(tempfile.mkdtemp(prefix="served-"))
    try:
        run(folder, [int(size) for size in options.sizes.split(",")], options.rounds, options.seconds)
    finally:
        if options.data is None:
            shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, sizes: list[int], rounds: int, seconds: float) -> None:
    """Print a line for each size."""
    with tables.opened(folder, sizes, print) as made:
        for table in made:
            cookie = whole.signed_in(table).get_cookie("session")
            assert cookie is not None
            held: config.Config = table.app.extensions["sillage"]
            rates = measure(application(held), f"session={cookie.value}", rounds, seconds)
            bare = rates["bare page"]
            told = (f"{name} {rate:,.0f} ({rate / bare:.2f})" for name, rate in rates.items())
            print(f"requests a second, {table.name:>5}: {' · '.join(told)}", flush=True)


def application(held: config.Config) -> str:
    """What gunicorn is to serve, in its words."""
    return f"bench.served:served({str(held.data)!r}, {held.database_url!r}, {held.redis_url!r})"


def served(data: str, database_url: str, redis_url: str) -> Any:
    """Ours and the bare pages, as one WSGI application."""
    ours = create_app(
        config.Config(
            env="production", data=Path(data), secret_key=tables.SECRET, base_url="http://localhost",
            database_url=database_url, redis_url=redis_url,
        )
    )  # fmt: skip
    with ours.app_context():
        engine = db.engine
    plain = create_engine(database_url, connect_args={"options": "-c enable_memoize=off"})
    empty = Flask("empty")
    empty.add_url_rule("/", "empty", lambda: "Bonjour")
    others = {PATHS["empty"]: empty, PATHS["bare page"]: whole.bare_app(engine),
              PATHS["bare, no memoize"]: whole.bare_app(plain)}  # fmt: skip

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        other = others.get(environ["PATH_INFO"])
        return ours(environ, start) if other is None else other({**environ, "PATH_INFO": "/"}, start)

    return answer


def measure(what: str, cookie: str, rounds: int, seconds: float) -> dict[str, float]:
    """The median rate of each of PATHS, a first round thrown away."""
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    environment = {**os.environ, "PYTHONPATH": str(config.ROOT)}
    arguments = ["-w", str(WORKERS), "--log-level", "error"]
    with gunicorn(what, arguments, environment) as (port, _), ThreadPoolExecutor(ASKERS) as askers:
        for again in range(-1, rounds):
            for name, path in PATHS.items():
                began = time.perf_counter()
                asked = [askers.submit(_ask, port, path, cookie, began + seconds) for _asker in range(ASKERS)]
                rate = sum(one.result() for one in asked) / (time.perf_counter() - began)
                if again >= 0:
                    found[name].append(rate)
    return {name: median(rates) for name, rates in found.items()}


def _ask(port: int, path: str, cookie: str, until: float) -> int:
    """How often it was answered whole by then."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n".encode()
    count = 0
    while time.perf_counter() < until:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall(request)
            first = line.recv(262_144)
            if b" 200 " not in first[:16]:
                raise RuntimeError(f"{path}: {first[:200]!r}")
            while line.recv(262_144):
                pass
        count += 1
    return count


if __name__ == "__main__":
    main()
