"""The application as gunicorn serves it, for as long as it is measured."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from local.processes import wait_until


@contextmanager
def gunicorn(what: str, arguments: list[str], environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """The port of loopback that `what` is served on, and the process over its workers. RuntimeError when it does not
    come up within half a minute."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--no-control-socket", *arguments, what]
    server = subprocess.Popen(command, env=dict(environment))
    try:
        if not wait_until(lambda: server.poll() is not None or _answers(port), 30) or server.poll() is not None:
            raise RuntimeError(f"gunicorn does not serve {what}")
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as there:
        return not there.connect_ex(("127.0.0.1", port))
