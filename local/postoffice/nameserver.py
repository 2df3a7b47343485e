"""The practice name server: answers from `Zones` over UDP and TCP on loopback, and asks nobody else.

Truncates what a datagram can't hold (RFC 2181, 9), follows its own CNAMEs, says NXDOMAIN for every name it does not
know. It serves the demo and the tests; it is no server for the open network.
"""

from __future__ import annotations

import socketserver
import threading

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from local.postoffice.zones import Record, Zones

_TTL = 5  # seconds: what a person changes here is to be seen at once
_CHAIN = 8


class NameServer:
    """Serves `zones` on 127.0.0.1:`port` (0: any free one) while the context lasts."""

    def __init__(self, zones: Zones, port: int = 0) -> None:
        self.zones = zones
        self._servers = _bound(zones, port)
        self.port = int(self._servers[0].server_address[1])
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), name="names", daemon=True)
            for server in self._servers
        ]

    @property
    def address(self) -> str:
        """As DNS_SERVER names it."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> NameServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._servers:
            server.shutdown()
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.server_close()


def answer(zones: Zones, question: bytes) -> dns.message.Message | None:
    """The reply to `question`; None for silence. Raises DNSException for what is no question."""
    asked = dns.message.from_wire(question)
    said = dns.message.make_response(asked)
    said.flags |= dns.flags.AA
    if len(asked.question) != 1:
        said.set_rcode(dns.rcode.FORMERR)
        return said
    name, kind = asked.question[0].name, asked.question[0].rdtype
    for _link in range(_CHAIN):
        plain = name.to_text(omit_final_dot=True).lower()
        records = zones.at(plain)
        ends = {record.kind for record in _above(zones, plain)} & {"FAIL", "SILENT"}
        if ends:
            said.set_rcode(dns.rcode.SERVFAIL)
            return None if "SILENT" in ends else said
        if not zones.exists(plain):
            said.set_rcode(dns.rcode.NXDOMAIN)
        found = [
            data
            for record in records
            if record.kind in (dns.rdatatype.to_text(kind), "CNAME") and (data := record.rdata()) is not None
        ]
        if found:
            said.answer.append(dns.rrset.from_rdata_list(name, _TTL, found))
        if kind == dns.rdatatype.CNAME or not found or found[0].rdtype != dns.rdatatype.CNAME:
            break
        name = dns.name.from_text(found[0].to_text())
    return said


def _above(zones: Zones, name: str) -> list[Record]:
    """The records of `name` and of the names above it: a server that fails, fails for all of its zone."""
    labels = name.split(".")
    return [record for at in range(len(labels)) for record in zones.at(".".join(labels[at:]))]


def _wire(said: dns.message.Message, room: int) -> bytes:
    try:
        return said.to_wire(max_size=room)
    except dns.exception.TooBig:
        said.answer.clear()
        said.flags |= dns.flags.TC
        return said.to_wire(max_size=room)


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        question, line = self.request
        try:
            said = answer(self.server.zones, question)  # type: ignore[attr-defined]
        except dns.exception.DNSException:
            return
        if said is not None:
            line.sendto(_wire(said, max(512, said.request_payload)), self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    timeout = 5.0

    def handle(self) -> None:
        try:
            length = int.from_bytes(self.rfile.read(2), "big")
            said = answer(self.server.zones, self.rfile.read(length))  # type: ignore[attr-defined]
            if said is not None:
                wire = _wire(said, 65535)
                self.wfile.write(len(wire).to_bytes(2, "big") + wire)
        except (dns.exception.DNSException, OSError):
            return


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 4096
    zones: Zones


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    zones: Zones


def _bound(zones: Zones, port: int) -> tuple[_Udp, _Tcp]:
    """Both servers on one port; with port 0 a number that is free for both. Raises OSError where it is taken."""
    for _try in range(20):
        udp = _Udp(("127.0.0.1", port), _Datagram)
        try:
            tcp = _Tcp(("127.0.0.1", udp.server_address[1]), _Stream)
        except OSError:
            udp.server_close()
            if port:
                raise
            continue
        udp.zones = tcp.zones = zones
        return udp, tcp
    raise OSError("no port is free for both UDP and TCP")
