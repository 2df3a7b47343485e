"""flask commands. Those that outside programs rely on print JSON lines on stdout and nothing else there."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import click
from flask import Flask, current_app
from redis.exceptions import RedisError

from errors import Permanent, Temporary, UserMistake
from extensions import db, workers_alive


def say(line: dict[str, Any]) -> None:
    """One JSON line on stdout."""
    click.echo(json.dumps(line, ensure_ascii=False))


@contextmanager
def services() -> Iterator[None]:
    """The services of a running `make run`, or the embedded ones for the duration of a command."""
    with current_app.extensions["services"]():
        yield


@contextmanager
def _database() -> Iterator[None]:
    """The services, the errors of ours as sentences, and no connection left behind."""
    with services():
        try:
            yield
        except (Permanent, Temporary, UserMistake) as error:
            raise click.ClickException(str(error)) from error
        finally:
            db.session.remove()
            db.engine.dispose()


def register(app: Flask) -> None:
    """Hang every command on the app."""

    @app.cli.command("classify", help="Say what each message file is, a JSON line each.")
    @click.argument("files", nargs=-1, required=True, type=click.Path())
    def classify(files: tuple[str, ...]) -> None:
        from mail.reports import classify_files

        for line in classify_files(files):
            say(line)
            sys.stdout.flush()

    @app.cli.command("clock", help="Move the demonstration's clock ahead, plan by plan.")
    @click.option("--days", type=click.FloatRange(0, 3650), help="How many days ahead of where it stands.")
    @click.option("--reset", is_flag=True, help="Back to the real time; what has left has left.")
    def move_clock(days: float | None, reset: bool) -> None:
        from planning import clock, walk

        with services():
            try:
                if reset:
                    clock.move(timedelta())
                for one in walk.ahead(timedelta(days=days), _patience()) if days else ():
                    click.echo(f"{_local(one.at)}  {one.label} → {one.recipient} : {one.state.label}")
                click.echo(f"{_local(clock.now())}{'' if clock.ahead() else '  (heure réelle)'}")
            except Permanent as error:
                raise click.ClickException(str(error)) from error
            finally:  # no connection may outlive a server that was started for us
                db.session.remove()
                db.engine.dispose()


    @app.cli.command("first-run", help="Show where, and by which code, the first account of an empty house is made.")
    def first_run() -> None:
        from config import first_run_code
        from extensions import settings
        from people import first_steps

        with _database():
            if first_steps.anybody():
                raise click.ClickException("There are accounts already: sign in.")
            code = first_run_code(settings().secret_key)
            say({"address": f"{settings().base_url}/first-run?code={code}", "code": code})

    @app.cli.command("queue", help="Say what waits to leave, and who works: a JSON line each.")
    def show_queue() -> None:
        from dataclasses import asdict

        import metrics

        with services():
            try:
                say({"outbox": asdict(metrics.outbox())})
                say({"workers": metrics.workers()})
            except RedisError as error:
                raise click.ClickException(f"Redis: {type(error).__name__}") from error
            finally:
                db.session.remove()
                db.engine.dispose()

    @app.cli.group("reports", help="What came back by mail and matched nothing, or could not be read; everybody's.")
    def reports() -> None:
        pass

    @reports.command("list", help="What waits, a JSON line each, the newest first.")
    @click.option("--most", default=200, type=click.IntRange(1, 10_000))
    def list_reports(most: int) -> None:
        from mail import operator

        with _database():
            for line in operator.waiting(most):
                say(line)

    @reports.command("show", help="A message's raw bytes on stdout.")
    @click.argument("public_id")
    def show_report(public_id: str) -> None:
        from mail import operator

        with _database():
            sys.stdout.buffer.write(operator.one(public_id).raw)

    @reports.command("again", help="Read what waits anew, or the messages named.")
    @click.argument("public_ids", nargs=-1)
    def read_reports(public_ids: tuple[str, ...]) -> None:
        from mail import operator

        with _database():
            for line in operator.again(public_ids):
                say(line)

    @reports.command("dismiss", help="Put messages aside.")
    @click.argument("public_ids", nargs=-1, required=True)
    @click.option("--note", default="")
    def dismiss_reports(public_ids: tuple[str, ...], note: str) -> None:
        from mail import operator

        with _database():
            for line in operator.dismiss(public_ids, note):
                say(line)

    @app.cli.group("blobs", help="The bytes of attachments and documents.")
    def blobs() -> None:
        pass

    @blobs.command("check", help="Prove that every blob is whole: a JSON line for each that is not; exit 1 then.")
    @click.option("--quick", is_flag=True, help="That each is there and as long as it was; hash none.")
    def check_blobs(quick: bool) -> None:
        from documents.blob_check import Tally, check

        with services():
            tally, losses, others, started = Tally(), 0, 0, time.monotonic()
            try:
                for found in check(tally, quick, _progress() if sys.stderr.isatty() else None):
                    losses, others = losses + found.fault.loss, others + (not found.fault.loss)
                    example = dict(zip(("email", "filename"), found.example or (), strict=False))
                    say({
                        "fault": found.fault.value, "name": found.name, "size": found.size, "found": found.found,
                        "emails": found.emails, "documents": found.documents, **example,
                    })  # fmt: skip
            except Temporary as error:
                raise click.ClickException(f"{error}") from error
            finally:
                db.session.remove()
                db.engine.dispose()
            say({
                "checked": tally.blobs, "bytes": tally.size, "files": tally.files, "lost": losses, "unnamed": others,
                "hashed": not quick, "seconds": round(time.monotonic() - started, 1),
            })  # fmt: skip
        if losses:
            raise SystemExit(1)


def _progress() -> Callable[[Any], None]:
    """Says on standard error, to a person, how far a check has come."""
    return lambda tally: click.echo(
        f"\r{tally.blobs} blobs, {tally.size / 1e6:.0f} MB, {tally.files} files", nl=False, err=True
    )


def _patience() -> float:
    """How long to wait for e-mails to leave, in seconds; not at all where no worker sends."""
    try:
        return 20.0 if workers_alive()["send"] else 0.0
    except RedisError:
        return 0.0


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(current_app.extensions['sillage'].timezone):%d/%m/%Y %H:%M}"
