"""From "someone wants to write" to "what became of it is known". Its face: post, preview, resend, record.

compose and preview render; post freezes and queues; a worker's drain sends; record takes in what comes back.
"""

from __future__ import annotations

from flask import Flask

from mail.outbox import post, resume, sweep
from mail.tracking import record
from mail.transport import TrackedMail

__all__ = ["post", "record", "resume", "setup", "sweep"]


def setup(app: Flask) -> None:
    """Hang the tracked transport on the app."""
    app.extensions["tracked_mail"] = TrackedMail(app)
