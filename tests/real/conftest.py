"""The private Postfix and Dovecot of this run, and an app that uses them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.need import need
from tests.real.authority import Authority
from tests.real.servers import PASSWORD, RealServers


@pytest.fixture(scope="session")
def real_servers(folder: Path) -> Iterator[RealServers]:
    for name in ("root", "postfix", "dovecot"):
        need(name)
    with RealServers(folder / "real", Authority(folder / "authority")) as running:
        yield running


@pytest.fixture
def real(real_servers: RealServers, app: Flask) -> Iterator[RealServers]:
    """The servers with empty mailboxes; the app sends to Postfix and reads `retours` by IMAP."""
    real_servers.clear()
    mail, before = app.extensions["tracked_mail"], app.extensions["sillage"]
    kept = {name: getattr(mail, name) for name in ("port", "username", "password", "use_tls", "use_ssl", "config")}
    changed = dataclasses.replace(
        before, bounce_maildir=None, bounce_imap_host="127.0.0.1", bounce_imap_port=real_servers.imap_port,
        bounce_imap_username="retours", bounce_imap_password=PASSWORD, bounce_imap_tls=False, smtp_timeout=20.0,
        smtp_data_timeout=20.0,
    )  # fmt: skip
    app.extensions["sillage"] = mail.config = changed
    mail.port = real_servers.port
    yield real_servers
    app.extensions["sillage"] = before
    for name, value in kept.items():
        setattr(mail, name, value)
