"""The tests' own PostgreSQL and Valkey, the app, three accounts, and a client that lints every page.

Real services only; each test starts with empty tables and an empty Valkey. REQUIRE_ALL=1 turns a missing server or
browser into a failure (see tests.need).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_migrate import upgrade
from hypothesis import settings

import config
from extensions import db
from local.postgres import Postgres
from local.valkey import Valkey
from models import Organisation, Sender, User
from models.words import ReturnPath, Role
from tests import audited, emptying, loopback
from tests.client import Browser
from tests.crew import Nursery
from tests.sharing import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]

loopback.stay()
settings.register_profile("any machine", deadline=None)  # a slow machine's first example fails nothing
settings.load_profile("any machine")

PASSWORD = "demo"
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A short-pathed folder for the sockets and data of this run."""
    path = Path(tempfile.mkdtemp(prefix="sil-", dir=os.environ.get("SILLAGE_TEST_FOLDER", "/tmp")))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL of the tests' own, without fsync."""
    server = Postgres(folder / "pg", fsync=False)
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def valkey(folder: Path) -> Iterator[Valkey]:
    """A Valkey of the tests' own."""
    server = Valkey(folder / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def test_config(folder: Path, postgres: Postgres, valkey: Valkey) -> config.Config:
    """The settings of the app under test."""
    return config.Config(
        env="test",
        data=folder / "data",
        secret_key="the tests' own secret key, long enough",
        account_keys=("the tests' own key of accounts, long enough",),
        base_url="http://localhost",
        database_url=config.psycopg_url(postgres.create_database("sillage_test")),
        redis_url=valkey.url,
        mail_server="127.0.0.1",
        mail_port=1,  # nothing listens there; tests that send name their own server
        bounce_maildir=folder / "bounces",
        dns_server="none",  # tests that ask name their own server
        lease=3.0,
        smtp_timeout=2.0,
        smtp_data_timeout=3.0,
        drain_time=5.0,
        drain_linger=0.1,
    )


@pytest.fixture(scope="session")
def migrated_app(test_config: config.Config) -> Iterator[Flask]:
    from app import create_app

    app = create_app(test_config)
    with app.app_context():
        upgrade()
        audited.watch(app)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
    if "outbox_engine" in app.extensions:
        app.extensions["outbox_engine"].dispose()
    app.extensions["redis"].close()


@pytest.fixture
def app(migrated_app: Flask) -> Iterator[Flask]:
    """The app in a context of its own, with empty tables and an empty Valkey."""
    with migrated_app.app_context():
        emptying.empty()
        migrated_app.extensions["redis"].flushall()
        migrated_app.extensions.pop("floors", None)  # what was known of the tables that are empty now
        yield migrated_app
        db.session.remove()
        # Who listens to what is sent has it sent another way (history.prepared): the next test would see that.
        assert not db.engine.dispatch.before_cursor_execute, "a listener was left behind"


@pytest.fixture
def client(app: Flask) -> Browser:
    """A client that keeps cookies, sends the CSRF token and lints every page it gets."""
    return Browser(app)


@dataclass
class House:
    """An organisation with its default sender and one person of each role."""

    organisation: Organisation
    sender: Sender
    staff: User
    manager: User
    admin: User

    @property
    def id(self) -> int:
        return self.organisation.id


def make_house(name: str, domain: str) -> House:
    """An organisation as the demo has it, committed."""
    organisation = Organisation(name=name)
    db.session.add(organisation)
    db.session.flush()
    people = [
        User(
            organisation_id=organisation.id, email=f"{role.value}@{domain}", name=f"{role.value.title()} {name}",
            password_hash=_HASH, role=role,
        )
        for role in Role
    ]  # fmt: skip
    sender = Sender(
        organisation_id=organisation.id, name=name, address=f"formation@{domain}", is_default=True,
        return_path=ReturnPath.VERP, bounce_address=f"retours@{domain}",
    )  # fmt: skip
    db.session.add_all([*people, sender])
    db.session.commit()
    return House(organisation, sender, *people)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where workers to be killed come from (tests.crew)."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def cassiopee(app: Flask) -> House:
    """Atelier Cassiopée: most tests happen in its house."""
    return make_house("Atelier Cassiopée", "cassiopee.example")


@pytest.fixture
def boreale(app: Flask) -> House:
    """Formation Boréale: must see nothing of Atelier Cassiopée."""
    return make_house("Formation Boréale", "boreale.example")
