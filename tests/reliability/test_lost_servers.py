"""Q1, Q2, P1, D4: Redis emptied, killed, full or away; PostgreSQL stopped at once again and again; the whole machine.

On servers of the tests' own. What was asked for leaves once; what nobody can know is said to be unknown.
"""

from __future__ import annotations

import contextlib
import signal
import time
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from extensions import db, queue, ring
from mail import outbox
from models.words import Status
from tests.client import Browser
from tests.reliability.deeds import ask, come_true, copies, none_waits, statuses
from tests.reliability.station import Station
from tests.test_compose_pages import fields, make_session


def recipients(count: int) -> list[str]:
    return [f"p{n}@client.example" for n in range(count)]


def test_q1_a_thousand_waiting_survive_an_emptied_and_a_killed_redis(station: Station) -> None:
    ask(station.house, *recipients(1000))
    assert station.app.extensions["redis"].dbsize() > 0  # the ring
    station.store().flushall()
    with station.crew() as crew:
        for name in ("send", "send", "work", "cron"):
            crew.start(name)
        killed = False
        started = time.monotonic()
        while not none_waits():
            assert time.monotonic() - started < 90, crew.said()
            if not killed and len(station.server.taken) > 100:
                station.valkey.kill()
                station.valkey.start()
                station.store().flushall()
                killed = True
            crew.keep_alive()
            time.sleep(0.1)
    assert killed
    assert statuses() == {Status.SENT: 1000}
    assert set(copies(station.server).values()) == {1} and len(copies(station.server)) == 1000


def asked_on_the_page(station: Station) -> int:
    """A free e-mail to three people, asked for in the browser; how many that made."""
    run = make_session(station.house)
    browser = Browser(station.app).sign_in(station.house.staff)
    address = f"/sessions/{run.public_id}/emails/new"
    browser.get(address)
    form = fields(browser) | {"subject_fr": "Demain", "message_fr": "Bonjour", "step": "send"}
    answer = browser.post(address, form)
    browser.get(answer.location)
    assert "3 e-mails" in browser.text() and "Demandé" in browser.text()
    return sum(statuses().values())


@pytest.mark.parametrize("trouble", ["away", "full", "mute"])
def test_q1_the_page_accepts_while_redis_is_away_and_all_leaves_once_it_is_back(station: Station, trouble: str) -> None:
    store = station.store()
    with station.crew() as crew:
        for name in ("send", "work", "cron"):
            crew.start(name)
        come_true(lambda: store.scard("rq:workers") >= 2, meanwhile=None)
        if trouble == "away":
            station.valkey.kill()
        elif trouble == "full":
            store.config_set("maxmemory", "1")
        else:
            station.signal_valkey(signal.SIGSTOP)
        count = asked_on_the_page(station)
        assert statuses() == {Status.REQUESTED: count}
        if trouble == "away":
            station.valkey.start()
        elif trouble == "full":
            store.config_set("maxmemory", "0")
        else:
            station.signal_valkey(signal.SIGCONT)
        come_true(none_waits, 60, crew.keep_alive)
    assert statuses() == {Status.SENT: count}
    assert set(copies(station.server).values()) == {1}


def test_q2_jobs_told_thrice_late_and_in_any_order_send_once(station: Station) -> None:
    ask(station.house, *recipients(60))
    with station.crew(DRAIN_CONNECTIONS="2") as crew:
        for job in ("drain", "sweep", "drain", "drain"):  # more than there is work for, and again when it is done
            for name in ("send", "work"):
                ring(job, name)
        for _ in range(3):
            crew.start("send", "work")
        come_true(none_waits)
        for _ in range(3):
            ring("drain", "send")
        come_true(lambda: not len(queue("send")))
    assert statuses() == {Status.SENT: 60}
    assert set(copies(station.server).values()) == {1} and len(copies(station.server)) == 60


