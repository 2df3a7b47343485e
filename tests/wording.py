"""An app with words and nothing else: no database, no pages."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

import i18n
from config import Config


def words_alone() -> Iterator[Flask]:
    """Within its context; g.language and g.zone say whose page it is."""
    app = Flask("words")
    app.extensions["sillage"] = Config(env="test")
    i18n.setup(app)
    with app.app_context():
        yield app
