"""The bounce mailbox on a real Dovecot: encrypted or not, cut anywhere, renumbered, read by two: each effect once."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from extensions import db, settings
from local.processes import wait_until
from mail import mailbox
from mail.drain import drain
from models import DeliveryEvent, InboundMessage
from models.words import EventKind, Status
from tests.mail.test_inbound import report
from tests.mail.test_sending import ask, state

COUNT = 6


@pytest.fixture
def filled(cassiopee, real):
    """An e-mail that was sent, and reports of its delay waiting in the mailbox."""
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    assert wait_until(real.reports, 60)
    real.clear()
    for n in range(COUNT):
        real.put(report(email, verp=True, action="delayed", status="4.4.1", extra=f"X-N: {n}\r\n"), f"{n}.report")
    return email


def effects() -> int:
    db.session.expire_all()
    return db.session.query(DeliveryEvent).filter_by(kind=EventKind.DELAYED).count()


def unread(real) -> int:
    return sum(not (":2," in path.name and "S" in path.name.split(":2,")[1]) for path in real.reports())


@contextlib.contextmanager
def cut_after(port: int, count: int) -> Iterator[int]:
    """A port that leads to `port` and breaks each connection once the server has said `count` bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=_pass_on, args=(client, port, count), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def _pass_on(client: socket.socket, port: int, count: int) -> None:
    with client, socket.create_connection(("127.0.0.1", port)) as server:

        def up() -> None:
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=up)
        thread.start()
        with contextlib.suppress(OSError):
            while count > 0 and (data := server.recv(min(count, 65536))):
                count -= len(data)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def test_by_tls_with_a_certificate_of_our_own_authority(filled, real, app):
    trusting = dataclasses.replace(
        settings(), bounce_imap_tls=True, bounce_imap_port=real.imap_tls_port, mail_ca_file=real.authority.root
    )
    app.extensions["sillage"] = trusting
    assert mailbox.poll() == COUNT == effects()
    assert unread(real) == 0


@pytest.mark.parametrize(
    "changed", [{"bounce_imap_password": "faux"}, {"bounce_imap_tls": True}, {"bounce_imap_port": 1}]
)
def test_a_mailbox_that_cannot_be_read_is_said_and_left(filled, real, app, caplog, changed):
    if "bounce_imap_tls" in changed:
        changed = changed | {"bounce_imap_port": real.imap_tls_port}
    app.extensions["sillage"] = dataclasses.replace(settings(), **changed)
    with caplog.at_level(logging.WARNING):
        assert mailbox.poll() == 0
    assert "cannot be read" in caplog.text and "mot de passe" not in caplog.text
    assert unread(real) == COUNT


def test_a_connection_cut_anywhere_loses_and_doubles_nothing(filled, real, app):
    whole = settings()
    for count in (5, 300, 900, 1100, 1500, 2500, 4000, 9000):
        with cut_after(real.imap_port, count) as port:
            app.extensions["sillage"] = dataclasses.replace(whole, bounce_imap_port=port)
            mailbox.poll()
    app.extensions["sillage"] = whole
    mailbox.poll()
    assert effects() == COUNT == db.session.query(InboundMessage).count()
    assert unread(real) == 0 and mailbox.poll() == 0


def test_a_renumbered_mailbox_repeats_nothing(filled, real):
    assert mailbox.poll() == COUNT
    for path in real.bounces.glob("dovecot*"):  # a new UIDVALIDITY, and every message unread again
        path.unlink()
    for path in (real.bounces / "cur").iterdir():
        path.rename(real.bounces / "new" / path.name.split(":")[0])
    assert unread(real) == COUNT
    assert mailbox.poll() == 0
    assert unread(real) == 0 and effects() == COUNT
    assert state(filled)[0] is Status.SENT


def test_two_readers_at_once_do_no_harm(filled, real, app):
    db.session.rollback()
    counts: list[int] = []

    def read() -> None:
        with app.app_context():
            counts.append(mailbox.poll())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    assert sum(counts) == COUNT == effects() and len(counts) == 3
