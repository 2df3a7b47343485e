"""The bounce mailboxes, by IMAP or Maildir: where messages come from. What they do is mail.inbound's.

A message is flagged as read only after its effect is committed, so a crash between the two repeats nothing, and any
number of pollers do no harm. Mailboxes are read side by side: a mute server keeps nobody else waiting.
"""

from __future__ import annotations

import contextlib
import imaplib
import logging
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask, current_app
from imap_tools import ImapToolsError, MailMessageFlags
from imap_tools.mailbox import BaseMailBox

from config import ImapBox
from extensions import settings
from mail.inbound import KEPT, Arrival, take
from mail.transport import tls_context

log = logging.getLogger("sillage.inbound")

BATCH = 200  # new messages of one mailbox in one poll
SIDE_BY_SIDE = 4
NICENESS = 10  # of the process that reads, its fenced reader's too
_IMAP_TIMEOUT = 30  # seconds without a word from the server
_IMAP_LONGEST = 240  # seconds for one poll of one mailbox, however slowly the server speaks
_IMAP_TROUBLE = (OSError, imaplib.IMAP4.error, ImapToolsError)
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


def poll() -> int:
    """Read every configured mailbox once. Returns how many messages had an effect or were filed."""
    boxes = mailboxes()
    if len(boxes) < 2:
        return sum(map(_read, boxes))
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def aside(box: Path | ImapBox) -> int:
        with app.app_context():
            return _read(box)

    with ThreadPoolExecutor(SIDE_BY_SIDE, "mailbox") as threads:
        return sum(threads.map(aside, boxes))


def mailboxes() -> list[Path | ImapBox]:
    """Those configured: BOUNCE_MAILDIR, BOUNCE_IMAP_* and each of BOUNCE_MAILBOXES."""
    config = settings()
    found: list[Path | ImapBox] = [config.bounce_maildir] if config.bounce_maildir else []
    if config.bounce_imap_host:
        found.append(ImapBox(
            config.bounce_imap_host, config.bounce_imap_port, config.bounce_imap_username or "",
            config.bounce_imap_password or "", config.bounce_imap_folder, config.bounce_imap_tls,
        ))  # fmt: skip
    return found + list(config.bounce_mailboxes)


def _read(box: Path | ImapBox) -> int:
    with contextlib.closing(imap(box) if isinstance(box, ImapBox) else maildir(box)) as arrivals:
        return take(arrivals, BATCH)


def maildir(folder: Path) -> Iterator[Arrival]:
    """New messages of a Maildir, oldest first; done() moves them from new/ to cur/ as seen."""
    new, cur = folder / "new", folder / "cur"
    if not new.is_dir():
        return
    for path in sorted(new.iterdir(), key=lambda p: p.name):
        try:
            with path.open("rb") as file:
                raw, size = file.read(KEPT), path.stat().st_size
        except FileNotFoundError:  # another poller was faster
            continue

        def done(path: Path = path) -> None:
            cur.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path.rename(cur / f"{path.name}:2,S")

        yield Arrival(str(folder), raw, done, size)


class _Limited(imaplib.IMAP4):
    """A line that is cut once it was open for _IMAP_LONGEST, whatever trickles through it."""

    def open(self, host: str = "", port: int = imaplib.IMAP4_PORT, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        self.alarm = threading.Timer(_IMAP_LONGEST, self._cut)
        self.alarm.daemon = True
        self.alarm.start()

    def shutdown(self) -> None:
        if hasattr(self, "alarm"):
            self.alarm.cancel()
        super().shutdown()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _LimitedTls(_Limited, imaplib.IMAP4_SSL):
    pass


class _Server(BaseMailBox):
    """imap_tools' mailbox on a line of ours."""

    def __init__(self, box: ImapBox) -> None:
        self._box = box
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        where = (self._box.host, self._box.port)
        if not self._box.tls:
            return _Limited(*where, timeout=_IMAP_TIMEOUT)
        return _LimitedTls(*where, ssl_context=tls_context(settings()), timeout=_IMAP_TIMEOUT)


def imap(box: ImapBox) -> Iterator[Arrival]:
    """Unseen messages of an IMAP mailbox, raw (never re-serialised), no more of each than is kept; done() flags them
    \\Seen. Nothing is remembered between two polls, so a new UIDVALIDITY means nothing here."""
    name = str(box)
    server: _Server | None = None
    try:
        server = _Server(box)
        server.login(box.username, box.password, box.folder)
        for uid in server.uids("UNSEEN"):
            answer = server.client.uid("fetch", uid, f"(RFC822.SIZE BODY.PEEK[]<0.{KEPT}>)")
            parts = [part for part in answer[1] or [] if isinstance(part, tuple)]
            if not parts:
                continue

            def done(uid: str = uid, server: _Server = server) -> None:
                with contextlib.suppress(*_IMAP_TROUBLE):  # unflagged it is read again, and known by its hash
                    server.flag(uid, MailMessageFlags.SEEN, True)

            size = _SIZE.search(parts[0][0])
            yield Arrival(name, parts[0][1], done, int(size[1]) if size else None)
    except _IMAP_TROUBLE as error:  # the next poll tries again
        log.warning("%s cannot be read: %s: %s", name, type(error).__name__, error)
    finally:
        if server is not None:
            with contextlib.suppress(Exception):  # the server may already be gone
                server.logout()
            with contextlib.suppress(Exception):
                server.client.shutdown()
