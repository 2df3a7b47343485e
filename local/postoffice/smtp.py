"""The post office's counter: SMTP on loopback, and what follows from each e-mail it took.

Promises that whatever got a 250 is in the Maildir first, and that reports still due are written when it stops.
Who behaves how is in `behaviours`, what reports say in `reports`, who reads in `reader`.
"""

from __future__ import annotations

import asyncio
import logging
import mailbox
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from local.postoffice import reader, reports
from local.postoffice.behaviours import NOT_PROVEN, TABLE, Behaviour, behaviour_of
from local.postoffice.reports import Recipient, Taken

log = logging.getLogger("postoffice")

SIZE_LIMIT = 35 * 2**20
REPORT_DELAY, READ_DELAY, GREY_SECONDS = 2.0, 20.0, 50.0
_HOST = "poste.example"


@dataclass
class DsnEnvelope(Envelope):
    """aiosmtpd's envelope with what RFC 3461 adds; `recipients` runs beside `rcpt_tos`."""

    envid: str | None = None
    full: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)  # the DSN options of the RCPT being answered

    def __post_init__(self) -> None:
        super().__init__()


class DsnSMTP(SMTP):
    """aiosmtpd with DSN (RFC 3461), whose options it would answer with 555, and PIPELINING (RFC 2920).

    The options are taken out of the command before aiosmtpd sees it, because it would put ENVID in capitals.
    """

    def __init__(self, handler: PostOffice, **options: Any) -> None:
        super().__init__(handler, **options)
        self.office = handler
        self.command_size_limits.update(MAIL=1024, RCPT=1536)

    def _create_envelope(self) -> DsnEnvelope:
        self.dsn = DsnEnvelope()
        return self.dsn

    async def smtp_MAIL(self, arg: str | None) -> None:
        rest, options = _take_out(arg, "RET", "ENVID")
        if options.get("RET", "HDRS").upper() not in ("HDRS", "FULL"):
            await self.push("501 5.5.4 RET must be FULL or HDRS")
            return
        await super().smtp_MAIL(rest)
        if self.dsn.mail_from:
            self.dsn.envid = options.get("ENVID")
            self.dsn.full = options.get("RET", "").upper() == "FULL"

    async def smtp_RCPT(self, arg: str | None) -> None:
        rest, options = _take_out(arg, "NOTIFY", "ORCPT")
        notify = set(options.get("NOTIFY", "FAILURE").upper().split(","))
        if not (notify == {"NEVER"} or notify <= {"SUCCESS", "FAILURE", "DELAY"}):
            await self.push("501 5.5.4 NOTIFY must be NEVER, or some of SUCCESS, FAILURE, DELAY")
            return
        self.dsn.asked = options
        await super().smtp_RCPT(rest)

    async def smtp_DATA(self, arg: str) -> None:
        behaviours = [self.office.behaviour(recipient.address) for recipient in self.dsn.recipients]
        if any(behaviour.hangs_up == "before the body" for behaviour in behaviours):
            await _hang_up(self)
        await super().smtp_DATA(arg)


