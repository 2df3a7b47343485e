"""One command starts all, keeps all up, and leaves nothing: with small children, on real servers."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from local import plan, servers
from local.processes import CannotStart, session_members, wait_until
from places import Places, started

# As make does: run the supervisor, and wait.
CALLER = """
import os, subprocess, sys
env = os.environ | {"SILLAGE_DATA": sys.argv[1], "PORT": sys.argv[2]}
subprocess.run([sys.executable, "-m", "tests.local.small_house", "--with-parent"], env=env)
"""
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


class Run:
    """One supervisor in a process of its own."""

    def __init__(self, places: Places, module: str = "tests.local.small_house", **settings: str) -> None:
        self.places = places
        self.port = int(settings.get("PORT") or free_port())
        wanted = {"SILLAGE_DATA": str(places.data), "PORT": str(self.port), "DEMO": "0"} | settings
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        self.log = places.data.parent / f"{places.data.name}-{time.monotonic_ns()}.log"
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module], cwd=ROOT, env=kept | wanted, stdout=out, stderr=out
            )

    def until_ready(self, seconds: float = 60) -> None:
        said = lambda: "Ctrl-C" in self.log.read_text()  # noqa: E731
        assert wait_until(lambda: said() or self.process.poll() is not None, seconds), self.log.read_text()
        assert self.process.poll() is None, self.log.read_text()

    def children(self) -> dict[str, int]:
        return {name: pid for name, pid, _ in json.loads(self.places.services_file.read_text())["children"]}

    def everything(self) -> list[tuple[int, str]]:
        """(pid, start) of all that this run started: its children's sessions and the two servers'."""
        pids = set(self.children().values())
        with contextlib.suppress(FileNotFoundError):
            pids.add(int((self.places.cluster / "postmaster.pid").read_text().split()[0]))
            pids.add(json.loads((self.places.run / "valkey.pid").read_text())[0])
        return session_members(pids)

    def worker(self) -> int | None:
        return self.children().get("worker")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to stop; the seconds that took."""
        since = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(60) == 0, self.log.read_text()
        return time.monotonic() - since


def gone(processes: list[tuple[int, str]], seconds: float = 60) -> bool:
    return wait_until(lambda: all(started(pid) != since for pid, since in processes), seconds)


@pytest.fixture(scope="module")
def places(folder):
    """One data folder for all: each run finds what the one before left."""
    return Places(folder / "supervised")


@pytest.fixture
def run(places):
    runs = []

    def begin(**settings):
        runs.append(Run(places, **settings))
        return runs[-1]

    yield begin
    for one in runs:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_nothing_within_ten_seconds(run, places, number):
    first = run(STUBBORN="1")
    first.until_ready()
    services = places.services()
    assert (services["port"], services["embedded"]) == (first.port, ["postgres", "valkey", "postoffice"])
    assert places.database_url() in (places.logs / "first.log").read_text()
    deadline = time.monotonic() + 30
    while len(everything := first.everything()) < 7 and time.monotonic() < deadline:
        time.sleep(0.05)  # the stubborn one's child may still be starting
    assert len(everything) >= 7  # PostgreSQL, Valkey, four children, the stubborn one's child
    assert first.stop(number) < 10
    assert gone(everything)
    assert places.services() is None


def test_a_killed_child_comes_back_while_the_rest_goes_on(run):
    house = run()
    house.until_ready()
    before = house.children()
    os.kill(before["worker"], signal.SIGKILL)
    assert wait_until(lambda: house.worker() not in (None, before["worker"]), 60)
    after = house.children()
    others = ("web", "postoffice")
    assert {name: after[name] for name in others} == {name: before[name] for name in others}
    assert "out of paper" in (house.places.logs / "faulty.log").read_text()


def test_a_killed_server_comes_back(run, places):
    house = run()
    house.until_ready()
    postmaster = int((places.cluster / "postmaster.pid").read_text().split()[0])
    valkey = json.loads((places.run / "valkey.pid").read_text())[0]
    os.kill(postmaster, signal.SIGKILL)
    os.kill(valkey, signal.SIGKILL)

    def both_answer():
        with contextlib.suppress(psycopg.OperationalError, redis.ConnectionError):
            host = str(places.postgres_socket)
            psycopg.connect(host=host, user="sillage", dbname="sillage").close()
            with redis.Redis.from_url(places.redis_url) as store:
                return store.ping()
        return False

    assert wait_until(both_answer, 60, every=0.2)


