"""From "someone wants to write" to "what became of it is known"."""

from __future__ import annotations

from flask import Flask


def setup(app: Flask) -> None:
    """Hang the mail transport on the app."""
