"""`python -m local.postoffice --smtp PORT --page PORT --dns PORT`: the practice post office with its page and its name
server, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from types import FrameType

from config import data_folder
from local.postoffice import demo_zones
from local.postoffice.nameserver import NameServer
from local.postoffice.proving import proven
from local.postoffice.smtp import READ_DELAY, PostOffice
from local.postoffice.web import Page
from local.postoffice.zones import Zones
from places import Places


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A practice post office on loopback: nothing leaves this machine.")
    parser.add_argument("--smtp", type=int, default=2525, metavar="PORT")
    parser.add_argument("--page", type=int, default=8025, metavar="PORT")
    parser.add_argument("--dns", type=int, default=5354, metavar="PORT")
    ports = parser.parse_args()
    places = Places(data_folder())
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=ended.set).start()  # not here: the main thread may hold the event's lock

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    zones = Zones(demo_zones.first(), places.zones_file)
    names = NameServer(zones, ports.dns)
    sending_ip = os.environ.get("MAIL_SENDING_IPS", "").partition(",")[0].strip()
    office = PostOffice(
        places.maildir,
        places.bounce_maildir,
        port=ports.smtp,
        base_url=os.environ.get("BASE_URL", "http://127.0.0.1:5000"),
        read_delay=float(os.environ.get("PRACTICE_READ_DELAY") or READ_DELAY),
        proven=lambda mail_from, content: proven(names.address, sending_ip, mail_from, content),
    )
    secret = os.environ.get("SECRET_KEY", "")
    with names, office, Page(places.maildir, office.read, ports.page, secret, office, zones, names.port):
        ended.wait()


if __name__ == "__main__":
    main()
