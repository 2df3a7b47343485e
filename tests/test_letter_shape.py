"""What is known of a letter before its frame loads: how tall it stands, and whether it wants others' pictures."""

from __future__ import annotations

import pytest

from blueprints import letter_shape
from blueprints.letter_shape import Shape
from extensions import settings


@pytest.mark.parametrize(
    ("html", "text", "shape"),
    [
        ("", "Bonjour Léa,\n\nÀ lundi.\n", Shape(1)),
        ("<p>Bonjour</p>", "Bonjour\n\n\n\n\n\n\n\n\n\n", Shape(1)),  # blank lines at the end are none
        ("", "mot " * 200, Shape(2)),
        ("", "\n".join(["ligne"] * 30), Shape(5)),
        ("", "", Shape(1)),
        ("<p>un</p><p>deux</p><p>trois</p>" * 3, "", Shape(2)),
        ("<style>p{color:red}</style><script>x</script>", "", Shape(1)),
        ("<table><tr><td>un</td></tr></table>", "un", Shape(2)),  # within the organisation's look
        ('<img src="data:image/png;base64,AA"><img src="cid:b">', "un", Shape(2)),
        ("x" * 300_000, "", Shape(5)),
    ],
)
def test_a_letter_stands_as_tall_as_its_words(app, html, text, shape):
    with app.test_request_context():
        assert letter_shape.of(html, text) == shape


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
        assert 1 <= letter_shape.of(hostile, "").step <= 5
