"""A storm of reports: how fast they take effect, what a crash half-way costs, how much sending is slowed meanwhile.

    python -m bench.reports --storm [COUNT]

A PostgreSQL of its own (fsync on), a Maildir with a report of one of six kinds about each of COUNT e-mails, and a
poller in a process of its own, which is killed (-9) half-way and started anew. Meanwhile batches of e-mails are sent to
a sink, in turn while the poller runs and while it is stopped (SIGSTOP): the ratio of the two rates is what it costs.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from flask_migrate import upgrade
from sqlalchemy import text

import config
from app import create_app
from extensions import db
from local.postgres import Postgres
from local.valkey import Valkey
from mail import mailbox, post, tokens, tracking
from mail.compose import Draft
from mail.drain import drain
from mail.fold import Fact
from models import Email, Organisation, Sender, User
from models.email import ReturnPath
from models.words import EventKind, Role

ROUNDS, BATCH, _LINGER = 5, 1_000, 0.1  # pairs of sendings, e-mails of each
_ORIGINAL = "Message-ID: <{mid}@storm.example>\r\nFrom: a@storm.example\r\nTo: {to}\r\nSubject: Bonjour\r\n"


def run(count: int) -> None:
    """Fill, storm, kill, finish, count; prints a line each."""
    with tempfile.TemporaryDirectory(prefix="storm-") as name:
        folder = Path(name)
        postgres, valkey = Postgres(folder / "pg"), Valkey(folder / "valkey")
        postgres.start()
        valkey.start()
        sink, port = _sink()
        try:
            settings = _settings(folder, postgres.create_database("storm"), valkey.url, port)
            app = create_app(settings)
            with app.app_context():
                logging.disable(logging.INFO)
                upgrade()
                _fill(count, folder / "bounces")
                _storm(count, folder)
                _check(count, folder / "bounces")
                db.session.remove()
                db.engine.dispose()
            app.extensions["redis"].close()
        finally:
            sink.kill()
            sink.wait()
            valkey.stop()
            postgres.stop("immediate")


def _settings(folder: Path, url: str, redis: str, port: int) -> config.Config:
    given = {
        "env": "production", "secret_key": "the bench's own secret key, long enough", "base_url": "http://localhost",
        "database_url": config.psycopg_url(url), "redis_url": redis, "mail_server": "127.0.0.1", "mail_port": port,
        "dns_server": "none", "drain_linger": _LINGER,
    }  # fmt: skip
    folder.joinpath("settings.json").write_text(json.dumps(given))
    return _read(folder)


def _read(folder: Path) -> config.Config:
    given: dict[str, Any] = json.loads(folder.joinpath("settings.json").read_text())
    return replace(config.Config(**given), data=folder / "data", bounce_maildir=folder / "bounces")


def _fill(count: int, maildir: Path) -> None:
    """COUNT e-mails that were accepted, and a report about each."""
    emails = accepted(count, "storm")
    for folder in ("new", "cur", "tmp"):
        (maildir / folder).mkdir(parents=True)
    for number, (email_id, to) in enumerate(emails):
        (maildir / "new" / f"{number:06}").write_bytes(_report(number, email_id, to))


def accepted(count: int, name: str) -> list[tuple[int, str]]:
    """(id, recipient) of so many e-mails that a server took."""
    emails, now = _ask(count, name), datetime.now(UTC)
    for start in range(0, count, 1000):
        tracking.record(
            Fact(email_id, EventKind.ACCEPTED, "smtp", "1", now) for email_id, _to in emails[start : start + 1000]
        )
    db.session.execute(text("DELETE FROM outbox_entry"))
    db.session.commit()
    db.session.execute(text("ANALYZE"))
    db.session.commit()
    return emails


def _ask(count: int, name: str) -> list[tuple[int, str]]:
    organisation = db.session.query(Organisation).first()
    if organisation is None:
        organisation = Organisation(name="Storm")
        db.session.add(organisation)
        db.session.flush()
        person = {"email": "a@storm.example", "name": "A", "password_hash": "x", "role": Role.ADMIN}
        db.session.add(User(organisation_id=organisation.id, **person))
        db.session.add(Sender(
            organisation_id=organisation.id, name="Storm", address="a@storm.example", is_default=True,
            return_path=ReturnPath.VERP, bounce_address="retours@storm.example",
        ))  # fmt: skip
        db.session.commit()
    sender, user = db.session.query(Sender).one(), db.session.query(User).one()
    made: list[tuple[int, str]] = []
    for start in range(0, count, 1000):
        to = [f"{name}{n}@d{n % 500}.example" for n in range(start, min(start + 1000, count))]
        drafts = [Draft(one, "", None, None, "free", "Bonjour", "<p>Bonjour</p>", "Bonjour " * 1200, ()) for one in to]
        found: list[Email] = post(
            drafts, organisation=organisation, sender=sender, by=user, request_key=str(uuid.uuid4())
        )
        made += [(email.id, one) for email, one in zip(found, to, strict=True)]
        db.session.commit()
        db.session.expunge_all()
        organisation, sender, user = (db.session.query(one).one() for one in (Organisation, Sender, User))
    return made


def _report(number: int, email_id: int, to: str) -> bytes:
    """One of six kinds: four of RFC 3464, two in words."""
    head = (
        f"Return-Path: <>\r\nX-Original-To: retours+{tokens.token('verp', email_id)}@storm.example\r\n"
        f"From: MAILER-DAEMON@mx{number % 50}.example\r\nTo: retours@storm.example\r\nX-N: {number}\r\n"
    )
    original = _ORIGINAL.format(mid=tokens.token("mid", email_id), to=to)
    kind = number % 6
    if kind == 4:
        said = f"<{to}>: host mx.example[192.0.2.7] said: 550 5.1.1 <{to}>: User unknown (in reply to RCPT TO command)"
        return f"{head}Subject: Undelivered Mail Returned to Sender\r\n\r\n{said}\r\n".encode()
    if kind == 5:
        said = f"The following address(es) failed:\r\n\r\n  {to}\r\n    552 5.2.2 mailbox is full\r\n\r\n"
        tail = f"------ This is a copy of the message, including all the headers. ------\r\n\r\n{original}"
        return f"{head}Subject: Mail delivery failed: returning message to sender\r\n\r\n{said}{tail}".encode()
    action, status, words = (
        ("failed", "5.1.1", "550 5.1.1 User unknown"), ("failed", "5.2.2", "552 5.2.2 mailbox is full"),
        ("delayed", "4.4.1", "451 4.4.1 no answer"), ("delivered", "2.0.0", "250 2.0.0 ok"),
    )[kind]  # fmt: skip
    return (
        f"{head}Subject: Report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; "
        f'boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system.\r\n\r\n--b\r\n'
        f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {to}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {words}\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()


def _storm(count: int, folder: Path) -> None:
    """The poller runs alone, is killed half-way, runs on beside sending; what each gave."""
    poller = _child("poll", folder)
    while (before := _taken()) < 20:  # it has started
        time.sleep(0.05)
    started, cpu = time.monotonic(), _spent()
    while _taken() < count // 2:
        time.sleep(0.2)
    seconds, cpu, half = time.monotonic() - started, _spent() - cpu, _taken() - before
    _end(poller)
    each = f"{cpu / half * 1e3:.1f} ms of the processor each, all told: {half / cpu:.0f} a second of one core"
    print(
        f"storm of {count}, alone: {half / seconds:.0f} a second by the clock; {each}; killed (-9) half-way", flush=True
    )
    poller, again = _child("poll", folder), _taken()
    while _taken() < again + 20:
        time.sleep(0.05)
    alone: list[float] = []
    beside: list[float] = []
    for turn in range(ROUNDS):
        one = _sent(folder, f"beside{turn}x")
        if _taken() == count:  # it was over before the batch was
            break
        os.kill(poller.pid, signal.SIGSTOP)
        beside.append(one)
        alone.append(_sent(folder, f"alone{turn}x"))
        os.kill(poller.pid, signal.SIGCONT)
    while _taken() < count:
        time.sleep(0.2)
    _end(poller)
    if not alone:
        print("sending: the storm was over before a batch was; take a larger one")
        return
    ratios = [one / other for one, other in zip(beside, alone, strict=True)]
    print(
        f"sending: {median(alone):.0f} e-mails a second alone, {median(beside):.0f} beside the storm: "
        f"{median(ratios):.2f} (target: 0.80); {len(ratios)} rounds, {min(ratios):.2f}–{max(ratios):.2f}"
    )


def _end(poller: subprocess.Popen[bytes]) -> None:
    poller.kill()
    poller.wait()


def _check(count: int, maildir: Path) -> None:
    """Each effect once."""
    filed, facts, doubled = db.session.execute(text(
        "SELECT (SELECT count(*) FROM inbound_message WHERE outcome = 'applied'), "
        "(SELECT count(*) FROM delivery_event WHERE source = 'dsn'), "
        "(SELECT count(*) - count(DISTINCT email_id) FROM delivery_event WHERE source = 'dsn')"
    )).one()  # fmt: skip
    waiting = len(list((maildir / "new").iterdir()))
    print(
        f"effects: {filed} messages applied of {count}, {facts} facts, {doubled} doubled, {waiting} left in the mailbox"
    )


def _spent() -> float:
    """Seconds of the processor that our descendants have used (those that live, and those waited for)."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used[pid] for pid in ours - {os.getpid()}) / os.sysconf("SC_CLK_TCK")


def _taken() -> int:
    found = int(db.session.execute(text("SELECT count(*) FROM inbound_message")).scalar() or 0)
    db.session.rollback()
    return found


def _child(task: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "bench.storm", task, str(folder)], stdout=subprocess.PIPE)


def _sent(folder: Path, name: str) -> float:
    """E-mails a second of one process that sends a batch, its start left out."""
    _ask(BATCH, name)
    return float(_child("send", folder).communicate()[0])


def _sink() -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE)
    assert process.stdout
    return process, int(process.stdout.readline())


def _work(task: str, folder: Path) -> None:
    """A child's task: poll until killed, or send all that waits and say how fast."""
    with create_app(_read(folder)).app_context():
        if task == "poll":
            os.setpriority(os.PRIO_PROCESS, 0, mailbox.NICENESS)  # as jobs.poll_mailboxes does
        while task == "poll":
            mailbox.poll()
        began = time.monotonic()
        sent = drain()
        print(sent / (time.monotonic() - began - _LINGER), flush=True)


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]))
