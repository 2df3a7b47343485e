"""An IMAP server of a few commands for tests of mail.mailbox: it may fall silent, drip, or cut the line when told."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Shelf:
    """The one folder: messages by uid, those seen, and how the server behaves."""

    messages: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    cut_before: str = ""  # the command at which the line breaks, once
    drips: bool = False  # a byte at a time, for ever
    fetched: list[str] = field(default_factory=list)
    port: int = 0

    def renumber(self) -> None:
        """A new UIDVALIDITY: other uids, and nothing is seen."""
        self.messages = {uid + 1000: raw for uid, raw in self.messages.items()}
        self.seen.clear()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        shelf: Shelf = self.server.shelf  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            if shelf.drips:
                while True:
                    self.wfile.write(b"*")
                    time.sleep(0.02)
            self.wfile.write(b"* OK ready\r\n")
            while line := self.rfile.readline():
                tag, _, command = line.decode().strip().partition(" ")
                name = command.upper().removeprefix("UID ").split(" ")[0]
                if name == shelf.cut_before:
                    shelf.cut_before = ""
                    return
                self.wfile.write(self.answer(shelf, name, command) + f"{tag} OK done\r\n".encode())
                if name == "LOGOUT":
                    return

    def answer(self, shelf: Shelf, name: str, command: str) -> bytes:
        match name:
            case "CAPABILITY":
                return b"* CAPABILITY IMAP4rev1\r\n"
            case "SELECT":
                return f"* {len(shelf.messages)} EXISTS\r\n".encode()
            case "SEARCH":
                unseen = [str(uid) for uid in sorted(shelf.messages) if uid not in shelf.seen]
                return f"* SEARCH {' '.join(unseen)}\r\n".encode()
            case "FETCH":
                uid = int(command.split()[2])
                shelf.fetched.append(command)
                most = re.search(r"<0\.(\d+)>", command)
                raw = shelf.messages[uid]
                part = raw[: int(most[1])] if most else raw
                head = f"* 1 FETCH (UID {uid} RFC822.SIZE {len(raw)} BODY[]<0> {{{len(part)}}}\r\n"
                return head.encode() + part + b")\r\n"
            case "STORE":
                shelf.seen.add(int(command.split()[2]))
        return b""


@contextlib.contextmanager
def imap_server() -> Iterator[Shelf]:
    """A server on loopback; its shelf says where."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), _Session) as server:
        server.shelf = Shelf(port=server.server_address[1])  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.shelf  # type: ignore[attr-defined]
        server.shutdown()
        thread.join(60)
