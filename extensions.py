"""The extensions, made once and hung on the app in setup(); on_commit() and ring(), the only door to RQ.

A ring only says "there is mail": losing it loses nothing, since the row decides and a sweep finds it.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis
from flask import Flask, current_app
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from rq import Queue, Worker
from sqlalchemy import MetaData, event
from sqlalchemy.orm import Session

from config import Config
from places import started

log = logging.getLogger("sillage")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
QUEUES = ("send", "inbound", "work")
# A queue that already holds this many identical rings gains nothing by one more.
_ENOUGH_RINGS = 4

compress = Compress()
db = SQLAlchemy(metadata=MetaData(naming_convention=NAMING))
migrate = Migrate()
csrf = CSRFProtect()
login = LoginManager()
# Its own headers say Retry-After on every answer, refused or not: blueprints.api.door says them.
limiter = Limiter(get_remote_address, headers_enabled=False, in_memory_fallback_enabled=True, default_limits=[])


def setup(app: Flask, config: Config) -> None:
    """Hang every extension on the app."""
    app.extensions["sillage"] = config
    app.extensions["redis"] = redis.Redis.from_url(
        config.redis_url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30
    )
    db.init_app(app)
    migrate.init_app(app, db, directory=str(app.root_path) + "/migrations")
    # Pages, scripts and style sheets travel small; exports stream as they are, fonts and attachments gain nothing.
    app.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_MIMETYPES=["text/html", "text/css", "text/javascript", "application/javascript", "image/svg+xml"],
    )
    compress.init_app(app)
    csrf.init_app(app)
    login.init_app(app)
    limiter.init_app(app)


def settings() -> Config:
    """The settings of the running app."""
    return current_app.extensions["sillage"]


def queue(name: str) -> Queue:
    """The RQ queue of that name; JSON only, so that Redis can hold no code."""
    return Queue(name, connection=current_app.extensions["redis"], serializer="json")


def living_workers(fresh: float = 90.0) -> list[Worker]:
    """The workers heard within `fresh` seconds that are, on this machine, still processes.

    Raises redis.RedisError when Redis is away.
    """
    here, now = socket.gethostname(), datetime.now(UTC)

    def alive(worker: Worker) -> bool:
        heard = worker.last_heartbeat
        if heard is None or (now - heard.replace(tzinfo=UTC)).total_seconds() > fresh:
            return False
        return worker.hostname != here or worker.pid is None or started(worker.pid) is not None

    every = Worker.all(connection=current_app.extensions["redis"], serializer="json")
    return [worker for worker in every if alive(worker)]


def workers_alive(fresh: float = 90.0) -> dict[str, bool]:
    """For each queue whether a living worker serves it. Raises redis.RedisError when Redis is away."""
    served = {name for worker in living_workers(fresh) for name in worker.queue_names()}
    return {name: name in served for name in QUEUES}


def on_commit(call: Callable[[], Any]) -> None:
    """Run `call` once the session's transaction has committed; never if it rolls back."""
    db.session.info.setdefault("on_commit", []).append(call)


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():  # a released savepoint has committed nothing yet
        return
    for call in session.info.pop("on_commit", []):
        call()


@event.listens_for(Session, "after_rollback")
def _after_rollback(session: Session) -> None:
    session.info.pop("on_commit", None)


def ring(job: str, queue_name: str, *args: Any) -> None:
    """Enqueue `jobs.<job>` by name. An absent or full Redis is logged, never an error: the sweep will find the row."""
    try:
        line = queue(queue_name)
        if not args and len(line) >= _ENOUGH_RINGS:
            return
        line.enqueue_call(f"jobs.{job}", args=args, timeout=-1, result_ttl=0, failure_ttl=86400)
    except (redis.RedisError, OSError) as error:
        log.warning("ring %s not heard: %s", job, type(error).__name__)
