"""Exports: streamed while one waits, or made by a job that is asked for, followed, cancelled and fetched.

Both give the file that the screens give, of the same filters by the same names, and to the same people: a job's export
is its user's alone, on the screen too. The work is history.export's and history.export_jobs'.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from flask import Response, g, send_file, url_for
from pydantic import BaseModel, Field
from sqlalchemy import select

from blueprints.api import replays
from blueprints.api.door import answer, blueprint, missing, own, scoped
from blueprints.api.emails import download, whole
from blueprints.api.fields import Answer, Moment, PageShape, optional
from blueprints.api.paging import PageQuery, page
from blueprints.api.schemas import ExportQuery, Idempotency, JobQuery, JobRequest
from blueprints.problems import Problem, of_mistake
from errors import UserMistake
from extensions import db
from history import HistoryFilter, export, export_jobs
from history.export_cells import Format, chosen
from i18n import _
from models import AuditAction, Export, User
from models.words import ExportState, Permission
from people import audit
from people.tokens import Access

State = Literal[tuple(str(state.value) for state in ExportState)]  # type: ignore[valid-type]
Pairs = list[tuple[str, str]]

EXAMPLE = {"format": "xlsx", "status": ["error"], "period": "month", "columns": ["created_at", "recipient", "reason"]}
# Seconds after which it is worth looking again, at least and at most.
_SOON, _LATE = 1, 30
# Tokens for which this process streams an export now: it holds a thread and a connection for as long as it lasts.
_exporting: set[int] = set()
_turn = threading.Lock()


class ExportListQuery(PageQuery):
    """Which exports."""

    state: State = optional()


class ExportShape(Answer):
    """An export made by a job. `done_count` of `row_count` rows are done; `error` says why it failed."""

    id: str
    state: State
    format: str
    columns: list[str]
    query: str = Field(description="What is filtered, as an address has it.")
    filename: str
    done_count: int
    row_count: int | None = Field(description="null until the rows are counted.")
    size: int | None = Field(description="Bytes of the file; null until it is ready.")
    file: str | None = Field(description="Where the file is; null until it is ready.")
    error: str
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    expires_at: Moment | None = Field(description="When the file is taken away.")


class ExportPage(PageShape):
    """A page of exports."""

    items: list[ExportShape]


@blueprint.get("/emails/export")
@scoped(Access.READ)
@blueprint.input(ExportQuery, location="query", arg_name="query")
def export_emails(query: ExportQuery) -> Response:
    """Every e-mail that the filters let through, streamed.

    Any number of them: what is answered begins at once and memory stays flat; above 50,000 for managers and admins, as
    on the screen. One export at a time for each token: 429 for a second one.
    """
    asked, now, format_ = _filter(_pairs(query)), datetime.now(UTC), Format(query.format)
    scope, user = whole(), g.token.user
    if not _large_allowed(user) and export.more_than(scope, asked, now, export_jobs.AT_ONCE):
        raise _too_large()
    with _turn:
        if g.token.id in _exporting:
            raise Problem(429, "This token is exporting already: one at a time.", headers={"Retry-After": "5"})
        _exporting.add(g.token.id)
    try:
        with _speaking(query.language or user.language):
            chunks = export.stream(scope, asked, now, format_, columns=chosen(query.columns))
            name = export.filename(asked, now, scope.zone, format_)
        audit.taken(AuditAction.LIST_EXPORTED, format=format_.value, query=export_jobs.query_of(scope, asked))
    except BaseException:
        _exporting.discard(g.token.id)
        raise
    response = Response(_until_done(chunks, g.token.id), mimetype=format_.media_type)
    response.call_on_close(partial(_exporting.discard, g.token.id))  # also where nobody reads it
    response.headers["X-Accel-Buffering"] = "no"
    return download(response, name)


@blueprint.post("/exports")
@scoped(Access.READ)
@blueprint.input(Idempotency, location="headers", arg_name="idempotency")
@blueprint.input(JobQuery, location="query", arg_name="query")
@blueprint.input(JobRequest, arg_name="body", example=EXAMPLE)
@blueprint.output(ExportShape, 202)
def post_export(idempotency: Idempotency, query: JobQuery, body: JobRequest) -> Response:
    """Ask for an export made by a job: any format, any number of e-mails.

    The filters are those of GET /emails, in the query string or the body. Follow it at Location, and fetch its file for
    seven days. The same again while one is under way is that one; with Idempotency-Key, the one it was first used for.
    """
    given = _given(query) | _given(body)
    asked = JobQuery.model_validate(given)
    filter_, format_, columns = _filter(_pairs(asked)), Format(asked.format), chosen(asked.columns)
    user, scope, language = g.token.user, whole(), asked.language or g.token.user.language
    named, known = None, None
    if idempotency.key is not None:
        db.session.execute(select(User.id).where(User.id == user.id).with_for_update())  # two at once with one key
        named = replays.public_id("X", idempotency.key, user)
        known = db.session.scalar(select(Export).where(Export.public_id == named))
    if known is not None:
        wanted = (export_jobs.query_of(scope, filter_, columns), format_.value, language)
        if (known.query, known.format, known.language) != wanted:
            raise replays.refused("other filters")
        return _accepted(known, replays.HEADER)
    try:
        with _speaking(language):
            made = export_jobs.ask(user, scope, filter_, format_, columns, named, quiet=True)
    except UserMistake as mistake:
        raise _refused(mistake) from mistake
    audit.note(AuditAction.EXPORT_ASKED, made, format=format_.value, query=made.query)
    db.session.commit()
    return _accepted(made, {})


@blueprint.get("/exports")
@scoped(Access.READ)
@blueprint.input(ExportListQuery, location="query", arg_name="asked")
@blueprint.output(ExportPage)
def list_exports(asked: ExportListQuery) -> Response:
    """A page of the exports of the token's user, the newest first, those asked for on the screen too."""
    user = g.token.user
    query = select(Export).where(Export.user_id == user.id, Export.organisation_id == user.organisation_id)
    if asked.state:
        query = query.where(Export.state == ExportState(asked.state))
    said, headers = page(query, Export.id, asked, _shape, descending=True)
    return answer(ExportPage(**said), headers=headers)


