"""A crew of processes: started in order, started again when one dies, ended together.

Promises that no child outlives a stop (nor what the child itself started), that the crew of a killed supervisor
is found and ended by the next, and that one child's death leaves the others at work. Which children there are
is data (`local.plan`); docs/decisions/0001-supervisor.md tells why this is not supervisord.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.processes import alive, session_members, spawn, wait_until
from places import Places, started

_FIRST_PAUSE, _LONGEST_PAUSE, _PROVEN = 0.5, 10.0, 30.0  # seconds


@dataclass(frozen=True)
class Child:
    """What to run, as data. Those that are `last` end after the others, because the others talk to them."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    last: bool = False


@dataclass
class _Member:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0


class Crew:
    """The running children of one supervisor; `facts` is what its services file says besides."""

    def __init__(
        self, places: Places, root: Path, env: Mapping[str, str], facts: Mapping[str, object],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._places = places
        self._root = root
        self._env = env
        self._facts = facts
        self._say = say
        self._members: list[_Member] = []
        self._orphans: list[tuple[int, str]] = []

    def start(self, children: Sequence[Child]) -> None:
        """Start each, in order, and keep the services file."""
        for child in children:
            self._members.append(member := _Member(child))
            self._launch(member)
        self._write()

    def watch(self) -> None:
        """Start again whoever died and whose pause is over: call it often."""
        now, changed = time.monotonic(), False
        for member in self._members:
            if member.process is not None and (code := member.process.poll()) is not None:
                # A killed worker's own child is at work still: let it finish what it holds, until we stop.
                self._orphans += session_members({member.process.pid})
                lived = now - member.since
                member.pause = _FIRST_PAUSE if lived > _PROVEN else min(member.pause * 2, _LONGEST_PAUSE)
                member.due, member.process = now + member.pause, None
                self._say(f"{member.child.name} ended ({code}), again in {member.pause:g} s: {self._log(member.child)}")
            if member.process is None and now >= member.due:
                self._launch(member)
                changed = True
        if changed:
            self._write()

    def stop(self, seconds: float) -> None:
        """End all within about `seconds`: a polite signal to each, then an end to what is left of its session."""
        until = time.monotonic() + seconds
        self._write(stopping=True)
        all_of_them = self._orphans + session_members({m.process.pid for m in self._members if m.process})
        for last in (False, True):
            wave = [m.process for m in self._members if m.child.last is last and m.process is not None]
            for process in wave:
                process.terminate()  # does nothing to one that has ended
            share = until - time.monotonic() - (0 if last else 1.5)
            wait_until(lambda: all(process.poll() is not None for process in wave), share)  # noqa: B023
            all_of_them += session_members({process.pid for process in wave if process.poll() is None})
        kill(all_of_them)
        for member in self._members:
            if member.process is not None:
                member.process.wait()
        self._members.clear()
        self._places.services_file.unlink(missing_ok=True)

    def _launch(self, member: _Member) -> None:
        member.since = time.monotonic()
        member.process = spawn(
            member.child.command,
            log=self._log(member.child),
            env={**self._env, **member.child.env},
            cwd=self._root,
            dies_with_us=signal.SIGTERM,
        )

    def _log(self, child: Child) -> Path:
        return self._places.logs / f"{child.name}.log"

    def _write(self, stopping: bool = False) -> None:
        """The services file, whole or not at all."""
        children = [
            [member.child.name, member.process.pid, started(member.process.pid)]
            for member in self._members
            if member.process is not None
        ]
        facts = {**self._facts, "pid": os.getpid(), "started": started(os.getpid()), "children": children}
        if stopping:
            facts["stopping"] = True  # there for those who clean up after us, not for those who look for services
        half = self._places.services_file.with_suffix(".new")
        half.write_text(json.dumps(facts, indent=1))
        half.chmod(0o600)
        half.replace(self._places.services_file)


def end_leftovers(places: Places, seconds: float = 8.0) -> None:
    """End the crew of a supervisor that was killed: only processes that its file names by pid and start."""
    try:
        children = json.loads(places.services_file.read_text())["children"]
    except (OSError, ValueError, KeyError):
        return
    left = [(pid, since) for _, pid, since in children if alive(pid, since)]
    all_of_them = session_members({pid for pid, _ in left})
    for pid, _ in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not any(alive(*process) for process in left), seconds)
    kill(all_of_them + session_members({pid for pid, since in left if alive(pid, since)}))
    places.services_file.unlink(missing_ok=True)


def kill(processes: list[tuple[int, str]]) -> None:
    """End at once each (pid, start) that still lives, and wait until they are gone."""

    def gone() -> bool:
        left = [pid for pid, since in processes if alive(pid, since)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    wait_until(gone, 2.0)


def trim(logs: Path, size: int = 5 * 2**20) -> None:
    """Set aside each log that grew over `size` bytes (one older part is kept)."""
    for log in logs.glob("*.log"):
        if log.stat().st_size > size:
            log.replace(log.with_suffix(".log.1"))
