"""A program that uses the API: it shows a token, sends JSON, and checks what every answer must be."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from extensions import db
from models import User
from people import accounts

PREFIX = "/api/v1"
_ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Program:
    """One program with one token (none without a user)."""

    def __init__(self, app: Flask, user: User | None = None, scopes: str = "read send admin") -> None:
        self.app, self.secret = app, ""
        if user is not None:
            self.token, self.secret = accounts.new_token(user, "tests", scopes)
            db.session.commit()

    def get(self, path: str, status: int = 200, **kwargs: Any) -> Any:
        return self.ask("GET", path, status, **kwargs)

    def post(self, path: str, json: Any = None, status: int = 202, **kwargs: Any) -> Any:
        return self.ask("POST", path, status, json=json, **kwargs)

    def patch(self, path: str, json: Any = None, status: int = 200, **kwargs: Any) -> Any:
        return self.ask("PATCH", path, status, json=json, **kwargs)

    def ask(self, method: str, path: str, status: int, **kwargs: Any) -> Any:
        """The answer's JSON (its bytes where it is none); the response itself is `self.last`."""
        response = self.open(method, path, **kwargs)
        assert response.status_code == status, (
            f"{method} {path}: {response.status_code}, {status} expected\n{response.get_data(as_text=True)[:2000]}"
        )
        whole = response.get_data()
        response.close()  # a file that is sent is open until then
        return response.get_json() if response.mimetype in ("application/json", "application/problem+json") else whole

    def open(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = dict(kwargs.pop("headers", {}))
        if self.secret:
            headers.setdefault("Authorization", f"Bearer {self.secret}")
        address = path if path.startswith("/api") else PREFIX + path
        with self.app.app_context():
            response = self.app.test_client().open(address, method=method, headers=headers, **kwargs)
        self.last = response
        check(response)
        return response


def check(response: TestResponse) -> None:
    """What holds of every answer under /api/."""
    assert response.headers["X-Request-ID"]
    assert "Set-Cookie" not in response.headers
    if response.status_code >= 400:
        body = response.get_json()
        assert response.mimetype == "application/problem+json"
        assert body["status"] == response.status_code
        assert body["title"] and body["detail"]
    elif response.mimetype == "application/json" and not response.is_streamed:
        for name, moment in _moments(response.get_json()):
            assert moment is None or _ZULU.fullmatch(moment), f"{name} is no RFC 3339 time in UTC: {moment}"


def _moments(body: Any) -> list[tuple[str, Any]]:
    if isinstance(body, list):
        return [found for one in body for found in _moments(one)]
    if not isinstance(body, dict):
        return []
    own = [(name, value) for name, value in body.items() if name.endswith("_at")]
    return own + [found for value in body.values() for found in _moments(value)]
