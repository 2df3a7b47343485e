"""`make run`: the whole of Sillage on one machine, from nothing, in one command.

Order: look (one supervisor a data folder, free ports), PostgreSQL and Valkey, migrations, demo data, children.
Ctrl-C or SIGTERM undoes it backwards within 10 seconds and exits 0.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import IO

from config import data_folder, first_run_code
from local import plan, servers
from local.folders import prepare
from local.processes import CannotStart, die_with_parent, spawn, tail, wait_until
from local.supervisor import Child, Crew, end_leftovers, trim
from places import Places

# Ten seconds in all: the crew, then Valkey and PostgreSQL, who lose nothing by a sudden end.
CREW_SECONDS = 5.5
SERVER_SECONDS = 1.5
STOP_SECONDS = 11.0
READY_SECONDS = 90.0


class Stopped(Exception):
    """Someone asked us to stop."""


def main(make_house: Callable[[Places, list[int]], House] | None = None) -> int:
    """Run until stopped. 0 after a stop that was asked for, 1 when the start failed."""
    asked: list[int] = []
    if "--with-parent" in sys.argv[1:]:
        die_with_parent(signal.SIGTERM)  # a `make` that was killed can't pass anything on

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        for name, value in plan.settings_file(plan.ROOT / ".env").items():
            os.environ.setdefault(name, value)
        (make_house or House)(Places(data_folder()), asked).run()
    except (CannotStart, OSError) as problem:
        print(f"✗ {problem}", file=sys.stderr, flush=True)
        return 1
    except Stopped:
        pass
    say("Arrêté. Stopped.")
    return 0


class House:
    """One run on one data folder; `asked` fills when a signal arrives. What is run is data."""

    def __init__(
        self,
        places: Places,
        asked: list[int],
        before: Callable[[dict[str, str]], list[Child]] = plan.before,
        children: Callable[[plan.Ports, dict[str, str]], list[Child]] = plan.children,
    ) -> None:
        self.places = places
        self.asked = asked
        self.before = before
        self.children = children

    def run(self) -> None:
        """Start all, watch, stop all. Raises CannotStart or Stopped."""
        places, env = self.places, dict(os.environ)
        with ExitStack() as stack:
            self._be_the_only_one(stack)
            end_leftovers(places)
            ports = plan.Ports.choose(env)
            say("Démarrage… Starting…")
            trim(places.logs)
            env = plan.environment(places, ports, env)
            lent = servers.embedded(places)
            self._start_servers(stack, lent)
            for child in self.before(env):
                self._to_its_end(child, env)
            facts = {"env": env["SILLAGE_ENV"], "port": ports.web, "embedded": _names(lent, ports)}
            if ports.smtp is not None:
                facts |= {"smtp_port": ports.smtp, "mail_page_port": ports.mail_page, "dns_port": ports.dns}
            crew = Crew(places, plan.ROOT, env, facts, say)
            stack.callback(crew.stop, CREW_SECONDS)
            stack.callback(say, "Arrêt en cours… Stopping…")
            crew.start(self.children(ports, env))
            self._until_ready(crew, ports)
            say(welcome(places, ports, env, _answers(f"http://127.0.0.1:{ports.web}/first-run")))
            while True:
                self._pause()
                crew.watch()
                self._revive(lent)

    def _be_the_only_one(self, stack: ExitStack) -> None:
        places = self.places
        prepare(places)
        lock = stack.enter_context((places.run / "supervisor.lock").open("ab"))
        # One that is just starting or stopping has no services to show: give it the time to.
        if not wait_until(lambda: _locked(lock) or places.services() is not None, STOP_SECONDS) or not _locked(lock):
            running = places.services() or {}
            where = f" (http://127.0.0.1:{running['port']})" if running else ""
            raise CannotStart(
                f"Sillage tourne déjà sur {places.data}{where} ; autre dossier : SILLAGE_DATA=… make run. "
                f"Sillage already runs on this data folder."
            )

    def _start_servers(self, stack: ExitStack, lent: list[servers.Server]) -> None:
        with servers.turn(self.places):
            used = stack.enter_context(servers.in_use(self.places))
            if not used:
                servers.stop(lent)  # what a killed supervisor left
            stack.callback(servers.stop, lent, SERVER_SECONDS)
            servers.start(lent)

    def _to_its_end(self, child: Child, env: dict[str, str]) -> None:
        """Run one step before the rest. Raises CannotStart with the last lines it said when it fails."""
        log = self.places.logs / f"{child.name}.log"
        size = log.stat().st_size if log.exists() else 0
        process = spawn(child.command, log=log, env=env, cwd=plan.ROOT, dies_with_us=signal.SIGTERM)
        try:
            while process.poll() is None:
                self._pause(0.05)
        except Stopped:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
        if process.returncode:
            raise CannotStart(f"{' '.join(child.command[1:])} : {tail(log, lines=1, since=size)} ({log})")

    def _until_ready(self, crew: Crew, ports: plan.Ports) -> None:
        """Wait until /readyz answers 200. After READY_SECONDS go on, and say so: the logs tell why."""
        until = time.monotonic() + READY_SECONDS
        while not _answers(f"http://127.0.0.1:{ports.web}/readyz"):
            if time.monotonic() > until:
                say(f"✗ Pas encore prêt, voir {self.places.logs}. Not ready yet, see the logs there.")
                return
            self._pause()
            crew.watch()

    def _revive(self, lent: list[servers.Server]) -> None:
        """Start again a server that died."""
        for server in lent:
            if not server.alive():
                say(f"{type(server).__name__} ended, again: {server.log}")
                with servers.turn(self.places):
                    server.start()

    def _pause(self, seconds: float = 0.2) -> None:
        if wait_until(lambda: bool(self.asked), seconds, every=min(seconds, 0.1)):
            raise Stopped


def welcome(places: Places, ports: plan.Ports, env: dict[str, str], empty: bool = False) -> str:
    """What a person needs to begin, in both languages; of an `empty` house also where its first account is made."""
    lines = ["", f"  Sillage : {env['BASE_URL']}"]
    if env["SILLAGE_ENV"] == "demo" and env.get("DEMO") != "0":
        lines += [
            '  Comptes de démonstration, mot de passe « demo » · Demo accounts, password "demo":',
            "    Atelier Cassiopée   admin@cassiopee.example  manager@cassiopee.example  staff@cassiopee.example",
            "    Formation Boréale   admin@boreale.example",
        ]
    if empty:
        code = first_run_code(env["SECRET_KEY"])
        lines += [
            "  Aucun compte encore : créez le premier ici · No account yet: make the first one here:",
            f"    {env['BASE_URL']}/first-run?code={code}",
        ]
    if ports.mail_page is not None:
        lines += [
            f"  E-mails d'entraînement · Practice mail: http://127.0.0.1:{ports.mail_page}  ({places.maildir})",
        ]
    lines += [f"  Données · Data: {places.data}   Journaux · Logs: {places.logs}", "  Ctrl-C : arrêter · to stop", ""]
    return "\n".join(lines)


def say(text: str) -> None:
    """To the person at the terminal, who may have gone."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def _locked(lock: IO[bytes]) -> bool:
    """Whether the lock is ours now (taking it again does no harm)."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _names(lent: list[servers.Server], ports: plan.Ports) -> list[str]:
    return [type(server).__name__.lower() for server in lent] + (["postoffice"] if ports.smtp else [])


if __name__ == "__main__":
    sys.exit(main())
