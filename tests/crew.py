"""Workers exactly as `worker.py` runs them, to be killed: each is forked from one process that has imported everything,
so that a trial of two hundred kills pays for the imports once.

`with Nursery() as nursery, Crew(nursery, app, port) as crew: worker = crew.start("send")`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from flask import Flask

from config import ROOT
from local.processes import die_with_parent, wait_until
from places import started


class Nursery:
    """The process that workers are forked from; they die with it, their horses by themselves."""

    def __enter__(self) -> Nursery:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crew"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._heard()
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()

    def fork(self, arguments: list[str], env: dict[str, str], log: str) -> int:
        """The pid of a new `worker.py ARGUMENTS` (or `python -c PROGRAM`) with that environment."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([arguments, env, log]) + "\n")
        self.process.stdin.flush()
        return self._heard()

    def _heard(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


def parent(pid: int) -> int | None:
    """The pid of a process's parent; None once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Worker:
    """One worker: RQ's parent process and, while it has a job, its horse (in a process group of its own)."""

    def __init__(self, pid: int, queues: tuple[str, ...]) -> None:
        self.pid, self.since, self.queues = pid, started(pid), queues

    @property
    def alive(self) -> bool:
        return self.since is not None and started(self.pid) == self.since

    def horse(self) -> int | None:
        """The pid of the process that runs its job now."""
        try:
            found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return None
        return int(found[0]) if found else None

    def kill(self, which: str = "both") -> None:
        """kill -9 the `horse`, the `parent` or `both`; returns once they are gone."""
        horse = self.horse()
        pids = [pid for pid in (horse if which != "parent" else None, self.pid if which != "horse" else None) if pid]
        since = {pid: started(pid) for pid in pids}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all(since[pid] is None or started(pid) != since[pid] for pid in pids), 60)
        if which == "parent" and horse:  # its other threads may end after its first: only then is the horse an orphan
            wait_until(lambda: parent(horse) != self.pid, 60)


class Crew:
    """The workers of one test; `settings` are further variables of their environment. None outlives it."""

    def __init__(self, nursery: Nursery, app: Flask, port: int, **settings: str) -> None:
        config = app.extensions["sillage"]
        self.nursery = nursery
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"], "REDIS_URL": config.redis_url,
            "MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(port), "SECRET_KEY": config.secret_key,
            "SILLAGE_DATA": str(config.data), "SILLAGE_ENV": "test", "SILLAGE_LEASE": "2", "SMTP_TIMEOUT": "3",
            "SMTP_DATA_TIMEOUT": "3", "DRAIN_LINGER": "0.1", "DNS_SERVER": "none",
        } | settings  # fmt: skip
        self.workers: list[Worker] = []
        self.log_name = ""

    def __enter__(self) -> Crew:
        self.log = tempfile.NamedTemporaryFile("r")
        self.log_name = self.log.name
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            horse = worker.horse() if worker.alive else None
            if worker.alive:
                worker.kill()
            if horse is not None:
                wait_until(lambda pid=horse: started(pid) is None, 60)  # type: ignore[misc]
        self.log.close()

    def start(self, *queues: str, **settings: str) -> Worker:
        """A worker of these queues (or `cron`)."""
        pid = self.nursery.fork(list(queues), self.environment | settings, self.log_name)
        self.workers.append(Worker(pid, queues))
        return self.workers[-1]

    def log_to(self, path: str) -> None:
        """Have those to come write to another file."""
        self.log_name = path

    def keep_alive(self) -> None:
        """What the supervisor does: whoever has died is started again."""
        for worker in [worker for worker in self.workers if not worker.alive]:
            self.workers.remove(worker)
            self.start(*worker.queues)

    def said(self) -> str:
        """What all of them wrote to their log."""
        return Path(self.log.name).read_text()


def _serve() -> None:
    """Fork a worker for each line that comes; say its pid."""
    import worker

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who dies is gone at once
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        arguments, env, log = json.loads(line)
        if pid := os.fork():
            print(pid, flush=True)
        else:
            _work(worker, arguments, env, log)


def _work(worker: Any, arguments: list[str], env: dict[str, str], log: str) -> None:
    os.setsid()
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, none = os.open(log, os.O_WRONLY | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
    for there, here in ((none, 0), (out, 1), (out, 2)):
        os.dup2(there, here)
    os.environ.clear()
    os.environ.update(env)
    code = 1
    try:
        if arguments[0] == "-c":
            exec(arguments[1], {"__name__": "__main__"})
            code = 0
        else:
            worker.app = worker.create_app()
            code = worker.main(arguments)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
