"""Several mailboxes, read side by side: none keeps another waiting, and each message's effect comes once."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import socket
import threading
from pathlib import Path

import pytest

import config
from config import ImapBox, WrongSetting
from extensions import db, settings
from mail import inbound, mailbox
from mail.drain import drain
from models import DeliveryEvent, InboundMessage
from models.words import EventKind, Status
from tests.mail.imap_server import imap_server
from tests.mail.test_inbound import report
from tests.mail.test_sending import ask, server, state  # noqa: F401 (server is a fixture)

COUNT = 4


@pytest.fixture
def shelf():
    with imap_server() as one:
        yield one


@pytest.fixture
def filled(cassiopee, server, shelf):  # noqa: F811
    """An e-mail that was sent, and reports of its delay waiting on the shelf."""
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    for n in range(COUNT):
        shelf.messages[n + 1] = report(email, verp=True, action="delayed", status="4.4.1", extra=f"X-N: {n}\r\n")
    return email


@pytest.fixture
def read_from(app, tmp_path):
    """Makes the app read these mailboxes and none else."""

    def change(*boxes: Path | ImapBox) -> None:
        changed = dataclasses.replace(settings(), bounce_maildir=None, bounce_imap_host=None, bounce_mailboxes=boxes)
        app.extensions["sillage"] = changed

    before = settings()
    yield change
    app.extensions["sillage"] = before


def box(port: int) -> ImapBox:
    return ImapBox("127.0.0.1", port, "retours", "secret", tls=False)


def maildir(folder: Path, *messages: bytes) -> Path:
    (folder / "new").mkdir(parents=True)
    for raw in messages:
        (folder / "new" / hashlib.sha256(raw).hexdigest()).write_bytes(raw)
    return folder


def delays() -> int:
    db.session.expire_all()
    return db.session.query(DeliveryEvent).filter_by(kind=EventKind.DELAYED).count()


def test_what_the_setting_says():
    given = "imaps://retours%40a.example:m%20dp@imap.a.example/Retours imap://u:p@127.0.0.1:1143 maildir:///var/mail/b"
    found = config.read({"BOUNCE_MAILBOXES": given, "SECRET_KEY": "k" * 40}).bounce_mailboxes
    assert found == (
        ImapBox("imap.a.example", 993, "retours@a.example", "m dp", "Retours"),
        ImapBox("127.0.0.1", 1143, "u", "p", "INBOX", tls=False),
        Path("/var/mail/b"),
    )
    assert "m dp" not in f"{found!r}{found[0]}"


@pytest.mark.parametrize(
    "given", ["imap.a.example", "imaps://a.example", "pop3://u:hush@a", "imaps://u:hush@a:99999", "maildir:b"]
)
def test_a_mailbox_that_cannot_be_meant_stops_the_start(given):
    with pytest.raises(WrongSetting, match="BOUNCE_MAILBOXES") as error:
        config.read({"BOUNCE_MAILBOXES": given, "SECRET_KEY": "k" * 40})
    assert "hush" not in str(error.value)


def test_several_mailboxes_are_read(filled, shelf, read_from, tmp_path):
    more = [report(filled, verp=True, action="delayed", extra=f"X-M: {n}\r\n") for n in range(2)]
    read_from(box(shelf.port), maildir(tmp_path / "a", more[0]), maildir(tmp_path / "b", *more), tmp_path / "missing")
    assert mailbox.poll() == COUNT + 2 == delays()
    assert shelf.seen == set(shelf.messages)
    assert not list(tmp_path.glob("*/new/*")) and mailbox.poll() == 0


def test_a_mute_mailbox_keeps_no_other_waiting(filled, shelf, read_from, monkeypatch, caplog):
    monkeypatch.setattr(mailbox, "_IMAP_TIMEOUT", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute, caplog.at_level(logging.WARNING):
        read_from(box(mute.getsockname()[1]), box(1), box(shelf.port))
        assert mailbox.poll() == COUNT
    assert caplog.text.count("cannot be read") == 2 and "secret" not in caplog.text


def test_a_server_that_drips_is_left_after_a_while(shelf, read_from, monkeypatch, caplog):
    monkeypatch.setattr(mailbox, "_IMAP_LONGEST", 0.3)
    shelf.drips = True
    read_from(box(shelf.port))
    with caplog.at_level(logging.WARNING):
        assert mailbox.poll() == 0
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("command", ["LOGIN", "SELECT", "SEARCH", "FETCH", "STORE", "LOGOUT"])
def test_a_line_cut_at_any_command_loses_and_doubles_nothing(filled, shelf, read_from, command):
    shelf.cut_before = command
    read_from(box(shelf.port))
    mailbox.poll()
    mailbox.poll()
    assert delays() == COUNT == db.session.query(InboundMessage).count()
    assert shelf.seen == set(shelf.messages)


def test_a_new_uidvalidity_repeats_nothing(filled, shelf, read_from):
    read_from(box(shelf.port))
    assert mailbox.poll() == COUNT
    shelf.renumber()
    assert mailbox.poll() == 0
    assert shelf.seen == set(shelf.messages) and delays() == COUNT
    assert state(filled)[0] is Status.SENT


def test_three_pollers_at_once_on_the_same_mailboxes(filled, shelf, read_from, tmp_path, app):
    read_from(box(shelf.port), maildir(tmp_path / "a", *shelf.messages.values()))
    db.session.rollback()
    counts: list[int] = []

    def poll() -> None:
        with app.app_context():
            counts.append(mailbox.poll())

    threads = [threading.Thread(target=poll) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts) == COUNT == delays() and len(counts) == 3


def test_no_more_of_a_message_is_read_than_is_kept(filled, shelf, read_from, tmp_path):
    large = report(filled, verp=True, action="delayed", extra="X-L: 1\r\n") + b"A" * (3 * inbound.KEPT)
    shelf.messages = {1: large}
    read_from(box(shelf.port), maildir(tmp_path / "a", large))
    assert mailbox.poll() == 1
    kept = db.session.query(InboundMessage).one()
    assert (kept.size, len(kept.raw)) == (len(large), inbound.KEPT)
    assert all(f"<0.{inbound.KEPT}>" in command for command in shelf.fetched)


def test_a_poll_ends_after_a_batch_of_new_messages(filled, shelf, read_from, monkeypatch):
    monkeypatch.setattr(mailbox, "BATCH", 3)
    read_from(box(shelf.port))
    assert (mailbox.poll(), mailbox.poll(), delays()) == (3, 1, COUNT)
