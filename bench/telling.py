"""What providers tell: how fast calls become facts beside a bare batched UPDATE, how fast a call is answered meanwhile.

    python -m bench.telling [E-MAILS]

A PostgreSQL of its own (fsync on). In turn, a commit a batch: a bare UPDATE of the status of 200 e-mails; 200 facts
recorded (deduplicated, appended, folded); 200 calls of one event each read, matched, heard and recorded. Then calls
come by HTTP (gunicorn, two workers) while a worker in a process of its own applies them as they come.
"""

from __future__ import annotations

import http.client
import logging
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask, current_app
from flask_migrate import upgrade
from sqlalchemy import text

from app import create_app
from bench import storm
from extensions import db
from local.postgres import Postgres
from local.valkey import Valkey
from mail import tokens, tracking
from mail.fold import Fact
from mail.providers import accounts, ledger, proof
from models import Organisation, ProviderAccount
from models.words import EventKind

BATCH, ASKED = 200, 2_000
_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # of this bench's secrets alone
_BARE = """
UPDATE email SET status = 'delivered', reason = NULL, status_rank = 4, status_occurred_at = clock_timestamp(),
  status_source = 'bench', status_event_id = '1', updated_at = clock_timestamp()
FROM unnest(%(ids)s::bigint[]) AS told (id) WHERE email.id = told.id
"""


def run(count: int) -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory(prefix="telling-") as name:
        folder = Path(name)
        postgres, valkey = Postgres(folder / "pg"), Valkey(folder / "valkey")
        postgres.start()
        valkey.start()
        try:
            storm._settings(folder, postgres.create_database("telling"), valkey.url, 9)
            app = _app(str(folder))
            with app.app_context():
                logging.disable(logging.INFO)
                upgrade()
                emails = storm.accepted(count, "told")
                account = _account()
                _rates(emails, account)
                _answers(folder, account, emails)
                db.session.remove()
                db.engine.dispose()
            app.extensions["redis"].close()
        finally:
            valkey.stop()
            postgres.stop("immediate")


def _app(folder: str) -> Flask:
    """The app of that folder's settings: the bench's own, gunicorn's and the worker's."""
    config = storm._read(Path(folder))
    object.__setattr__(config, "account_keys", (_KEY,))
    return create_app(config)


def _account() -> ProviderAccount:
    organisation = db.session.query(Organisation).one()
    made = accounts.make(organisation.id, "brevo", "Brevo")
    db.session.commit()
    return made


def _body(email_id: int, to: str, number: int = 0) -> bytes:
    return orjson.dumps({
        "event": "delivered", "email": to, "id": number, "ts_epoch": int(time.time() * 1000) + number,
        "message-id": f"<{tokens.token('mid', email_id)}@storm.example>", "subject": "Bonjour", "tags": ["free"],
    })  # fmt: skip


def _rates(emails: list[tuple[int, str]], account: ProviderAccount) -> None:
    """Three ways in turn, each with e-mails of its own."""
    batches: Iterator[list[tuple[int, str]]] = (emails[at : at + BATCH] for at in range(0, len(emails), BATCH))
    ways: dict[str, Callable[[list[tuple[int, str]]], None]] = {
        "bare": _bare, "recorded": _recorded, "told": lambda some: _told(some, account)
    }  # fmt: skip
    took: dict[str, list[float]] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    for turn, some in enumerate(batches):
        name = tuple(ways)[turn % 3]
        if name == "told":
            _keep(some, account)
        began, cpu = time.perf_counter(), storm._spent() + time.process_time()
        ways[name](some)
        took[name].append(time.perf_counter() - began)
        spent[name] += storm._spent() + time.process_time() - cpu
    bare = median(took["bare"][2:])
    for name, seconds in took.items():
        one, each = median(seconds[2:]), spent[name] / len(seconds) / BATCH
        less = spent["bare"] / len(took["bare"]) / BATCH / each
        print(
            f"{name:9} {BATCH / one:7.0f} a second ({bare / one:.2f} of the bare UPDATE; target for facts: 0.70); "
            f"{each * 1e3:.2f} ms of the processor each, PostgreSQL's with it ({less:.2f})", flush=True
        )  # fmt: skip


