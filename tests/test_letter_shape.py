"""What is known of a letter before its frame loads: how tall it stands, and whether it wants others' pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from blueprints import letter_shape
from blueprints.letter_shape import Shape
from extensions import settings

LOOK = "<table><tr><td>{}</td></tr></table>"  # as the organisation's look frames it


@pytest.mark.parametrize(
    ("html", "text", "shape"),
    [
        ("", "Bonjour Léa,\n\nÀ lundi.\n", Shape(1, 1)),
        ("", "\n\nBonjour\n\n\n\n\n\n\n\n\n\n", Shape(1, 1)),  # blank lines at the ends are none
        ("", "mot " * 200, Shape(6, 11)),  # a phone breaks more lines
        ("", "\n".join(["ligne"] * 60), Shape(20, 20)),
        ("", "", Shape(1, 1)),
        ("<p>un</p><p>deux</p><p>trois</p>", "", Shape(2, 2)),
        ("<p>un</p>\n\n<p>deux</p>\n<p>trois\nquatre</p>", "", Shape(2, 2)),  # lines of the source are none
        ("<p>un</p><p>deux</p><p>trois</p>" * 3, "", Shape(9, 9)),
        ("<p>" + "mot " * 100 + "</p>", "un", Shape(3, 5)),  # what is shown counts, not what it says as text
        ("<style>p{color:red}</style><script>x</script>", "", Shape(1, 1)),
        (LOOK.format("<p>un</p>"), "un", Shape(4, 4)),
        (LOOK.format('<p>un</p><a style="display: inline-block">oui</a>'), "", Shape(7, 7)),
        ('<p>un</p><img src="data:image/png;base64,AA"><img height="200" src="cid:b">', "", Shape(8, 8)),
        ('<p>un</p><img height="200" src="https://elsewhere.example/a.png">', "", Shape(1, 1, True)),  # takes no room
        ("x" * 300_000, "", Shape(20, 20)),
    ],
)
def test_a_letter_stands_as_tall_as_its_words(app, html, text, shape):
    with app.test_request_context():
        assert letter_shape.of(html, text) == shape


def test_every_step_has_its_height(app):
    sheet = (Path(app.root_path) / "static/css/grid.css").read_text()
    for step in range(1, letter_shape.STEPS + 1):
        assert f".tall-{step} {{ --tall: {step}; }}" in sheet and f".slim-{step} {{ --slim: {step}; }}" in sheet


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ('<img src="https://elsewhere.example/a.png">', True),
        ("<IMG alt='' SRC='//elsewhere.example/a.png'>", True),
        ('<img width="1"\nsrc = http://elsewhere.example/a.png>', True),
        ('<img src="cid:logo">', False),
        ('<img src="data:image/png;base64,AAAA">', False),
        ('<a href="https://elsewhere.example">là</a>', False),
        ('<img data-src="https://elsewhere.example/a.png">', False),
        ("", False),
    ],
)
def test_it_is_known_whether_pictures_lie_elsewhere(app, source, remote):
    with app.test_request_context():
        assert letter_shape.of(f"<p>Bonjour</p>{source}", "Bonjour").remote is remote


def test_our_own_open_pixel_is_no_picture_of_others(app):
    with app.test_request_context():
        assert letter_shape.of(f'<img src="{settings().base_url}/t/o/x.gif">', "").remote is False


@pytest.mark.parametrize("hostile", ["<img " * 40_000, "<img src=//" * 18_000, "<" * 190_000, "<br" * 60_000])
def test_a_hostile_body_has_a_shape_like_any(app, hostile):
    with app.test_request_context():
        found = letter_shape.of(hostile, "")
        assert 1 <= found.wide <= found.slim <= letter_shape.STEPS
