"""A request that only read ends by COMMIT, so that its connection keeps the statements it has prepared.

A session that nobody committed ends by ROLLBACK, and there psycopg forgets all that a connection has prepared. So every
page of the history was parsed and planned anew, which took the database twice as long as answering it. What a GET wrote
without committing is rolled back, as ever.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import Any

import psycopg
from flask import Flask, request
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, TextClause, event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from extensions import db

_CONNECTION, _WROTE = "reading_connection", "reading_wrote"
# Prepared statements of one connection: a plan of the history is some 200 kB of the server's.
_MOST = 50
_READS = re.compile(r"\s*(?:SELECT|WITH|SHOW|SET\s+LOCAL)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


def setup(app: Flask) -> None:
    """End every request that only read."""
    app.teardown_request(_end)


@event.listens_for(db.session, "after_begin")
def _begun(session: Session, _transaction: Any, connection: Connection) -> None:
    session.info[_CONNECTION] = connection  # what it begins with may be a write, and was noticed before


@event.listens_for(db.session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_CONNECTION, None)
        session.info.pop(_WROTE, None)


@event.listens_for(db.session, "after_flush")
def _flushed(session: Session, _context: Any) -> None:
    session.info[_WROTE] = True


@event.listens_for(db.session, "do_orm_execute")
def _executed(state: ORMExecuteState) -> None:
    said = state.statement
    if state.is_select or (isinstance(said, TextClause) and _READS.match(said.text) and not _WRITES.search(said.text)):
        return
    state.session.info[_WROTE] = True


def _end(error: BaseException | None) -> None:
    """Commit what the session has under way, past the session: it finds nothing left to roll back."""
    if error is not None or request.method not in ("GET", "HEAD") or not db.session.registry.has():
        return
    info = db.session().info
    connection = info.get(_CONNECTION)
    if connection is None or connection.invalidated or info.get(_WROTE):
        return
    raw = connection.connection.dbapi_connection
    if raw.info.transaction_status is TransactionStatus.INTRANS:
        with suppress(psycopg.Error):  # the answer is made; that the server is gone is for the pool to find
            commit(raw)


def commit(raw: psycopg.Connection[Any]) -> None:
    """End the transaction of a connection that only read."""
    raw.commit()
    # Only what asks for it is prepared (history.prepared): a plan for all values suits not every statement.
    raw.prepare_threshold, raw.prepared_max = sys.maxsize, _MOST
