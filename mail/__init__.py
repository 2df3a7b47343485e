"""From "someone wants to write" to "what became of it is known". Its face: post, cancel, send_now, record.

post freezes and queues; a worker's drain sends; cancel and send_now decide about what still waits; record takes in
what comes back. Rendering is compose's, sending again resend's.
"""

from __future__ import annotations

from flask import Flask

from mail.outbox import post, resume, sweep
from mail.scheduled import cancel, send_now
from mail.tracking import record
from mail.transport import TrackedMail

__all__ = ["cancel", "post", "record", "resume", "send_now", "setup", "sweep"]


def setup(app: Flask) -> None:
    """Hang the tracked transport on the app."""
    app.extensions["tracked_mail"] = TrackedMail(app)
