"""An SMTP sink in a process of its own: takes everything, keeps nothing. `--latency` delays every batch of replies.

It only reads and counts, so that it is not the wall for large messages as smtp-sink is.
"""

from __future__ import annotations

import argparse
import asyncio


class Sink(asyncio.Protocol):
    """One connection. Commands are answered in the order they come, in one write a batch (PIPELINING)."""

    def __init__(self, latency: float, pipelining: bool) -> None:
        self.latency = latency
        offers = b"250-PIPELINING\r\n" if pipelining else b""
        self.hello = b"250-sink\r\n" + offers + b"250-SIZE 100000000\r\n250 DSN\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.buffer, self.data, self.tail = b"", False, b""
        self.say(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        answers = []
        while data:
            if self.data:
                # the end may be split over two reads: look at the last bytes of the one before as well
                joined = self.tail + data
                end = joined.find(b"\r\n.\r\n")
                if end < 0:
                    self.tail = joined[-4:]
                    break
                data, self.data, self.tail = joined[end + 5 :], False, b""
                answers.append(b"250 2.0.0 ok\r\n")
                continue
            self.buffer += data
            line, found, data = self.buffer.partition(b"\r\n")
            if not found:
                break
            self.buffer = b""
            verb = line[:4].upper()
            if verb == b"DATA":
                answers.append(b"354 go\r\n")
                self.data, self.tail = True, b"\r\n"
            elif verb in (b"EHLO", b"HELO"):
                answers.append(self.hello)
            else:
                answers.append(b"221 bye\r\n" if verb == b"QUIT" else b"250 2.1.0 ok\r\n")
        if answers:
            self.say(b"".join(answers))

    def say(self, answer: bytes) -> None:
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, answer)
        else:
            self.transport.write(answer)


async def serve(latency: float, pipelining: bool) -> None:
    """Print the port, then serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(latency, pipelining), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0)
    parser.add_argument("--no-pipelining", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.latency, not options.no_pipelining))