class PostOffice:
    """The server, in a thread of its own. Seconds can be shortened for tests; port 0 takes any free one. `proven` says
    of a return path and a message whether they are authenticated: the word `dmarc` refuses those that are not."""

    def __init__(
        self,
        delivered: Path,
        bounces: Path,
        port: int = 0,
        base_url: str = "http://127.0.0.1:5000",
        report_delay: float = REPORT_DELAY,
        read_delay: float = READ_DELAY,
        grey_seconds: float = GREY_SECONDS,
        proven: Callable[[str, bytes], bool] | None = None,
    ) -> None:
        self.port = port
        self.base_url = base_url
        self._delivered = _maildir(delivered)
        self._bounces = _maildir(bounces)
        self._delays = {"report": report_delay, "read": read_delay}
        self._grey_seconds = grey_seconds
        self._cured: frozenset[str] = frozenset()
        self._proven = proven
        self._first_tries: dict[tuple[str, str], float] = {}
        self._due: dict[asyncio.TimerHandle, Callable[[], None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="postoffice", daemon=True)
        self._opened = threading.Event()
        self._problem: OSError | None = None

    def start(self) -> PostOffice:
        """Open the counter. Raises OSError when the port is taken."""
        self._thread.start()
        self._opened.wait()
        if self._problem is not None:
            raise self._problem
        return self

    def stop(self) -> None:
        """Close it; reports still due are written now, reading still due does not happen."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> PostOffice:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def read(self, content: bytes, as_whom: str = "person") -> int:
        """Open the message `content` as its recipient: how many pixels were fetched. Raises OSError."""
        found = reader.pixels(content, self.base_url)
        for url in found:
            reader.fetch(url, as_whom)
        return len(found)

    @property
    def cured(self) -> frozenset[str]:
        """The words whose cause somebody has put right, until the post office closes."""
        return self._cured

    def cure(self, word: str, cured: bool = True) -> None:
        """Put right what makes `word` refuse, or (cured=False) let it be wrong again. Raises KeyError where the table
        has no cure for it."""
        if not TABLE[word].cure:
            raise KeyError(word)
        self._cured = self._cured | {word} if cured else self._cured - {word}

    def behaviour(self, address: str) -> Behaviour:
        """How that recipient behaves now."""
        return behaviour_of(address, self._cured)

    # --- aiosmtpd's hooks ---

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: DsnEnvelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", "250-DSN", responses[-1]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: DsnEnvelope, address: str, options: list[str]
    ) -> str:
        behaviour = self.behaviour(address)
        if behaviour.at_rcpt:
            return behaviour.at_rcpt
        if behaviour.greylists and (wait := self._grey(str(envelope.mail_from), address)) > 0:
            return f"451 4.7.1 Greylisted, please try again in {wait:.0f} seconds"
        notify = frozenset(filter(None, envelope.asked.get("NOTIFY", "").upper().split(",")))
        envelope.rcpt_tos.append(address)
        envelope.recipients.append(Recipient(address, notify, envelope.asked.get("ORCPT")))
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: DsnEnvelope) -> str:
        behaviours = [self.behaviour(recipient.address) for recipient in envelope.recipients]
        if self._proven and TABLE[NOT_PROVEN] in behaviours:
            content, mail_from = envelope.original_content or b"", str(envelope.mail_from)
            if await self._loop.run_in_executor(None, self._proven, mail_from, content):
                cured = self._cured | {NOT_PROVEN}
                behaviours = [behaviour_of(recipient.address, cured) for recipient in envelope.recipients]
        files = has_file(envelope.original_content or b"")
        refusals = [one.at_data for one in behaviours if one.at_data and (files or not one.files_only)]
        if refusals:
            return refusals[0]
        queue_id = f"{time.time_ns() // 1000:X}"[-10:]
        for recipient, behaviour in zip(envelope.recipients, behaviours, strict=True):
            sender = "" if envelope.mail_from == "<>" else str(envelope.mail_from)
            taken = Taken(sender, recipient, envelope.original_content or b"", envelope.envid, envelope.full)
            self._deliver(taken, session, queue_id)
            self._plan(taken, behaviour)
        if any(behaviour.hangs_up == "after the dot" for behaviour in behaviours):
            await _hang_up(server)
        await asyncio.sleep(max(behaviour.pause for behaviour in behaviours))
        return f"250 2.0.0 Ok: queued as {queue_id}"

    # --- what follows ---

    def _grey(self, sender: str, address: str) -> float:
        """Seconds to wait still for this pair, from its first try."""
        first = self._first_tries.setdefault((sender, address), time.monotonic())
        return first + self._grey_seconds - time.monotonic()

    def _deliver(self, taken: Taken, session: Session, queue_id: str) -> None:
        client = re.sub(r"[^\w.:\[\]-]", "", session.host_name or "")
        trace = (
            f"Return-Path: <{taken.sender}>\r\nDelivered-To: {taken.recipient.address}\r\n"
            f"X-Original-To: {taken.recipient.address}\r\n"
            f"Received: from {client} by {_HOST} (practice)\r\n"
            f"\twith ESMTP id {queue_id}; {formatdate(localtime=True)}\r\n"
        )
        self._delivered.add((trace.encode("utf-8", "surrogateescape") + taken.content).replace(b"\r\n", b"\n"))

    def _plan(self, taken: Taken, behaviour: Behaviour) -> None:
        """Reports, answers and reading that this behaviour brings, some seconds from now."""
        report = behaviour.report
        if taken.sender and report and taken.recipient.wants(report.action):
            self._later("report", lambda: self._post(taken.sender, reports.delivery_report(taken, report)))
        if taken.sender and behaviour.answers:
            self._later("report", lambda: self._post(taken.sender, reports.automatic_reply(taken)))
        if taken.sender and behaviour.complains:
            self._later("report", lambda: self._post(taken.sender, reports.complaint(taken)))
        if behaviour.reads:
            delay = self._delays["read"] if behaviour.reads == "person" else self._delays["report"]
            self._loop.call_later(delay, lambda: self._loop.run_in_executor(None, self._read, taken, behaviour))

    def _later(self, delay: str, act: Callable[[], None]) -> None:
        def now() -> None:
            del self._due[handle]
            act()

        handle = self._loop.call_later(self._delays[delay], now)
        self._due[handle] = act

    def _post(self, to: str, message: Message) -> None:
        """Into the bounce mailbox, as its server would put it there: from the null sender."""
        trace = f"Return-Path: <>\nDelivered-To: {to}\nX-Original-To: {to}\n"
        self._bounces.add(trace.encode("utf-8", "surrogateescape") + message.as_bytes())

    def _read(self, taken: Taken, behaviour: Behaviour) -> None:
        try:
            self.read(taken.content, behaviour.reads)
            if behaviour.acts:
                reader.act(taken.content, self.base_url, behaviour.acts)
        except OSError as problem:
            log.warning("nothing asked for %s: %s", taken.recipient.address, problem)

    # --- the thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            listening = self._loop.create_server(self._session, "127.0.0.1", self.port)
            server = self._loop.run_until_complete(listening)
        except OSError as problem:
            self._problem = problem
            self._opened.set()
            self._loop.close()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._opened.set()
        self._loop.run_forever()
        server.close()
        for handle, act in list(self._due.items()):
            handle.cancel()
            act()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _session(self) -> DsnSMTP:
        return DsnSMTP(
            self, loop=self._loop, hostname=_HOST, ident="ESMTP practice", enable_SMTPUTF8=True,
            data_size_limit=SIZE_LIMIT, timeout=660,
        )  # fmt: skip


def has_file(content: bytes) -> bool:
    """Whether a message has a part that calls itself an attachment."""
    return any(part.get_content_disposition() == "attachment" for part in message_from_bytes(content).walk())


def _maildir(folder: Path) -> mailbox.Maildir:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return mailbox.Maildir(folder, create=True)


def _take_out(arg: str | None, *names: str) -> tuple[str | None, dict[str, str]]:
    """`arg` of MAIL or RCPT without the options `names`, and these with their values as given."""
    address, close, rest = (arg or "").rpartition(">")
    found, kept = {}, []
    for word in rest.split():
        name, _, value = word.partition("=")
        if close and value and name.upper() in names:
            found[name.upper()] = value
        else:
            kept.append(word)
    return (arg if not found else " ".join([address + close, *kept])), found


async def _hang_up(server: SMTP) -> None:
    """Reset the connection; the session's own task is cancelled by that."""
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()
    await asyncio.Event().wait()
