"""A person or a machine: by name, by method, by haste, by number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail.lookers import BURST, Look, given_away, machines, network_of

WHEN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@pytest.mark.parametrize(
    ("method", "browser", "purpose", "said"),
    [
        ("GET", FIREFOX, "", ""),
        ("GET", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Thunderbird/145.0", "", ""),
        ("GET", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "", ""),
        ("GET", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)", "", ""),
        ("HEAD", FIREFOX, "", "head"),
        ("GET", FIREFOX, "prefetch;prerender", "prefetch"),
        ("GET", "Mozilla/5.0", "", "name"),
        ("GET", "", "", "name"),
        ("GET", "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko (via ggpht.com GoogleImageProxy)", "", "name"),
        ("GET", "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "", "name"),
        ("GET", "Mozilla/5.0 (compatible; bingbot/2.0)", "", "name"),
        ("GET", "python-requests/2.32", "", "name"),
        ("GET", "a" * 2_000_000, "", ""),
    ],
)  # fmt: skip
def test_what_a_request_gives_away(method: str, browser: str, purpose: str, said: str) -> None:
    assert given_away(method, browser, purpose) == said


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"), ("::ffff:192.0.2.9", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("", ""), ("unix:", ""), ("192.0.2", ""),
    ],
)  # fmt: skip
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


def look(number: int, seconds: float, network: bytes = b"n", machine: str = "", email_id: int = 1) -> Look:
    return Look(number, email_id, WHEN + timedelta(seconds=seconds), network, machine)


def test_within_ten_seconds_of_arriving_nobody_has_read() -> None:
    arrivals = {1: [WHEN, WHEN + timedelta(seconds=100)]}
    looks = [look(1, 9.9), look(2, 10, b"m"), look(3, 99, b"o"), look(4, 100, b"p"), look(5, -1, b"q")]
    assert machines(looks, arrivals) == {1: "soon", 4: "soon"}
    assert machines([look(1, 5, email_id=2)], arrivals) == {}


def test_five_from_one_network_in_two_seconds_are_a_machine() -> None:
    five = [look(n, n * 0.5) for n in range(5)]
    assert machines(five, {}) == dict.fromkeys(range(5), "burst")
    assert machines(five[:4], {}) == {}
    assert machines([look(n, n * 0.51) for n in range(5)], {}) == {}
    assert machines([look(n, n * 0.1, bytes([n])) for n in range(9)], {}) == {}
    assert machines([look(n, 0, b"") for n in range(9)], {}) == {}, "an unknown network is nobody's"


@given(st.lists(st.tuples(st.integers(0, 80), st.sampled_from([b"a", b"b"])), max_size=25), st.randoms())
def test_a_burst_is_what_counting_every_window_finds(drawn: list[tuple[int, bytes]], chance) -> None:
    looks = [look(n, tenths / 10, network) for n, (tenths, network) in enumerate(drawn)]
    counted = set()
    for one in looks:
        window = [
            other for other in looks
            if other.network == one.network and timedelta(0) <= other.seen_at - one.seen_at <= timedelta(seconds=2)
        ]  # fmt: skip
        if len(window) >= BURST:
            counted |= {other.id for other in window}
    chance.shuffle(looks)
    assert set(machines(looks, {})) == counted
