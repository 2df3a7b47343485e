"""Uploads: a file is kept by its sha256, and its id is a signed note that says whose it is; no row waits for it."""

from __future__ import annotations

from flask import Response, request
from itsdangerous import BadData, URLSafeTimedSerializer

from blueprints.api.door import answer, blueprint, organisation, scoped
from blueprints.api.schemas import Upload, UploadQuery
from blueprints.problems import Problem, of_mistake
from documents import blobs
from errors import UserMistake
from extensions import db, settings
from mail.compose import File
from people.tokens import Access

LIFE = 7 * 24 * 3600  # seconds during which an upload may be attached
_LONGEST_NAME = 150


@blueprint.post("/attachments")
@scoped(Access.SEND)
@blueprint.input(UploadQuery, location="query", arg_name="asked")
@blueprint.output(Upload, 201)
def post_attachment(asked: UploadQuery) -> Response:
    """Upload a file to attach to e-mails.

    As multipart/form-data with the part `file`, or as the plain body with its name in the parameter `filename`. The
    answer's id may be used in any number of e-mails for seven days.
    """
    limit = settings().max_attachment
    if (request.content_length or 0) > limit + 10_000:
        raise Problem(413, f"A file may have {limit} bytes at most.")
    part = request.files.get("file") if request.mimetype == "multipart/form-data" else None
    if request.mimetype == "multipart/form-data" and part is None:
        raise Problem(422, "The form has no part named file.", [{"detail": "Missing.", "pointer": "#/file"}])
    name = asked.filename or (part.filename if part else None) or "file"
    try:
        stored = blobs.store(part.stream if part else request.stream, name[:_LONGEST_NAME], limit=limit)
        file = File.of(name, stored)
    except UserMistake as mistake:
        too_big = "limit" in mistake.values
        raise of_mistake(mistake, "#/file", 413 if too_big else 422) from mistake
    db.session.commit()
    kept = [organisation().id, file.sha256, file.filename]
    said = Upload(id=_signer().dumps(kept), filename=file.filename, size=file.size, media_type=file.media_type)
    return answer(said, 201)


def found(upload_id: str, filename: str | None) -> File | None:
    """The file of an upload of this organisation, under another name if one is given; None for no living upload."""
    try:
        owner, sha256, name = _signer().loads(upload_id, max_age=LIFE)
    except (BadData, ValueError, TypeError):
        return None
    stored = blobs.describe(sha256) if owner == organisation().id else None
    return File.of(filename or name, stored) if stored else None


def _signer() -> URLSafeTimedSerializer[str]:
    return URLSafeTimedSerializer(settings().signing_keys, salt="api-upload")
