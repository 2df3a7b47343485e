"""Files on their way to a browser: shown in place only where that is safe, under a name by RFC 6266 and 5987."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote

from flask import Flask, current_app, g
from werkzeug.wrappers import Response

import i18n
from documents.file_names import readable

# Nothing in a file runs or loads anything; our own pages may frame it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; object-src 'self'; frame-ancestors 'self'"
R = TypeVar("R", bound=Response)


def download(response: R, name: str, media_type: str) -> R:
    """The file to be saved, whatever it is."""
    return _named(response, name, media_type if media_type == "application/zip" else "application/octet-stream", False)


def archived(chunks: Iterator[bytes], name: str) -> Response:
    """A zip file that leaves while it is made: nothing between us and the browser keeps it back."""
    response = download(Response(streamed(chunks)), name, "application/zip")
    response.headers["X-Accel-Buffering"] = "no"
    return response


def shown_in_place(response: R, name: str, media_type: str) -> R:
    """The file in the browser; only for the types of documents.blobs.SHOWN_IN_PLACE."""
    return _named(response, name, media_type, True)


def streamed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """`chunks` made one at a time after the request is over, each in an app context of its own with the reader's
    language and zone: between two, while a slow reader takes the first, no connection to the database is held."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    language, zone = i18n.language(), i18n.zone()

    def one_by_one() -> Iterator[bytes]:
        try:
            while True:
                with app.app_context():
                    g.language, g.zone = language, zone
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk
        finally:
            chunks.close()  # type: ignore[attr-defined]

    return one_by_one()


def _named(response: R, name: str, media_type: str, in_place: bool) -> R:
    name = readable(name, "_")
    plain = re.sub(r"[^ !#$&+\-.0-9A-Z^_`a-z{}~]", "_", name)[:150] or "piece"
    how = "inline" if in_place else "attachment"
    response.headers["Content-Type"] = media_type
    response.headers["Content-Disposition"] = f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
