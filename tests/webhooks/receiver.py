"""A receiver of webhooks on loopback, by HTTP or HTTPS; the address's last word says how it behaves.

ok, slow (a second), hang, drip (a header byte at a time), drip-body, close, garbage, big, redirect, gone, busy
(503 with Retry-After), or a status code such as 500; `fail2`: 500 twice, then 204.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """Answers until the block ends; what it received is `received`, how many connections it took `connections`."""

    certificate: tuple[Path, Path] | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    files: dict[str, bytes] = field(default_factory=dict)  # what it gives, by the address's last word
    server_names: list[str | None] = field(default_factory=list)

    def __enter__(self) -> Receiver:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._context = None
        if self.certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*self.certificate)
            self._context.sni_callback = lambda _s, name, _c: self.server_names.append(name)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(60)

    def url(self, behaviour: str = "ok", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}/{behaviour}"

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(10)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            line = stack.enter_context(self._context.wrap_socket(raw, server_side=True) if self._context else raw)
            self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := line.recv(65536)):
                return
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        while len(body) < int(headers.get("content-length", 0)):
            body += line.recv(65536)
        path = first.split(" ")[1]
        self.received.append(Received(path, headers, body, time.monotonic()))
        self._behave(line, path.rpartition("/")[2].partition("?")[0])

    def _behave(self, line: socket.socket, behaviour: str) -> None:
        if behaviour == "slow":
            self._over.wait(1)
        if behaviour == "hang":
            self._over.wait(30)
        elif behaviour == "close":
            pass
        elif behaviour == "garbage":
            line.sendall(b"\x00\x01 nothing like HTTP\r\n\r\n")
        elif behaviour == "drip":
            self._drip(line, b"HTTP/1.1 204 No Content\r\n" + b"X-Slow: 1\r\n" * 1000)
        elif behaviour == "drip-body":
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            self._drip(line, b"x" * 100_000)
        elif behaviour == "big":
            with contextlib.suppress(OSError):
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + b"\xff\x00ab" * 12_500_000)
        elif behaviour in self.files:
            held = self.files[behaviour]
            with contextlib.suppress(OSError):  # the head by itself, as many servers send it
                line.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(held)}\r\nConnection: close\r\n\r\n".encode())
                self._over.wait(0.1)
                line.sendall(held)
        else:
            code, more = _PLAIN.get(behaviour, (0, ""))
            if failing := re.fullmatch(r"fail(\d+)", behaviour):
                code = 500 if len(self.received) <= int(failing[1]) else 204
            code = code or int(behaviour)
            words = b"" if code == 204 else f"answer {code} é".encode()
            line.sendall(f"HTTP/1.1 {code} X\r\n{more}Content-Length: {len(words)}\r\n\r\n".encode() + words)

    def _drip(self, line: socket.socket, data: bytes) -> None:
        for n in range(len(data)):
            line.sendall(data[n : n + 1])
            if self._over.wait(0.05):
                return


_PLAIN = {
    "ok": (200, ""), "slow": (200, ""), "gone": (410, ""), "busy": (503, "Retry-After: 120\r\n"),
    "redirect": (302, "Location: http://127.0.0.1/elsewhere\r\n"),
}  # fmt: skip
