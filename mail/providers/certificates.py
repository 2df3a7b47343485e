"""Certificates that providers sign their calls with, fetched once from an address judged beforehand and remembered."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

from errors import Permanent, Temporary
from mail.providers import door
from mail.providers.event import Away, Refused

_KEPT, _MOST = 24 * 3600.0, 64
_known: dict[str, tuple[float, bytes]] = {}
_lock = threading.Lock()


def fetch(url: str) -> bytes:
    """The certificate (PEM). Raises Away while it cannot be had, Refused where there is none."""
    with _lock:
        kept = _known.get(url)
    if kept and time.monotonic() - kept[0] < _KEPT:
        return kept[1]
    parts = urlsplit(url)
    try:
        pem = door.get(parts.hostname or "", parts.path)
    except Temporary as error:
        raise Away("the certificate cannot be had") from error
    except Permanent as error:
        raise Refused("no certificate there") from error
    with _lock:
        if len(_known) >= _MOST:
            _known.clear()
        _known[url] = time.monotonic(), pem
    return pem
