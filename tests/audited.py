"""What holds of every request that writes: a line of the audit log goes with it, or its route stands in QUIET.

`watch(app)` is hung on the app under test: a successful POST, PUT, PATCH or DELETE that changed a row and kept no line
fails the test that made it, so a new route can't forget its line. tests.test_audit walks the routes themselves.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from flask import Flask, Response, request
from sqlalchemy import event

from blueprints import reading
from extensions import db
from people.audit import NOTED

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# endpoint → why no line of the log goes with it
QUIET = {
    "auth.language": "one's own language",
    "auth.theme": "one's own colours: a cookie",
    "auth.keys": "one's own key: a cookie",
    "start.later": "how far one's own first steps are",
    "start.kept": "how far one's own first steps are",
    "start.close": "how far one's own first steps are",
    "auth.digest": "whether one gets the morning's summary oneself",
    "emails.images": "a look: pictures are fetched and shown, nothing is kept",
    "answers.answer": "the recipient's own act: kept with its moment in the evaluation",
    "answers.confirm": "the recipient's own act: kept with its moment in the evaluation",
    "leaving.leave": "the recipient's own act: kept as an opt-out with its moment",
    "leaving.back": "the recipient's own act: kept with its moment in the opt-out",
    "receipts.confirm": "the recipient's own act: kept as a fact of the e-mail",
    "provider_calls.told": "a provider's call: kept raw, and its events with what became of each",
    "billing.told": "a program's event: kept whole, with its source and moment, as an event",
    "search.look": "searches, writes nothing",
    "segments.preview": "shows what a rule would hold, writes nothing",
    "views.keep": "how one looks at lists",
    "views.change": "how one looks at lists",
    "views.delete": "how one looks at lists",
    "views.shorten": "how one looks at lists",
    "views.step": "goes to what is searched for",
    "views.addresses": "how one looks at lists",
    "views.columns": "how one looks at lists",
    "bulk.choose": "goes to the preview of what was ticked; what is done then is noted",
    "resend_runs.choices": "a preview's own choices; starting it is noted",
    "exports.fetch": "puts a notice aside; the file itself, when it is taken, is noted",
    "exports.seen": "puts notices aside",
    "templates.preview": "shows a letter, writes nothing",
    "api.post_attachment": "bytes that nobody has sent yet: the e-mail that carries them is noted",
}
# What is written beside an act, and by itself is none: the log, last uses, the address book, kept bytes.
_BESIDE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(audit_entry|blob|address|api_token)\b', re.I)
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|COPY)\b", re.I)
_WROTE = "sillage.tests.wrote"
_COMMIT = reading.commit


def watch(app: Flask) -> None:
    """Hold every request of this app to the rule, and what only read to having written nothing; once for an app, in
    its context."""
    reading.commit = _unwritten
    event.listen(db.engine, "after_cursor_execute", _after_execute)
    app.after_request_funcs.setdefault(None, []).insert(0, _check)


def _unwritten(raw: psycopg.Connection[Any]) -> None:
    (written,) = raw.execute("SELECT pg_current_xact_id_if_assigned()").fetchone() or (None,)
    assert written is None, f"{request.path} wrote, and would commit what it did not commit"
    _COMMIT(raw)


def _after_execute(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
    writes = _WRITES.match(statement) and not _BESIDE.match(statement)
    if writes and cursor.rowcount != 0 and request:
        request.environ.setdefault(_WROTE, statement)


def _check(response: Response) -> Response:
    wrote = request.environ.get(_WROTE)
    writing = request.method in WRITING and response.status_code < 400 and request.endpoint not in QUIET
    if writing and wrote and not request.environ.get(NOTED):
        said = f"{request.method} {request.path} ({request.endpoint}) left no line in the log: {wrote[:200]}"
        raise AssertionError(said)
    return response
