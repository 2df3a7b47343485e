"""An SMTP server on loopback that asks who one is: STARTTLS or TLS with a certificate of its own authority; PLAIN,
LOGIN, CRAM-MD5, XOAUTH2. `said` is every line it was told, `signed_in` who proved to be whom; it takes every message,
and counts them by connection (`carried`).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Certificate:
    """A server's certificate with its key, and the authority that vouches for it (PEM files)."""

    chain: Path
    key: Path
    authority: Path


def certificate(folder: Path, *names: str, days: int = 30) -> Certificate:
    """A certificate for these names and addresses; with negative `days` it ran out so long ago."""
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Autorité d'essai")])

    def build(subject: x509.Name, public, until: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(root_name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=90)).not_valid_after(until)

    root = build(root_name, root_key.public_key(), now + timedelta(days=365)).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).sign(root_key, hashes.SHA256())  # fmt: skip
    alternatives = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    leaf = build(subject, key.public_key(), now + timedelta(days=days)).add_extension(
        x509.SubjectAlternativeName(alternatives), critical=False
    ).sign(root_key, hashes.SHA256())  # fmt: skip
    made = Certificate(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
    made.chain.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return made


@dataclass
class AuthServer:
    """`with AuthServer(…) as server:` serves until the end. `drip`: seconds between the bytes of each reply."""

    users: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    mechanisms: str = "PLAIN LOGIN"
    certificate: Certificate | None = None
    tls: bool = False
    refusal: str = "535 5.7.8 authentication failed"
    rcpt: str = "250 2.1.5 ok"
    greeting: str = "220 auth.example ESMTP"
    drip: float = 0.0
    said: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    carried: list[int] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0

    def __enter__(self) -> AuthServer:
        outer = self
        self.context = None
        if self.certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.certificate.chain, self.certificate.key)
        self.over, self.lock = threading.Event(), threading.Lock()

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                talk = _Talk(outer, self.request)
                with outer.lock:
                    outer.open_now += 1
                    outer.most_open = max(outer.most_open, outer.open_now)
                try:
                    with contextlib.suppress(OSError, ValueError), contextlib.closing(talk):
                        talk.run()
                finally:
                    with outer.lock:
                        outer.open_now -= 1
                        outer.carried.append(talk.carried)

        class Server(ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class _Talk:
    def __init__(self, server: AuthServer, sock) -> None:
        self.server, self.sock = server, sock
        self.file = None
        self.carried = 0

    def run(self) -> None:
        if self.server.tls:
            self.encrypt()
        self.file = self.sock.makefile("rb")
        self.say(self.server.greeting)
        while (line := self.hear()) is not None:
            verb, _, rest = line.partition(" ")
            answer = getattr(self, "on_" + verb.lower(), None)
            if answer is None:
                self.say("250 2.0.0 ok")
            elif answer(rest) is False:
                return

    def close(self) -> None:
        self.sock.close()

    def encrypt(self) -> None:
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")

    def say(self, words: str) -> None:
        data = (words + "\r\n").encode()
        if not self.server.drip:
            self.sock.sendall(data)
            return
        for n in range(len(data)):
            self.sock.sendall(data[n : n + 1])
            if self.server.over.wait(self.server.drip):
                return

    def hear(self) -> str | None:
        line = self.file.readline()
        if not line:
            return None
        self.server.said.append(line.decode().rstrip("\r\n"))
        return self.server.said[-1]

    def on_ehlo(self, _: str) -> None:
        extensions = ["auth.example", "PIPELINING", "8BITMIME", "SIZE 30000000"]
        encrypted = isinstance(self.sock, ssl.SSLSocket)
        if self.server.certificate and not encrypted:
            extensions.append("STARTTLS")
        if self.server.mechanisms and (encrypted or not self.server.certificate):
            extensions.append(f"AUTH {self.server.mechanisms}")
        self.say("\r\n".join([*(f"250-{one}" for one in extensions[:-1]), f"250 {extensions[-1]}"]))

    def on_starttls(self, _: str) -> None:
        self.say("220 2.0.0 go ahead")
        self.encrypt()

    def on_auth(self, rest: str) -> None:
        mechanism, _, first = rest.partition(" ")
        ways = {"PLAIN": self.plain, "LOGIN": self.login, "CRAM-MD5": self.cram, "XOAUTH2": self.xoauth2}
        who = ways[mechanism](first)
        if who is None:
            self.say(self.server.refusal)
        else:
            self.server.signed_in.append(who)
            self.say("235 2.7.0 welcome")

    def proved(self, user: str, password: str) -> str | None:
        return user if self.server.users.get(user) == password else None

    def ask(self, challenge: str) -> str:
        self.say("334 " + base64.b64encode(challenge.encode()).decode())
        return base64.b64decode(self.hear() or "").decode()

    def plain(self, first: str) -> str | None:
        _, user, password = base64.b64decode(first).decode().split("\0")
        return self.proved(user, password)

    def login(self, first: str) -> str | None:
        user = base64.b64decode(first).decode() if first else self.ask("Username:")
        return self.proved(user, self.ask("Password:"))

    def cram(self, _: str) -> str | None:
        challenge = "<1896.697170952@auth.example>"
        user, _, digest = self.ask(challenge).rpartition(" ")
        password = self.server.users.get(user, "")
        proof = hmac.new(password.encode(), challenge.encode(), hashlib.md5).hexdigest()
        return user if password and proof == digest else None

    def xoauth2(self, first: str) -> str | None:
        user, token, *rest = base64.b64decode(first).decode().split("\x01")
        assert rest == ["", ""]
        if token.removeprefix("auth=Bearer ") in self.server.tokens:
            return user.removeprefix("user=")
        assert self.ask(json.dumps({"status": "401", "schemes": "bearer"})) == ""
        return None

    def on_rcpt(self, _: str) -> None:
        self.say(self.server.rcpt)

    def on_data(self, _: str) -> None:
        self.say("354 go on")
        body = b""
        while (line := self.file.readline()) not in (b".\r\n", b""):
            body += line
        self.server.taken.append(body)
        self.carried += 1
        self.say("250 2.0.0 taken as Q1")

    def on_quit(self, _: str) -> bool:
        self.say("221 2.0.0 bye")
        return False
