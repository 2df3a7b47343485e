"""Sending: from the claim to the committed status, beside bare loops of smtplib and what people have today.

    python -m bench.sending [--rounds 5] [--emails 1000] [--lines 4,8] [--history 0] [--only TABLE] [--django PYTHON]

One PostgreSQL of its own that commits synchronously, a sink in a process of its own that only reads. Everything is
sent in turn within a round; figures are medians and their ratio to a bare smtplib loop of the same round. Rounds whose
bare loop moved by more than half from the median are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select, text

import config
from app import create_app
from bench import against, sending_team
from bench import sending_others as others
from bench.filling import fill
from bench.tables import connect
from extensions import db
from local.postgres import ROLE, Postgres
from local.valkey import Valkey
from mail import mime, outbox
from mail.compose import Draft, File
from mail.drain import drain
from models import Email, Organisation, Sender

SIZES = {"10 KB": 0, "10 + 200 KB": 200_000}
_PARTS = ("ours", "database", "sink")
_TICK = os.sysconf("SC_CLK_TCK")
_SAID = re.compile(rb"LOG:  (?:statement|execute [^:]*): (\w+)")


@dataclass
class Place:
    """The servers of a run, an app on them, and one house that sends."""

    app: Flask
    postgres: Postgres
    organisation_id: int = 0
    sender_id: int = 0
    asked: int = 0

    @property
    def app_folder(self) -> Path:
        """Where the run keeps its files."""
        return Path(self.app.extensions["sillage"].data)


@dataclass
class Run:
    """One pass: messages a second by the clock; processor time each, in seconds, of us, PostgreSQL and the sink."""

    rate: float
    ours: float = 0.0
    database: float = 0.0
    sink: float = 0.0


@dataclass
class Found:
    """What one contender came to over the rounds."""

    runs: list[Run] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--emails", type=int, default=1000, help="a pass; a quarter of it for large ones")
    parser.add_argument("--lines", default="4,8", help="numbers of SMTP connections of one worker")
    parser.add_argument("--history", type=int, default=0, help="e-mails that the tables hold beforehand")
    parser.add_argument("--only", default="", choices=("", "bare", "latency", "workers", "statements"))
    parser.add_argument("--django", default="", metavar="PYTHON", help="an interpreter that has django-post_office")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        run(Path(folder), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    """Every table that is asked for, printed."""
    with opened(folder, options.history) as place:
        print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors, {options.emails} e-mails a pass")
        if options.only in ("", "bare"):
            for name in SIZES:
                for pipelining in (True, False):
                    compare(place, name, pipelining, options)
        if options.only in ("", "latency"):
            print(f"\nserver that answers after 50 ms, 1 worker; {options.emails // 5} e-mails a pass")
            sending_team.lines(place, options)
        if options.only in ("", "workers"):
            print("\nworkers of 8 lines each")
            sending_team.workers(place, options)
        if options.only in ("", "statements"):
            statements(place, options)
        print(f"load {os.getloadavg()[0]:.2f}")


@contextlib.contextmanager
def opened(folder: Path, history: int) -> Iterator[Place]:
    """Servers and an app for the duration of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    postgres, valkey = Postgres(folder), Valkey(folder)
    postgres.start()
    valkey.start()
    app = None
    try:
        app = create_app(
            config.Config(
                env="production", data=folder, secret_key="the bench's own secret key, long enough",
                base_url="http://localhost", database_url=config.psycopg_url(postgres.create_database("sending")),
                redis_url=valkey.url, mail_server="127.0.0.1", mail_local_hostname="bench.example", drain_linger=0.5,
                dns_server="none",
            )
        )  # fmt: skip
        place = Place(app, postgres)
        with app.app_context():
            upgrade()
            if history:
                with connect(postgres, "sending") as connection:
                    fill(connection, history)
            house = Organisation(name="Atelier Cassiopée")
            db.session.add(house)
            db.session.flush()
            sender = Sender(organisation_id=house.id, name="Atelier Cassiopée", address="formation@cassiopee.example",
                            is_default=True)  # fmt: skip
            db.session.add(sender)
            db.session.commit()
            place.organisation_id, place.sender_id = house.id, sender.id
            yield place
    finally:
        if app is not None:
            with app.app_context():
                db.session.remove()
                db.engine.dispose()
                forget_engine(app)
            app.extensions["redis"].close()
        valkey.stop()
        postgres.stop()


def forget_engine(app: Flask) -> None:
    """Let the drain open its connections anew."""
    engine = app.extensions.pop("outbox_engine", None)
    if engine is not None:
        engine.dispose()


