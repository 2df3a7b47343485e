"""What bench.sending compares us with: bare loops over one connection, Flask-Mail, and django-post_office's sender."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from bench.making import HTML, TEXT
from mail.conversation import stuffed

__all__ = ["HTML", "TEXT"]
WHEN = datetime.now(UTC)
Messages = list[tuple[str, bytes]]
Loop = Callable[[int, Messages], None]
_FROM = "formation@cassiopee.example"


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