def _bare(some: list[tuple[int, str]]) -> None:
    db.session.connection().exec_driver_sql(_BARE, {"ids": [email_id for email_id, _to in some]})
    db.session.commit()


def _recorded(some: list[tuple[int, str]]) -> None:
    now = datetime.now(UTC)
    tracking.record(Fact(email_id, EventKind.DELIVERED, "bench", "1", now) for email_id, _to in some)
    db.session.commit()


def _keep(some: list[tuple[int, str]], account: ProviderAccount) -> None:
    rows = [{"o": account.organisation_id, "a": account.id, "b": _body(*one)} for one in some]
    db.session.execute(
        text("INSERT INTO provider_call (organisation_id, account_id, headers, body) VALUES (:o, :a, '{}', :b)"), rows
    )
    db.session.commit()


def _told(some: list[tuple[int, str]], account: ProviderAccount) -> None:
    if ledger._apply_some() != len(some):
        raise RuntimeError(f"account {account.id}: a batch was not read whole")


def _answers(folder: Path, account: ProviderAccount, emails: list[tuple[int, str]]) -> None:
    """How long a call waits for its answer, while what came is applied."""
    keys, path = accounts.keys_of(account), urlsplit(accounts.address(account)).path
    headers = {
        "content-type": "application/json", "authorization": proof.basic_header(keys.user, keys.password),
        "connection": "close",
    }  # fmt: skip
    client, cpu = current_app.test_client(), []
    for number in range(300):
        body, at = _body(*emails[number % len(emails)], -number), time.process_time()
        client.post(path, data=body, headers=headers)
        cpu.append(time.process_time() - at)
    print(f"answer    {median(cpu[50:]) * 1e3:.1f} ms of our process's processor, without a socket", flush=True)
    ledger.apply()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "--log-level", "error",
              f"bench.telling:_app({str(folder)!r})"]  # fmt: skip
    children = [
        subprocess.Popen(served), subprocess.Popen([sys.executable, "-m", "bench.telling", "--apply", str(folder)])
    ]  # fmt: skip
    before = _facts()
    try:
        while True:
            try:
                _post(port, path, b"[]", headers)
                break
            except OSError:
                time.sleep(0.1)
        seconds, began = [], time.monotonic()
        for number in range(ASKED):
            body = _body(*emails[number % len(emails)], number + 1)
            at = time.perf_counter()
            if _post(port, path, body, headers) != 204:
                raise RuntimeError("a call was not taken")
            seconds.append(time.perf_counter() - at)
        rate = ASKED / (time.monotonic() - began)
        while ledger.due():
            time.sleep(0.05)
        applied = _facts() - before
        late = time.monotonic() - began
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
    ms = [one * 1e3 for one in seconds[50:]]
    print(
        f"answers   p50 {median(ms):.1f} ms, p95 {quantiles(ms, n=20)[18]:.1f} ms (target: 5), {rate:.0f} a second, "
        f"one after another; {applied} facts of {ASKED} calls, the last {late - ASKED / rate:.1f} s after the last call"
    )


def _facts() -> int:
    found = int(db.session.execute(text("SELECT count(*) FROM provider_event WHERE outcome = 'applied'")).scalar() or 0)
    db.session.rollback()
    return found


def _post(port: int, path: str, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        answer: Any = connection.getresponse()
        answer.read()
        return int(answer.status)
    finally:
        connection.close()


def _apply(folder: str) -> None:
    """The worker: apply what comes until it is ended."""
    with _app(folder).app_context():
        while True:
            if not ledger.apply():
                time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apply"]:
        _apply(sys.argv[2])
    else:
        run(int(sys.argv[1]) if len(sys.argv) > 1 else 12_000)
