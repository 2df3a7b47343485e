"""The one style sheet: what it holds, how long browsers keep it, and that pages ask for it and little else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event

from blueprints.sheets import PARTS
from extensions import db
from tests.client import Browser
from tests.conftest import House
from tools import tabler

ROOT = Path(__file__).resolve().parent.parent


def address(client: Browser, page: str = "/sign-in") -> str:
    client.get(page)
    found = client.html.xpath("//link[@rel='stylesheet']/@href")
    return next(str(one) for one in found if one.startswith("/sheet.css"))


def test_a_page_asks_for_one_sheet_that_is_kept_for_good(client: Browser, cassiopee: House) -> None:
    where = address(client)
    answer = client.get(where)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.content_type == "text/css; charset=utf-8" and "Set-Cookie" not in answer.headers
    client.sign_in(cassiopee.staff)
    assert address(client, "/sessions") == where
    old = client.get(where.partition("?")[0] + "?v=0123456789")
    assert old.headers["Cache-Control"] == "no-cache" and old.data == answer.data


def test_every_part_is_in_it_in_order_and_names_what_is_there(client: Browser, cassiopee: House) -> None:
    text = client.get(address(client)).text
    signs = ("@layer tabler {", "--sidebar: 236px", ".skip-link {", ".btn {", ".grid-bar {", ".grid-box {")
    at = [text.index(sign) for sign in signs]
    assert at == sorted(at) and PARTS[:2] == ("tabler", "sillage")
    assert "@import" not in text and "/*" not in text and "../" not in text
    files = re.findall(r'url\("(/static/[^"]+)"\)', text)
    assert len(files) == 2 and all((ROOT / file.lstrip("/")).is_file() for file in files)


def test_files_that_say_their_version_are_kept_for_good_and_others_are_not(
    client: Browser, cassiopee: House
) -> None:
    client.get("/sign-in")
    ours = [str(href) for href in client.html.xpath("//link/@href | //script/@src") if "/static/" in href]
    assert ours
    for href in ours:
        with client.get(href) as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable", href
    with client.get("/static/css/todo.css") as plain:
        assert "immutable" not in plain.headers["Cache-Control"]


def test_files_hang_on_nobody(app: Flask, client: Browser, cassiopee: House) -> None:
    client.sign_in(cassiopee.staff).get("/sessions")
    files = [str(href) for href in client.html.xpath("//head/link/@href | //script/@src")]
    assert len(files) > 5
    asked: list[str] = []

    def noted(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", noted)
    for href in files:
        with client.get(href) as answer:
            assert "Cookie" not in answer.headers.get("Vary", "") and "Set-Cookie" not in answer.headers, href
    event.remove(db.engine, "before_cursor_execute", noted)
    assert asked == []


def test_what_stands_of_tabler_is_tablers() -> None:
    source = re.sub(r"/\*.*?\*/", "", tabler.SOURCE.read_text(), flags=re.S)
    selectors = {one for head, _ in tabler.blocks(source) if not head.startswith("@") for one in head.split(",")}
    ours = tabler.TARGET.read_text().partition("@layer tabler {")[2].rpartition("}")[0]
    kept = [head for head, _ in tabler.blocks(ours) if not head.startswith("@")]
    assert len(kept) > 100 and {one for head in kept for one in head.split(",")} <= selectors


def test_tabler_is_cut_by_classes_properties_and_animations() -> None:
    css = (
        ":root{--tblr-a:1px;--b:var(--tblr-a);--c:2px}.x,.y:not(.z){width:var(--b)}.z{color:red}"
        "@media print{.x{top:0}.z{top:1px}}@keyframes turn{to{top:0}}@keyframes stop{to{top:0}}"
        ".x.x:hover{animation:turn 1s}"
    )
    assert tabler.pruned(css, {"x", "y"}).splitlines() == [
        ":root{--tblr-a:1px;--b:var(--tblr-a);}", ".x,.y:not(.z){width:var(--b)}", "@media print{.x{top:0}}",
        "@keyframes turn{to{top:0}}", ".x.x:hover{animation:turn 1s}",
    ]  # fmt: skip
