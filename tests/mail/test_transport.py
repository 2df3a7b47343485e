"""The wire under garbage and cuts: replies split anywhere, dots, xtext, and a talk broken after every byte."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail import mime
from mail.claims import Claimed
from mail.conversation import Conversation, Envelope, Outcome, Wait, _orcpt, stuffed
from mail.drain import drain
from mail.line import Line, LineLost
from mail.opening import Reply
from models import Sender
from models.words import EventKind, Status
from tests.mail.test_sending import ask, draft, kinds, state

WORDS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=30)
REPLIES = st.lists(
    st.tuples(st.integers(200, 599), st.lists(WORDS, min_size=1, max_size=4), st.sampled_from(["\r\n", "\n"])),
    max_size=6,
)


@contextlib.contextmanager
def line(*extensions: str) -> Iterator[tuple[Line, socket.socket]]:
    """A Line over a socket pair, as after EHLO, and the server's end."""
    ours, theirs = socket.socketpair()
    host = smtplib.SMTP()
    host.sock, host.does_esmtp = ours, True
    host.esmtp_features = dict.fromkeys(extensions, "")
    with theirs, ours:
        yield Line(host), theirs


def heard(data: bytes, cuts: list[int]) -> list[Reply]:
    """The replies of `data`, sent in pieces cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    with line() as (ours, theirs):
        for start, end in zip(places, places[1:], strict=False):
            theirs.sendall(data[start:end])
            ours.pump(True, False)
        return ours.replies


@given(REPLIES, st.lists(st.integers(0, 10_000), max_size=20))
def test_replies_are_the_same_however_they_are_split(replies, cuts):
    wire = "".join(
        f"{code}{'-' if n < len(texts) else ' '}{text}{newline}"
        for code, texts, newline in replies
        for n, text in enumerate(texts, 1)
    ).encode()
    assert heard(wire, cuts) == [Reply(code, "\n".join(texts)) for code, texts, _ in replies]


@given(st.integers(0, 25))
def test_every_single_byte_alone(seed):
    wire = b"250-2.1.0 un\r\n250 2.1.0 deux\r\n354\r\n550-5.1.1 non\r\n550 fin\r\n"
    replies = heard(wire, list(range(seed, len(wire))))
    assert [(r.code, r.enhanced) for r in replies] == [(250, "2.1.0"), (354, None), (550, "5.1.1")]
    assert replies[0].text == "2.1.0 un\n2.1.0 deux"


@given(st.lists(st.binary(max_size=2000), max_size=5))
@example([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
@example([b"\r\n"])
@example([b"250\r\n", b"\xff" * 50])
@example([b"2500 ok\r\n"])
def test_garbage_is_a_lost_line_and_nothing_worse(pieces):
    with line() as (ours, theirs):
        for piece in pieces:
            try:
                theirs.sendall(piece)
                ours.pump(True, False)
            except LineLost:
                return
        assert all(100 <= reply.code <= 999 for reply in ours.replies)


@pytest.mark.parametrize("piece", [b"x" * 60_000, b"250-and so on\r\n" * 4000, b"250 ok\r\n" * 4000])
def test_an_endless_reply_is_cut_off(piece):
    with line() as (ours, theirs):
        with pytest.raises(LineLost):
            for _ in range(20):
                theirs.sendall(piece)
                ours.pump(True, False)
        assert len(ours._in) < 200_000 and len(ours.replies) < 10_000


def test_the_end_of_the_connection_is_a_lost_line():
    with line() as (ours, theirs):
        theirs.sendall(b"250 ok\r\n25")
        theirs.shutdown(socket.SHUT_WR)
        ours.pump(True, False)
        with pytest.raises(LineLost):
            ours.pump(True, False)
        assert ours.replies == [Reply(250, "ok")]


def unstuffed(wire: bytes) -> bytes:
    """What a server makes of the bytes between DATA and the dot (RFC 5321 4.5.2)."""
    return re.sub(rb"^\.", b"", wire.replace(b"\r\n.", b"\r\n"), count=1)


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b".", b"..", b"\r\n", b"\r\n.", b".\r\n", b"x"]), max_size=12))
@example([b".\r\n", b".\r\n"])
@example([])
def test_dots_come_back_as_they_went_wherever_the_message_is_cut(pieces):
    body = b"".join(pieces)
    wire = b"".join(stuffed(pieces))
    assert wire == b"".join(stuffed([body]))
    assert wire.endswith(b"\r\n")
    assert not wire.startswith(b".\r\n") and b"\r\n.\r\n" not in wire
    assert unstuffed(wire) in (body, body + b"\r\n")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", ".", "\r", "\n", "\u2028.\u2028", "\x00", "é",
                                 "MAIL FROM:<x@y.example>", "\x85.\x85"]), max_size=10))  # fmt: skip
def test_no_words_end_the_message_early_even_for_a_careless_server(pieces):
    words = "".join(pieces)
    sender = Sender(name="Atelier", address="formation@cassiopee.example")
    frozen = mime.freeze(
        draft("zoe@client.example", text=words, html=f"<pre>{words}</pre>".replace("\x00", "")),
        sender, message_id="<1@cassiopee.example>", pixel_url=None, date=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
    )  # fmt: skip
    wire = b"".join(stuffed(mime.pieces(frozen.skeleton, frozen.cuts)))
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    assert not re.search(rb"[\r\n]\.[\r\n]", wire)
    assert max(len(piece) for piece in wire.split(b"\r\n")) <= 998


LOCAL = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>@ "), min_size=1, max_size=20)


@given(LOCAL)
@example("a+b=c")
def test_an_original_recipient_comes_back_from_xtext(local):
    said = _orcpt(f"{local}@client.example")
    kind, _, xtext = said.partition(";")
    assert kind == "rfc822"
    assert re.fullmatch(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+", xtext)
    assert re.sub(r"\+([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), xtext) == f"{local}@client.example"


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0x10FFFF, exclude_categories=["Cs"]), min_size=1))
def test_an_accented_original_recipient_is_ascii_and_comes_back(local):
    said = _orcpt(f"{local}+x@client.example")
    assert said.isascii() and said.startswith("utf-8;")
    back = re.sub(r"\\x\{([0-9A-F]{2,6})\}", lambda m: chr(int(m[1], 16)), said.removeprefix("utf-8;"))
    assert back == f"{local}+x@client.example"


@dataclass
class Server:
    """A server in one thread: bytes in, replies out; `plan` has its replies to (MAIL, RCPT, DATA, dot) of each
    e-mail in turn. `taken` counts the dots it answered or would have answered with 250."""

    plan: list[tuple[int, int, int, int]]
    buffer: bytes = b""
    number: int = -1
    in_data: bool = False
    open: bool = False  # a transaction; MAIL within one is refused
    bodies: int = 0
    dots: list[int] = field(default_factory=list)  # the e-mails whose dot it saw
    started: list[int] = field(default_factory=list)  # the e-mails whose MAIL it saw

    def hear(self, data: bytes) -> bytes:
        self.buffer += data
        out = b""
        while True:
            end, skip = (b"\r\n.\r\n", 5) if self.in_data else (b"\r\n", 2)
            if self.in_data and self.buffer.startswith(b".\r\n"):
                place, skip = 0, 3  # an empty message ends a DATA nobody wanted
            elif (place := self.buffer.find(end)) < 0:
                return out
            command, self.buffer = self.buffer[:place], self.buffer[place + skip :]
            out += self.answer(command)

    def answer(self, command: bytes) -> bytes:
        if self.in_data:
            self.in_data = self.open = False
            if not command:
                return b"554 5.5.1 no valid recipients\r\n"
            self.dots.append(self.number)
            return self.say(3)
        verb = command[:4]
        if verb == b"RSET":
            self.open = False
            return b"250 2.0.0 reset\r\n"
        if verb == b"MAIL":
            if self.open:
                raise AssertionError("nested MAIL command")
            self.number += 1
            self.open = self.plan[self.number % len(self.plan)][0] == 250
            self.started.append(int(re.search(rb"ENVID=(\d+)", command)[1]))
        column = {b"MAIL": 0, b"RCPT": 1, b"DATA": 2}[verb]
        self.in_data = verb == b"DATA" and self.plan[self.number % len(self.plan)][2] == 354
        return self.say(column)

    def say(self, column: int) -> bytes:
        code = self.plan[self.number % len(self.plan)][column]
        return f"{code}-{code // 100}.0.0 first\r\n{code} {code // 100}.0.0 last\r\n".encode()


def envelope(number: int) -> Envelope:
    job = Claimed(number, 1, 1, f"p{number}@client.example", 1, 3600.0, b"", [], 10, False)
    body = b"Subject: x\r\n\r\n.\r\nbonjour\r\n"
    return Envelope(job, "retours@cassiopee.example", lambda: str(number), stuffed([body]))


@dataclass
class Talk:
    """What came of a talk about `count` e-mails: outcomes by e-mail, and what was never taken up."""

    outcomes: list[Outcome]
    left: list[int]
    server: Server
    said: int  # bytes the server said
    lost: bool


def talk(plan: list[tuple[int, int, int, int]], pipelining: bool, cut: int | None = None, slice_: int = 65536,
         count: int = 3, granted: bool = True, one_by_one: bool = False) -> Talk:  # fmt: skip
    """Move a conversation by hand; the server's bytes end after `cut` and come `slice_` at a time. One by one, each
    e-mail comes when the line has been idle since the last."""
    server, outcomes, said, idle = Server(plan), [], 0, True

    def take(_: Conversation) -> Envelope | None:
        nonlocal idle
        idle, was_idle = False, idle
        return waiting.pop(0) if waiting and (was_idle or not one_by_one) else None

    def told(_: Conversation, outcome: Outcome) -> None:
        outcomes.append(outcome)

    waiting = [envelope(n) for n in range(1, count + 1)]
    extensions = ("pipelining", "dsn") if pipelining else ("dsn",)
    with line(*extensions) as (ours, theirs):
        theirs.setblocking(False)
        conversation = Conversation(ours, take, told)
        answer: bool | None = None
        pending, closed = b"", False
        try:
            while True:
                try:
                    wait, answer = conversation.steps.send(answer), None
                except StopIteration:
                    if not waiting:
                        raise
                    idle = True
                    conversation.again()
                    continue
                if wait is Wait.MARK:
                    answer = granted
                    continue
                with contextlib.suppress(BlockingIOError):
                    pending += server.hear(theirs.recv(1 << 20))
                piece, pending = pending[:slice_], pending[slice_:]
                if cut is not None:
                    piece = piece[: cut - said]
                said += len(piece)
                if not closed:
                    theirs.sendall(piece)
                if cut is not None and said >= cut and not closed:
                    theirs.shutdown(socket.SHUT_WR)
                    closed = True
                ours.pump(True, ours.writing)
        except StopIteration:
            return Talk(outcomes, [e.job.email_id for e in waiting], server, said, False)
        except LineLost as error:
            if ours.replies:  # as the drain does: what arrived before the line broke is heard first
                with contextlib.suppress(StopIteration, LineLost):
                    conversation.steps.send(answer)
            with contextlib.suppress(BlockingIOError):
                server.hear(theirs.recv(1 << 20))
            conversation.lost(error)
            return Talk(outcomes, [e.job.email_id for e in waiting], server, said, True)


def is_true(found: Talk, count: int = 3) -> None:
    """Every e-mail has exactly one outcome or was never taken up, and none says more than the server knows."""
    told = [outcome.job.email_id for outcome in found.outcomes]
    assert sorted(told + found.left) == list(range(1, count + 1))
    for outcome in found.outcomes:
        number = outcome.job.email_id
        place = found.server.started.index(number) if number in found.server.started else None
        dotted = place is not None and place in found.server.dots
        if outcome.kind in ("accepted", "unknown") or (outcome.kind == "refused" and outcome.phase == "body"):
            assert dotted, outcome
        else:
            assert not dotted, outcome
        if outcome.kind == "accepted":
            assert found.server.plan[place % len(found.server.plan)] == (250, 250, 354, 250)


GOOD = (250, 250, 354, 250)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_bad_sequence_of_commands_is_the_lines_trouble(pipelining):
    """A server may count otherwise than we do what is open: the e-mail goes over another line, nobody is refused."""
    found = talk([GOOD, (503, 503, 503, 250)], pipelining)
    taken, lost = found.outcomes
    assert found.lost and taken.kind == "accepted"
    assert (lost.kind, lost.phase, lost.reused) == ("broken", "mail", True)
    first = talk([(503, 503, 503, 250)], pipelining)
    refused = first.outcomes[0]  # to a line's first word it is an answer
    assert (refused.kind, refused.phase, refused.reused) == ("refused", "mail", False)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    "plan",
    [
        [GOOD],
        [(250, 550, 503, 250), GOOD],
        [(250, 550, 354, 250), GOOD],  # RFC 2920 3.1: DATA taken without a recipient
        [(450, 503, 503, 250), GOOD],
        [(250, 250, 451, 250), GOOD],
        [GOOD, (250, 250, 354, 554), GOOD],
        [(250, 421, 503, 250), GOOD],
        [GOOD, (250, 250, 354, 421)],
    ],
)
def test_a_talk_cut_after_every_byte_tells_the_truth(plan, pipelining):
    whole = talk(plan, pipelining)
    is_true(whole)
    one_by_one = talk(plan, pipelining, one_by_one=True)
    is_true(one_by_one)
    told = [[o[:3] for o in found.outcomes if o.kind != "broken"] for found in (whole, one_by_one)]
    assert told[0] == told[1]
    for cut in range(whole.said):
        is_true(talk(plan, pipelining, cut))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([250, 250, 250, 451, 550, 421]),
            st.sampled_from([250, 250, 250, 450, 550, 421]),
            st.sampled_from([354, 354, 354, 354, 451, 554]),
            st.sampled_from([250, 250, 250, 451, 554, 421]),
        ),
        min_size=1, max_size=4,
    ),
    st.booleans(), st.none() | st.integers(0, 600), st.integers(1, 40), st.booleans(),
)  # fmt: skip
def test_any_server_cut_and_split_anywhere_tells_the_truth(plan, pipelining, cut, slice_, one_by_one):
    is_true(talk(plan, pipelining, cut, slice_, count=4, one_by_one=one_by_one), count=4)


def test_without_the_lease_nothing_is_dotted():
    found = talk([GOOD], True, granted=False)
    assert found.lost and found.server.dots == [] and found.left == [2, 3] and found.outcomes == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_reply_to_nothing_is_no_reply_to_the_dot(pipelining):
    with line(*["pipelining"] * pipelining) as (ours, theirs):
        outcomes: list[Outcome] = []

        def told(_: Conversation, outcome: Outcome) -> None:
            outcomes.append(outcome)

        waiting = [envelope(1)]
        conversation = Conversation(ours, lambda _: waiting.pop() if waiting else None, told)
        theirs.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 taken before it was sent\r\n")
        ours.pump(True, False)
        with pytest.raises(LineLost) as lost:
            wait = next(conversation.steps)
            while True:
                wait = conversation.steps.send(True if wait is Wait.MARK else None)
                ours.pump(True, False)
        conversation.lost(lost.value)
        assert [o.kind for o in outcomes] == ["broken"]


def _drip(listener: socket.socket, over: threading.Event) -> None:
    """A server that greets and then answers MAIL one byte at a time, for ever."""
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"220 slow\r\n")
                sock.recv(1000)
                sock.sendall(b"250 slow\r\n")
                sock.recv(1000)
                sock.sendall(b"250-")
                while not over.wait(0.3):
                    sock.sendall(b"x")


def test_a_server_that_answers_drop_by_drop_is_left_in_time(cassiopee, app):
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_drip, args=(listener, over))
        server.start()
        app.extensions["tracked_mail"].port = listener.getsockname()[1]
        try:
            (email,) = ask(cassiopee, "zoe@client.example")
            started = time.monotonic()
            drain()
            assert time.monotonic() - started < 5  # smtp_timeout is 2 s here
        finally:
            over.set()
            app.extensions["tracked_mail"].port = 1
            listener.shutdown(socket.SHUT_RDWR)
    server.join(10)
    assert state(email)[0] is Status.REQUESTED and kinds(email) == [EventKind.REQUESTED, EventKind.DEFERRED]
