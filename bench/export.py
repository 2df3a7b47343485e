"""Exports over HTTP beside psql's COPY of the same guarded statement, interleaved; the job and the workbook too.

    python -m bench.export [--database URL] [--rounds 5] [--job]

Of the organisation with the most e-mails in that database, or in the data folder's (SILLAGE_DATA). Prints, for CSV,
Excel's CSV, JSON and NDJSON, the median rows/s of psql and of our answer through gunicorn, their ratio (target: 0.8 or
more), the time to the first byte (target: 1 s) and how much the server's memory grew from what it was before its first
export (target: 20 MB). A round whose limit moved by more than 1.5 × is thrown away. `measure` is all of it, for others.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import psycopg as postgresql

import config
from app import create_app
from bench.web import gunicorn
from extensions import db, settings
from history import HistoryFilter, Scope, export_jobs, export_work
from history.export_cells import Format, as_lines, cells
from history.query import Question
from models import ApiToken, Email, Organisation, User
from models.words import Role
from people import accounts

FORMATS = (Format.CSV, Format.EXCEL, Format.JSON, Format.NDJSON)


def organisation() -> Organisation:
    """The one with the most e-mails."""
    count = select(Email.organisation_id).group_by(Email.organisation_id).order_by(func.count().desc()).limit(1)
    return db.session.get_one(Organisation, db.session.execute(count).scalar_one())


def person(house: Organisation) -> User:
    """Its admin; made where it has none."""
    user = db.session.scalar(select(User).where(User.organisation_id == house.id, User.role == Role.ADMIN).limit(1))
    if user is None:
        user = User(organisation_id=house.id, email=f"bench{house.id}@bench.example", name="Bench", password_hash="-",
                    role=Role.ADMIN)  # fmt: skip
        db.session.add(user)
        db.session.commit()
    return user


def statement(scope: Scope, format_: Format) -> str:
    """What psql runs: our own SELECT with its values written in, planned as PostgreSQL likes."""
    rows = Question(scope, HistoryFilter(), datetime.now(UTC)).all_rows(cells(scope.zone, format_))
    compiled = as_lines(rows, format_).compile(dialect=postgresql.dialect())
    with psycopg.connect(settings().database_url.replace("+psycopg", "")) as connection:
        written = psycopg.ClientCursor(connection).mogrify(str(compiled), compiled.params)
    how = "FORMAT csv, DELIMITER ';'" if format_ is Format.EXCEL else "FORMAT csv"
    if format_.is_json:
        how = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01'"
    return f"COPY ({written}) TO STDOUT WITH ({how})"


def by_psql(copy: str) -> float:
    """Seconds that psql takes for it, into /dev/null."""
    address = settings().database_url.replace("+psycopg", "")
    began = time.perf_counter()
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script, open(os.devnull, "w") as nowhere:
        script.write(copy + ";\n")
        script.flush()
        subprocess.run([shutil.which("psql") or "psql", "-qX", "-v", "ON_ERROR_STOP=1", address, "-f", script.name],
                       stdout=nowhere, check=True)  # fmt: skip
    return time.perf_counter() - began


def by_http(port: int, token: str, path: str) -> tuple[float, float, int]:
    """(seconds, seconds to the first byte, bytes) of our answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()[:500]
    size = len(answer.read(1))
    first = time.perf_counter() - began
    while piece := answer.read(1 << 20):
        size += len(piece)
    connection.close()
    return time.perf_counter() - began, first, size


def worker_of(master: int) -> int:
    """The process under gunicorn's master that answers."""
    return int(Path(f"/proc/{master}/task/{master}/children").read_text().split()[0])


def held(pid: int | str, what: str) -> int:
    """Its memory in KiB: VmRSS is what it holds, VmHWM the most it has held."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{what}:")[2].split()[0])


def compare(scope: Scope, token: str, rows: int, rounds: int, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A line of figures for each format."""
    arguments = ["-k", "gthread", "--threads", "4", "--log-level", "warning"]
    with gunicorn("app:create_app()", arguments, environment) as (port, master):
        by_http(port, token, "/emails?limit=1")  # everything is loaded, nothing exported
        before = held(worker_of(master), "VmRSS")
        for format_ in FORMATS:
            copy, found, path = statement(scope, format_), [], f"/emails/export?format={format_.value}"
            by_psql(copy), by_http(port, token, path)  # warm
            for _round in range(rounds):
                limit = by_psql(copy)
                ours, first, size = by_http(port, token, path)
                again = by_psql(copy)
                if max(limit, again) <= 1.5 * min(limit, again):
                    found.append(((limit + again) / 2, ours, first, size))
            if not found:
                yield {"format": format_.value, "rounds": 0, "why": "the machine is too busy"}
                continue
            limits, times, firsts, sizes = zip(*found, strict=True)
            yield {
                "format": format_.value, "rows": rows, "bytes": sizes[0], "rounds": len(found),
                "psql_rows_per_s": round(rows / median(limits)), "ours_rows_per_s": round(rows / median(times)),
                "ratio": round(median(limit / ours for limit, ours, *_ in found), 2),
                "first_byte_s": round(max(firsts), 3),
                "grew_mb": round((held(worker_of(master), "VmHWM") - before) / 1024, 1),
            }  # fmt: skip


def jobs(user: User, scope: Scope, rows: int) -> Iterator[dict[str, Any]]:
    """The same by a job, and a workbook."""
    for format_ in (Format.NDJSON, Format.XLSX):
        made = export_jobs.ask(user, scope, HistoryFilter(), format_)
        db.session.commit()
        began = time.perf_counter()
        export_work.run()
        took = time.perf_counter() - began
        most = held("self", "VmHWM") // 1024
        yield {"job": format_.value, "rows": rows, "rows_per_s": round(rows / took), "most_mb": most}
        export_jobs.remove(made.public_id)


def measure(database_url: str, rounds: int = 5, job: bool = False) -> Iterator[dict[str, Any]]:
    """The lines of figures, one after the other. The database stays as it was, but for a person and the jobs' rows."""
    with tempfile.TemporaryDirectory(prefix="bench-") as data:
        environment = os.environ | {"SILLAGE_DATA": data, "DATABASE_URL": database_url, "SILLAGE_ENV": "development"}
        app = create_app(config.read(environment))
        with app.app_context():
            house = organisation()
            user = person(house)
            key, token = accounts.new_token(user, "bench.export")
            db.session.commit()
            rows = db.session.scalar(select(func.count()).where(Email.organisation_id == house.id)) or 0
            scope, key_id = Scope(house.id, zone=house.timezone), key.id
            try:
                yield from compare(scope, token, rows, rounds, environment)
                if job:
                    yield from jobs(user, scope, rows)
            finally:
                db.session.rollback()
                db.session.execute(delete(ApiToken).where(ApiToken.id == key_id))
                db.session.commit()
                db.session.remove()
                db.engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", metavar="URL", help="instead of the data folder's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--job", action="store_true", help="also the job, with a workbook")
    options = parser.parse_args()
    with ExitStack() as running:
        url = options.database
        if url is None:
            app = create_app()
            running.enter_context(app.extensions["services"]())
            url = app.extensions["sillage"].database_url
        for line in measure(url, options.rounds, options.job):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
