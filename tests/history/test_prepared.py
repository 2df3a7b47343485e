"""Statements that are kept give what freshly built ones give, and hold nobody's words, days or ids."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import Text, event, select, text
from sqlalchemy.exc import DataError, OperationalError

from extensions import db
from history import HistoryFilter, Scope, around, pages, prepared
from history.conditions import written
from history.query import Question
from models import Email, User
from tests.history.making import NOW, make_contact, make_email, make_session

QUERIES = (
    "", "sort=date", "status=error", "type=free&status=sent", "recipient=petit", "recipient=élodie+pe",
    "recipient=50%25_x", "recipient=e.petit@cantine.example", "subject=carte+expirée", "session=incendie",
    "session=S-fire", "contact=C-petit", "contact=petit", "operator=cantine.example", "by=admin@cassiopee.example",
    "sender=a@b.example", "from=2026-11-01&to=2026-11-30", "date_field=sent&from=2026-11-01", "treated=no",
    "resent=yes",
)  # fmt: skip


@pytest.fixture
def filled(cassiopee: Any) -> Any:
    prepared._kept.cache_clear()  # the statements of other tests are none of these
    session = make_session(cassiopee, "Sécurité incendie", public_id="S-fire")
    petit = make_contact(cassiopee, "Élodie Petit", public_id="C-petit")
    for number in range(3):
        make_email(cassiopee, subject=f"Carte expirée {number}", contact_id=petit.id, training_session_id=session.id)
    db.session.commit()
    return cassiopee


@pytest.mark.parametrize("query", QUERIES)
def test_kept_statements_answer_as_fresh_ones(filled: Any, query: str) -> None:
    asked = HistoryFilter.from_query([*parse_qsl(query), ("limit", "2")])
    scope = Scope(filled.id)
    user = db.session.scalars(select(User).where(User.organisation_id == filled.id)).first()
    for _again in range(2):
        kept, fresh = prepared.question(scope, asked, NOW), Question(scope, asked, NOW)
        assert isinstance(kept, prepared.Ready)
        assert _shown(pages.answer(kept, asked)) == _shown(pages.answer(fresh, asked))
        found = [around.read(one, user, tabs=True, count=True, beside=True) for one in (kept, fresh)]
        assert found[0] == found[1]


def _shown(page: Any) -> Any:
    return [row.public_id for row in page.rows], page.count, page.previous, page.next


def test_questions_of_one_form_are_one_statement(filled: Any, boreale: Any) -> None:
    def statement(scope: Scope, query: str) -> Any:
        return prepared.question(scope, HistoryFilter.from_query(parse_qsl(query)), NOW).statements  # type: ignore[attr-defined]

    first = statement(Scope(filled.id), "recipient=petit&from=2026-11-01")
    assert statement(Scope(boreale.id), "recipient=durand&from=2025-01-31") is first
    assert statement(Scope(filled.id), "recipient=pe&from=2026-11-01") is not first  # too short for its index
    assert statement(Scope(filled.id), "recipient=petit+el&from=2026-11-01") is not first


@pytest.mark.parametrize(
    "query", ["", "status=error&type=free", "status=sent", "reason=blocked", "session=S-fire&status=failed&type=free"]
)
def test_what_decides_how_many_rows_are_met_is_written_out(filled: Any, query: str) -> None:
    """Bound, a plan for all values looks dearer than each one's own, and at ten million rows every page is planned."""
    asked = HistoryFilter.from_query(parse_qsl(query))
    user = db.session.scalars(select(User).where(User.organisation_id == filled.id)).first()
    kept = prepared.question(Scope(filled.id), asked, NOW)
    assert isinstance(kept, prepared.Ready)
    pages.answer(kept, asked)
    around.read(kept, user, tabs=True, count=True, beside=True)
    statements = list(kept.statements.values())
    assert len(statements) == 2
    words = {*asked.type, *asked.reason, *map(str, asked.statuses)}
    for statement in statements:
        assert not [value for value in statement.fixed.values() if isinstance(value, list) or value in words]
    assert any("LIMIT 2000)" in statement.sql for statement in statements), "of the failures to be dealt with"


@pytest.mark.parametrize(
    "query", ["period=day", "from=2026-11-01&to=2026-11-30&status=error", "date_field=updated&period=week"]
)
def test_a_period_is_not_told_where_only_the_walk_can_answer(filled: Any, query: str) -> None:
    """Told, the planner asks the index's end about it for each page; words are looked for in less where it is short."""
    for more, hidden in (("", True), ("&subject=carte", False)):
        asked = HistoryFilter.from_query(parse_qsl(query + more))
        kept = prepared.question(Scope(filled.id), asked, NOW)
        assert isinstance(kept, prepared.Ready)
        pages.answer(kept, asked)
        (walk,) = kept.statements.values()
        bounds = re.findall(r"(.{8})CAST\(%\((?:start|end)\)s::VARCHAR AS TIMESTAMP", walk.sql)
        assert bounds and all(("(SELECT " in before) is hidden for before in bounds), walk.sql


def test_only_words_are_written_out(app: Any) -> None:
    assert str(written("api.rare", Text())) == "CAST('api.rare' AS TEXT)"
    assert db.session.scalar(select(written(["a", "null"], Text()))) == ["a", "null"]
    for other in ("x'y", "%s", "a b", "", 'a"b', "a,b", "a\n"):
        assert "CAST(:param" in str(written(other, Text())) and "CAST(:param" in str(written([other], Text()))


def test_a_kept_statement_cannot_hold_what_python_makes_of_a_text() -> None:
    text = prepared.Typed("qxz", "recipient")
    with pytest.raises(TypeError):
        text.lower()
    assert [part.name for part in text.split()] == ["recipient 0"]


def test_kept_statements_are_sent_as_they_are_and_seen_by_who_listens(filled: Any) -> None:
    nobodys = select(Email.subject).where(Email.subject.like("50 %%'é"))
    statement = prepared.Prepared(nobodys.union_all(select(text("'%'"))))
    assert statement.run({}) == [("%",)]
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, sent: str, *_: Any) -> None:
        seen.append(sent)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert statement.run({}) == [("%",)]
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert seen == [statement.sql]


def test_what_the_database_refuses_is_the_error_that_pages_know(filled: Any) -> None:
    with pytest.raises(DataError):
        prepared.Prepared(text("SELECT 1 / 0")).run({})
    db.session.rollback()
    with pytest.raises(OperationalError) as caught:
        prepared.Prepared(text("SELECT pg_terminate_backend(pg_backend_pid())")).run({})
    assert caught.value.connection_invalidated
    db.session.rollback()
    assert prepared.Prepared(text("SELECT 1")).run({}) == [(1,)]
