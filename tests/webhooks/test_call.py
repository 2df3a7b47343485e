"""One call, against a receiver that refuses, hangs, drips, redirects: never longer, never elsewhere."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from models.webhook import Trouble
from tests.real.authority import Authority
from tests.webhooks.receiver import Receiver
from webhooks import addresses, call
from webhooks.call import Answer

PLAIN = call.context_for(None)


def ask(url: str, seconds: float = 1.0, context: ssl.SSLContext = PLAIN, loopback: bool = True) -> Answer:
    return call.post(
        addresses.read(url, loopback), {"X-One": "1"}, b'{"a":1}', seconds=seconds, loopback=loopback, context=context
    )


def test_words_that_come_after_the_head_are_heard() -> None:
    with Receiver(files={"late": b"no such event"}) as receiver:
        assert ask(receiver.url("late"), seconds=30).words == "no such event"


@pytest.mark.parametrize(
    ("behaviour", "code", "trouble", "words"),
    [
        ("ok", 200, None, "answer 200 é"),
        ("204", 204, None, ""),
        ("500", 500, Trouble.ANSWER, "answer 500 é"),
        ("404", 404, Trouble.ANSWER, "answer 404 é"),
        ("gone", 410, Trouble.ANSWER, "answer 410 é"),
        ("redirect", 302, Trouble.REDIRECT, "answer 302 é"),
        ("304", 304, Trouble.REDIRECT, ""),
        ("hang", None, Trouble.TIMEOUT, ""),
        ("drip", None, Trouble.TIMEOUT, ""),
        ("close", None, Trouble.BROKEN, "RemoteDisconnected"),
        ("garbage", None, Trouble.BROKEN, "BadStatusLine"),
    ],
)
def test_what_each_answer_comes_to(
    receiver: Receiver, behaviour: str, code: int | None, trouble: Trouble | None, words: str
) -> None:
    began = time.monotonic()
    answer = ask(receiver.url(behaviour))
    assert (answer.code, answer.trouble, answer.words) == (code, trouble, words)
    assert answer.ok is (trouble is None)
    assert answer.milliseconds <= (time.monotonic() - began) * 1000 + 1
    assert [received.path for received in receiver.received] == [f"/{behaviour}"]


def test_the_request_is_as_it_should_be(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    ask(receiver.url("ok") + "?a=b")
    (received,) = receiver.received
    assert received.path == "/ok?a=b" and received.body == b'{"a":1}'
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}", "content-length": "7", "accept-encoding": "identity",
        "connection": "close", "x-one": "1",
    }  # fmt: skip


def test_a_large_answer_is_cut_and_a_slow_one_too(receiver: Receiver) -> None:
    answer = ask(receiver.url("big"))
    assert answer.ok and len(answer.words) <= call.KEPT_AT_MOST and "\x00" not in answer.words
    answer = ask(receiver.url("drip-body"), seconds=0.5)
    assert answer.ok and set(answer.words) <= {"x"} and len(answer.words) < 1000  # of a hundred thousand


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    ask(receiver.url("redirect"))
    assert receiver.connections == 1


def test_how_long_it_asks_to_wait(receiver: Receiver) -> None:
    answer = ask(receiver.url("busy"))
    assert (answer.code, answer.retry_after) == (503, 120.0)
    assert call._retry_after("Sun, 22 Nov 2026 10:00:00 GMT") is not None
    assert call._retry_after("soon") is None and call._retry_after("-5") is None
    assert call._retry_after("9" * 400) == 999_999_999.0


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = ask(f"http://127.0.0.1:{port}/")
    assert answer.trouble in (Trouble.BROKEN, Trouble.UNREACHABLE) and answer.code is None


def test_the_connection_goes_to_the_checked_address_whatever_the_name_says_later(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a second look-up would lead elsewhere; there is none."""
    target = addresses.read(receiver.url("ok", host="localhost"), loopback=True)
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        if host == "localhost" and asked.count("localhost") > 1:
            raise AssertionError("asked twice")
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    answer = call.post(target, {}, b"", seconds=1, loopback=True, context=PLAIN)
    assert answer.ok and receiver.received[0].headers["host"] == f"localhost:{receiver.port}"


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_public_name_that_leads_inside_is_never_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, ip: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: [(socket.AF_INET, 1, 6, "", (ip, port))])
    answer = ask(f"https://hooks.example.org:{receiver.port}/ok", loopback=False)
    assert answer.trouble is Trouble.PRIVATE and answer.code is None
    assert receiver.connections == 0


def test_tls_is_verified_by_name_and_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    trusting = call.context_for(str(authority.root))
    with Receiver(authority.certificate(tmp_path / "server")) as receiver:
        assert ask(receiver.url("ok"), context=trusting).ok
        stranger = ask(receiver.url("ok"))
        assert stranger.trouble is Trouble.TLS and "issuer" in stranger.words
        wrong_name = ask(receiver.url("ok", host="localhost"), context=trusting)
        assert wrong_name.trouble is Trouble.TLS and "localhost" in wrong_name.words
        assert receiver.server_names[-1] == "localhost"
        assert len(receiver.received) == 1
        drip = ask(receiver.url("drip"), seconds=0.6, context=trusting)
        assert drip.trouble is Trouble.TIMEOUT


def test_a_server_that_speaks_no_tls_or_says_nothing(receiver: Receiver) -> None:
    plain = receiver.url("ok").replace("http://", "https://")
    assert ask(plain).trouble in (Trouble.TLS, Trouble.TIMEOUT)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = ask(f"https://127.0.0.1:{mute.getsockname()[1]}/", seconds=0.5)
        assert answer.trouble is Trouble.TIMEOUT


def test_no_loopback_without_the_setting(receiver: Receiver) -> None:
    target = addresses.read(receiver.url("ok"), loopback=True)
    answer = call.post(target, {}, b"", seconds=1, loopback=False, context=PLAIN)
    assert answer.trouble is Trouble.PRIVATE and receiver.connections == 0
