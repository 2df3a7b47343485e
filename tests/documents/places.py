"""The same store in both places: a folder, and a bucket of a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.s3_server import S3Server


@contextmanager
def configured(app: Flask, **values: Any) -> Iterator[None]:
    """The app with other settings."""
    kept = app.extensions["sillage"]
    app.extensions["sillage"] = replace(kept, **values)
    try:
        yield
    finally:
        app.extensions["sillage"] = kept


@contextmanager
def place(app: Flask, kind: str, folder: Path) -> Iterator[S3Server | None]:
    """The app's blobs in `folder`, or ("s3") in an empty bucket, whose server is given."""
    if kind == "folder":
        with configured(app, blobs=folder):
            yield None
        return
    with S3Server() as server, configured(app, **server.settings()):
        yield server


BOTH = pytest.mark.parametrize("kind", ["folder", "s3"])
