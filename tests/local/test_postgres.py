"""The embedded PostgreSQL lives through what kills servers."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys

import psycopg
import pytest
import sqlalchemy as sa

from local.postgres import Postgres
from local.processes import CannotStart, wait_until
from places import Places, started


@pytest.fixture
def own(folder, request):
    """A cluster that the test may ruin."""
    server = Postgres(folder / request.node.name[:20], fsync=False)
    yield server
    server.stop("immediate")


def ask(server: Postgres, question: str, database: str = "postgres") -> object:
    with server._connect(database) as connection:
        answer = connection.execute(question)
        while answer.nextset():
            pass
        return answer.fetchone()[0]


def postmaster(server: Postgres) -> int:
    return int((server.places.cluster / "postmaster.pid").read_text().split()[0])


def test_words_of_every_language_compare(own):
    own.start()
    assert ask(own, "SELECT lower('ÉCOLE') = 'école' AND 'ÉCOLE' ILIKE 'école'") is True
    for extension in ("unaccent", "pg_trgm", "btree_gin"):
        ask(own, f"CREATE EXTENSION {extension}; SELECT 1")


def test_sqlalchemy_reaches_a_database_made_on_demand(own):
    own.start()
    own.create_database("model")
    own.create_database("model")
    engine = sa.create_engine(own.create_database("copy", template="model"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_database()")) == "copy"
    own.drop_database("copy")
    assert ask(own, "SELECT count(*) FROM pg_database WHERE datname = 'copy'") == 0


def test_it_listens_on_a_socket_that_only_we_may_use(own):
    own.start()
    assert ask(own, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(own.places.postgres_socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(own.places.cluster.stat().st_mode) == 0o700
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed|no pg_hba.conf entry"):
        psycopg.connect(host=str(own.places.postgres_socket), user="postgres", dbname="postgres")


def test_as_root_it_runs_as_nobody(own):
    own.start()
    owner = os.stat(f"/proc/{postmaster(own)}").st_uid
    assert owner == (pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())


def test_data_survive_every_kind_of_end(own):
    own.start()
    ask(own, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); SELECT n FROM kept")
    own.stop()
    own.start()
    own.stop("immediate")
    own.start()
    os.kill(postmaster(own), signal.SIGKILL)
    assert wait_until(lambda: not own.alive(), 60)
    own.start()
    assert ask(own, "SELECT n FROM kept") == 1


def test_a_lock_file_whose_pid_was_used_again_is_no_obstacle(own):
    own.start()
    lock = (own.places.cluster / "postmaster.pid").read_text()
    own.stop("immediate")
    stranger = f"{os.getpid()}\n" + lock.split("\n", 1)[1]
    (own.places.cluster / "postmaster.pid").write_text(stranger)
    (own.places.postgres_socket / ".s.PGSQL.5432.lock").write_text(stranger)
    own.start()
    assert own.ready()


def test_another_instance_adopts_the_cluster_and_stops_it(own):
    own.start(outlives_us=True)
    heir = Postgres(own.places.data, fsync=False)
    heir.start()
    assert heir.alive()
    assert postmaster(heir) == own._child.pid
    heir.stop()
    assert not own.ready()


def test_it_dies_with_a_killed_starter_and_starts_again(own, folder):
    code = (
        "import sys, time; from local.postgres import Postgres\n"
        "Postgres(sys.argv[1], fsync=False).start(); print('up', flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(own.places.data)], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout.readline() == "up\n"
        pid = postmaster(own)
        starter.kill()
    assert wait_until(lambda: started(pid) is None, 60)
    own.start()
    assert own.ready()


def test_under_a_closed_folder_it_lives_elsewhere(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "data", fsync=False)
    try:
        server.start()
        assert server.ready()
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert server.places.cluster.is_relative_to(closed) is (os.geteuid() != 0)  # only root's is closed to it
    finally:
        server.stop("immediate")
        shutil.rmtree(server.places.cluster.parent)


def test_a_cluster_of_another_version_is_left_alone(own):
    own.start()
    own.stop()
    (own.places.cluster / "PG_VERSION").write_text("14\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 14"):
        own.start()


def test_a_start_that_fails_says_why(own):
    own.start()
    own.stop()
    (own.places.cluster / "global" / "pg_control").unlink()
    with pytest.raises(CannotStart, match="pg_control"):
        own.start()


def test_a_half_made_cluster_is_made_anew(own):
    half = Places(own.places.data).cluster.with_name("postgres.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    own.start()
    assert own.ready()
    assert not half.exists()
