"""Reads messages in a child process that may neither hang nor grow: what it can't digest is "poison", never a crash.

One long-lived child (child.py) is fed through a pipe and replaced when it dies, runs over `seconds` or over `memory`.
Used by the poller and by classify_files; what is done with poison is theirs to decide.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType

from mail.reports.answer import as_dict
from mail.reports.mime import READ_AT_MOST
from mail.reports.report import Report, ReportedRecipient
from models.words import Reason

SECONDS = 4.5  # wall clock for one message, a new child's start included
MEMORY = 256 * 2**20  # bytes of address space
_CHILD = Path(__file__).with_name("child.py")
_PACKAGES = sysconfig.get_path("purelib")  # where the child may look for flufl.bounce


class Fence:
    """A child process that reads. Use it in a `with` block; not for several threads at once."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds, self.memory = seconds, memory
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Fence:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def read(self, raw: bytes) -> Report | None:
        """The report in `raw`; None for poison (the child died, hung or ran out of memory on it)."""
        raw = raw[:READ_AT_MOST]
        until = time.monotonic() + self.seconds
        for _ in range(2):
            fresh = self._child is None
            try:
                answer = self._ask(raw, until)
            except (OSError, EOFError):
                self.close()
                if fresh:
                    return None
                continue  # an old child may have died of an earlier message: a fresh one decides
            except TimeoutError:
                self.close()
                return None
            return None if answer is None else _report(answer)
        return None

    def close(self) -> None:
        """End the child. It may be used again: a new one starts with the next message."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        child.wait()

    def _ask(self, raw: bytes, until: float) -> dict | None:
        child = self._child or self._start()
        assert child.stdin and child.stdout
        _write(child.stdin.fileno(), struct.pack(">I", len(raw)) + raw, until)
        (size,) = struct.unpack(">I", _read(child.stdout.fileno(), 4, until))
        return json.loads(_read(child.stdout.fileno(), size, until))

    def _start(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD), str(self.memory), str(int(self.seconds) + 2), _PACKAGES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            close_fds=True,
        )
        assert self._child.stdin
        os.set_blocking(self._child.stdin.fileno(), False)
        return self._child


def read_many(messages: Iterable[bytes | str | Path], seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[dict]:
    """For each message (bytes, or a file's path) its classify answer, in order; poison has "poison": True beside it.

    A file that can't be read is of kind "other" too, with "unreadable": True.
    """
    with Fence(seconds, memory) as fence:
        for message in messages:
            file, raw = "", message
            if not isinstance(message, bytes):
                file = str(message)
                try:
                    with open(message, "rb") as opened:
                        raw = opened.read(READ_AT_MOST)
                except (OSError, ValueError):
                    yield {**as_dict(Report(), file), "unreadable": True}
                    continue
            report = fence.read(raw)  # type: ignore[arg-type]
            yield as_dict(report, file) if report else {**as_dict(Report(), file), "poison": True}


def classify_files(paths: Iterable[str | Path]) -> Iterator[dict]:
    """What `flask classify` prints: one answer a file, in order, whatever the files hold (or if they are missing)."""
    for answer in read_many(paths):
        answer.pop("poison", None)
        answer.pop("unreadable", None)
        yield answer


def _write(fd: int, data: bytes, until: float) -> None:
    view = memoryview(data)
    while view:
        _, writable, _ = select.select([], [fd], [], _left(until))
        if not writable:
            raise TimeoutError
        view = view[os.write(fd, view[:65536]) :]


def _read(fd: int, size: int, until: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        readable, _, _ = select.select([fd], [], [], _left(until))
        if not readable:
            raise TimeoutError
        chunk = os.read(fd, min(65536, size - len(data)))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _report(answer: dict) -> Report:
    recipients = tuple(
        ReportedRecipient(**{**r, "reason": Reason(r["reason"]) if r["reason"] else None})
        for r in answer.pop("recipients")
    )
    at = answer.pop("occurred_at")
    return Report(**answer, recipients=recipients, occurred_at=datetime.fromisoformat(at) if at else None)
