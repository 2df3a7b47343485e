"""What pages and counts touch in a table of twenty thousand e-mails: walks end soon, and their indexes say enough."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event, select, text

from bench import filling
from extensions import db
from history import HistoryFilter, Scope, around, pages
from history.query import Question
from models import Address, User

COUNT = 20_000


@pytest.fixture
def large(app: Any) -> Iterator[psycopg.Connection]:
    """A connection of our own to a table of COUNT e-mails."""
    address = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        filling.fill(connection, COUNT)
        yield connection


def statements(string: str) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]], int]:
    """(of the page, of all that stands around it, rows) as the organisation's list sends them."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    user = db.session.get_one(User, 1)
    filter_ = HistoryFilter.from_query(parse_qsl(string))
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        question = Question(Scope(1), filter_, datetime.now(UTC))
        found = pages.answer(question, filter_, counted=False)
        around.read(question, user, tabs=True, count=found.count is pages.UNCOUNTED)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    page = [one for one in sent if "sender_paused" in one[0]]
    return page, [one for one in sent if one not in page], len(found.rows)


def plans(connection: psycopg.Connection, sent: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for statement, values in sent:
        rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values).fetchall()
        found.append((rows[0][0] if not isinstance(rows[0][0], str) else json.loads(rows[0][0]))[0]["Plan"])
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


QUERIES = (
    "", "status=error", "status=waiting&date_field=sent", "date_field=sent&period=year",
    "date_field=updated&period=year",
    "date_field=updated&status=uncertain", "type=convocation", "type=free&attachment=yes", "resent=no", "resent=yes",
    "treated=no", "treated=yes", "sender=formation1@bench.example", "by=person3@bench.example&type=invoice",
    "by=person3@bench.example&status=uncertain", "reason=mailbox_full", "reason=spam&type=certificate",
    "subject=convocation", "session=secouriste",
)  # fmt: skip


def test_pages_and_counts_never_read_the_table(large: psycopg.Connection) -> None:
    """Of the 12,000 e-mails of the organisation, no page and no count looks up more than a walk of 2,000 in the table;
    what an index carries is not looked up at all."""
    for string in QUERIES:
        page, counts, _rows = statements(string)
        assert len(page) <= 2 and len(counts) == 1, string
        for plan in plans(large, [*page, *counts]):
            for node in nodes(plan):
                if node.get("Relation Name") == "email" and node["Node Type"] != "Index Only Scan":
                    read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                    assert node["Node Type"] != "Seq Scan", string
                    assert read <= pages.COUNTED_NEAR + 100, (string, node["Node Type"], read)


