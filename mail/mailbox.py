"""The bounce mailbox, by IMAP or Maildir: each message's effect once, whoever reads it and however often.

A message's sha256 is inserted with its facts in one transaction; only then is it flagged as read. A crash between the
two repeats nothing, and two pollers at once do no harm.
"""

from __future__ import annotations

import contextlib
import hashlib
import imaplib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imap_tools import ImapToolsError, MailBox, MailBoxUnencrypted, MailMessageFlags
from sqlalchemy import text

from extensions import db, settings
from mail import news
from mail.matching import Match, match
from mail.reports import Fence, Report
from mail.tracking import record
from mail.transport import tls_context

log = logging.getLogger("sillage.inbound")

BATCH = 200
_LARGEST = 50 * 1024 * 1024
# What is kept of a report: its headers and its words; nobody needs the rest of a 50 MB message.
_KEPT = 2 * 1024 * 1024
_IMAP_TIMEOUT = 30
_IMAP_TROUBLE = (OSError, imaplib.IMAP4.error, ImapToolsError)
# A message whose reader died so many times is filed as poison, and the next one goes on.
_TRIES = 3


@dataclass(frozen=True)
class Arrival:
    """A message in a mailbox; `done()` flags it there as read."""

    mailbox: str
    raw: bytes
    done: Callable[[], None]


def poll() -> int:
    """Read every configured mailbox once. Returns how many messages had an effect or were filed."""
    config = settings()
    count = 0
    if config.bounce_maildir:
        count += take(maildir(config.bounce_maildir))
    if config.bounce_imap_host:
        with contextlib.closing(imap()) as arrivals:
            count += take(arrivals)
    return count


def take(arrivals: Iterator[Arrival]) -> int:
    """Apply arrivals one by one, each in a transaction of its own."""
    count = 0
    with Fence() as fence:
        for arrival in arrivals:
            digest = hashlib.sha256(arrival.raw).hexdigest()
            if not _known(digest):
                tries = (fence.read(arrival.raw) for _ in range(_TRIES))
                count += _apply(arrival, digest, next((report for report in tries if report), None))
            arrival.done()
    return count


def _known(digest: str) -> bool:
    found = db.session.execute(text("SELECT 1 FROM inbound_message WHERE sha256 = :sha256"), {"sha256": digest})
    known = found.scalar() is not None
    db.session.rollback()
    return known


def _apply(arrival: Arrival, digest: str, report: Report | None) -> int:
    """File the message and record what it says; 0 when another poller was first. `report` None: its reader died."""
    about = match(report) if report and report.kind != "other" else None
    outcome = "poison" if report is None else "applied" if about else "ignored" if report.kind == "other" else "orphan"
    inbound_id = db.session.execute(
        text(
            "INSERT INTO inbound_message (sha256, mailbox, kind, outcome, organisation_id, size, raw) "
            "VALUES (:sha256, :mailbox, :kind, :outcome, :organisation, :size, :raw) "
            "ON CONFLICT (sha256) DO NOTHING RETURNING id"
        ),
        {
            "sha256": digest, "mailbox": arrival.mailbox, "kind": report.kind if report else "", "outcome": outcome,
            "organisation": about.organisation_id if about else None, "size": len(arrival.raw),
            "raw": arrival.raw[:_KEPT],
        },
    ).scalar()  # fmt: skip
    if inbound_id is not None and report and about and not record_all(report, about, digest, inbound_id):
        db.session.execute(text("UPDATE inbound_message SET outcome = 'ignored' WHERE id = :id"), {"id": inbound_id})
    db.session.commit()
    return int(inbound_id is not None)


def record_all(report: Report, about: Match, digest: str, inbound_id: int) -> bool:
    """Record what a matched report says, in the caller's transaction; False where it says nothing of the e-mail."""
    facts = news.facts(report, about, digest[:32], datetime.now(UTC), inbound_id)
    record(facts)
    return bool(facts)


def maildir(folder: Path) -> Iterator[Arrival]:
    """New messages of a Maildir, oldest first; done() moves them from new/ to cur/ as seen."""
    new, cur = folder / "new", folder / "cur"
    if not new.is_dir():
        return
    for path in sorted(new.iterdir(), key=lambda p: p.name)[:BATCH]:
        try:
            with path.open("rb") as file:
                raw = file.read(_LARGEST)
        except FileNotFoundError:  # another poller was faster
            continue

        def done(path: Path = path) -> None:
            cur.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path.rename(cur / f"{path.name}:2,S")

        yield Arrival(str(folder), raw, done)


def imap() -> Iterator[Arrival]:
    """Unseen messages of the IMAP mailbox, raw (never re-serialised); done() flags them \\Seen."""
    config = settings()
    name = f"imap:{config.bounce_imap_username}@{config.bounce_imap_host}/{config.bounce_imap_folder}"
    where = (config.bounce_imap_host or "", config.bounce_imap_port, _IMAP_TIMEOUT)
    box: MailBox | MailBoxUnencrypted | None = None
    try:
        tls = config.bounce_imap_tls
        box = MailBox(*where, ssl_context=tls_context(config)) if tls else MailBoxUnencrypted(*where)
        box.login(config.bounce_imap_username or "", config.bounce_imap_password or "", config.bounce_imap_folder)
        for uid in box.uids("UNSEEN")[:BATCH]:
            answer = box.client.uid("fetch", uid, "(BODY.PEEK[])")
            parts = [part[1] for part in answer[1] or [] if isinstance(part, tuple)]
            if not parts:
                continue

            def done(uid: str = uid) -> None:
                with contextlib.suppress(*_IMAP_TROUBLE):  # unflagged it is read again, and known by its hash
                    box.flag(uid, MailMessageFlags.SEEN, True)

            yield Arrival(name, parts[0], done)
    except _IMAP_TROUBLE as error:  # the next poll tries again
        log.warning("%s cannot be read: %s: %s", name, type(error).__name__, error)
    finally:
        if box is not None:
            with contextlib.suppress(Exception):  # the server may already be gone
                box.logout()
            with contextlib.suppress(Exception):
                box.client.shutdown()
