"""Reading e-mails: pages of the history, one e-mail with its events, its source, its attachments."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.http import dump_options_header

from blueprints.api.door import answer, blueprint, missing, organisation, scoped
from blueprints.api.schemas import (
    AttachmentShape,
    EmailDetail,
    EmailPage,
    EmailPageQuery,
    EmailShape,
    Event,
    RelativeShape,
)
from blueprints.problems import Problem
from documents import blobs
from history import HistoryFilter, Row, Scope, browse, cursors, detail
from history.rows import item
from mail import mime
from people.tokens import Access

MOST_POSITION = 32_767


@blueprint.get("/emails")
@scoped(Access.READ)
@blueprint.input(EmailPageQuery, location="query", arg_name="query")
@blueprint.output(EmailPage)
def list_emails(query: EmailPageQuery) -> Response:
    """A page of e-mails.

    The newest first, filtered as the page of the history is: the parameters are those of its address. The header Link
    names the next and the previous page.
    """
    asked, scope = HistoryFilter.from_query(MultiDict(request.args)), whole()
    _check_cursor(asked)
    page = browse(scope, asked)
    said = EmailPage(
        items=[EmailShape(**shape(row)) for row in page.rows], next_cursor=page.next or None,
        previous_cursor=page.previous or None, total=page.count.value, total_is_capped=not page.count.exact,
    )  # fmt: skip
    return answer(said, headers=links(asked, page.next, page.previous))


@blueprint.get("/emails/<email_id>")
@scoped(Access.READ)
@blueprint.output(EmailDetail)
def get_email(email_id: str) -> Response:
    """One e-mail with all that happened to it."""
    found = detail.about(organisation().id, _known(email_id), head=False) or missing()
    said = EmailDetail(
        **shape(found.row),
        events=[Event(**{name: getattr(event, name) for name in Event.model_fields}) for event in found.events],
        resend_of=_relative(found.resend_of) if found.resend_of else None,
        resends=[_relative(relative) for relative in found.resends],
        size=found.size,
        sha256=found.sha256,
        content_erased_at=found.erased_at,
    )
    return answer(said)


@blueprint.get("/emails/<email_id>/source")
@scoped(Access.READ)
@blueprint.doc()
def get_source(email_id: str) -> Response:
    """The message as it was sent, byte for byte (.eml)."""
    frozen = detail.frozen(organisation().id, _known(email_id)) or missing()
    _not_erased(frozen.erased_at)
    response = Response(mime.join(frozen.skeleton, frozen.cuts), mimetype="message/rfc822")
    return download(response, f"{frozen.public_id}.eml")


@blueprint.get("/emails/<email_id>/attachments/<int:position>")
@scoped(Access.READ)
@blueprint.doc()
def get_attachment(email_id: str, position: int) -> Response:
    """One attachment of an e-mail, by its position from 1."""
    known = position <= MOST_POSITION and detail.attachment(organisation().id, _known(email_id), position)
    file = known or missing()
    _not_erased(file.erased_at)
    response = Response(blobs.open(file.sha256), mimetype=file.media_type)
    response.content_length = file.size
    return download(response, file.filename)


def shape(row: Row) -> dict[str, Any]:
    """A row of the history as the API says it."""
    return item(row) | {"attachments": [AttachmentShape(**file._asdict()) for file in row.attachments]}


def links(asked: Any, next_: str, previous: str) -> dict[str, str]:
    """The header Link (RFC 8288) of a page; `asked` has to_query and with_, as HistoryFilter has."""
    found = [
        f'<{request.base_url}?{urlencode(asked.with_(cursor=cursor).to_query())}>; rel="{rel}"'
        for cursor, rel in ((next_, "next"), (previous, "prev"))
        if cursor
    ]
    return {"Link": ", ".join(found)} if found else {}


def whole() -> Scope:
    """The whole organisation's e-mails."""
    return Scope(organisation().id, zone=organisation().timezone)


def _check_cursor(asked: HistoryFilter) -> None:
    if asked.cursor and cursors.read(asked.cursor, f"{asked.sort}/{asked.date_field}") is None:
        wrong = {"detail": "Not a cursor of this order.", "parameter": "cursor"}
        raise Problem(404, "There is no such page: take cursor from next_cursor, with the same sort.", [wrong])


def _not_erased(erased_at: datetime | None) -> None:
    if erased_at is not None:
        raise Problem(410, "The content of this e-mail was erased by the organisation's rule of retention.")


def _relative(relative: detail.Relative) -> RelativeShape:
    return RelativeShape(
        id=relative.public_id, recipient=relative.address, status=relative.status, created_at=relative.created_at
    )


def _known(email_id: str) -> str:
    """The id, if it can be one; 404 spares the database what it could not even store."""
    return email_id if email_id.isascii() and email_id.isprintable() and len(email_id) < 40 else missing()


def download(response: Response, filename: str) -> Response:
    """The answer as a file to keep, which nothing runs."""
    plain = filename.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    names = {"filename": plain} | ({} if filename.isascii() else {"filename*": filename})
    response.headers["Content-Disposition"] = dump_options_header("attachment", names)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "no-store"
    return response


def email_url(email_id: str) -> str:
    """The address of an e-mail in the API."""
    return url_for("api.get_email", email_id=email_id)
