"""The demo's domain names, whole or broken, served to the app under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from local.postoffice import demo_zones
from local.postoffice.nameserver import NameServer
from local.postoffice.zones import Record, Zones

WHOLE = Record("cassiopee.example", "TXT", "v=spf1 mx include:_spf.sillage.example -all")
BROKEN = Record("cassiopee.example", "TXT", "v=spf1 mx include:_spf.hebergeur.example -all")


@contextmanager
def served(app: Flask) -> Iterator[Zones]:
    """The demo's records with cassiopee.example whole; the app asks them, and sends as the demo's settings say."""
    zones = Zones(demo_zones.first())
    zones.replace(BROKEN, WHOLE)
    before = app.extensions["sillage"]
    with NameServer(zones) as server:
        app.extensions["sillage"] = replace(
            before, dns_server=server.address, dns_timeout=1.0, mail_spf_include=demo_zones.SPF_INCLUDE,
            mail_sending_ips=(demo_zones.SENDING_IP,), mail_dkim_selector=demo_zones.DKIM_SELECTOR,
            mail_dkim_public_key=demo_zones.DKIM_PUBLIC_KEY,
        )  # fmt: skip
        yield zones
    app.extensions["sillage"] = before
