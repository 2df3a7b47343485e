"""Nothing that a test does leaves this machine: a connection or a name that would is refused in this process."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any

_HERE = {"", "localhost", socket.gethostname()}


def _is_here(host: Any) -> bool:
    if host is None or host in _HERE:
        return True
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        try:
            ipaddress.ip_address(str(arguments[0]))
        except ValueError:
            if not _is_here(arguments[0]):
                raise socket.gaierror(socket.EAI_NONAME, f"tests ask no name server: {arguments[0]}") from None
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise PermissionError(f"tests talk to this machine only: {address[0]}")


def stay() -> None:
    """Watch every socket of this process from now on; there is no way back."""
    sys.addaudithook(_watch)
