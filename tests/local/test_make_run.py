"""The real house by its one command: ready, each worker seen by its command line, nothing left after."""

import os
import signal
import urllib.request

from local.processes import command_line, wait_until
from places import Places
from tests.local.test_supervisor import Run, gone


def readyz(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
        return answer.status


def test_the_house_is_ready_keeps_its_workers_and_leaves_nothing(folder):
    house = Run(Places(folder / "house"), module="local")
    try:
        house.until_ready(120)
        assert readyz(house.port) == 200
        children = house.children()
        names = ["worker-send-1", "worker-send-2", "worker-inbound", "worker-work", "worker-cron"]
        for name in names:
            queue = name.split("-")[1]
            assert command_line(children[name])[1:] == ["worker.py", queue]
        os.kill(children["worker-send-1"], signal.SIGKILL)
        assert wait_until(lambda: house.children().get("worker-send-1") not in (None, children["worker-send-1"]), 60)
        assert readyz(house.port) == 200
        everything = house.everything()
        assert house.stop() < 10
        assert gone(everything, 0.5)
        assert house.places.services() is None
    finally:
        if house.process.poll() is None:
            house.process.kill()
