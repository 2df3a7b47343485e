"""The benchmark of the history runs from end to end on tables of two thousand e-mails, which are made right."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import history


def test_the_benchmark_of_the_history_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = SimpleNamespace(requests=1, only="", inserts=True, django="/nowhere/python")
    history.run(folder / "bench", [1000, 2000], options)
    said = capsys.readouterr().out
    for name in ("no filter", "subject rare number", "segment+status", "worst of 30", "page half-way down",
                 "whole requests", "ix_email_newest", "has no django-post_office"):  # fmt: skip
        assert name in said
    assert "0+0 st." not in said
