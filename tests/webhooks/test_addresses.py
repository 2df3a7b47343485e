"""Which addresses a webhook may have: what is typed, what a name leads to, and no way round it."""

from __future__ import annotations

import ipaddress
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserMistake
from mail import network
from models.webhook import Trouble
from webhooks.addresses import Refused, is_public, may_reach, read, resolve

PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4007::200e")
PRIVATE = (
    "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fc00::1",
    "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:10::1", "2001:20::1", "4000::1",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_not(text: str) -> None:
    ip = ipaddress.ip_address(text)
    assert not is_public(ip)
    assert may_reach(ip, loopback=True) is ip.is_loopback


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_no_address_of_version_4_is_public_that_the_registry_keeps_back(ip: ipaddress.IPv4Address) -> None:
    if ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local or ip.is_unspecified:
        assert not is_public(ip)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_no_address_of_version_6_carries_one_of_version_4(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    for carried in (
        ipaddress.IPv6Address(0xFFFF00000000 + number), ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0x64FF9B << 96) + number), ipaddress.IPv6Address((0x2002 << 112) + (number << 80)),
        ipaddress.IPv6Address((0x20010000 << 96) + number),
    ):  # fmt: skip
        assert not is_public(carried)


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_public_addresses_of_version_6_are_global_unicast(ip: ipaddress.IPv6Address) -> None:
    if is_public(ip):
        assert int(ip) >> 125 == 1 and ip.is_global


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://hooks.example.org/in?x=1&y=é", "https://hooks.example.org/in?x=1&y=%C3%A9"),
        (" HTTPS://Hooks.Example.ORG:443 ", "https://hooks.example.org/"),
        ("https://hooks.example.org:8443/a/../b", "https://hooks.example.org:8443/a/../b"),
        ("https://café.example/", "https://xn--caf-dma.example/"),
        ("https://hooks.example.org./x", "https://hooks.example.org/x"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("https://my_host.example/%41", "https://my_host.example/%41"),
    ],
)
def test_what_is_typed_has_one_spelling(typed: str, kept: str) -> None:
    assert read(typed).url == kept
    assert read(kept).url == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "hooks.example.org", "ftp://hooks.example.org/", "http://hooks.example.org/", "https://", "https:///x",
        "https://user:password@hooks.example.org/", "https://hooks.example.org@127.0.0.1/", "https://@a.example/",
        "https://hooks.example.org/#part", "https://hooks.example.org:0/", "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/", "https://hooks example.org/", "https://hooks.example.org/a\r\nX: y",
        "https://hooks.example.org/\\@127.0.0.1/", "https://localhost/", "https://localhost:5432/", "https://intranet/",
        "http://127.0.0.1/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.1/",
        "https://0177.0.0.1/", "https://0x7f000001/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25x]/",
        "https://169.254.169.254/latest/meta-data/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://[/",
        "https://a..b/", "https://-a.example/", "https://" + "a" * 300 + ".example/", "javascript:alert(1)",
        "https://hooks.example.org/" + "a" * 2000, "https://\u2028.example/", "https://a.example\x00/", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_may_not_be_typed(typed: str) -> None:
    with pytest.raises(UserMistake) as mistake:
        read(typed)
    assert mistake.value.field == "url"


def test_this_machine_only_where_the_settings_say_so() -> None:
    assert read("http://127.0.0.1:8025/webhooks", loopback=True).url == "http://127.0.0.1:8025/webhooks"
    assert read("http://localhost:8025/", loopback=True).name == "localhost:8025"
    assert read("https://[::1]/", loopback=True).host == "::1"
    for typed in ("http://10.0.0.1/", "https://192.168.1.1/", "http://hooks.example.org/", "https://intranet/"):
        with pytest.raises(UserMistake):
            read(typed, loopback=True)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_nonsense_is_a_mistake_and_never_an_error(typed: str) -> None:
    for text in (typed, "https://" + typed, f"https://a.example/{typed}"):
        try:
            target = read(text)
        except UserMistake:
            continue
        assert target.https and target.url.isascii() and not {"\r", "\n", " "} & set(target.url)
        assert read(target.url) == target


def names(monkeypatch: pytest.MonkeyPatch, *ips: str) -> list[str]:
    """The name service of the system answers with these; what it is asked is noted."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_resolved_once_and_one_private_address_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    target = read("https://hooks.example.org/")
    asked = names(monkeypatch, "8.8.8.8", "2606:4700::1111")
    assert [str(ip) for ip in resolve(target, False, 1)] == ["8.8.8.8", "2606:4700::1111"]
    assert asked == ["hooks.example.org"]
    for private in PRIVATE:
        names(monkeypatch, "8.8.8.8", private)
        with pytest.raises(Refused) as refused:
            resolve(target, False, 1)
        assert refused.value.trouble in (Trouble.PRIVATE, Trouble.NAME)
    names(monkeypatch)
    with pytest.raises(Refused):
        resolve(target, False, 1)


def test_an_unknown_name_and_a_slow_name_service(monkeypatch: pytest.MonkeyPatch) -> None:
    target = read("https://hooks.example.org/")
    with pytest.raises(Refused) as unknown:
        resolve(target, False, 1)  # tests ask no name server: it does not exist
    assert unknown.value.trouble is Trouble.NAME
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] if over.wait(60) else [])
    with pytest.raises(Refused) as slow:
        resolve(target, False, 0.2)
    assert slow.value.trouble is Trouble.TIMEOUT
    over.set()


def test_the_lists_agree() -> None:
    assert all(not is_public(block[0]) and not is_public(block[-1]) for block in network._CLOSED)
