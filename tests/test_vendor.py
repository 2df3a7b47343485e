"""The files we took from others are the ones VENDOR.json names, and every one of them is named there."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = json.loads((ROOT / "static/vendor/VENDOR.json").read_text())
FILES = {path: digest for entry in ENTRIES for path, digest in entry["files"].items()}


def test_each_file_is_the_one_that_was_pinned() -> None:
    assert {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in FILES} == FILES


def test_no_file_came_from_nowhere() -> None:
    there = [path for folder in ("static/vendor", "tests/vendor") for path in (ROOT / folder).iterdir()]
    found = {str(path.relative_to(ROOT)) for path in there if path.name != "VENDOR.json"}
    assert found | {"static/icons.svg"} == set(FILES)


def test_each_package_has_version_licence_and_its_text() -> None:
    for entry in ENTRIES:
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"]) and entry["licence"]
        assert any(path.endswith(".LICENSE") for path in entry["files"]), entry["name"]


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    symbols = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))
    named = {
        name
        for template in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r"""\bicon(?:\(|=)["']([a-z0-9-]+)["']""", template.read_text())
    }
    assert named - symbols == set()