def for_all_values(connection: psycopg.Connection, sent: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """plans(), of what a connection keeps that has sent the statement often."""
    found = []
    connection.execute("SET plan_cache_mode = force_generic_plan")
    for statement, values in sent:
        names = list(dict.fromkeys(re.findall(r"%\((.+?)\)s", statement)))
        numbers = {name: f"${place}" for place, name in enumerate(names, 1)}
        connection.execute(f"PREPARE asked AS {statement % numbers}")
        given = ", ".join(sql.Literal(values[name]).as_string(connection) for name in names)
        rows = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked ({given})").fetchall()
        connection.execute("DEALLOCATE asked")
        found.append(rows[0][0][0]["Plan"])
    return found


@pytest.mark.parametrize(
    "string",
    ["period=year", "period=year&recipient=petit", "from=2024-01-01&to=2025-12-31&recipient=petit",
     "date_field=sent&period=year", "date_field=updated&period=year", "sender=formation1@bench.example&period=year",
     "status=failed&type=certificate&period=year&recipient=petit", "by=person3@bench.example&period=year",
     "subject=convocation&period=year", "contact=martin&period=year", "treated=yes&period=year"],
)  # fmt: skip
def test_a_period_is_walked_also_by_a_plan_for_all_values(large: psycopg.Connection, string: str) -> None:
    """Of two bounds that it does not know PostgreSQL guesses that they hold a two-hundredth of the table, and sorts it:
    of the two million that it shall believe in, as of ten, that was a year."""
    large.execute("""UPDATE pg_class SET reltuples = reltuples * 100 WHERE relname = 'email'
        OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'email'::regclass)""")
    page, counts, _rows = statements(string)
    for plan in for_all_values(large, [*page, *counts]):
        for node in nodes(plan):
            if node["Node Type"] in ("Sort", "Incremental Sort"):
                below = node["Plans"][0]
                assert below["Actual Rows"] * below["Actual Loops"] <= pages.COUNTED_NEAR, (string, below["Node Type"])


@pytest.mark.parametrize(
    "string",
    # not treated=no: it asks of each failure, a few per cent of all, what became of its resends
    ["", "status=error", "date_field=sent&period=year", "date_field=updated&period=year", "treated=yes", "resent=yes",
     "sender=formation1@bench.example", "by=person3@bench.example", "reason=mailbox_full", "type=convocation"],
)  # fmt: skip
def test_counts_are_made_in_an_index_alone(large: psycopg.Connection, string: str) -> None:
    _page, counts, _rows = statements(string)
    met = [n for plan in plans(large, counts) for n in nodes(plan) if n.get("Relation Name") == "email"]
    assert met and {node["Node Type"] for node in met} == {"Index Only Scan"}
    assert sum(node["Heap Fetches"] for node in met) == 0


def test_failures_nobody_has_dealt_with_are_counted_in_their_index(large: psycopg.Connection) -> None:
    """What became of a resend is looked up only for the few that were sent again."""
    _page, counts, _rows = statements("treated=no")
    met = [n for plan in plans(large, counts) for n in nodes(plan) if n.get("Relation Name") == "email"]
    (along,) = (n for n in met if n["Index Name"] == "ix_email_untreated")
    assert along["Node Type"] == "Index Only Scan" and along["Heap Fetches"] == 0
    assert all(n["Actual Loops"] <= along["Actual Rows"] / 20 for n in met if n is not along)


def test_a_segment_of_nobody_looks_at_no_contact(large: psycopg.Connection) -> None:
    page, counts, rows = statements("segment=G-nobody")
    met = [n for plan in plans(large, [*page, *counts]) for n in nodes(plan) if n.get("Relation Name") == "contact"]
    assert not rows and met
    assert all(n["Actual Rows"] + n.get("Rows Removed by Filter", 0) == 0 for n in met if n["Actual Loops"])


def test_words_are_folded_once_whatever_the_plan(large: psycopg.Connection) -> None:
    """A plan made for all values would fold what was typed again for every e-mail it tests."""
    for string in ("subject=convocation+excel", "recipient=xyzzy", "contact=xyzzy", "session=xyzzy"):
        page, counts, _rows = statements(string)
        for statement, _values in [*page, *counts]:
            for called in ("words_query(", "regexp_replace("):
                for before in statement.split(called)[:-1]:
                    assert "SELECT" in before[-40:] or "unnest(" in before[-40:], (string, before[-60:])


def test_a_page_far_down_is_found_by_all_ways(large: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near, further on (a thin walk too) and by their own index, words give the same e-mails."""
    address = db.session.scalar(select(Address.address).where(Address.organisation_id == 1).limit(1)) or ""
    strings = ("recipient=petit", "contact=martin", "recipient=petit&subject=convocation", "subject=excel",
               "recipient=petit&type=free", "subject=excel+convocation", "session=ref-12", "segment=G-tagged",
               "recipient=petit&session=secouriste", "recipient=petit&status=error", "segment=G-tagged&type=free",
               "operator=orange.example&status=error&attachment=yes", "recipient=petit&type=free&sort=date",
               "segment=G-lately", f"recipient={address[2:-3]}", "recipient=petit&type=convocation&limit=3",
               "recipient=martin&status=sent_all&limit=2", "recipient=ma&type=invoice&limit=1")  # fmt: skip
    monkeypatch.setattr(pages, "_NEAR", 40)
    for string in strings:
        filter_, found = HistoryFilter.from_query(parse_qsl(string)), []
        for reach in (0, 55, 400, 30_000):  # cut off before, or in the midst of, what it looks for
            monkeypatch.setattr(pages, "_reach", lambda *_given, reach=reach: reach)
            page = pages.browse(Scope(1), filter_)
            further = pages.browse(Scope(1), filter_.with_(cursor=page.next)) if page.next else None
            found.append([row.id for row in [*page.rows, *(further.rows if further else [])]])
        everything = Question(Scope(1), filter_, datetime.now(UTC)).all_rows([text("email.id")])
        ids = db.session.execute(everything.limit(100)).scalars().all()
        expected = list(ids)[: 2 * filter_.limit]
        assert expected and all(one == expected for one in found), string
