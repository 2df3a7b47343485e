"""The wire under garbage and cuts: replies split anywhere, dots, xtext, and a talk broken after every byte."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import threading
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


PHASES = ("mail", "rcpt", "data", "body")
GOOD = (250, 250, 354, 250)
_LATE = b"421 4.3.2 we have waited long enough\r\n"


@dataclass
class Server:
    """A strict server in one thread: bytes in, replies out, each with its phase and e-mail. `plan` has the replies to
    (MAIL, RCPT, DATA, dot) of each e-mail in turn. What no client may say fails the test; after a 421 it says no more.
    After reply number `babbles` (none to a DATA) it says one that nothing asked for."""

    plan: list[tuple[int, int, int, int]]
    pipelining: bool
    babbles: int = 0
    buffer: bytes = b""
    number: int = 0  # the e-mail of the last MAIL
    in_data: bool = False
    open: bool = False  # a transaction
    recipient: bool = False  # one that it took
    gone: bool = False
    confusing: bool = False  # it has said a word too many: what a client makes of that is no fault of its own
    dots: list[int] = field(default_factory=list)  # the e-mails whose dot it saw
    started: list[int] = field(default_factory=list)  # the e-mails whose MAIL it saw
    replies: int = 0

    def hear(self, data: bytes) -> bytes:
        self.buffer += data
        out = b""
        while not self.gone:
            end, skip = (b"\r\n.\r\n", 5) if self.in_data else (b"\r\n", 2)
            if self.in_data and self.buffer.startswith(b".\r\n"):
                place, skip = 0, 3  # an empty message ends a DATA nobody wanted
            elif (place := self.buffer.find(end)) < 0:
                return out
            command, self.buffer = self.buffer[:place], self.buffer[place + skip :]
            out += self.answer(command)
        return out

    def planned(self, column: int) -> int:
        return self.plan[(self.number - 1) % len(self.plan)][column]

    def answer(self, command: bytes) -> bytes:
        if self.in_data:
            nobody = not self.recipient
            self.in_data = self.open = self.recipient = False
            if nobody:
                assert not command, "a message to nobody"
                return self.say(554, "empty")
            self.dots.append(self.number)
            return self.say(self.planned(3), "body")
        verb = command[:4]
        if verb == b"RSET":
            self.open = self.recipient = False
            return self.say(250, "reset")
        if verb == b"MAIL":
            if self.open:
                assert self.confusing, "nested MAIL"
                return self.say(503, "mail")
            self.number = int(re.search(rb"ENVID=(\d+)", command)[1])
            self.started.append(self.number)
            self.open = self.planned(0) == 250
            return self.say(self.planned(0), "mail")
        in_order = self.open if verb == b"RCPT" else self.recipient
        assert in_order or self.pipelining or self.confusing, f"{command!r} out of sequence"
        if verb == b"RCPT":
            self.recipient = self.open and self.planned(1) == 250
            return self.say(self.planned(1) if self.open else 503, "rcpt")
        assert verb == b"DATA", command
        # RFC 2920 3.1: some take it although they took no recipient
        self.in_data = self.open and self.planned(2) == 354
        return self.say(503 if self.planned(2) == 354 and not self.open else self.planned(2), "data")

    def say(self, code: int, phase: str) -> bytes:
        self.gone = code == 421
        self.replies += 1
        said = f"{code}-{code // 100}.0.0 first\r\n{code} {code // 100}.0.0 {phase} {self.number}\r\n".encode()
        babble = bool(self.babbles) and self.replies >= self.babbles and phase != "data"
        if babble:
            self.babbles, self.confusing = 0, True
        return said + b"250 2.0.0 nobody asked\r\n" * babble


def envelope(number: int) -> Envelope:
    job = Claimed(number, 1, 1, f"p{number}@client.example", 1, 3600.0, b"", [], 10, False)
    body = b"Subject: x\r\n\r\n.\r\nbonjour\r\n"
    return Envelope(job, "retours@cassiopee.example", lambda: str(number), stuffed([body]))


@dataclass
class Weather:
    """What else may happen in a talk. Numbers are e-mails', from 1."""

    cut: int | None = None  # the server's bytes end after so many
    slice_: int = 65536  # and come so many at a time
    rests: frozenset[int] = frozenset()  # the line has been idle before these come
    closes: int = 0  # before this one came, the server had waited too long; nobody has read that yet
    unmarked: int = 0  # this one's lease ran out before its mark
    impatient: frozenset[int] = frozenset()  # while the reply to their dots is awaited, what is behind is let go of
    most: int = 100  # messages that wear the line
    babbles: int = 0


