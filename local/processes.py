"""Starting, watching and ending processes of our own, and nobody else's.

A process is known by its pid *and* the time it started (see `places.started`), so a pid that was used again
by a stranger is never signalled. What a process is for is left to the callers.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from places import started

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class CannotStart(Exception):
    """Something can't be started here; its text is one clear sentence for the person at the terminal."""


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: str | Path = "/",
    user: int | None = None,
    group: int | None = None,
    dies_with_us: signal.Signals | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own (a Ctrl-C is for us to pass on), writing to `log`.

    `dies_with_us`: the signal the kernel sends it should the thread that calls this die (Linux; elsewhere a
    leftover is found again at the next start).
    """
    parent = os.getpid()

    def tie_to_parent() -> None:
        if dies_with_us is not None:
            die_with_parent(dies_with_us)
            if os.getppid() != parent:  # it died before the tie was made
                os._exit(1)

    identity: dict[str, Any] = {}
    if user is not None:
        identity = {"user": user, "group": group, "extra_groups": []}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
            env=dict(env), start_new_session=True, preexec_fn=tie_to_parent, **identity,
        )  # fmt: skip


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send us `number` when our parent's thread dies (Linux; elsewhere nothing)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def alive(pid: int, since: str | None) -> bool:
    """Whether the very process that had `pid` and started at `since` still runs."""
    return since is not None and started(pid) == since


def end(pid: int, since: str | None, steps: Iterable[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn, waiting up to its seconds, until the process is gone. True when it is."""
    for number, seconds in steps:
        if not alive(pid, since):
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if wait_until(lambda: not alive(pid, since), seconds):
            return True
    return not alive(pid, since)


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.03) -> bool:
    """Poll `condition` until it holds, at most for `seconds`. True when it held."""
    until = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(every)


def command_line(pid: int) -> list[str]:
    """The words a living process was started with; empty when it can't be told."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        except OSError:
            return []
    asked = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()


def tail(log: Path, lines: int = 4, since: int = 0) -> str:
    """The last lines that a process wrote to `log` after byte `since`, on one line."""
    try:
        with log.open("rb") as content:
            content.seek(max(since, log.stat().st_size - 4096))
            return " | ".join(content.read().decode("utf-8", "replace").strip().splitlines()[-lines:])
    except OSError:
        return ""


def session_members(sessions: set[int]) -> list[tuple[int, str]]:
    """(pid, start) of every living process in `sessions` (the ids are those of the processes `spawn` began).

    A worker's child that made a process group of its own is still found here (Linux; elsewhere only the
    session's first process is known).
    """
    if sys.platform != "linux":
        return [(pid, since) for pid in sessions if (since := started(pid))]
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) in sessions and (since := started(int(folder.name))):
            found.append((int(folder.name), since))
    return found
