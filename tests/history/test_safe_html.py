"""A stranger's HTML in its frame: what is left of it, and what is not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import lxml.html
import pytest

from history import safe_html

HOSTILE = [
    '<script>alert(1)</script><p onclick="alert(1)">Bonjour</p>',
    '<img src=x onerror="alert(1)"><a href="javascript:alert(1)">a</a>',
    '<style>@import "http://x.example/a.css"</style><div style="background:url(http://x.example/p)">d</div>',
    '<svg onload="alert(1)"><a xlink:href="javascript:alert(1)">s</a></svg><iframe src="http://x.example"></iframe>',
    '<form action="http://x.example"><input name=a></form><meta http-equiv=refresh content="0;url=http://x.example">',
    '<base href="http://x.example/"><link rel=stylesheet href="http://x.example/a.css"><object data="x"></object>',
]


def samples() -> list[str]:
    path = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "hostile" / "html.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line)["payload"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("payload", HOSTILE + samples()[:400])
def test_nothing_that_runs_or_fetches_is_left(app, payload):
    with app.test_request_context():
        document = str(safe_html.from_html(payload, "Titre").document)
    tree = lxml.html.fromstring(document)
    assert not tree.xpath("//script|//iframe|//object|//embed|//form|//link|//base|//meta[@http-equiv]|//svg")
    assert not [a for a in tree.xpath("//@*") if a.attrname.startswith("on")]
    for address in tree.xpath("//@href|//@src|//@background|//@srcset"):
        assert re.match(r"(https?:|mailto:|tel:|data:image/(png|jpeg|gif|webp);)", address), address
    assert not [a for a in tree.xpath("//@src|//@background|//@srcset") if a.startswith("http")]
    assert not [s for s in tree.xpath("//*/@style") if re.search(r"url|@import|expression", s, re.IGNORECASE)]


def test_the_letters_title_is_no_text(app):
    with app.test_request_context():
        letter = "<html><head><title>Caché</title></head><body><p>Vu</p></body></html>"
        document = str(safe_html.from_html(letter).document)
    assert "Caché" not in document and "Vu" in document
