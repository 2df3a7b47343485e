"""The whole request of the list (session, SQL, Jinja, 50 rows) beside the bare SQL of its page and a bare page.

The bare page is what Flask, SQLAlchemy Core and Jinja2 take at the least: fifty rows of seven cells, one statement,
no session, no filters, no counts. Both go through Flask's test client, in turn.
"""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from bench import asking, history
from bench.tables import Table
from extensions import db
from history.cursors import Cursor
from models import Address, Contact, Email, TrainingSession, User

QUERIES = ("", "status=error", "type=convocation", "recipient=petit", "subject=convocation", "session=secouriste")
_BARE = """<!doctype html><html lang="fr"><head><title>E-mails</title></head><body><table><thead><tr><th>Date<th>Type
<th>Client<th>Destinataire<th>Adresse<th>Objet<th>Statut</tr></thead><tbody>{% for row in rows %}<tr>
{%- for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></body></html>"""


def bare_app(engine: Engine) -> Flask:
    """An app whose one page is fifty rows by Core and Jinja2."""
    app = Flask("bare")
    newest = (
        select(Email.created_at, Email.type, Contact.name, Address.name, Address.address, Email.subject, Email.status)
        .join(Address, Address.id == Email.address_id)
        .outerjoin(Contact, Contact.id == Email.contact_id)
        .outerjoin(TrainingSession, TrainingSession.id == Email.training_session_id)
        .where(Email.organisation_id == 1)
        .order_by(Email.created_at.desc(), Email.id.desc())
        .limit(50)
    )

    template = app.jinja_env.from_string(_BARE)  # made once, as those of files are

    @app.get("/")
    def page() -> str:
        with engine.connect() as connection:
            return template.render(rows=connection.execute(newest).all())

    return app


def compare(tables: list[Table], requests: int) -> None:
    """A line a query: whole page and htmx's piece at each size, ÷ the bare page, ÷ the bare SQL, bytes."""
    clients = [signed_in(table) for table in tables]
    with tables[0].app.app_context():
        bare = bare_app(db.engine).test_client()
    print("\nwhole requests: ms of the processor (p50); the bare page's rate is 1 (target: 0.7); × its own SQL")
    for query in QUERIES:
        address = _address(query)
        sql = [history.statements(table, query) for table in tables]
        times: dict[tuple[int, str], list[float]] = {}
        for again in range(8 + requests):
            for place, (table, client) in enumerate(zip(tables, clients, strict=True)):
                found = {
                    "bare": _cpu(bare, "/"),
                    "page": _cpu(client, address),
                    "rows": _cpu(client, address, {"HX-Request": "true"}),
                    "page, clock": clock(client, address),
                    "sql": table.seconds([*sql[place][0], *sql[place][1]]),
                }
                if again >= 8:
                    for what, seconds in found.items():
                        times.setdefault((place, what), []).append(seconds)
        for place, table in enumerate(tables):
            ms = {what: median(some) * 1e3 for (at, what), some in times.items() if at == place}
            print(
                f" {query or 'no filter':22} {table.name:>5}: "
                f"page {ms['page']:5.1f} ms ({ms['bare'] / ms['page']:.2f}), "
                f"rows alone {ms['rows']:5.1f} ({ms['bare'] / ms['rows']:.2f}), bare page {ms['bare']:.1f}; "
                f"by the clock {ms['page, clock']:5.1f} = {ms['page, clock'] / ms['sql']:.1f} × SQL {ms['sql']:.1f}, "
                f"÷ {tables[0].name} {median(times[place, 'page, clock']) / median(times[0, 'page, clock']):.2f}",
                flush=True,
            )
    answer = clients[-1].get(_address(""))
    data = answer.get_data()
    with tables[-1].recorded() as sent:
        clients[-1].get(_address(""))
    print(f" {len(data) / 1000:.0f} kB of HTML (target: 120), {len(gzip.compress(data, 6)) / 1000:.1f} kB on the wire "
          f"(15), {len(sent)} statements (4)")  # fmt: skip


def compare_growth(tables: list[Table], requests: int, only: str) -> None:
    """A line a question: whole requests by the clock at each size, in turn, p50 and p95, and how they grow. Where the
    small table has fewer rows to show (°), its unfiltered page stands in for it, asked in the same turns."""
    clients = [signed_in(table) for table in tables]
    asked = [[one for one in asking.questions(table.held) if one.name.startswith(only)] for table in tables]
    missed = 0
    print(f"\nwhole requests by the clock: p50 / p95 in ms{'':8}{' '.join(f'{table.name:>13}' for table in tables)}")
    for same in zip(*asked, strict=True):
        turns = [[_address(query) for query in one.variants] for one in same]
        rows = [sum(_answered(client, path)[1] for path in paths) for client, paths in zip(clients, turns, strict=True)]
        less = rows[0] < rows[-1] and same[0].target == asking.FLAT
        if less:
            turns[0] = [_address("")]
        times: list[list[float]] = [[] for _table in tables]
        for again in range(-8, requests):
            for client, paths, found in zip(clients, turns, times, strict=True):
                seconds = _answered(client, paths[again % len(paths)])[0]
                if again >= 0:
                    found.append(seconds)
        ms = [[median(some) * 1e3, sorted(some)[int(len(some) * 0.95)] * 1e3] for some in times]
        p50, p95 = (last / first for first, last in zip(ms[0], ms[-1], strict=True))
        missed += p95 > same[0].target
        cells = " ".join(f"{half:6.1f}/{most:6.1f}" for half, most in ms)
        mark = ("°" if less else " ") + (" " if p95 <= same[0].target else "!")
        print(f" {same[0].name:29} {'':12}{cells}  × {p50:5.2f} {p95:5.2f} {mark} ≤ {same[0].target}", flush=True)
    print(f"{missed} of {len(asked[0])} questions grew by more than their target at p95")


def _address(query: str) -> str:
    return f"/emails?{query or 'limit=50'}"


def signed_in(table: Table) -> FlaskClient:
    """A browser of the organisation's first person."""
    client = table.app.test_client()
    with table.app.app_context():
        person = db.session.get_one(User, 1)
        with client.session_transaction() as session:
            session["_user_id"], session["_fresh"] = str(person.id), True
        db.session.remove()
    return client


def half_way(table: Table) -> str:
    """The cursor of a page in the middle of the table."""
    half = datetime.now(UTC) - timedelta(days=3 * 365.25 / 2)
    with table.app.app_context():
        return Cursor("-date/created", False, half, table.count // 2).write()


def _cpu(client: FlaskClient, address: str, headers: dict[str, str] | None = None) -> float:
    return _spent(client, address, headers, time.process_time)


def clock(client: FlaskClient, address: str) -> float:
    """Seconds of one request by the clock."""
    return _spent(client, address, None, time.perf_counter)


def _answered(client: FlaskClient, address: str) -> tuple[float, int]:
    """Seconds by the clock, and how many rows were shown."""
    began = time.perf_counter()
    answer = client.get(address)
    data = answer.get_data()
    spent = time.perf_counter() - began
    assert answer.status_code == 200, (address, answer.status)
    return spent, data.count(b'class="expand"')


def _spent(client: FlaskClient, address: str, headers: dict[str, str] | None, clock) -> float:  # type: ignore[no-untyped-def]
    began = clock()
    answer = client.get(address, headers=headers)
    answer.get_data()
    spent = clock() - began
    assert answer.status_code == 200, (address, answer.status)
    return spent
