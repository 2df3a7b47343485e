"""Pieces of pages that are the same for many requests: rendered once for what goes into them, and kept.

A kept piece is a template that sees its inputs, the language and nothing else of the request, so that it can be no
other than its key says. What differs each time (the CSRF token, the page's address, what was typed) is a hole in it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import generate_csrf
from jinja2 import Environment
from markupsafe import Markup, escape

import i18n

# Nobody outside can write what marks a hole.
_SECRET = secrets.token_hex(12)
_HOLE = re.compile(rf"hole-{_SECRET}-(\w+)-")
# Templates are written with room to read; what is kept travels without (there is no <pre> or <textarea> in it).
_BLANKS = re.compile(r"\n\s+")
_KEPT = 1024  # pieces of 1 to 6 kB
_CSRF = "csrf_token"
Pieces = tuple[str, ...]  # text, the name of a hole, text …


def hole(name: str) -> Markup:
    """Where a kept template wants what kept() is given in `holes` under that name."""
    return Markup(f"hole-{_SECRET}-{name}-")


def pattern(template: str, /, **inputs: Hashable) -> str:
    """The template as rendered for these inputs, to be filled by % with its holes' values, which must be escaped."""
    return _pattern(_pieces(template, inputs))


@lru_cache(_KEPT)
def _pattern(pieces: Pieces) -> str:
    parts = [f"%({piece})s" if place % 2 else piece.replace("%", "%%") for place, piece in enumerate(pieces)]
    return "".join(parts).strip()


def csrf_token() -> str:
    """The session's token for forms, signed once an hour and not for every page."""
    raw = session.get(_CSRF)
    if raw is None or _CSRF in g:
        return generate_csrf()
    return _signed(current_app.secret_key, raw, int(time.time()) // 3600)


@lru_cache(4096)
def _signed(_secret: Any, _raw: str, _hour: int) -> str:
    return generate_csrf()  # of the request's session, which holds that


def kept(template: str, holes: Mapping[str, Any] | None = None, /, **inputs: Hashable) -> Markup:
    """The template as rendered for these inputs. `holes` are filled anew each time, escaped as ever."""
    pieces = _pieces(template, inputs)
    if len(pieces) == 1:
        return Markup(pieces[0])
    filled = list(pieces)
    for place in range(1, len(pieces), 2):
        name = pieces[place]
        filled[place] = escape(csrf_token() if name == _CSRF else (holes or {})[name])
    return Markup("".join(filled))


def _pieces(template: str, inputs: dict[str, Hashable]) -> Pieces:
    make: Callable[..., Pieces] = current_app.extensions["kept"]
    if current_app.debug:  # the template may be at work
        make = make.__wrapped__  # type: ignore[attr-defined]
    return make(template, i18n.language(), request.script_root, tuple(inputs.items()))


def nested(template: str, holes: Mapping[str, Any] | None = None, /, **inputs: Hashable) -> Markup:
    """A kept piece within another: its holes are holes of that one, but for those that are given."""
    pieces = list(_pieces(template, inputs))
    for place in range(1, len(pieces), 2):
        name = pieces[place]
        pieces[place] = escape(holes[name]) if holes and name in holes else hole(name)
    return Markup("".join(pieces))


class Hollow:
    """Stands in for what a whole page is about: whatever is asked of it is a hole of that name."""

    def __getattr__(self, name: str) -> Markup:
        if name.startswith("_"):
            raise AttributeError(name)
        return hole(name)


HOLLOW = Hollow()


def _ages(_moment: object) -> str:
    """In a kept template, for |ago: what is kept would go on saying "just now"."""
    raise TypeError("what is kept cannot tell how long ago something was")


# What a kept template may call: nothing that looks at the request but for its language and root, which are in the key.
_PURE = frozenset(
    ("range", "dict", "lipsum", "cycler", "joiner", "namespace", "url_for", "_", "gettext", "ngettext", "hole", "asset",
     "sheet", "static", "language", "settings", "form_of", "nav", "search_offered", "Permission")
)  # fmt: skip


def environment_of(app: Flask) -> Environment:
    """Where kept templates are rendered: the app's own, but what tells one request from another is a hole, empty or
    not to be had, so that a template that asks for it fails. A page with news (see support.is_quiet) is not kept."""
    person = SimpleNamespace(organisation=SimpleNamespace(name=hole("house")), may=lambda _permission: False)
    instead = {
        "csrf_token": lambda: hole(_CSRF), "sidebar": lambda: hole("sidebar"), "theme": lambda: hole("theme"),
        "kept_piece": nested, "current_user": person, "ready_exports": list, "trouble": tuple,
        "get_flashed_messages": lambda **_: [],
    }  # fmt: skip
    found = app.jinja_env.overlay()
    known = {name: value for name, value in app.jinja_env.globals.items() if name in _PURE or not callable(value)}
    hidden = dict.fromkeys(("request", "session", "g", "config"))
    found.globals = {**known, **hidden, **instead}
    found.filters = {**found.filters, "ago": _ages}
    return found


def setup(app: Flask) -> None:
    """Give the app what it keeps, and templates kept_piece() and hole()."""

    environment = lru_cache(1)(partial(environment_of, app))  # when all that templates may call is known

    @lru_cache(_KEPT)
    def make(template: str, _language: str, _root: str, inputs: tuple[tuple[str, Any], ...]) -> Pieces:
        made = environment().get_template(template).render(dict(inputs))
        return tuple(_HOLE.split(_BLANKS.sub("\n", made)))

    app.extensions["kept"] = make
    app.jinja_env.globals.update(kept_piece=kept, hole=hole)
