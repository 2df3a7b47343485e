"""The documentation's program, run as it stands: a served house, a worker's drain, a real SMTP server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from extensions import db, settings
from history import export_work
from mail.drain import drain
from mail.fold import Fact
from mail.tracking import record
from models import Email
from models.words import EventKind, Status
from tests.conftest import House
from tests.history.test_export import sheets
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


def opened() -> None:
    """As the pixel would say it of what has left."""
    left = select(Email.id).where(Email.status == Status.SENT)
    record(Fact(id_, EventKind.OPENED, "pixel", str(id_), datetime.now(UTC)) for id_ in db.session.scalars(left))
    db.session.commit()


def test_twenty_lines_send_follow_and_export(app: Flask, cassiopee: House, served: str, tmp_path: Path) -> None:
    assert len(list(filter(str.strip, SCRIPT.read_text().splitlines()))) <= 21
    secret = Program(app, cassiopee.staff, "read send").secret
    environment = os.environ | {"SILLAGE_URL": served, "SILLAGE_TOKEN": secret}
    command = [sys.executable, str(SCRIPT), "lea@mail.example", "perm@mail.example"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=-1, stderr=-1) as script:
        while script.poll() is None:
            drain()
            opened()
            export_work.run()
            time.sleep(0.1)
        said, wrong = script.communicate()
    assert script.returncode == 0, wrong
    first, second = said.splitlines()
    assert first == "lea@mail.example opened None ['requested', 'accepted', 'opened']"
    assert second.startswith("perm@mail.example failed user_unknown ['requested', '")
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("emails_") and file.suffix == ".xlsx"
    ((head, *rows),) = sheets(file.read_bytes())
    told = [{name: row[head.index(name)] for name in ("Adresse", "Type", "Statut")} for row in rows]
    assert told == [
        {"Adresse": "perm@mail.example", "Type": "welcome", "Statut": "Erreur à l’envoi"},
        {"Adresse": "lea@mail.example", "Type": "welcome", "Statut": "Reçu et ouvert"},
    ]
    for path in settings().places.exports.iterdir():
        path.unlink()