def test_p1_postgresql_stopped_at_once_five_times_while_e_mails_leave(station: Station) -> None:
    """0 lost, 0 doubled; pages answer 503 while it is away and 200 as soon as it is back, the app not started anew."""
    ask(station.house, *recipients(300))
    browser = Browser(station.app).sign_in(station.house.staff)
    db.session.remove()
    station.server.script.delay = 0.05
    lines = 2
    with station.crew(DRAIN_CONNECTIONS=str(lines)) as crew:
        for name in ("send", "send", "work", "cron"):
            crew.start(name)
        for stop in range(1, 6):
            come_true(lambda due=stop * 45: len(station.server.taken) >= due, meanwhile=crew.keep_alive)  # type: ignore[misc]
            station.postgres.stop("immediate")
            answer = browser.get("/sessions", status=503)
            assert answer.headers["Retry-After"] == "10" and "Sillage revient dans un instant" in browser.text()
            browser.get("/emails", htmx=True, status=503)
            station.postgres.start()
            browser.get("/sessions")
        come_true(none_waits, 60, crew.keep_alive)
    found = statuses()
    taken = copies(station.server)
    assert set(taken.values()) == {1}
    assert found[Status.SENT] + found[Status.UNCERTAIN] == 300
    assert found[Status.UNCERTAIN] <= 5 * 2 * lines
    assert len(taken) >= found[Status.SENT]


def test_d4_the_whole_machine_dies_in_the_middle_and_comes_back(station: Station) -> None:
    ask(station.house, *recipients(40))
    station.server.script.delay = 0.02
    with station.crew(DRAIN_CONNECTIONS="2") as crew:
        crew.start("send")
        come_true(lambda: len(station.server.taken) >= 10, meanwhile=None)
        station.machine_dies(crew)
    station.machine_starts()
    with station.crew() as crew:
        for name in ("send", "work", "cron"):
            crew.start(name)
        come_true(none_waits, meanwhile=crew.keep_alive)
    found = statuses()
    assert found[Status.SENT] + found[Status.UNCERTAIN] == 40 and found[Status.UNCERTAIN] <= 2
    assert set(copies(station.server).values()) == {1}


def sessions_of(name: str) -> list[str]:
    """The state of each of that application's connections, as PostgreSQL sees it."""
    query = text("SELECT state FROM pg_stat_activity WHERE application_name = :name")
    found = list(db.session.scalars(query, {"name": name}))
    db.session.rollback()
    return found


def in_the_way(connection: Connection) -> None:
    """Change the rows of what is on the lines."""
    begun = text("UPDATE email SET updated_at = now() FROM outbox_entry WHERE email_id = id AND state = 'data_begun'")
    with contextlib.suppress(OperationalError), connection.begin():  # where it is us who have to give way
        connection.execute(begun)
        time.sleep(0.02)


def test_p2_conflicts_are_tried_again_and_no_connection_waits_on_the_wire(station: Station) -> None:
    """Two workers in SERIALIZABLE transactions, and beside them somebody who changes their rows."""
    ask(station.house, *recipients(80))
    db.session.rollback()
    name = "drain-under-test"
    options = f"-c default_transaction_isolation=serializable -c application_name={name}"
    url = f"{station.app.config['SQLALCHEMY_DATABASE_URI']}&options={quote(options)}"
    server, log = station.server, station.postgres.log
    since = log.stat().st_size
    server.script.stop_at = "dot"
    with station.crew(DATABASE_URL=url, DRAIN_CONNECTIONS="4", SILLAGE_LEASE="20") as crew:
        crew.start("send")
        come_true(server.stopped.is_set, 60)
        come_true(lambda: set(sessions_of(name)) == {"idle"}, meanwhile=None)
        assert len(sessions_of(name)) <= 5, "more than the two pools keep"
        server.script.delay = 0.03
        server.script.go.set()
        crew.start("send")
        with db.engine.connect() as connection:
            while not none_waits():
                in_the_way(connection)
                outbox.sweep()
                time.sleep(0.1)
    logged = log.read_bytes()[since:].decode()
    assert "could not serialize access" in logged
    assert statuses() == {Status.SENT: 80}
    assert set(copies(server).values()) == {1} and len(copies(server)) == 80


def locked_out() -> int:
    """How many connections wait for a row that another holds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return int(db.session.scalar(text(query)))
