"""What programs get instead of an error page: application/problem+json (RFC 9457), for everything under /api/.

Any HTTP error becomes one, whoever raised it: routing, the limiter, a view. It imports no other blueprint module, for
support asks it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from errors import UserMistake

MEDIA_TYPE = "application/problem+json"
UNDER = "/api/"
# What to do about it, where the title alone does not say.
_DETAILS = {
    404: "There is no such thing, or it is another organisation's.",
    405: "This address does not take this method; Allow says which it takes.",
    413: "The request is larger than the server takes.",
    416: "The file has no such range: Content-Range says how long it is.",
    429: "Too many requests with this token: wait for the seconds that Retry-After says.",
    500: "The server made a mistake. It is in the log under this request id.",
    503: "The database is away for a moment: try again after the seconds that Retry-After says.",
}


class Problem(HTTPException):
    """An error with a sentence for the programmer. `errors` are {"detail", "pointer" | "parameter" | "header"}, where
    the pointer (RFC 6901, as a fragment) names the place in the body."""

    def __init__(
        self, code: int, detail: str, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.code, self.errors, self.headers = code, list(errors), dict(headers or {})


def asked() -> bool:
    """Whether a program asked: the address is under /api/."""
    return request.path.startswith(UNDER)


def answer(error: HTTPException) -> Response:
    """The error as a problem, with the headers it carries (Allow, Content-Range, Retry-After, WWW-Authenticate)."""
    code = error.code or 500
    own = isinstance(error, Problem)
    detail = (error.description if own else _DETAILS.get(code)) or error.description or ""
    body: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(code).phrase, "status": code, "detail": detail,
    }  # fmt: skip
    if own and error.errors:  # type: ignore[attr-defined]
        body["errors"] = error.errors  # type: ignore[attr-defined]
    if "request_id" in g:
        body["request_id"] = g.request_id
    response = Response(json.dumps(body, ensure_ascii=False), code, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if own:
        response.headers.update(error.headers)  # type: ignore[attr-defined]
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        response.headers["Content-Range"] = f"{error.units} */{error.length}"
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if getattr(error, "retry_after", None) is not None:
        response.headers["Retry-After"] = str(error.retry_after)  # type: ignore[attr-defined]
    if code == 503:
        response.headers.setdefault("Retry-After", "10")
    return response


def of_mistake(mistake: UserMistake, pointer: str, code: int = 422) -> Problem:
    """A mistake as the deep modules raise it, said of the place in the body that `pointer` names."""
    from i18n import _

    said = _(mistake.message, **mistake.values)
    return Problem(code, said, [{"detail": said, "pointer": pointer}] if pointer else [])
