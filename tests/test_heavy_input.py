"""X14: no reader of what strangers type or send takes more than two seconds of the processor for a megabyte, whatever
it holds; X4: no address of the samples leads inside a network."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from ipaddress import ip_address
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from blueprints.own_origin import own_path
from documents.html_limits import too_heavy
from errors import UserMistake
from history import safe_html, search
from history.filters import HistoryFilter
from mail import links, look, mime, quarantine_entries, spf
from mail.network import is_public
from mail.reasons import classify_reply
from mail.words_of_html import words_of
from people import csv_text
from people.contacts import read_tags
from tests.conftest import House
from tests.program import Program
from tests.test_auth import SAMPLES
from webhooks import addresses

MEGABYTE = 1_000_000
# Each is repeated until it fills a megabyte.
UNITS = (
    "a", " ", "\n", "\t", '"', "'", "<", "<a ", "&", "&#", "(", ":", "a:", "-", "@", "a@", "a.", "a,b;", "http://",
    '<a href="http://x/">', "<b>", "</", "<!--", "]]>", "=?utf-8?q?", "=\n", "=3D", "%", "\\", "é", "\u202e", "\x00",
    "1", "1.", "2026-", "v=spf1 include:a ", "<div>", " \n", ";", "{{", 'to:"', "objet:a ", "\u0301", "<style>",
    '<svg><style><a title="</style>', "<table><td>", "<p ", "<font color=x>", "a;b\n", '"a"";', "/..", "%2f",
)  # fmt: skip
READERS: dict[str, Callable[[str], Any]] = {
    "search box": lambda text: search.read(text, date(2026, 11, 22)),
    "filters": lambda text: HistoryFilter.from_query(MultiDict(
        [(name, text) for name in ("subject", "recipient", "status", "type", "from", "number", "domain", "cursor")]
    )),
    "HTML shown": safe_html.from_html,
    "HTML in words": words_of,
    "text shown": safe_html.from_text,
    "links rewritten": lambda text: links.rewritten(text, 1),
    "links unwrapped": links.unwrapped,
    "quoted-printable": mime.quoted_printable,
    "from quoted-printable": lambda text: mime.from_quoted_printable(text.encode()),
    "pixel": lambda text: mime.with_pixel(text, "https://sillage.example/p.gif"),
    "sender policy": spf.parse,
    "logo": lambda text: look.measured(b"<svg " + text.encode()),
    "address in quarantine": quarantine_entries.canonical,
    "address on the wire": mime.wire_address,
    "webhook's address": lambda text: addresses.read("https://" + text),
    "SMTP reply": lambda text: classify_reply(550, None, text, "report"),
    "import": csv_text.read,
    "import with its headers": lambda text: csv_text.read("prénom;nom;e-mail\n" + text),
    "tags": read_tags,
    "way back": lambda text: own_path(text, "/"),
}  # fmt: skip


@pytest.fixture
def request_context(app: Flask) -> Iterator[None]:
    with app.test_request_context("/sign-in"):
        yield


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_of_anything_is_read_or_refused_in_two_seconds(reader: str, request_context: None) -> None:
    for unit in UNITS:
        text = (unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]
        began = time.process_time()
        with contextlib.suppress(UserMistake, ValueError, csv_text.Unreadable):
            READERS[reader](text)
        assert time.process_time() - began < 2, f"{reader}: {unit!r}"


def test_elements_too_deep_are_told_from_a_long_letter() -> None:
    letter = "<table><tr><td><p>Bonjour<br><b>Léa</b><ul><li>un<li>deux</ul></table>" * 20_000
    assert not too_heavy(letter)
    assert not too_heavy("<div>" * 900 + "</div>" * 900)
    for bomb in ("<div>" * 1001, "<div></b>" * 1001, "<div><table></div>" * 1001, "<DIV\n>" * 1001, "<x-y>" * 1001):
        assert too_heavy(bomb), bomb[:20]
    shown = safe_html.from_html("<div>" * 1001 + "<script>alert(1)</script>").document
    assert "&lt;div&gt;" in shown and "<script" not in shown


def test_a_program_is_told_that_its_html_is_too_heavy(app: Flask, cassiopee: House) -> None:
    program = Program(app, cassiopee.admin)
    asked = {"recipients": [{"email": "lea@client.example"}], "subject": "Bonjour", "html": "<div>" * 300_000}
    told = program.post("/emails", asked, status=422)
    assert told["errors"][0]["pointer"] == "#/html"


def test_no_address_of_the_samples_leads_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    file = SAMPLES / "hostile" / "ssrf.jsonl"
    if not file.exists():
        pytest.skip(f"{file} is not here (SILLAGE_SAMPLES)")
    # every name of theirs leads inside
    monkeypatch.setattr(addresses.network, "look_up", lambda host, port, seconds: [ip_address("10.0.0.1")])
    payloads = [json.loads(line)["payload"] for line in file.read_text().splitlines()]
    assert len(payloads) > 50
    for payload in payloads:
        for typed in (payload, re.sub(r"^\w+://", "https://", payload), f"https://{payload}"):
            try:
                target = addresses.read(typed)
            except UserMistake:
                continue
            try:
                reached = addresses.resolve(target, False, 1)
            except addresses.Refused:
                continue
            assert str(reached[0]) == target.host and is_public(reached[0])
