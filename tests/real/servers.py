"""A private Postfix and a private Dovecot on loopback; the settings of the machine are not read.

Postfix keeps client.example (people) and cassiopee.example (ours) as virtual mailboxes and takes mail on two ports:
`port` as a neighbour's server would, `submission` only with STARTTLS and a password asked of Dovecot. Dovecot serves
the mailbox `retours` by IMAP, in clear on `port`, by TLS on `tls_port`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from local.processes import spawn, tail, wait_until
from tests.real.authority import Authority

PASSWORD = "un mot de passe"
PEOPLE = ("zoe", "ali", "retours", "formation")
# A mailbox that is announced and does not exist: it is refused later, by a report.
GONE = "parti@client.example"

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/state
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}
myhostname = mx.client.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_transport = error:5.1.1 no local mailbox
default_transport = error:5.1.2 nothing leaves this machine
recipient_delimiter = +
virtual_mailbox_domains = inline:{{client.example=x, cassiopee.example=x}}
virtual_mailbox_maps = inline:{{{mailboxes}}}
virtual_alias_maps = inline:{{{gone}=nobody-here@client.example}}
virtual_mailbox_base = {folder}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
message_size_limit = 20480000
smtputf8_enable = yes
smtpd_peername_lookup = no
smtpd_client_port_logging = no
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
in_flow_delay = 0
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
mail_location = maildir:{mail}/%n
first_valid_uid = 1
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service auth {{
  unix_listener {postfix}/queue/private/auth {{
    mode = 0666
  }}
}}
"""


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int, greeting: bytes) -> bool:
    """Whether a server greets so on that port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
            return sock.recv(100).startswith(greeting)
    except OSError:
        return False


@dataclass
class RealServers:
    """Both servers, as one: `with RealServers(folder, authority): …`. `folder` must be open to other users."""

    folder: Path
    authority: Authority
    port: int = field(default_factory=free_port)
    submission: int = field(default_factory=free_port)
    imap_port: int = field(default_factory=free_port)
    imap_tls_port: int = field(default_factory=free_port)

    @property
    def mail(self) -> Path:
        return self.folder / "postfix" / "mail"

    @property
    def bounces(self) -> Path:
        """The Maildir of the mailbox `retours`."""
        return self.mail / "retours"

    def __enter__(self) -> RealServers:
        nobody = pwd.getpwnam("nobody")
        self.owner = (nobody.pw_uid, nobody.pw_gid)
        postfix, dovecot = self.folder / "postfix", self.folder / "dovecot"
        for path in (postfix / "queue", postfix / "log", self.mail, dovecot / "home"):
            path.mkdir(parents=True)
        (postfix / "state").mkdir()
        shutil.chown(postfix / "state", "postfix", "postfix")
        for person in PEOPLE:
            for part in ("", "new", "cur", "tmp"):
                (self.mail / person / part).mkdir(exist_ok=True)
                os.chown(self.mail / person / part, *self.owner)
        os.chown(self.mail, *self.owner)
        os.chown(dovecot / "home", *self.owner)
        certificate, key = self.authority.certificate(self.folder / "tls")
        domains = {"retours": "cassiopee.example", "formation": "cassiopee.example"}
        boxes = ", ".join(f"{name}@{domains.get(name, 'client.example')}={name}/" for name in PEOPLE)
        values = {"uid": self.owner[0], "gid": self.owner[1], "certificate": certificate, "key": key}
        (postfix / "main.cf").write_text(_MAIN.format(folder=postfix, mailboxes=boxes, gone=GONE, **values))
        (postfix / "master.cf").write_text(_MASTER.format(port=self.port, submission=self.submission))
        (dovecot / "users").write_text(f"retours:{{PLAIN}}{PASSWORD}\nformation:{{PLAIN}}{PASSWORD}\n")
        (dovecot / "dovecot.conf").write_text(
            _DOVECOT.format(
                folder=dovecot, postfix=postfix, mail=self.mail, port=self.imap_port, tls_port=self.imap_tls_port,
                **values,
            )
        )  # fmt: skip
        # No import_environment of ours: without MAIL_CONFIG in it smtpd hangs and says nothing.
        subprocess.run(["postfix", "-c", str(postfix), "check"], env=self._env(), check=True, capture_output=True)
        daemons = subprocess.run(
            ["postconf", "-c", str(postfix), "-h", "daemon_directory"], env=self._env(), check=True,
            capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        self._start("dovecot", ["dovecot", "-F", "-c", str(dovecot / "dovecot.conf")])
        wait_until((postfix / "queue/private/auth").exists, 60)
        self._start("postfix", [f"{daemons}/master", "-c", str(postfix), "-s"])
        ready = ((self.port, b"220 "), (self.submission, b"220 "), (self.imap_port, b"* OK"))
        if not all(wait_until(lambda: answers(*at), 60, every=0.1) for at in ready):  # noqa: B023
            logs = [tail(log) for log in self.folder.glob("**/*.log")]
            self.__exit__()
            raise AssertionError(f"Postfix or Dovecot does not answer: {logs}")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes[::-1]:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def _processes(self) -> list[subprocess.Popen[bytes]]:
        return self.__dict__.setdefault("_started", [])

    def _start(self, name: str, command: list[str]) -> None:
        log = self.folder / f"{name}.out.log"
        self._processes.append(
            spawn(command, log=log, env=self._env(), cwd=self.folder, dies_with_us=signal.SIGTERM)
        )  # fmt: skip

    def _env(self) -> dict[str, str]:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        return {"PATH": path, "MAIL_CONFIG": str(self.folder / "postfix"), "LANG": "C.UTF-8"}

    # the bounce mailbox, as the tests see it

    def reports(self) -> list[Path]:
        """What lies in the bounce mailbox, read or not."""
        return sorted([*(self.bounces / "new").iterdir(), *(self.bounces / "cur").iterdir()], key=lambda p: p.name)

    def put(self, raw: bytes, name: str) -> None:
        """Put a message into the bounce mailbox, unread."""
        path = self.bounces / "tmp" / name
        path.write_bytes(raw)
        os.chown(path, *self.owner)
        path.rename(self.bounces / "new" / name)

    def clear(self) -> None:
        """Empty the bounce mailbox and people's."""
        for path in self.mail.glob("*/*/*"):
            path.unlink()
