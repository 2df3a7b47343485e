"""Remote pictures of an e-mail: none until a person presses, then through us, from public addresses alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

import mail
from extensions import db
from history import safe_html
from mail.compose import Draft
from tests.client import Browser
from tests.conftest import House
from tests.history.making import make_email
from tests.webhooks.receiver import Receiver
from webhooks import pictures


def png(width: int = 3, height: int = 2, more: int = 0) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(min(width, 9))) * min(height, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"") + bytes(more)


@pytest.fixture
def elsewhere(loopback: Flask) -> Iterator[Receiver]:
    """A server of a stranger's pictures, on this machine."""
    files = {"a.png": png(), "b.png": png(9, 9), "huge.png": png(40_000, 40_000),
             "heavy.png": png(more=pictures.MOST_EACH), "page.png": b"<html><script>alert(1)</script>",
             "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
             "paper.png": b"%PDF-1.7 no picture"}  # fmt: skip
    with Receiver(files=files) as server:
        yield server


def test_only_pictures_that_a_browser_can_draw_are_had(elsewhere: Receiver) -> None:
    urls = [elsewhere.url(name) for name in elsewhere.files]
    assert set(pictures.fetched(urls)) == {elsewhere.url("a.png"), elsewhere.url("b.png")}
    for one in elsewhere.received:
        assert set(one.headers) == {"host", "accept-encoding", "connection", "user-agent", "accept"}


def test_no_redirect_no_error_no_waiting(elsewhere: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SECONDS", 1.0)
    assert pictures.fetched(elsewhere.url(one) for one in ("redirect", "500", "garbage", "close", "hang", "drip")) == {}
    assert len(elsewhere.received) == 6


def test_nothing_inside_a_network_is_asked(app: Flask) -> None:
    with Receiver(files={"a.png": png()}) as server:
        urls = [server.url("a.png"), server.url("a.png", "localhost"), f"https://127.0.0.1:{server.port}/a.png",
                f"https://[::ffff:127.0.0.1]:{server.port}/a.png", f"https://2130706433:{server.port}/a.png",
                "https://169.254.169.254/latest/a.png", "https://10.0.0.1/a.png", "file:///etc/passwd", "//x/a.png",
                "https://user@example.org/a.png", "http://example.org/a.png",
                "https://example.org:8443/a.png"]  # fmt: skip
        assert pictures.fetched(urls) == {} and server.connections == 0


def test_our_own_open_pixel_is_never_asked(loopback: Flask, elsewhere: Receiver) -> None:
    before = loopback.extensions["sillage"]
    loopback.extensions["sillage"] = replace(before, base_url=f"http://127.0.0.1:{elsewhere.port}")
    assert pictures.fetched([elsewhere.url("a.png")]) == {} and elsewhere.connections == 0


@pytest.mark.parametrize(
    "host", ["sillage.example", "SILLAGE.example.", "ｓillage.example", "sillage。example", "sill\u00adage.example"]
)
def test_our_own_pixel_is_known_in_every_spelling(app: Flask, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = replace(app.extensions["sillage"], base_url="https://sillage.example")
    monkeypatch.setitem(app.extensions, "sillage", here)
    assert pictures.ours(f"https://{host}/t/o/token.gif")
    assert not pictures.ours(f"https://elsewhere.{host}/t/o/token.gif")


def test_there_are_bounds(elsewhere: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST", 3)
    monkeypatch.setattr(pictures, "MOST_IN_ALL", 2 * len(png()))
    urls = [f"{elsewhere.url('a.png')}?{n}" for n in range(9)]
    assert list(pictures.fetched(urls)) == urls[:2] and len(elsewhere.received) == 3


def test_a_person_presses_and_sees_them_this_once(
    client: Browser, cassiopee: House, boreale: House, elsewhere: Receiver
) -> None:
    pixel = "http://localhost/t/o/abc.gif"  # where the house is in tests: its own pixel counts as no picture
    urls = (elsewhere.url("a.png"), elsewhere.url("drawing.svg"), pixel)
    html = "<p>Bonjour</p>" + "".join(f'<img src="{url}">' for url in urls)
    email = make_email(cassiopee, html=html)
    client.sign_in(cassiopee.staff)
    here = f"/emails/{email.public_id}"
    assert f'action="{here}/images"' in client.get(here).get_data(as_text=True)
    assert "data:image" not in client.get(f"{here}/body").get_data(as_text=True) and not elsewhere.received
    client.get(f"{here}/images", status=405)
    client.post(f"{here}/images", csrf=False, status=403)
    assert not elsewhere.received
    shown = client.post(f"{here}/images", status=200)
    said = shown.get_data(as_text=True)
    assert (
        "&lt;body" not in said
        and said.count("data:image/png;base64,") == 1
        and "1 image distante" in said
        and elsewhere.url("a") not in said
    )
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'; img-src data:" in policy and policy.endswith("sandbox")
    assert "no-store" in shown.headers["Cache-Control"]
    assert "data:image" not in client.get(f"{here}/body").get_data(as_text=True)
    client.sign_in(boreale.admin)
    client.post(f"{here}/images", status=404)
    assert len(elsewhere.received) == 2


def test_a_letter_without_any_says_so(client: Browser, cassiopee: House) -> None:
    email = make_email(cassiopee)
    client.sign_in(cassiopee.staff)
    said = client.post(f"/emails/{email.public_id}/images", status=200).get_data(as_text=True)
    assert "aucune image distante" in said and "Bonjour" in said
    draft = Draft("a@example.org", "A", None, None, "free", "S", "", "Le texte seul\n")
    house = {"organisation": cassiopee.organisation, "sender": cassiopee.sender}
    (plain,) = mail.post([draft], **house, by=None, request_key="k")
    db.session.commit()
    said = client.post(f"/emails/{plain.public_id}/images", status=200).get_data(as_text=True)
    assert "aucune image distante" in said and "Le texte seul" in said


def test_what_is_shown_is_the_picture_and_never_its_address() -> None:
    html = '<img src="https://a.example/x.png"><img src="https://b.example/y.png">'
    left: list[str] = []
    safe = safe_html.from_html(html, remote={"https://a.example/x.png": "data:image/png;base64,AA=="}, found=left)
    assert left == ["https://b.example/y.png"] and safe.blocked_images == 1
    assert "example" not in safe.document and "data:image/png;base64,AA==" in safe.document
