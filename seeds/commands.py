"""`flask demo`, `flask token create`, `flask seed`: JSON lines on stdout, a word of progress on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup
from flask_migrate import upgrade
from sqlalchemy import select

from cli import say, services
from extensions import db
from history import tallies
from models import AuditAction, Organisation, Sender, User
from models.words import ReturnPath, Role
from people import accounts, audit
from people import tokens as api_tokens
from planning import retention
from seeds import bulk, demo


@contextmanager
def house() -> Iterator[None]:
    """The services, with a database at its newest migration: a fresh data folder works too."""
    with services():
        try:
            upgrade()
            yield
        finally:  # no connection may outlive a server that was started for us
            db.session.remove()
            db.engine.dispose()


def register(app: Flask) -> None:
    """Hang the commands on the app."""

    @app.cli.command("demo", help="Make the two demo organisations, unless they exist.")
    def make_demo() -> None:
        with house():
            say(demo.make())

    tokens = AppGroup("token", help="API tokens.")

    @tokens.command("create", help="Make an API token for a user and show it, this once.")
    @click.option("--user", "email", required=True, metavar="EMAIL")
    @click.option("--name", default="flask token create", show_default=True)
    def create_token(email: str, name: str) -> None:
        with house():
            user = accounts.find_user(email)
            if user is None or not user.active:
                raise click.ClickException(f"No active user has the address {email}.")
            scopes = " ".join(access.value for access in api_tokens.allowed_to(user.role))
            token, secret = accounts.new_token(user, name, scopes)
            audit.note(AuditAction.TOKEN_CREATED, token.prefix, by=user, name=name, scopes=scopes)
            db.session.commit()
            say({"token": secret, "user": user.email, "scopes": scopes.split()})

    app.cli.add_command(tokens)

    @app.cli.command("seed", help="Add N realistic e-mails with their events, over three years.")
    @click.option("--emails", "count", type=click.IntRange(1, 20_000_000), required=True, metavar="N")
    @click.option("--organisation", "name", metavar="NAME", help="Made when it does not exist. Default: the first one.")
    @click.option("--number", default=1, help="Another number, other e-mails.")
    def seed(count: int, name: str | None, number: int) -> None:
        with house():
            organisation, sender, by = _house(name)
            began = time.monotonic()

            def progress(done: int) -> None:
                if done % 50_000 == 0:
                    click.echo(f"{done} / {count} ({time.monotonic() - began:.0f} s)", err=True)

            bulk.seed(organisation, sender, by, count, number=number, progress=progress)
            tallies.forget(organisation.id)
            retention.forget(organisation.id)
            db.session.commit()
            line: dict[str, Any] = {"organisation": organisation.name, "emails": count}
            say(line | {"seconds": round(time.monotonic() - began, 1)})


def _house(name: str | None) -> tuple[Organisation, Sender, User | None]:
    """The organisation, its default sender, its first admin; made where missing."""
    query = select(Organisation).order_by(Organisation.id).limit(1)
    organisation = db.session.scalar(query.where(Organisation.name == name) if name else query)
    if organisation is None:
        organisation = Organisation(name=name or "Organisme d'essai")
        db.session.add(organisation)
        db.session.flush()
    of = Sender.organisation_id == organisation.id
    sender = db.session.scalar(select(Sender).where(of).order_by(Sender.is_default.desc(), Sender.id).limit(1))
    if sender is None:
        sender = Sender(
            organisation_id=organisation.id, name=organisation.name, is_default=True, return_path=ReturnPath.OWN,
            address=f"formation@{bulk.plain(organisation.name)}.example",
        )  # fmt: skip
        db.session.add(sender)
    admins = select(User).where(User.organisation_id == organisation.id, User.role == Role.ADMIN).order_by(User.id)
    by = db.session.scalar(admins.limit(1))
    db.session.commit()
    return organisation, sender, by
