"""The list of django-post_office's admin on the same rows: what people have today.

Django is no library of ours: an interpreter that has it (and psycopg) is named by --django, and runs
bench/post_office_admin.py on a database of its own beside ours, filled from our rows. Without one nothing is measured,
and a sentence says so.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from statistics import median

import psycopg

from bench import whole
from bench.tables import Table

_SCRIPT = Path(__file__).with_name("post_office_admin.py")
# What their admin is asked (its own address), and what ours is asked for the same.
PAIRS = (
    ("list", "", "/emails?limit=50"),
    ("search by recipient", "q=petit", "/emails?recipient=petit"),
    ("search by a rare number", "q={number}", "/emails?subject={number}"),
    ("search, nobody", "q=xyzzyx", "/emails?recipient=xyzzyx"),
    ("page in the middle", "p={middle}", "/emails?cursor={cursor}"),
    ("status", "status__exact=1", "/emails?status=error"),
    ("a month", "created__gte={start}&created__lt={end}", "/emails?from={start}&to={end}"),
)
_ROWS = """COPY (SELECT e.id, s.address, a.address, '', '', e.subject, '', '', CASE WHEN e.status IN ('failed',
  'undeliverable') THEN 1 WHEN e.status = 'requested' THEN 2 ELSE 0 END, e.created_at, e.updated_at, ''
  FROM email e JOIN address a ON a.id = e.address_id JOIN sender s ON s.id = e.sender_id) TO STDOUT"""
_INTO = """COPY post_office_email (id, from_email, "to", cc, bcc, subject, message, html_message, status, created,
  last_updated, backend_alias) FROM STDIN"""


def available(python: str) -> bool:
    """Whether that interpreter has what is needed."""
    looked = "import importlib.util as u; assert all(map(u.find_spec, ('django', 'post_office', 'psycopg')))"
    try:
        return not subprocess.run([python, "-c", looked], capture_output=True).returncode
    except OSError:
        return False


def compare(table: Table, python: str, requests: int = 20) -> None:
    """A line a question: their request and ours, and how many times as long theirs takes."""
    if not available(python):
        print(f"\n{python} has no django-post_office: not compared")
        return
    name = f"django_{table.count}"
    info = table.bare.info
    place = {"HOST": info.host, "USER": info.user, "NAME": name}
    _fill(table, name, place, python)
    held = {"number": table.held["number"][3], "middle": str(table.count // 100 // 2), "start": "2025-03-01",
            "end": "2025-03-31", "cursor": whole.half_way(table)}  # fmt: skip
    asked = [theirs.format(**held) for _name, theirs, _ours in PAIRS]
    run = subprocess.run([python, str(_SCRIPT), "measure", json.dumps(place), json.dumps(asked), str(requests)],
                         stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
    found = [json.loads(said) for said in run.stdout.splitlines()]
    print(f"\ndjango-post_office {found[0]['version']}, {table.name} e-mails: whole requests in ms, p50; a page of "
          "theirs holds 100 rows, of ours 50")  # fmt: skip
    client = whole.signed_in(table)
    for (what, _theirs, ours), their in zip(PAIRS, found[1:], strict=True):
        address = ours.format(**held)
        times = [whole.clock(client, address) for _again in range(6 + requests)][6:]
        theirs_ms, ours_ms = median(their["seconds"]) * 1e3, median(times) * 1e3
        print(f" {what:24} theirs {theirs_ms:9.1f} ms (SQL {median(their['sql']) * 1e3:9.1f}), ours {ours_ms:6.1f} ms: "
              f"{theirs_ms / ours_ms:7.1f} ×", flush=True)  # fmt: skip


def _fill(table: Table, name: str, place: dict[str, str], python: str) -> None:
    """Their database with our rows, unless it stands."""
    made = table.bare.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if made is None:
        table.bare.execute(f"CREATE DATABASE {name}")
    subprocess.run([python, str(_SCRIPT), "migrate", json.dumps(place)], check=True)
    with psycopg.connect(host=place["HOST"], user=place["USER"], dbname=name, autocommit=True) as theirs:
        if theirs.execute("SELECT FROM post_office_email LIMIT 1").fetchone() is not None:
            return
        began = time.monotonic()
        dropped = theirs.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'post_office_email' AND indexname NOT LIKE "
            "'%_pkey'"
        ).fetchall()
        for index, _made in dropped:
            theirs.execute(f"DROP INDEX {index}")
        with table.bare.cursor().copy(_ROWS) as rows, theirs.cursor().copy(_INTO) as into:
            for block in rows:
                into.write(block)
        for _index, statement in dropped:
            theirs.execute(statement)
        theirs.execute("VACUUM ANALYZE")
        print(f"{name} filled in {time.monotonic() - began:.0f} s", flush=True)
