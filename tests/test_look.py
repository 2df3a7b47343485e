"""What can be held of the look without a browser: contrast of the tokens, strict templates, icons that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSS = (ROOT / "static/css/sillage.css").read_text()
TOKENS = dict(re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", CSS))
# Pages served as they are to a frame of their own, with a policy of their own.
FOREIGN = {"gallery/letter.html"}
TEMPLATES = [
    path
    for path in (ROOT / "templates").rglob("*.html")
    if str(path.relative_to(ROOT / "templates")) not in FOREIGN and "letters" not in path.parts
]

TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in ("bg", "surface", "sunken", "raised")),
    *((f"{tone}-fg", f"{tone}-bg") for tone in
      ("neutral", "info", "success", "opened", "warning", "refused", "danger")),
    *(("ink", f"{tone}-bg") for tone in ("neutral", "info", "success", "opened", "warning", "refused", "danger")),
    *((ink, ground) for ink in ("ink", "ink-2") for ground in ("hover", "selected", "accent-wash", "neutral-bg")),
]  # fmt: skip
LINES = [(line, ground) for line in ("control-line", "focus") for ground in ("bg", "surface", "sunken", "raised")]


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _pair(name: str, theme: int) -> str:
    return TOKENS[name].split(", ")[theme]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_lines_are_seen_in_both_themes(theme: int) -> None:
    wanted = [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in LINES]
    low = {
        (front, back): round(_contrast(_pair(front, theme), _pair(back, theme)), 2)
        for front, back, least in wanted
        if _contrast(_pair(front, theme), _pair(back, theme)) < least
    }
    white = {
        fill: round(_contrast("#ffffff", _pair(fill, theme)), 2)
        for fill in ("accent-fill", "accent-fill-hover", "danger-fill")
        if _contrast("#ffffff", _pair(fill, theme)) < 4.5
    }
    assert (low, white) == ({}, {})


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_asks_nothing_the_policy_refuses(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"<[a-z][^>]*\s(?:style|on[a-z]+|hx-on[:a-z-]*)=[\"'](?!\{\{)", text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>|<style|javascript:|hx-vals=[\"']js:", text) == []
    assert re.findall(r"(?:src|href)=[\"']https?://", text) == []


def test_every_icon_of_the_vocabulary_is_in_the_sprite() -> None:
    symbols = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))
    from models import words

    named = {
        member.icon
        for kind in vars(words).values()
        if isinstance(kind, type) and issubclass(kind, words.Word)
        for member in kind
        if hasattr(member, "icon")
    }
    assert named - symbols == set()
