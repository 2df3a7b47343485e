"""A test client that behaves like a browser (cookies, CSRF token, htmx headers) and lints every page it gets."""

from __future__ import annotations

import re
from typing import Any

import lxml.html
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models import User


class Browser:
    """One person's browser. `get` and `post` follow no redirects; `html` parses the last page."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()
        self.html: Any = None

    def sign_in(self, user: User) -> Browser:
        """Be this person, as Flask-Login's session says."""
        with self.client.session_transaction() as session:
            session["_user_id"] = str(user.id)
            session["_fresh"] = True
        return self

    def get(self, path: str, *, htmx: bool = False, status: int = 200, **kwargs: Any) -> TestResponse:
        """GET; `htmx` asks for the partial."""
        return self._open("GET", path, htmx, status, **kwargs)

    def post(
        self, path: str, data: Any = None, *, htmx: bool = False, status: int = 303, csrf: bool = True, **kwargs: Any
    ) -> TestResponse:
        """POST a form with the session's CSRF token."""
        headers = dict(kwargs.pop("headers", {}))
        if csrf:
            headers["X-CSRFToken"] = self.token()
        return self._open("POST", path, htmx, status, data=data, headers=headers, **kwargs)

    def token(self) -> str:
        """A CSRF token of this session."""
        from flask_wtf.csrf import generate_csrf

        context = self.app.app_context(), self.app.test_request_context()  # g of its own: it keeps the token
        with self.client.session_transaction() as session, context[0], context[1]:
            import flask

            for key in ("csrf_token",):
                if key in session:
                    flask.session[key] = session[key]
            token = generate_csrf()
            session["csrf_token"] = flask.session["csrf_token"]
        return token

    def _open(self, method: str, path: str, htmx: bool, status: int, **kwargs: Any) -> TestResponse:
        headers = dict(kwargs.pop("headers", {}))
        if htmx:
            headers["HX-Request"] = "true"
        with self.app.app_context():  # a request of its own: no g, no database session of the test's
            response = self.client.open(path, method=method, headers=headers, **kwargs)
        assert response.status_code == status, (
            f"{method} {path}: {response.status_code}, {status} expected\n{response.get_data(as_text=True)[:3000]}"
        )
        if response.mimetype == "text/html" and response.data and not response.is_streamed:
            lint(response, whole=not htmx and 200 <= response.status_code < 300)
            self.html = lxml.html.fromstring(response.get_data(as_text=True))
        return response

    def text(self) -> str:
        """The words of the last page, white space folded."""
        return re.sub(r"\s+", " ", self.html.text_content()).strip()


def lint(response: TestResponse, whole: bool) -> None:
    """What every page must be: titled, in a language, ids unique, inputs labelled, forms with a token, no leftovers."""
    source = response.get_data(as_text=True)
    assert "undefined" not in re.sub(r"<script.*?</script>", "", source.lower(), flags=re.S), "an undefined value shows"
    assert "HX-Request" in response.headers.get("Vary", ""), "Vary: HX-Request is missing"
    if response.headers.get("Content-Security-Policy", "").endswith("sandbox"):
        return  # a stranger's e-mail in its frame: not our page
    tree = lxml.html.fromstring(source)
    ids = [node.get("id") for node in tree.iter() if isinstance(node.tag, str) and node.get("id")]
    assert len(ids) == len(set(ids)), f"ids twice: {sorted({i for i in ids if ids.count(i) > 1})}"
    assert not tree.xpath("//*[@style]"), "an inline style breaks the content security policy"
    assert not tree.xpath("//script[not(@src)]"), "an inline script breaks the content security policy"
    for form in tree.xpath("//form[translate(@method, 'POST', 'post') = 'post']"):
        assert form.xpath(".//input[@name='csrf_token']"), f"a form without csrf_token: {form.get('action')}"
    labelled = {node.get("for") for node in tree.xpath("//label[@for]")}
    typed = "//input[not(@type='hidden' or @type='submit' or @type='button')]"
    for control in tree.xpath(f"{typed} | //select | //textarea"):
        named = control.get("aria-label") or control.get("aria-labelledby") or control.get("id") in labelled
        assert named or control.xpath("ancestor::label"), f"no label: {lxml.html.tostring(control)[:120]!r}"
    for button in tree.xpath("//button | //a[@href]"):
        words = button.text_content().strip() or button.get("aria-label") or button.get("title")
        assert words or button.xpath(".//img[@alt] | .//svg[@aria-label]"), (
            f"nothing to read: {lxml.html.tostring(button)[:160]!r}"
        )
    if whole:
        assert tree.xpath("string(//title)").strip(), "no title"
        assert tree.get("lang") in ("fr", "en"), "no lang"
        assert len(tree.xpath("//h1")) == 1, f"{len(tree.xpath('//h1'))} h1"
