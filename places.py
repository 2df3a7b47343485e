"""Where a data folder keeps each thing, and whether a `make run` is at work on it.

Layer 0: the standard library only. Every path and address follows from the data folder alone, so the web
application, the workers and the commands find the same services whether or not anything runs yet. Making the
folders and starting what lives in them is left to `local/`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

# A UNIX socket's path holds 107 bytes at most (sockaddr_un); the longest name under `run` takes 18 of them.
_LONGEST_SOCKET = 100
_LONGEST_NAME = len("/pg/.s.PGSQL.5432")
# libpq and PostgreSQL both split socket folders at commas, and some tools choke on blanks.
_PLAIN_PATH = re.compile(r"[\w./+~-]+", re.ASCII)
# PostgreSQL refuses to run as root: there it runs as this user, who owns nothing else of ours.
UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class Places:
    """The places that belong to the data folder `data` (made absolute), which need not exist yet."""

    data: Path

    @classmethod
    def of(cls, data: str | os.PathLike[str]) -> Places:
        return cls(Path(data))

    def __post_init__(self) -> None:
        # One spelling for one folder, whoever names it: the places elsewhere hang on it.
        object.__setattr__(self, "data", Path(self.data).expanduser().resolve())

    @cached_property
    def _elsewhere(self) -> Path:
        """A folder of our own for what can't live under the data folder: same folder for the same data."""
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:8]
        if os.geteuid() == 0:
            return Path("/var/lib/sillage") / name
        return Path(f"/tmp/sillage-{os.geteuid()}-{name}")

    @cached_property
    def _home(self) -> Path:
        """The data folder, or elsewhere when PostgreSQL's user could not reach it."""
        return self.data if open_to_postgres(self.data.parent) else self._elsewhere

    @cached_property
    def run(self) -> Path:
        """The folder of sockets, locks and pid files: open to PostgreSQL's user, its path short and plain."""
        run = self._home / "run"
        fits = len(os.fsencode(run)) + _LONGEST_NAME <= _LONGEST_SOCKET
        return run if fits and _PLAIN_PATH.fullmatch(str(run)) else self._elsewhere / "run"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory."""
        return self._home / "postgres"

    @property
    def postgres_socket(self) -> Path:
        """The folder that holds PostgreSQL's socket (libpq's `host`)."""
        return self.run / "pg"

    def database_url(self, name: str = "sillage") -> str:
        """SQLAlchemy's address of database `name` in the embedded PostgreSQL."""
        return database_url(self.postgres_socket, name)

    @property
    def valkey(self) -> Path:
        """Valkey's working directory (its append-only file)."""
        return self.data / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    @property
    def redis_url(self) -> str:
        """redis-py's address of the embedded Valkey."""
        return redis_url(self.valkey_socket)

    @property
    def services_file(self) -> Path:
        """JSON that a running supervisor keeps there; read it through `services()`."""
        return self.run / "services.json"

    @property
    def secret_key_file(self) -> Path:
        return self.data / "secret_key"

    @property
    def maildir(self) -> Path:
        """What the practice post office delivered."""
        return self.data / "mail" / "delivered"

    @property
    def bounce_maildir(self) -> Path:
        """What the practice post office sent back: the bounce mailbox."""
        return self.data / "mail" / "bounces"

    @property
    def zones_file(self) -> Path:
        """The practice name server's records, once somebody changed them."""
        return self.data / "mail" / "zones.json"

    @property
    def blobs(self) -> Path:
        """Attachments and frozen messages by sha256."""
        return self.data / "blobs"

    @property
    def exports(self) -> Path:
        """Files that export jobs made, until they expire."""
        return self.data / "exports"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def services(self) -> dict[str, Any] | None:
        """What the running supervisor wrote, or None when none is alive on this data folder (or it is stopping).

        {"pid", "started", "env", "port", "embedded": names, "children": [[name, pid, started], …]}, and where
        the practice post office runs {"smtp_port", "mail_page_port", "dns_port"}
        """
        try:
            found = json.loads(self.services_file.read_text())
            alive = started(int(found["pid"])) == found["started"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if alive and not found.get("stopping") else None


def database_url(socket_folder: Path, name: str) -> str:
    """SQLAlchemy's address of a database behind the UNIX socket in `socket_folder`."""
    return f"postgresql+psycopg://sillage@/{quote(name)}?host={quote(str(socket_folder), safe='/')}"


def redis_url(socket: Path) -> str:
    """redis-py's address of the server behind the UNIX socket `socket`."""
    return f"unix://{quote(str(socket), safe='/')}?db=0"


def open_to_postgres(folder: Path) -> bool:
    """Whether the user PostgreSQL runs as may walk into `folder`: always ours, unless we are root.

    The data folder itself is ours to open; the folders above it are not, so they are only looked at.
    """
    if os.geteuid() != 0:
        return True
    for part in (folder, *folder.parents):
        try:
            if not part.stat().st_mode & stat.S_IXOTH:
                return False
        except FileNotFoundError:
            continue
    return True


def started(pid: int) -> str | None:
    """When the living process `pid` started, as an opaque text; None when there is none (or only a zombie).

    With the pid this names one process for ever: pids are used again, pairs are not.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, since = shown.partition(" ")
    return None if not shown or state.startswith("Z") else since.strip()
