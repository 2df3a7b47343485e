"""What `make run` runs, as data: the ports, the environment every child gets, and the list of children.

Nothing here starts anything. Each name is also the name of the child's log in the data folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.postoffice import demo_zones
from local.processes import CannotStart, command_line
from local.supervisor import Child
from places import Places

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ports:
    """Where each thing listens on loopback. The post office's are None where MAIL_SERVER is set."""

    web: int
    smtp: int | None
    mail_page: int | None
    dns: int | None = None

    @classmethod
    def choose(cls, env: Mapping[str, str]) -> Ports:
        """PORT must be free; the post office moves to any free port unless its own were asked for.

        Raises CannotStart, saying who has the port and what to do.
        """
        web = _number(env, "PORT", 5000)
        if problem := _taken(web):
            hint = f"PORT={5001 if web < 5001 else web + 1} make run"
            raise CannotStart(f"PORT={web} : {problem}. Essayez / try: {hint}")
        if env.get("MAIL_SERVER"):
            return cls(web, None, None)
        smtp = _wish(env, "PRACTICE_SMTP_PORT", 2525, {web})
        page = _wish(env, "PRACTICE_MAIL_PAGE_PORT", 8025, {web, smtp})
        dns = _wish(env, "PRACTICE_DNS_PORT", 5354, {web, smtp, page}, datagrams=True)
        return cls(web, smtp, page, dns)


def environment(places: Places, ports: Ports, env: Mapping[str, str]) -> dict[str, str]:
    """What every child gets: `env` as it is, completed; what a person set is never changed."""
    defaults = {
        "DATABASE_URL": places.database_url(),
        "REDIS_URL": places.redis_url,
        "SECRET_KEY": secret_key(places),
        "SILLAGE_ENV": "demo",
        "BASE_URL": f"http://127.0.0.1:{ports.web}",
        "SILLAGE_DATA": str(places.data),
        "PORT": str(ports.web),
        "PYTHONUNBUFFERED": "1",
    }
    if env.get("SILLAGE_ENV") == "production":
        del defaults["SECRET_KEY"]  # production names its own, or the web server says so and stops
    if ports.smtp is not None:
        defaults |= {
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": str(ports.smtp),
            "BOUNCE_MAILDIR": str(places.bounce_maildir),
            "PRACTICE_MAIL_PAGE_PORT": str(ports.mail_page),
            "DNS_SERVER": f"127.0.0.1:{ports.dns}",
            "MAIL_SPF_INCLUDE": demo_zones.SPF_INCLUDE,
            "MAIL_SENDING_IPS": demo_zones.SENDING_IP,
            "MAIL_DKIM_SELECTOR": demo_zones.DKIM_SELECTOR,
            "MAIL_DKIM_PUBLIC_KEY": demo_zones.DKIM_PUBLIC_KEY,
        }
    return {**defaults, **{name: value for name, value in env.items() if value or name not in defaults}}


def settings_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of a `.env` file, empty where there is none; a pair of quotes round a value goes.

    Raises CannotStart, naming the line that is neither.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals or not name.strip().isidentifier():
            raise CannotStart(f"{path}, ligne / line {number} : NAME=value")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name.strip()] = value[1:-1] if quoted else value
    return found


def before(env: Mapping[str, str]) -> list[Child]:
    """What is run to its end before anything else, in order."""
    first = [Child("migrations", [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"])]
    if env.get("DEMO") != "0":
        first.append(Child("demo", [sys.executable, "-m", "flask", "--app", "app", "demo"]))
    return first


def children(ports: Ports, env: Mapping[str, str]) -> list[Child]:
    """What runs as long as the supervisor does."""
    python = sys.executable
    found = []
    if ports.smtp is not None:
        command = [
            python, "-m", "local.postoffice", "--smtp", str(ports.smtp), "--page", str(ports.mail_page),
            "--dns", str(ports.dns),
        ]  # fmt: skip
        found.append(Child("postoffice", command, last=True))
    web = [
        python, "-m", "gunicorn", "app:create_app()", "--bind", f"127.0.0.1:{ports.web}",
        "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket",
        "--graceful-timeout", "4", "--timeout", "60", "--keep-alive", "5", "--log-level", "warning",
    ]  # fmt: skip
    found.append(Child("web", web))
    senders = _number(env, "SEND_WORKERS", 2)
    found += [Child(f"worker-send-{number}", [python, "worker.py", "send"]) for number in range(1, senders + 1)]
    found += [Child(f"worker-{queue}", [python, "worker.py", queue]) for queue in ("inbound", "work", "cron")]
    return found


def secret_key(places: Places) -> str:
    """The key kept in the data folder (readable by us alone), made at the first need."""
    path = places.secret_key_file
    if not path.exists():
        half = path.with_name(f"{path.name}.{os.getpid()}")
        half.touch(mode=0o600)
        half.write_text(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(half, path)
        half.unlink()
    return path.read_text().strip()


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    raw = env.get(name) or str(default)
    if not raw.isascii() or not raw.isdigit() or not 0 < int(raw) < 65536:
        raise CannotStart(f"{name}={raw!r} : un nombre entre 1 et 65535 est attendu / is expected.")
    return int(raw)


def _wish(env: Mapping[str, str], name: str, default: int, used: set[int], datagrams: bool = False) -> int:
    """The port asked for by `name`, else `default`, else any that is free."""
    port = _number(env, name, default)
    problem = "est déjà pris / is already used" if port in used else _taken(port)
    if datagrams and not problem:
        problem = _taken_by_datagrams(port)
    if problem and env.get(name):
        raise CannotStart(f"{name}={port} : {problem}.")
    if not problem:
        return port
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _taken(port: int) -> str | None:
    """Why nothing can listen on 127.0.0.1:`port`, naming who does where that can be seen; None when it can."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        if error.errno == errno.EACCES:
            return "réservé à root / only root may use it"
        if error.errno != errno.EADDRINUSE:
            return str(error)
        holder = _holder(port)
        return f"port déjà pris / already in use{f' ({holder})' if holder else ''}"
    return None


def _taken_by_datagrams(port: int) -> str | None:
    """Why no datagrams can be received on 127.0.0.1:`port`; None when they can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.bind(("127.0.0.1", port))
        except OSError as error:
            return f"UDP : {error.strerror}"
    return None


def _holder(port: int) -> str | None:
    """The command line of the process that listens on `port`, where /proc shows it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
        }
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(os.readlink(link) in inodes for link in (process / "fd").iterdir()):
                return f"pid {process.name}: {' '.join(command_line(int(process.name)))[:80]}"
        except OSError:
            continue
    return None
