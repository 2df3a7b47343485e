"""flask commands. Those that outside programs rely on print JSON lines on stdout and nothing else there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask, current_app


def say(line: dict[str, Any]) -> None:
    """One JSON line on stdout."""
    click.echo(json.dumps(line, ensure_ascii=False))


@contextmanager
def services() -> Iterator[None]:
    """The services of a running `make run`, or the embedded ones for the duration of a command."""
    with current_app.extensions["services"]():
        yield


def register(app: Flask) -> None:
    """Hang every command on the app."""

    @app.cli.command("classify", help="Say what each message file is, a JSON line each.")
    @click.argument("files", nargs=-1, required=True, type=click.Path())
    def classify(files: tuple[str, ...]) -> None:
        from mail.reports import classify_files

        for line in classify_files(files):
            say(line)
            sys.stdout.flush()