def test_after_a_kill_of_the_supervisor_a_new_start_works_and_keeps_the_data(run, places):
    first = run(STUBBORN="1")
    first.until_ready()
    host = str(places.postgres_socket)
    with psycopg.connect(host=host, user="sillage", dbname="sillage") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    leftovers = first.everything()
    key = places.secret_key_file.read_text()
    first.process.kill()
    first.process.wait()
    second = run(PORT=str(first.port))
    second.until_ready()
    assert gone(leftovers, 0.5)
    with psycopg.connect(host=host, user="sillage", dbname="sillage") as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    assert places.secret_key_file.read_text() == key
    assert stat.S_IMODE(places.secret_key_file.stat().st_mode) == 0o600


def test_a_second_supervisor_says_so_and_the_first_goes_on(run):
    first = run()
    first.until_ready()
    second = run()
    assert second.process.wait(60) == 1
    (line,) = second.log.read_text().splitlines()
    assert f"{first.places.data} (http://127.0.0.1:{first.port})" in line
    assert "already runs on this data folder" in line
    assert first.process.poll() is None


def test_a_start_right_after_a_stop_waits_for_it(run):
    first = run(STUBBORN="1")
    first.until_ready()
    first.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: first.places.services() is None, 60)
    second = run(PORT=str(first.port))
    second.until_ready()
    assert first.process.wait(60) == 0


def test_it_stops_when_what_called_it_is_killed(run, places):
    with subprocess.Popen([sys.executable, "-c", CALLER, str(places.data), str(free_port())], cwd=ROOT) as caller:
        assert wait_until(lambda: places.services() is not None, 60)
        everything = session_members({pid for _, pid, _ in places.services()["children"]})
        caller.kill()
    assert gone(everything)


def test_a_taken_port_is_answered_at_once(run):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        since = time.monotonic()
        house = run(PORT=str(port))
        assert house.process.wait(60) == 1
        took = time.monotonic() - since
    assert f"PORT={port + 1 if port >= 5001 else 5001} make run" in house.log.read_text()
    assert f"pid {os.getpid()}" in house.log.read_text()
    assert took < 5  # half a second, and what this machine takes to start Python


@pytest.mark.parametrize("settings, says", [({"PORT": "abc"}, "PORT='abc'"), ({"PORT": "99999"}, "PORT='99999'")])
def test_a_wrong_port_is_named(settings, says):
    with pytest.raises(CannotStart, match=says):
        plan.Ports.choose(settings)


def test_the_post_office_moves_aside_unless_its_port_was_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = str(listening.getsockname()[1])
        with pytest.raises(CannotStart, match=f"PRACTICE_SMTP_PORT={taken}"):
            plan.Ports.choose({"PORT": str(free_port()), "PRACTICE_SMTP_PORT": taken})
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # ours now, or someone's already
            stack.enter_context(socket.create_server(("127.0.0.1", 2525)))
        assert plan.Ports.choose({"PORT": str(free_port())}).smtp not in (None, 2525)


def test_where_a_server_is_named_its_twin_is_not_started(folder, monkeypatch):
    places = Places(folder / "named")
    places.data.mkdir()
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    assert servers.embedded(places) == []
    ports = plan.Ports.choose({"PORT": str(free_port()), "MAIL_SERVER": "smtp.example"})
    assert (ports.smtp, ports.mail_page) == (None, None)
    names = [child.name for child in plan.children(ports, {})]
    assert names == ["web", "worker-send-1", "worker-send-2", "worker-inbound", "worker-work", "worker-cron"]
    env = plan.environment(places, ports, dict(os.environ) | {"MAIL_SERVER": "smtp.example"})
    assert (env["DATABASE_URL"], env["MAIL_SERVER"]) == ("postgresql://elsewhere/x", "smtp.example")
    assert "MAIL_PORT" not in env


def test_the_children_get_one_environment(folder):
    places = Places(folder / "environment")
    places.data.mkdir()
    env = plan.environment(places, plan.Ports(5005, 2626, 8026), {"LANG": "fr_FR.UTF-8", "SILLAGE_ENV": ""})
    assert env["SILLAGE_ENV"] == "demo"
    assert env["BASE_URL"] == "http://127.0.0.1:5005"
    assert (env["MAIL_SERVER"], env["MAIL_PORT"]) == ("127.0.0.1", "2626")
    assert env["BOUNCE_MAILDIR"] == str(places.bounce_maildir)
    assert len(env["SECRET_KEY"]) > 40
    assert env["LANG"] == "fr_FR.UTF-8"


def test_settings_are_read_from_a_file(tmp_path):
    path = tmp_path / ".env"
    assert plan.settings_file(path) == {}
    path.write_text("# a comment\n\nPORT=5001\nexport MAIL_PASSWORD='a=b # c'\nSILLAGE_DATA = ./élan\n")
    assert plan.settings_file(path) == {"PORT": "5001", "MAIL_PASSWORD": "a=b # c", "SILLAGE_DATA": "./élan"}
    path.write_text("PORT=1\nrm -rf /\n")
    with pytest.raises(CannotStart, match="line 2"):
        plan.settings_file(path)
