"""Pictures that an e-mail's HTML shows from elsewhere, fetched for a person who asked: through us, and only through us.

By https (no plain http), to public addresses checked on the socket, port 443, no redirect, no cookie, no Referer,
nothing kept. What is no picture by its own bytes, too large, too many, too slow or at our own address (our open pixel
would say that the recipient looked) is left out.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from documents import blobs, pictures
from errors import UserMistake
from extensions import settings
from webhooks import addresses, call
from webhooks.addresses import Target

MOST = 30  # pictures of an e-mail
MOST_EACH = 2_000_000  # bytes
MOST_IN_ALL = 8_000_000
SECONDS = 8.0  # for all of them
_AT_ONCE = 6
_HEADERS = {"User-Agent": "Sillage", "Accept": "image/png,image/jpeg,image/gif,image/webp"}


def fetched(urls: Iterable[str]) -> dict[str, str]:
    """The data: address of each that could be had, by its own address, within SECONDS."""
    config = settings()
    targets = {url: target for url in list(dict.fromkeys(urls))[:MOST] if (target := _target(url))}
    if not targets:
        return {}
    ca_file = str(config.webhook_ca_file) if config.webhook_ca_file else None
    context, deadline = call.context_for(ca_file), time.monotonic() + SECONDS

    def one(target: Target) -> bytes | None:
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        return call.get(
            target, _HEADERS, seconds=left, most=MOST_EACH, loopback=config.webhook_loopback, context=context
        )

    found, size = {}, 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for url, data in zip(targets, pool.map(one, targets.values()), strict=True):
            media_type = blobs.sniff(data[:8192]) if data else ""
            if data is None or not media_type.startswith("image/") or media_type not in blobs.SHOWN_IN_PLACE:
                continue
            size += len(data)
            if size <= MOST_IN_ALL and pictures.drawable(data[: pictures.HEAD], media_type):
                found[url] = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    return found


def ours(url: str) -> bool:
    """Whether it is at our own address, as the open pixel is."""
    try:
        return _place(url) == _place(settings().base_url)
    except ValueError:  # of a port, of brackets
        return False


def _place(url: str) -> tuple[str, int]:
    # in ASCII: letters that only look otherwise lead to the same place
    parts = urlsplit(url.strip())
    return addresses.ascii_host(parts.hostname or ""), parts.port or (443 if parts.scheme == "https" else 80)


def _target(url: str) -> Target | None:
    """Where to ask; None for what is not asked for."""
    config = settings()
    try:
        target = addresses.read(url, config.webhook_loopback)
    except UserMistake:
        return None
    here = not target.https or config.webhook_loopback  # http is read() only on this machine, in a demo
    return None if ours(url) or (target.port != 443 and not here) else target
