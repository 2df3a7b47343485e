"""Exports over HTTP beside psql's COPY of the same guarded statement, interleaved; the job and the workbook too.

    SILLAGE_DATA=… python -m bench.export [--rounds 5] [--job]

Needs a data folder with e-mails (`flask seed`). Prints, for CSV, Excel's CSV and NDJSON, the median rows/s of psql and
of our answer through gunicorn, their ratio (target: 0.8 or more), the time to the first byte (target: 1 s) and how much
the server's memory grew (target: 20 MB). A round whose limit moved by more than 1.5 × is thrown away.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import psycopg as postgresql

from app import create_app
from extensions import db, settings
from history import HistoryFilter, Scope, export_jobs, export_work
from history.export_cells import Format, as_lines, cells
from history.query import Question
from models import Email, Organisation, User
from models.words import Role
from people import accounts

FORMATS = (Format.CSV, Format.EXCEL, Format.NDJSON)


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


def by_http(port: int, token: str, format_: Format) -> tuple[float, float, int]:
    """(seconds, seconds to the first byte, bytes) of our answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    connection.request("GET", f"/api/v1/emails/export?format={format_.value}",
                       headers={"Authorization": f"Bearer {token}"})  # fmt: skip
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()[:500]
    size = len(answer.read(1))
    first = time.perf_counter() - began
    while piece := answer.read(1 << 20):
        size += len(piece)
    connection.close()
    return time.perf_counter() - began, first, size


def memory(pid: int) -> int:
    """The most that the worker under gunicorn's master `pid` has ever held, in KiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{children[0]}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def compare(scope: Scope, token: str, rows: int, rounds: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "4",
               "--no-control-socket", "--log-level", "warning", "app:create_app()"]  # fmt: skip
    server = subprocess.Popen(command)
    try:
        for _try in range(300):
            with socket.socket() as there:
                if not there.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        for format_ in FORMATS:
            copy = statement(scope, format_)
            by_psql(copy), by_http(port, token, format_)  # warm
            before, found = memory(server.pid), []
            for _round in range(rounds):
                limit, again = by_psql(copy), 0.0
                ours, first, size = by_http(port, token, format_)
                again = by_psql(copy)
                if max(limit, again) <= 1.5 * min(limit, again):
                    found.append(((limit + again) / 2, ours, first, size))
            if not found:
                print(json.dumps({"format": format_.value, "rounds": 0, "why": "the machine is too busy"}), flush=True)
                continue
            limits, times, firsts, sizes = zip(*found, strict=True)
            print(json.dumps({
                "format": format_.value, "rows": rows, "bytes": sizes[0], "rounds": len(found),
                "psql_rows_per_s": round(rows / median(limits)), "ours_rows_per_s": round(rows / median(times)),
                "ratio": round(median(limit / ours for limit, ours, *_ in found), 2),
                "first_byte_s": round(max(firsts), 3), "grew_mb": round((memory(server.pid) - before) / 1024, 1),
            }), flush=True)  # fmt: skip
    finally:
        server.terminate()
        server.wait(20)


def jobs(user: User, scope: Scope, rows: int) -> None:
    """The same by a job, and a workbook."""
    for format_ in (Format.NDJSON, Format.XLSX):
        made = export_jobs.ask(user, scope, HistoryFilter(), format_)
        db.session.commit()
        began = time.perf_counter()
        export_work.run()
        took = time.perf_counter() - began
        held = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
        print(json.dumps({"job": format_.value, "rows": rows, "rows_per_s": round(rows / took), "most_mb": held}))
        export_jobs.remove(made.public_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--job", action="store_true", help="also the job, with a workbook")
    options = parser.parse_args()
    app = create_app()
    with app.extensions["services"](), app.app_context():
        house = organisation()
        user = person(house)
        _key, token = accounts.new_token(user, "bench.export")
        db.session.commit()
        rows = db.session.scalar(select(func.count()).where(Email.organisation_id == house.id)) or 0
        scope = Scope(house.id, zone=house.timezone)
        compare(scope, token, rows, options.rounds)
        if options.job:
            jobs(user, scope, rows)
        db.session.remove()
        db.engine.dispose()


if __name__ == "__main__":
    main()