@dataclass
class Sink:
    """The sink's port and process."""

    port: int
    pid: int


@contextlib.contextmanager
def sink(pipelining: bool = True, latency: float = 0.0) -> Iterator[Sink]:
    """bench.sink in a process of its own."""
    command = [sys.executable, "-m", "bench.sink", "--latency", str(latency)]
    process = subprocess.Popen([*command, *([] if pipelining else ["--no-pipelining"])], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Sink(int(process.stdout.readline()), process.pid)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# --- processor time ---


def spent(pid: int) -> float:
    """Seconds of processor time of a process."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def spent_by_postgres(place: Place) -> float:
    """Of the postmaster's children that live; ended ones count with it."""
    found = place.postgres._postmaster()
    assert found is not None
    children = Path(f"/proc/{found[0]}/task/{found[0]}/children").read_text().split()
    ended = Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[13:15]
    return sum(map(spent, map(int, children))) + sum(map(int, ended)) / _TICK


# --- what is sent ---


def draft(number: int, files: tuple[File, ...]) -> Draft:
    """E-mail `number` of a mailing: the bytes of a convocation, addressed to one of many domains."""
    return Draft(f"lea{number}@client{number % 40}.example", f"Léa Martin {number}", None, None, "convocation",
                 f"Convocation n° {number} à la session", others.HTML, others.TEXT, files)  # fmt: skip


def attached(place: Place, size: int) -> tuple[File, ...]:
    """A file of that many bytes in the store; () for none."""
    if not size:
        return ()
    from documents import blobs

    stored = blobs.store(os.urandom(size), "Programme.bin")
    db.session.commit()
    return (File("Programme.pdf", stored.sha256, stored.size, "application/pdf"),)


def ask(place: Place, count: int, files: tuple[File, ...]) -> list[int]:
    """Put so many e-mails in the outbox; gives their ids."""
    start, place.asked = place.asked, place.asked + count
    emails = outbox.post(
        [draft(start + n, files) for n in range(count)], organisation=db.session.get_one(Organisation,
        place.organisation_id), sender=db.session.get_one(Sender, place.sender_id), by=None,
        request_key=f"bench {start}",
    )  # fmt: skip
    ids = [email.id for email in emails]
    db.session.commit()
    db.session.remove()
    return ids


def ours(place: Place, port: int, count: int, files: tuple[File, ...], lines: int, sink_pid: int) -> Run:
    """One worker's drain in this process, from its first claim to the last committed status."""
    ids = ask(place, count, files)
    configure(place.app, port, lines)
    before = spent(os.getpid()), spent_by_postgres(place), spent(sink_pid)
    began = db.session.execute(text("SELECT clock_timestamp()")).scalar_one()
    db.session.rollback()
    settled = drain()
    after = spent(os.getpid()), spent_by_postgres(place), spent(sink_pid)
    sent, last = db.session.execute(
        select(func.count(), func.max(Email.updated_at)).where(Email.id.in_(ids), Email.status == "sent")
    ).one()
    seconds = (last - began).total_seconds()
    db.session.remove()
    assert settled == sent == count, (settled, sent, count)
    ours_, database, sink_ = ((b - a) / count for a, b in zip(before, after, strict=True))
    return Run(count / seconds, ours_, database, sink_)


def configure(app: Flask, port: int, lines: int) -> None:
    """Where this app's drains send, over how many lines."""
    mail = app.extensions["tracked_mail"]
    mail.port = port
    object.__setattr__(mail.config, "mail_port", port)
    object.__setattr__(mail.config, "drain_connections", lines)
    object.__setattr__(mail.config, "mail_connections", lines)


def bodies(place: Place, count: int, files: tuple[File, ...]) -> list[tuple[str, bytes]]:
    """(recipient, prebuilt bytes) for the bare loops: the same messages."""
    sender = db.session.get_one(Sender, place.sender_id)
    made = []
    for number in range(count):
        one = draft(number, files)
        frozen = mime.freeze(one, sender, message_id=f"<{number}@bench.example>", pixel_url=None, date=others.WHEN)
        made.append((one.recipient, mime.join(frozen.skeleton, frozen.cuts)))
    db.session.remove()
    return made


def where(place: Place) -> dict[str, str]:
    """A database for django-post_office beside ours, as Django names it."""
    place.postgres.create_database("django")
    return {"HOST": str(place.postgres.places.postgres_socket), "USER": ROLE, "NAME": "django"}


def compare(place: Place, name: str, pipelining: bool, options: argparse.Namespace) -> None:
    """A table: contenders in turn, round by round."""
    count = options.emails // (4 if SIZES[name] else 1)
    files = attached(place, SIZES[name])
    messages = bodies(place, count, files)
    lines = [int(n) for n in options.lines.split(",")]
    found: dict[str, list[Run]] = {}
    with sink(pipelining) as server:

        def bare(loop: others.Loop) -> Run:
            before, began = (spent(os.getpid()), spent(server.pid)), time.perf_counter()
            loop(server.port, messages)
            seconds, after = time.perf_counter() - began, (spent(os.getpid()), spent(server.pid))
            return Run(count / seconds, (after[0] - before[0]) / count, 0.0, (after[1] - before[1]) / count)

        def flask_mail(bulk: bool) -> Run:
            few, file = max(10, count // 20), os.urandom(SIZES[name])
            before, began = spent(os.getpid()), time.perf_counter()
            others.flask_mail_loop(server.port, few, file, bulk)
            return Run(few / (time.perf_counter() - began), (spent(os.getpid()) - before) / few)

        def post_office() -> Run:
            few, file = max(20, count // 5), os.urandom(SIZES[name])
            found = others.post_office(options.django, where(place), server.port, few, file, place.app_folder)
            assert found["sent"] == few, found
            return Run(found["rate"], found["cpu"])

        for number in range(options.rounds + 1):
            passes = {"bare smtplib loop": lambda: bare(others.smtplib_loop)}
            if pipelining:
                passes["bare pipelining loop"] = lambda: bare(others.pipelining_loop)
            for n in lines:
                passes[f"Sillage, {n} lines"] = lambda n=n: ours(place, server.port, count, files, n, server.pid)
            if pipelining:
                passes["Flask-Mail, mail.send"] = lambda: flask_mail(bulk=False)
                passes["Flask-Mail, bulk"] = lambda: flask_mail(bulk=True)
                if options.django and against.available(options.django):
                    passes["django-post_office"] = post_office
            for what, one in passes.items():
                ran = one()
                if number:  # the first warms up
                    found.setdefault(what, []).append(ran)
    print(f"\n{name}, {'PIPELINING' if pipelining else 'no PIPELINING'}: median of {options.rounds} rounds")
    show(found)


def show(found: dict[str, list[Run]]) -> None:
    """A line a contender; the first is the limit."""
    limit = next(iter(found.values()))
    usual = median(run.rate for run in limit)
    kept = [n for n, run in enumerate(limit) if usual / 1.5 < run.rate < usual * 1.5]
    print(f"  {'':24} {'a second':>9} {'× bare':>7} {'(worst, best)':>14}   processor µs each: ours, PostgreSQL, sink")
    for what, runs in found.items():
        ratios = [runs[n].rate / limit[n].rate for n in kept]
        print(
            f"  {what:24} {median(runs[n].rate for n in kept):9.0f} {median(ratios):7.2f} "
            f"{min(ratios):6.2f}, {max(ratios):4.2f}   "
            + " ".join(f"{median(getattr(runs[n], of) for n in kept) * 1e6:8.0f}" for of in _PARTS),
            flush=True,
        )


# --- statements and commits, as the server hears them ---


def statements(place: Place, options: argparse.Namespace) -> None:
    """Statements of each kind an e-mail, from the server's own log."""
    count = 400
    for n in [int(n) for n in options.lines.split(",")]:
        ask(place, count, ())
        with sink() as server, heard(place) as said:
            configure(place.app, server.port, n)
            drain()
        kinds = ", ".join(f"{kind} {number / count:.3f}" for kind, number in sorted(said.items()))
        print(f"statements an e-mail, {n} lines: {sum(said.values()) / count:.2f} ({kinds})")


@contextlib.contextmanager
def heard(place: Place) -> Iterator[dict[str, int]]:
    """What the server was asked within the block, by the statement's first word; each of ours is a commit."""
    said: dict[str, int] = {}
    with connect(place.postgres, "sending") as connection:
        connection.execute("ALTER DATABASE sending SET log_statement = 'all'")
    db.engine.dispose()
    forget_engine(place.app)
    start = place.postgres.log.stat().st_size
    try:
        yield said
    finally:
        with connect(place.postgres, "sending") as connection:
            connection.execute("ALTER DATABASE sending RESET log_statement")
        db.engine.dispose()
        forget_engine(place.app)
        log = place.postgres.log.read_bytes()[start:]
        for word in _SAID.findall(log):
            said[word.decode().upper()] = said.get(word.decode().upper(), 0) + 1


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s in all")
