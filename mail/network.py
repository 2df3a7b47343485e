"""Which addresses a connection may be opened to, and connections opened to nothing else.

The name is resolved once, the address itself connected to, and the socket's other end looked at again: a name that
changes its mind between two questions leads nowhere. What is allowed is the caller's to say.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from config import Config

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
# The special-purpose registries of IANA (RFC 6890) and what carries an IPv4 address inside.
_CLOSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
# Outside it lie ::1, mapped and NAT64 addresses, unique local, link-local, multicast and what nobody was given yet.
_OPEN_V6 = ipaddress.ip_network("2000::/3")
_TRIED_ADDRESSES = 3


class Forbidden(OSError):
    """The name leads to an address that may not be connected to."""


class NameUnknown(OSError):
    """The name has no address."""


def is_public(ip: Ip) -> bool:
    """Whether an address is of the public Internet; what only carries such a one (mapped, 6to4, NAT64) is not."""
    if ip.version == 6 and (ip not in _OPEN_V6 or ip.scope_id):  # type: ignore[union-attr]
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in block for block in _CLOSED)


def for_accounts(config: Config) -> Callable[[Ip], bool]:
    """What servers of organisations' accounts may be: public, or in ACCOUNT_NETWORKS. In the demo and the tests this
    machine alone, so that nothing ever leaves it."""
    networks = [ipaddress.ip_network(one) for one in config.account_networks]
    at_home = config.env in ("demo", "test")

    def allowed(ip: Ip) -> bool:
        return (ip.is_loopback if at_home else is_public(ip)) or any(ip in network for network in networks)

    return allowed


def look_up(host: str, port: int, seconds: float) -> list[Ip]:
    """The addresses of a name, or the one it is. Raises NameUnknown, TimeoutError.

    getaddrinfo knows no time limit of its own: it is left alone when it takes too long.
    """
    answer: SimpleQueue[list[Ip] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(ipaddress.ip_address(str(row[4][0])) for row in rows)))
        except (OSError, ValueError) as error:  # a UnicodeError is a ValueError
            answer.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        found = answer.get(timeout=max(seconds, 0))
    except Empty:
        raise TimeoutError(f"the name {host} was not resolved in time") from None
    if isinstance(found, Exception) or not found:
        raise NameUnknown(f"the name {host} has no address")
    return found


def connect(host: str, port: int, allowed: Callable[[Ip], bool], seconds: float) -> socket.socket:
    """A socket connected to an allowed address of `host`, within `seconds`; one that is not refuses them all.

    Raises Forbidden, NameUnknown, TimeoutError and what connecting raises (OSError).
    """
    deadline = time.monotonic() + seconds
    ips = look_up(host, port, seconds)
    for ip in ips:
        if not allowed(ip):
            raise Forbidden(f"{host} leads to {ip}, an address that nothing may be sent to")
    ips = ips[:_TRIED_ADDRESSES]
    for n, ip in enumerate(ips):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            # what is left is shared by the addresses still to be tried
            sock = socket.create_connection((str(ip), port), left / (len(ips) - n))
        except OSError:
            if n == len(ips) - 1:
                raise
            continue
        reached = sock.getpeername()[0]
        if not allowed(ipaddress.ip_address(reached)):
            sock.close()
            raise Forbidden(f"{host} leads to {reached}, an address that nothing may be sent to")
        return sock
    raise TimeoutError(f"{host} did not answer in time")
