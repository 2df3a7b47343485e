"""What bench.sending compares us with: bare loops over one connection, Flask-Mail, and django-post_office's sender."""

from __future__ import annotations

import base64
import json
import smtplib
import socket
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_mail
from flask import Flask

from bench.making import HTML, TEXT
from mail.conversation import stuffed

__all__ = ["HTML", "TEXT"]
WHEN = datetime.now(UTC)
Messages = list[tuple[str, bytes]]
Loop = Callable[[int, Messages], None]
_FROM = "formation@cassiopee.example"
_SCRIPT = Path(__file__).with_name("post_office_sending.py")


def smtplib_loop(port: int, messages: Messages) -> None:
    """smtplib over one connection, bytes prebuilt: the limit that ratios name."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench.example") as server:
        for recipient, body in messages:
            server.sendmail(_FROM, [recipient], body)


def pipelining_loop(port: int, messages: Messages) -> None:
    """MAIL, RCPT and DATA in one write, then the message, over one connection."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        replies = sock.makefile("rb")

        def hear(times: int) -> None:
            for _ in range(times):
                while replies.readline()[3:4] == b"-":
                    pass

        hear(1)
        sock.sendall(b"EHLO bench.example\r\n")
        hear(1)
        for recipient, body in messages:
            sock.sendall(f"MAIL FROM:<{_FROM}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
            hear(3)
            sock.sendall(b"".join([*stuffed([body]), b".\r\n"]))
            hear(1)
        sock.sendall(b"QUIT\r\n")
        hear(1)


def flask_mail_loop(port: int, count: int, file: bytes, bulk: bool) -> None:
    """Each message made; Flask-Mail's mail.send opens a connection for each, `bulk` keeps one (mail.connect)."""
    app = Flask("flask-mail")
    app.config.update(MAIL_SERVER="127.0.0.1", MAIL_PORT=port)
    mail = flask_mail.Mail(app)
    with app.app_context(), mail.connect() if bulk else nullcontext(mail) as by:
        for number in range(count):
            message = flask_mail.Message(
                f"Convocation n° {number} à la session", [(f"Léa Martin {number}", f"lea{number}@client.example")],
                body=TEXT, html=HTML, sender=("Atelier Cassiopée", _FROM),
            )  # fmt: skip
            if file:
                message.attach("Programme.pdf", "application/pdf", file)
            by.send(message)


def post_office(python: str, place: dict[str, str], port: int, count: int, file: bytes, folder: Path) -> dict[str, Any]:
    """What django-post_office's sender came to: messages a second (`rate`) and seconds of processor time each."""
    letter = {"text": TEXT, "html": HTML, "file": base64.b64encode(file).decode(), "folder": str(folder)}
    run = subprocess.run(
        [python, str(_SCRIPT), json.dumps(place), str(port), str(count)], input=json.dumps(letter), text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found
