"""The servers of reliability tests that kill them, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import Config
from tests.crew import Nursery
from tests.reliability.station import Station, servers
from tests.reliability.station import station as one_station
from tests.smtp_server import SmtpServer


@pytest.fixture(scope="session")
def mortal_servers(folder: Path, test_config: Config) -> Iterator[Any]:
    """A PostgreSQL and a Valkey to be killed, and an app on them."""
    with servers(folder / "station", test_config) as made:
        yield made


@pytest.fixture
def station(mortal_servers: Any, nursery: Nursery) -> Iterator[Station]:
    """A house on servers of its own, empty, that a test may kill."""
    with one_station(mortal_servers, nursery) as found:
        yield found


@pytest.fixture
def server(app: Flask) -> Iterator[SmtpServer]:
    """The house's own SMTP server, scripted."""
    with SmtpServer() as server:
        app.extensions["tracked_mail"].port = server.port
        yield server
    app.extensions["tracked_mail"].port = 1
