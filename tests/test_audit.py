"""The audit log's screen, its exports, and the rule that every writing route leaves a line in it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

import people.audit
from extensions import db
from tests.audited import QUIET, WRITING
from tests.client import Browser
from tests.conftest import House

OURS = ("blueprints.", "mail.", "people.", "planning.", "documents.", "history.")
NOTES = {people.audit.note, people.audit.sent, people.audit.taken, people.audit.refused}


def calls(function: Any) -> Iterator[Any]:
    """What a function of ours may call, by the names it reads: functions of its module and of modules it knows."""
    names, known = set(_names(function.__code__)), function.__globals__
    for name in names & known.keys():
        found = known[name]
        if isinstance(found, ModuleType) and found.__name__.startswith(OURS):
            yield from (inspect.unwrap(f) for n in names if callable(f := getattr(found, n, None)))
        elif isinstance(found, FunctionType):
            yield inspect.unwrap(found)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def notes(function: Any, depth: int = 4) -> bool:
    """Whether a view can come to a call that keeps a line."""
    if function in NOTES:
        return True
    if depth == 0 or not isinstance(function, FunctionType) or not function.__module__.startswith("blueprints."):
        return False
    return any(notes(called, depth - 1) for called in calls(function))


def test_every_writing_route_leaves_a_line_or_says_why_not(migrated_app: Flask) -> None:
    writing = {rule.endpoint for rule in migrated_app.url_map.iter_rules() if (rule.methods or set()) & WRITING}
    silent = {name for name in writing if not notes(inspect.unwrap(migrated_app.view_functions[name]))}
    assert sorted(silent - QUIET.keys()) == [], "no line in the log, and no reason in QUIET"
    assert sorted(QUIET.keys() - silent) == [], "in QUIET, but it leaves a line (or is gone)"


def test_a_request_that_wrote_and_left_no_line_fails_its_test(app: Flask, cassiopee: House, client: Browser) -> None:
    """The rule's own test: the view of a route is put in place of another's that forgets its line."""
    def forgets(public_id: str) -> str:
        db.session.execute(text("UPDATE organisation SET phone = phone || '1'"))
        db.session.commit()
        return ""

    kept = app.view_functions["sessions.enrol"]
    app.view_functions["sessions.enrol"] = forgets
    client.sign_in(cassiopee.staff)
    try:
        with pytest.raises(AssertionError, match="left no line"):
            client.post("/sessions/S-1/people", {})
    finally:
        app.view_functions["sessions.enrol"] = kept