ONE_BY_ONE = Weather(rests=frozenset(range(1, 20)))


@dataclass
class Talk:
    """What came of a talk about `count` e-mails: outcomes by e-mail, and what was never taken up or let go of."""

    outcomes: list[Outcome]
    left: list[int]
    server: Server
    said: int  # bytes the server said
    lost: bool

    def of(self, number: int) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.job.email_id == number]


class Moved:
    """A conversation moved by hand, as mail.lines moves it."""

    def __init__(self, plan: list[tuple[int, int, int, int]], pipelining: bool, weather: Weather, count: int) -> None:
        self.weather, self.server = weather, Server(plan, pipelining, weather.babbles)
        self.waiting = [envelope(n) for n in range(1, count + 1)]
        self.outcomes: list[Outcome] = []
        self.left: list[int] = []
        self.said, self.silent, self.idle, self.closed, self.pending = 0, 0, False, False, b""
        self.extensions = ("pipelining", "dsn") if pipelining else ("dsn",)

    def take(self, _: Conversation) -> Envelope | None:
        if not self.waiting or (self.waiting[0].job.email_id in self.weather.rests and not self.idle):
            return None
        self.idle = False
        return self.waiting.pop(0)

    def told(self, _: Conversation, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def run(self) -> Talk:
        with line(*self.extensions) as (ours, theirs):
            theirs.setblocking(False)
            talk = Conversation(ours, self.take, self.told, self.weather.most)
            lost = False
            try:
                self.move(talk, ours, theirs)
            except LineLost as error:
                lost = True
                if ours.replies and talk.waits is not Wait.MARK:  # what arrived before the line broke is heard first
                    with contextlib.suppress(StopIteration, LineLost):
                        talk.steps.send(None)
                talk.lost(error)
            with contextlib.suppress(BlockingIOError):
                self.server.hear(theirs.recv(1 << 20))
        left = self.left + [e.job.email_id for e in self.waiting]
        return Talk(self.outcomes, left, self.server, self.said, lost)

    def move(self, talk: Conversation, ours: Line, theirs: socket.socket) -> None:
        answer: bool | None = None
        while True:
            try:
                talk.waits, answer = talk.steps.send(answer), None
            except StopIteration:
                assert talk.open or not self.server.open, "nobody remembers what the server holds open"
                assert not ours.writing and talk.held is None and talk.begun is None
                if not self.waiting or talk.worn:
                    return
                self.idle = True
                if self.waiting[0].job.email_id == self.weather.closes:
                    self.pending += _LATE
                    self.server.gone = True
                    self.answer(ours, theirs, len(self.pending))
                talk.again()
                continue
            begun = talk.begun.job.email_id if talk.begun else 0
            if talk.waits is Wait.MARK:
                answer = begun != self.weather.unmarked
                self.left += [begun] * (not answer)  # it is somebody else's now
                continue
            if talk.waits is Wait.FINAL_REPLY and begun in self.weather.impatient and (behind := talk.let_go()):
                self.left.append(behind.job.email_id)
            before = self.said
            self.answer(ours, theirs, self.weather.slice_)
            ours.pump(True, ours.writing)
            self.silent = 0 if self.said > before or self.closed else self.silent + 1
            if self.silent > 5:
                raise LineLost("the server did not answer in time")

    def answer(self, ours: Line, theirs: socket.socket, most: int) -> None:
        """Let the server hear what has come and say a piece of its answer."""
        with contextlib.suppress(BlockingIOError):
            self.pending += self.server.hear(theirs.recv(1 << 20))
        cut = self.weather.cut
        piece, self.pending = self.pending[:most], self.pending[most:]
        if cut is not None:
            piece = piece[: cut - self.said]
        self.said += len(piece)
        if self.closed:
            return
        theirs.sendall(piece)
        if (cut is not None and self.said >= cut) or (self.server.gone and not self.pending):
            theirs.shutdown(socket.SHUT_WR)
            self.closed = True


def talk(plan: list[tuple[int, int, int, int]], pipelining: bool, weather: Weather = Weather(), count: int = 3) -> Talk:
    """What came of it."""
    return Moved(plan, pipelining, weather, count).run()


def is_true(found: Talk, count: int = 3, exact: bool = True) -> None:
    """Every e-mail has exactly one outcome or was never taken up; none says more than the server knows, nor hears
    words that were about another (or, where `exact`, about another phase)."""
    told = [outcome.job.email_id for outcome in found.outcomes]
    assert sorted(told + found.left) == list(range(1, count + 1))
    assert not set(found.left) & set(found.server.dots)
    for outcome in found.outcomes:
        number = outcome.job.email_id
        if outcome.kind in ("accepted", "unknown") or (outcome.kind == "refused" and outcome.phase == "body"):
            assert number in found.server.dots, outcome
        else:
            assert number not in found.server.dots, outcome
        if outcome.kind == "accepted":
            assert found.server.plan[(number - 1) % len(found.server.plan)] == GOOD
        if outcome.reply is not None:
            about = outcome.reply.text.split()[-2:]
            assert about[1] == str(number) and (not exact or about[0] == outcome.phase), outcome


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
@pytest.mark.parametrize("first", [GOOD, (250, 550, 503, 250)])
def test_a_server_that_waited_too_long_answers_nobody(pipelining, first):
    """Its 421 came before we spoke: the e-mail goes over another line, nothing is deferred or slowed."""
    found = talk([first, GOOD], pipelining, Weather(rests=frozenset({2}), closes=2))
    is_true(found)
    ((lost,),) = [found.of(2)]
    assert found.lost and (lost.kind, lost.phase, lost.reused, lost.reply) == ("broken", "mail", True, None)
    assert found.server.started == [1]


@pytest.mark.parametrize("words", ["4.4.2 Error: timeout exceeded", "SMTP command timeout - closing connection"])
def test_a_421_about_time_that_crosses_our_mail_is_the_lines_end(words):
    """It left before our MAIL arrived: the two passed each other."""
    for about, kind in ((words, "broken"), ("4.7.0 too many messages, slow down", "refused")):
        with line("dsn") as (ours, theirs):
            told = Moved([GOOD], False, Weather(), 1)
            talk = Conversation(ours, told.take, told.told)
            talk.spoke = True
            assert talk.steps.send(None) is Wait.REPLY
            theirs.sendall(f"421 {about}\r\n".encode())
            ours.pump(True, False)
            with pytest.raises(LineLost) as lost:
                talk.steps.send(None)
            talk.lost(lost.value)
        assert [(o.kind, o.phase, o.reused) for o in told.outcomes] == [(kind, "mail", True)]


PLANS = [
    [GOOD],
    [(250, 550, 503, 250), GOOD],
    [(250, 550, 354, 250), GOOD],  # RFC 2920 3.1: DATA taken without a recipient
    [(450, 503, 503, 250), GOOD],
    [(250, 250, 451, 250), GOOD],
    [GOOD, (250, 250, 354, 554), GOOD],
    [(250, 421, 503, 250), GOOD],
    [GOOD, (250, 250, 354, 421)],
]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("plan", PLANS)
def test_a_talk_cut_after_every_byte_tells_the_truth(plan, pipelining):
    whole = talk(plan, pipelining)
    is_true(whole)
    assert whole.lost == any(421 in codes for codes in plan) and (whole.lost or not whole.left)
    assert whole.outcomes[0].kind != "broken", "what was heard before the line broke is told"
    one_by_one = talk(plan, pipelining, ONE_BY_ONE)
    is_true(one_by_one)
    told = [[o[:3] for o in found.outcomes if o.kind != "broken"] for found in (whole, one_by_one)]
    assert told[0] == told[1]
    for cut in range(whole.said):
        is_true(talk(plan, pipelining, Weather(cut=cut)))


ANY_PLAN = st.lists(
    st.tuples(
        st.sampled_from([250, 250, 250, 451, 550, 421]),
        st.sampled_from([250, 250, 250, 450, 550, 421]),
        st.sampled_from([354, 354, 354, 354, 451, 554]),
        st.sampled_from([250, 250, 250, 451, 554, 421]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip
_MANY = 6
SOME = st.frozensets(st.integers(1, _MANY))


@st.composite
def any_weather(draw: st.DrawFn) -> Weather:
    """Rests, leases that run out, e-mails let go of, lines that wear out, servers that close: in any order."""
    rarely = st.sampled_from([0, 0, 0, *range(1, _MANY + 1)])
    rests = draw(SOME)
    return Weather(
        cut=draw(st.none() | st.integers(0, 900)), slice_=draw(st.sampled_from([1, 7, 40, 200, 65536])), rests=rests,
        closes=draw(st.sampled_from([0, *rests])), unmarked=draw(rarely), impatient=draw(SOME),
        most=draw(st.sampled_from([100, 100, 1, 2, 3])),
    )  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(ANY_PLAN, st.booleans(), any_weather())
def test_any_server_in_any_weather_tells_the_truth(plan, pipelining, weather):
    is_true(talk(plan, pipelining, weather, _MANY), _MANY)


@settings(max_examples=100, deadline=None)
@given(ANY_PLAN, st.booleans(), SOME, st.sampled_from([100, 1, 2, 3]))
def test_rests_and_wear_change_nobodys_outcome(plan, pipelining, rests, most):
    """Several talks over one line, or lines, are as one over one."""
    whole = talk(plan, pipelining, count=_MANY)
    found = talk(plan, pipelining, Weather(rests=rests, most=most), _MANY)
    for number in range(1, _MANY + 1):
        here, there = ([o[1:4] for o in one.of(number)] for one in (whole, found))
        assert here == there or not there, "what the line was too worn for is left"


@settings(max_examples=200, deadline=None)
@given(ANY_PLAN, st.booleans(), SOME, st.integers(1, 20), st.sampled_from([1, 40, 65536]))
def test_a_word_too_many_puts_nothing_out_of_step_for_long(plan, pipelining, rests, babbles, slice_):
    """A reply that nobody asked for: no e-mail is told what was said of another, none leaves twice."""
    plan = [tuple(250 if code == 421 else code for code in codes) for codes in plan]
    found = talk(plan, pipelining, Weather(slice_=slice_, rests=rests, babbles=babbles), _MANY)
    is_true(found, _MANY, exact=False)


def test_without_the_lease_nothing_is_dotted():
    found = talk([GOOD], True, Weather(unmarked=1))
    assert found.lost and found.server.dots == [] and sorted(found.left) == [1, 2, 3] and found.outcomes == []


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_reply_to_nothing_is_no_reply_to_the_dot(pipelining):
    with line(*["pipelining"] * pipelining) as (ours, theirs):
        outcomes: list[Outcome] = []

        def told(_: Conversation, outcome: Outcome) -> None:
            outcomes.append(outcome)

        waiting = [envelope(1)]
        conversation = Conversation(ours, lambda _: waiting.pop() if waiting else None, told)
        wait = next(conversation.steps)
        theirs.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 taken before it was sent\r\n")
        ours.pump(True, False)
        with pytest.raises(LineLost) as lost:
            while True:
                wait = conversation.steps.send(True if wait is Wait.MARK else None)
                ours.pump(True, False)
        conversation.lost(lost.value)
        assert [(o.kind, o.phase) for o in outcomes] == [("broken", "body")]


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
            drain()  # it never ends where each drop counts as an answer
        finally:
            over.set()
            app.extensions["tracked_mail"].port = 1
            listener.shutdown(socket.SHUT_RDWR)
    server.join(60)
    assert state(email)[0] is Status.REQUESTED and kinds(email) == [EventKind.REQUESTED, EventKind.DEFERRED]
