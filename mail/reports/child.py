"""The fenced child's program: reads messages from stdin, answers in JSON on stdout, within its own limits.

Run by fence.Fence as a script, never imported. It loads only the readers: the packages' own __init__ (and with them
the web framework and the database) stay out, so that it starts in a blink and its memory is the readers' alone.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def serve(memory: int, seconds: int, packages: str) -> None:
    """Answer until stdin ends. A message that exhausts the memory is answered with null."""
    for name in ("mail", "models", "mail.reports"):
        package = ModuleType(name)
        package.__path__ = [str(ROOT.joinpath(*name.split(".")))]
        sys.modules[name] = package
    from mail.reports.reader import read
    from mail.reports.second import ask_flufl

    second = ask_flufl(packages)

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(4):
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.RLIM_INFINITY))
        raw = source.read(struct.unpack(">I", head)[0])
        try:
            report = asdict(read(raw, second))
            if report["occurred_at"]:
                report["occurred_at"] = report["occurred_at"].isoformat()
            answer = json.dumps(report).encode("ascii")
        except MemoryError:
            answer = b"null"
        target.write(struct.pack(">I", len(answer)) + answer)
        target.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
