"""The whole house as `make run` starts it, on a data folder and ports of the tests' own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import redis
from rq import Queue

from local.processes import spawn, tail, wait_until
from places import Places
from tests.real.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
# What a person may have set for a house of their own must not reach this one.
_THEIRS = ("DATABASE_URL", "REDIS_URL", "BASE_URL", "SECRET_KEY", "BLOB_FOLDER", "DEMO", "SILLAGE_ENV")


@dataclass
class House:
    """`with House(folder) as house:` is ready when entered; `url` is its address."""

    folder: Path
    port: int = field(default_factory=free_port)
    mail_page_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> House:
        self.folder.mkdir(parents=True)
        env = {
            name: value
            for name, value in os.environ.items()
            if name not in _THEIRS and not name.startswith(("MAIL_", "BOUNCE_", "PRACTICE_"))
        }
        env |= {
            "SILLAGE_DATA": str(self.folder / "data"), "PORT": str(self.port),
            "PRACTICE_SMTP_PORT": str(free_port()), "PRACTICE_MAIL_PAGE_PORT": str(self.mail_page_port),
            # its own: of two houses that begin at once and both find the usual one free, one would have no post office
            "PRACTICE_DNS_PORT": str(free_port()),
        }  # fmt: skip
        self.log = self.folder / "supervisor.log"
        command = [sys.executable, "-m", "local"]
        self.process = spawn(command, log=self.log, env=env, cwd=ROOT, dies_with_us=signal.SIGTERM)
        wait_until(lambda: self.process.poll() is not None or self._ready(), 150, every=0.2)
        if self.process.poll() is not None or not self._ready():
            words = tail(self.log, lines=10)
            self.__exit__()
            raise AssertionError(f"the house did not start: {words}")
        self.over = threading.Event()
        self.hurrying = threading.Thread(target=self._hurry, daemon=True)
        self.hurrying.start()
        return self

    def _hurry(self) -> None:
        """Have the bounce mailbox read each second, where the house's own clock has it read every five."""
        with redis.Redis.from_url(Places.of(self.folder / "data").redis_url) as store:
            line = Queue("inbound", connection=store, serializer="json")
            while not self.over.wait(1):
                with contextlib.suppress(redis.RedisError):
                    if not len(line):
                        line.enqueue_call("jobs.poll_mailboxes", timeout=-1, result_ttl=0)

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "over"):
            self.over.set()
            self.hurrying.join()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _ready(self) -> bool:
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
