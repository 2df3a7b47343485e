"""Commands share one pair of servers; the last one out stops it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local.processes import wait_until
from local.servers import embedded, running
from places import Places

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """
import sys; from local.servers import running; from places import Places
with running(Places(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read(1)
"""


@pytest.fixture
def places(folder, monkeypatch):
    """One data folder for all, and nothing named in the environment."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return Places(folder / "lent")


def answers(places: Places) -> bool:
    try:
        psycopg.connect(host=str(places.postgres_socket), user="sillage", dbname="sillage").close()
    except psycopg.OperationalError:
        return False
    return embedded(places)[1].ready()


def command(places: Places) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(places.data)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_servers_run_for_the_block_and_no_longer(places):
    with running(places):
        assert answers(places)
    assert not any(server.alive() for server in embedded(places))


def test_an_error_in_the_block_stops_them_too(places):
    with pytest.raises(KeyError), running(places):
        raise KeyError
    assert not any(server.alive() for server in embedded(places))


def test_several_commands_at_once_share_them(places):
    commands = [command(places) for _ in range(3)]
    for one in commands:
        assert one.stdout.readline() == "up\n"
    for one in commands:
        assert answers(places)
        one.communicate("\n", timeout=60)
        assert one.returncode == 0
    assert not any(server.alive() for server in embedded(places))


def test_a_terminated_command_stops_them(places):
    with command(places) as one:
        one.stdout.readline()
        one.send_signal(signal.SIGTERM)
        assert one.wait(60) == 128 + signal.SIGTERM
    assert not any(server.alive() for server in embedded(places))


def test_what_a_killed_command_left_is_used_and_stopped_by_the_next(places):
    with command(places) as one:
        one.stdout.readline()
        one.kill()
    assert answers(places)
    with running(places):
        assert answers(places)
    assert not any(server.alive() for server in embedded(places))


def test_named_servers_are_left_alone(folder, monkeypatch):
    places = Places(folder / "named-servers")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/x")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    with running(places):
        assert not places.run.exists()
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/x"


def test_settings_that_name_the_embedded_servers_mean_them(places, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", places.database_url())
    assert len(embedded(places)) == 2
    assert embedded(places, "postgresql://elsewhere/x", "redis://elsewhere/0") == []
    assert len(embedded(places, places.database_url(), "redis://elsewhere/0")) == 1


def test_waiting_is_bounded():
    assert not wait_until(lambda: False, 0.05)
