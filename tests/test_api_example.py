"""The documentation's program, run as it stands: a served house, a worker's drain, a real SMTP server."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from mail.drain import drain
from tests.conftest import House
from tests.program import Program
from tests.smtp_server import SmtpServer

SCRIPT = Path(__file__).parent.parent / "docs" / "examples" / "send_follow_export.py"


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The address of the house on loopback; its mail leaves to a server that takes everything."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    with SmtpServer() as smtp:
        app.extensions["tracked_mail"].port = smtp.port
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        server.server_close()
    app.extensions["tracked_mail"].port = 1


def test_twenty_lines_send_follow_and_export(app: Flask, cassiopee: House, served: str, tmp_path: Path) -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 20
    secret = Program(app, cassiopee.staff, "read send").secret
    environment = os.environ | {"SILLAGE_URL": served, "SILLAGE_TOKEN": secret}
    command = [sys.executable, str(SCRIPT), "lea@mail.example"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=-1, stderr=-1) as script:
        while script.poll() is None:
            drain()
            time.sleep(0.1)
        said, wrong = script.communicate()
    assert script.returncode == 0, wrong
    assert said.startswith("sent None ['requested', 'accepted']")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "emails.csv").read_text("utf-8"))))
    assert [(row["recipient"], row["type"], row["status"]) for row in rows] == [
        ("lea@mail.example", "welcome", "sent"),
    ]  # fmt: skip
