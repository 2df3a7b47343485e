"""Chaos: workers are killed while they send, and the count must still be right.

`python -m tests.chaos --emails 1000 --kills 200` runs the large trial on servers of its own; tests/test_chaos.py runs
the small one. 0 lost, 0 doubled, 0 false statuses; at most one e-mail in doubt a line and kill, so with one line a
worker no more in doubt than kills.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import text

from extensions import db, ring
from mail import outbox, post
from mail.compose import Draft
from models.words import Status
from tests.crew import Crew, Nursery
from tests.smtp_server import Script, SmtpServer

if TYPE_CHECKING:
    from tests.conftest import House

LEASE = 3
_WAITING = (
    "SELECT count(*), coalesce(extract(epoch FROM max(now() - lease_until) FILTER (WHERE state <> 'waiting')), 0)"
    "::float FROM outbox_entry"
)


@dataclass
class Verdict:
    """What a trial came to; `ok` is the promise."""

    emails: int
    kills: int
    lines: int
    seconds: float
    statuses: dict[str, int]
    lost: int
    doubled: int
    false: int
    uncertain: int
    overdue: float  # seconds that a dead worker's e-mail was held after its lease, at most

    @property
    def ok(self) -> bool:
        told = self.uncertain <= self.kills * self.lines and self.overdue <= 5
        return told and not (self.lost or self.doubled or self.false)


def trial(
    app: Flask, house: House, nursery: Nursery, emails: int, kills: int, *, seed: int = 1, workers: int = 3,
    lines: int = 1, limit: float = 900,
) -> Verdict:  # fmt: skip
    """Ask for `emails`, kill `kills` times at random moments while they leave, wait until nothing waits."""
    chance = random.Random(seed)
    started, done, overdue = time.monotonic(), 0, 0.0
    settings = {"SILLAGE_LEASE": str(LEASE), "DRAIN_CONNECTIONS": str(lines), "DRAIN_BATCH": "10"}
    with SmtpServer(Script(delay=0.05)) as server:
        with Crew(nursery, app, server.port, **settings) as crew:
            team = [crew.start("send") for _ in range(workers)]
            drafts = [
                Draft(f"p{n}@client.example", "", None, None, "free", f"n {n}", "", "Bonjour\n") for n in range(emails)
            ]
            asked = post(
                drafts, organisation=house.organisation, sender=house.sender, by=None, request_key=str(uuid.uuid4())
            )
            ids = [email.id for email in asked]
            db.session.commit()
            while time.monotonic() - started < limit:
                waiting, late = db.session.execute(text(_WAITING)).one()
                db.session.rollback()
                overdue = max(overdue, late)
                outbox.sweep()
                ring("drain", "send")
                # Kills are spread over the work: one more is due for each share of e-mails that left.
                if done < kills and (emails - waiting) * kills >= done * emails and server.taken:
                    time.sleep(chance.random() * 0.1)
                    n = chance.randrange(workers)
                    which = chance.choice(["horse", "parent", "both"])
                    team[n].kill(which)
                    if which != "horse":
                        team[n] = crew.start("send")
                    done += 1
                elif not waiting:
                    break
                time.sleep(0.05)
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
        lines,
        round(time.monotonic() - started, 1),
        {status.value: n for status, n in Counter(statuses.values()).items()},
        lost=sum(status not in settled for status in statuses.values()) + emails - len(statuses),
        doubled=sum(n > 1 for n in taken.values()),
        false=sum(status is Status.SENT and not taken[address] for address, status in statuses.items()),
        uncertain=sum(status is Status.UNCERTAIN for status in statuses.values()),
        overdue=round(overdue, 1),
    )


def main() -> int:
    """The large trial, on a PostgreSQL and a Valkey of its own. Prints one JSON line; exit 1 when a promise broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emails", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=1, help="connections a worker: each may leave one in doubt a kill")
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
                with Nursery() as nursery:
                    verdict = trial(
                        app, house, nursery, options.emails, options.kills, seed=options.seed, lines=options.lines,
                        limit=7200,
                    )  # fmt: skip
                db.session.remove()
                db.engine.dispose()
        finally:
            valkey.stop()
            postgres.stop("immediate")
    print(json.dumps(verdict.__dict__ | {"ok": verdict.ok}))
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
