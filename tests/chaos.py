"""Chaos: workers are killed while they send, and the count must still be right.

`python -m tests.chaos --emails 1000 --kills 200` runs the large trial on servers of its own; tests/test_chaos.py runs
the small one. 0 lost, 0 doubled, 0 false statuses; at most one e-mail in doubt a line and kill.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from config import ROOT
from extensions import db, ring
from mail import outbox, post
from mail.compose import Draft
from models.words import Status
from tests.smtp_server import Script, SmtpServer

LEASE = 3


@dataclass
class Verdict:
    """What a trial came to; `ok` is the promise."""

    emails: int
    kills: int
    seconds: float
    statuses: dict[str, int]
    lost: int
    doubled: int
    false: int
    uncertain: int

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.false) and self.uncertain <= self.kills * 4


class Workers:
    """`worker.py send` processes that are killed and started again."""

    def __init__(self, app: Flask, port: int, count: int) -> None:
        config = app.extensions["sillage"]
        self.environment = os.environ | {
            "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"], "REDIS_URL": config.redis_url,
            "MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(port), "SECRET_KEY": config.secret_key,
            "SILLAGE_DATA": str(config.data), "SILLAGE_ENV": "test", "SILLAGE_LEASE": str(LEASE),
            "SMTP_TIMEOUT": "3", "SMTP_DATA_TIMEOUT": "3", "DRAIN_CONNECTIONS": "2", "DRAIN_BATCH": "10",
        }  # fmt: skip
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        self.processes = [self.start() for _ in range(count)]

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "worker.py", "send"], cwd=ROOT, env=self.environment, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def kill_one(self, chance: random.Random) -> None:
        """kill -9 a worker, its horse, or both; start what is gone anew."""
        n = chance.randrange(len(self.processes))
        parent = self.processes[n]
        horses = _children(parent.pid)
        which = chance.choice(["horse", "parent", "both"])
        for pid in [*(horses if which != "parent" else []), *([parent.pid] if which != "horse" else [])]:
            _kill(pid)
        if which != "horse":
            parent.wait()
            self.processes[n] = self.start()

    def stop(self) -> None:
        for process in self.processes:
            for pid in [*_children(process.pid), process.pid]:
                _kill(pid)
            process.wait()
        self.log.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def trial(app: Flask, house, emails: int, kills: int, seed: int = 1, workers: int = 2, limit: float = 900) -> Verdict:
    """Ask for `emails`, kill `kills` times at random moments while they leave, wait until nothing waits."""
    chance = random.Random(seed)
    started = time.monotonic()
    with SmtpServer(Script(delay=0.05)) as server:
        crew = Workers(app, server.port, workers)
        try:
            drafts = [
                Draft(f"p{n}@client.example", "", None, None, "free", f"n {n}", "", "Bonjour\n") for n in range(emails)
            ]
            asked = post(
                drafts, organisation=house.organisation, sender=house.sender, by=None, request_key=str(uuid.uuid4())
            )
            ids = [email.id for email in asked]
            db.session.commit()
            done = 0
            # Kills are spread over the work: one more is due for each share of e-mails that left.
            while time.monotonic() - started < limit:
                outbox.sweep()
                ring("drain", "send")
                waiting = db.session.execute(text("SELECT count(*) FROM outbox_entry")).scalar_one()
                db.session.rollback()
                if done < kills and (emails - waiting) * kills >= done * emails and len(server.taken) > 0:
                    time.sleep(chance.random() * 0.2)
                    crew.kill_one(chance)
                    done += 1
                elif not waiting:
                    break
                time.sleep(0.1)
        finally:
            crew.stop()
        time.sleep(0.2)
        taken = Counter(message.recipient for message in server.taken)
    rows = db.session.execute(
        text(
            "SELECT address.address, email.status FROM email JOIN address ON address.id = email.address_id "
            "WHERE email.id = ANY (:ids)"
        ),
        {"ids": ids},
    ).all()
    db.session.rollback()
    statuses = {address: Status(status) for address, status in rows}
    settled = (Status.SENT, Status.UNCERTAIN)
    return Verdict(
        emails,
        done,
        round(time.monotonic() - started, 1),
        {status.value: n for status, n in Counter(statuses.values()).items()},
        lost=sum(status not in settled for status in statuses.values()) + emails - len(statuses),
        doubled=sum(n > 1 for n in taken.values()),
        false=sum(status is Status.SENT and not taken[address] for address, status in statuses.items()),
        uncertain=sum(status is Status.UNCERTAIN for status in statuses.values()),
    )


def main() -> int:
    """The large trial, on a PostgreSQL and a Valkey of its own. Prints one JSON line; exit 1 when a promise broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emails", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from flask_migrate import upgrade

    import config
    from app import create_app
    from local.postgres import Postgres
    from local.valkey import Valkey
    from tests.conftest import make_house

    with tempfile.TemporaryDirectory(prefix="sil-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres, valkey = Postgres(folder / "pg", fsync=False), Valkey(folder / "valkey")
        postgres.start()
        valkey.start()
        try:
            settings = config.Config(
                env="test", data=folder / "data", secret_key="chaos" * 8, lease=LEASE, redis_url=valkey.url,
                database_url=config.psycopg_url(postgres.create_database("chaos")), mail_server="127.0.0.1",
            )  # fmt: skip
            app = create_app(settings)
            with app.app_context():
                upgrade()
                house = make_house("Atelier Cassiopée", "cassiopee.example")
                verdict = trial(app, house, options.emails, options.kills, options.seed, limit=7200)
                db.session.remove()
                db.engine.dispose()
        finally:
            valkey.stop()
            postgres.stop("immediate")
    print(json.dumps(verdict.__dict__ | {"ok": verdict.ok}))
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