@blueprint.get("/exports/<export_id>")
@scoped(Access.READ)
@blueprint.output(ExportShape)
def get_export(export_id: str) -> Response:
    """One export: how far it is. While it is under way Retry-After says when to look again."""
    found = _mine(export_id)
    return answer(_shape(found), headers=_wait(found))


@blueprint.delete("/exports/<export_id>")
@scoped(Access.READ)
@blueprint.output(ExportShape)
def delete_export(export_id: str) -> Response:
    """Cancel an export that is under way; 409 for one that is over."""
    found = _mine(export_id)
    if not export_jobs.cancel(found):
        raise Problem(409, f"This export is over: it is {found.state.value}.")
    audit.note(AuditAction.EXPORT_CANCELLED, found)
    db.session.commit()
    db.session.refresh(found)
    return answer(_shape(found))


@blueprint.get("/exports/<export_id>/file")
@scoped(Access.READ)
@blueprint.doc()
def get_export_file(export_id: str) -> Response:
    """The file of an export that is ready. Range gives a part of it, so that a fetch may go on where it broke off.

    409 while it is not ready, or never will be; 410 once it has expired.
    """
    found = _mine(export_id)
    path = export_jobs.file_of(found)
    if found.state is ExportState.EXPIRED or (found.expires_at and found.expires_at <= datetime.now(UTC)):
        raise Problem(410, "This export has expired: ask for it again.")
    if found.state is not ExportState.READY or not path.is_file():
        raise Problem(409, f"There is no file: the export is {found.state.value}.", headers=_wait(found))
    if not Format(found.format).is_list:
        raise Problem(403, "Proofs are fetched on the screen.")
    audit.taken(AuditAction.EXPORT_FETCHED, found, rows=found.row_count, format=found.format)
    response = send_file(path, Format(found.format).media_type, etag=found.public_id, max_age=0)
    download(response, found.filename)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _mine(public_id: str) -> Export:
    """The token's user's own export; 404 for everyone else's, a colleague's too."""
    found = own(Export, public_id)
    return found if found.user_id == g.token.user_id else missing()


def _given(asked: BaseModel) -> dict[str, Any]:
    """What was said, by the names it was said with."""
    return asked.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _pairs(asked: BaseModel) -> Pairs:
    """The same as a query string's pairs."""
    given = _given(asked).items()
    return [(name, str(one)) for name, said in given for one in (said if isinstance(said, list) else [said])]


def _filter(pairs: Pairs) -> HistoryFilter:
    """The filter as the page reads it, whose every parameter is known to be right; everything, from the first page."""
    return HistoryFilter.from_query(pairs).with_(cursor="", limit=HistoryFilter.limit)


def _large_allowed(user: User) -> bool:
    return user.may(Permission.EXPORT_LARGE)


def _too_large() -> Problem:
    return Problem(403, _(export_jobs.NOT_ALLOWED))


def _refused(mistake: UserMistake) -> Problem:
    if mistake.message == export_jobs.NOT_ALLOWED:
        return _too_large()
    problem = of_mistake(mistake, "", 429)
    problem.headers["Retry-After"] = str(_LATE)
    return problem


@contextmanager
def _speaking(language: str) -> Iterator[None]:
    """Headings and words in that language; what is said of the request itself stays English."""
    before, g.language = g.language, language
    try:
        yield
    finally:
        g.language = before


def _until_done(chunks: Iterable[bytes], token_id: int) -> Iterator[bytes]:
    try:
        yield from chunks
    finally:
        _exporting.discard(token_id)


def _accepted(found: Export, headers: dict[str, str]) -> Response:
    located = {"Location": url_for("api.get_export", export_id=found.public_id)}
    return answer(_shape(found), 202, located | _wait(found) | headers)


def _wait(found: Export) -> dict[str, str]:
    """Retry-After of one that is under way: about as long as it still takes."""
    if found.state not in export_jobs.UNDER_WAY:
        return {}
    left = float(_SOON)
    if found.started_at is not None and found.done_count and found.row_count:
        gone = (datetime.now(UTC) - found.started_at).total_seconds()
        left = gone / found.done_count * (found.row_count - found.done_count)
    return {"Retry-After": str(round(min(max(left, _SOON), _LATE)))}


def _shape(found: Export) -> ExportShape:
    ready = found.state is ExportState.READY
    return ExportShape(
        id=found.public_id, state=found.state.value, format=found.format,
        columns=list(export_jobs.columns_of(found.query)), query=found.query, filename=found.filename,
        done_count=found.done_count, row_count=found.row_count, size=found.size if ready else None,
        file=url_for("api.get_export_file", export_id=found.public_id) if ready else None,
        error=_(found.error) if found.error else "", created_at=found.created_at, started_at=found.started_at,
        finished_at=found.finished_at, expires_at=found.expires_at,
    )  # fmt: skip
