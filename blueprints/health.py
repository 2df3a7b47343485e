"""Two questions of the machinery: does this process live (/healthz), can the house do its work (/readyz)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify, make_response
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from blueprints.support import allow_anyone
from extensions import QUEUES, db, migrate, workers_alive

blueprint = Blueprint("health", __name__)
log = logging.getLogger("sillage")


@blueprint.get("/healthz")
@allow_anyone
def healthz() -> Response:
    """This process answers; nothing else is asked."""
    return _answer({"status": "ok"}, 200)


@blueprint.get("/readyz")
@allow_anyone
def readyz() -> Response:
    """200 when the database is at its migration head, Redis answers, and each queue has a living worker; else 503."""
    checks: dict[str, Any] = {"database": _tried(_database), "redis": _tried(_redis)}
    workers = _tried(workers_alive) if checks["redis"] is True else False
    checks["workers"] = workers if isinstance(workers, dict) else dict.fromkeys(QUEUES, False)
    ready = checks["database"] is True and checks["redis"] is True and all(checks["workers"].values())
    return _answer({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


def _tried(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except (SQLAlchemyError, RedisError, OSError) as error:
        log.warning("not ready: %s", type(error).__name__)
        return False


def _database() -> bool:
    """Whether the database answers and its migration is the newest."""
    heads = ScriptDirectory.from_config(migrate.get_config()).get_heads()
    with db.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)


def _redis() -> bool:
    return bool(current_app.extensions["redis"].ping())


def _answer(body: dict[str, Any], status: int) -> Response:
    response = make_response(jsonify(body), status)
    response.headers["Cache-Control"] = "no-store"
    return response
