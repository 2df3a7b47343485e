"""A person or a machine? PURE: what a request for a mark, and the requests about it, say of whoever made it.

Image proxies, scanners and prefetchers give themselves away by their name, by asking without looking (HEAD), by
coming within seconds of the delivery, or in bursts from one network. Everybody else is taken for a person.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TOO_SOON = timedelta(seconds=10)
BURST = 5
BURST_WITHIN = timedelta(seconds=2)
# What calls itself a robot, a scanner, a proxy of images, a library; what says no more than Mozilla/5.0 (Apple's Mail
# Privacy Protection), or nothing. GoogleImageProxy fetches when the person opens, but also beforehand: no proof.
_NAMES = re.compile(
    r"googleimageproxy|ggpht|yahoomailproxy|yahoocachesystem|mailimageproxy|bot\b|crawl|spider|scan|proofpoint"
    r"|barracuda|mimecast|forcepoint|trendmicro|fireeye|trellix|symantec|messagelabs|ironport|sophos|safelinks"
    r"|urldefense|virustotal|python-|curl|wget|go-http|java/|okhttp|libwww|axios|node-fetch|headless|phantomjs"
    r"|preview|prefetch|^mozilla/[45]\.0( \(compatible\))?$|^\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Look:
    """One request for a mark: `network` tells lookers apart, `machine` is what the request itself gave away."""

    id: int
    email_id: int
    seen_at: datetime
    network: bytes
    machine: str = ""


def given_away(method: str, browser: str, purpose: str = "") -> str:
    """Why a request can be no person's ("": it may be): `head`, `prefetch` or `name`.

    `purpose` is the request's Sec-Purpose, Purpose or X-Moz.
    """
    if method != "GET":
        return "head"
    if "prefetch" in purpose.lower() or "preview" in purpose.lower():
        return "prefetch"
    return "name" if _NAMES.search(browser[:1000]) else ""


def network_of(address: str) -> str:
    """The network an address is judged with: its /24, in IPv6 its /48; "" for what is none."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def machines(looks: Sequence[Look], arrivals: Mapping[int, Iterable[datetime]]) -> dict[int, str]:
    """look's id → why it was a machine: what it gave away, `soon` or `burst`; persons' are not in it.

    `arrivals` are the moments each e-mail was accepted or delivered, by e-mail.
    """
    found: dict[int, str] = {}
    times: dict[bytes, list[datetime]] = {}
    for look in looks:
        times.setdefault(look.network, []).append(look.seen_at)
    for moments in times.values():
        moments.sort()
    for look in looks:
        if look.machine:
            found[look.id] = look.machine
        elif any(moment <= look.seen_at < moment + TOO_SOON for moment in arrivals.get(look.email_id, ())):
            found[look.id] = "soon"
        elif look.network and _in_burst(times[look.network], look.seen_at):
            found[look.id] = "burst"
    return found


def _in_burst(moments: list[datetime], at: datetime) -> bool:
    """Whether BURST of the rising moments, this one among them, lie within BURST_WITHIN."""
    first, past = bisect_left(moments, at - BURST_WITHIN), bisect_right(moments, at)
    return any(
        start + BURST <= len(moments) and moments[start + BURST - 1] - moments[start] <= BURST_WITHIN
        and moments[start + BURST - 1] >= at
        for start in range(first, past)
    )  # fmt: skip
