"""The benchmarks run from end to end: the history on tables of two thousand e-mails, which are made right; sending."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import figures, history, sending, served


def test_the_benchmark_of_the_history_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = SimpleNamespace(requests=1, only="", whole=False, inserts=True, django="/nowhere/python")
    history.run(folder / "bench", [1000], every)
    few = SimpleNamespace(requests=1, only="created", whole=True, inserts=False, django="")
    history.run(folder / "bench", [1000, 2000], few)
    said = capsys.readouterr().out
    for name in ("no filter", "subject rare number", "segment+status", "worst of 30", "page half-way down",
                 "whole requests: ms", "whole requests by the clock", "ix_email_newest",
                 "has no django-post_office"):  # fmt: skip
        assert name in said
    assert "0+0 st." not in said


def test_the_benchmark_of_the_dashboards_figures_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures.run(folder / "bench", [1000], 2)
    said = capsys.readouterr().out
    assert "counted 6" in said and "a thousand changes" in said and "segment, year" in said and "× the page" in said


def test_the_benchmark_of_served_pages_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served.run(folder / "bench", [1000], 1, 0.1)
    said = capsys.readouterr().out
    assert "bare page" in said and "en erreur" in said and "(1.00)" in said


def test_the_benchmark_of_sending_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = SimpleNamespace(rounds=1, emails=40, lines="2", history=0, only="bare", django="/nowhere/python")
    sending.run(folder / "sending", options)
    said = capsys.readouterr().out
    for name in ("10 KB, PIPELINING", "10 + 200 KB, no PIPELINING", "bare smtplib loop", "bare pipelining loop",
                 "Sillage, 2 lines", "Flask-Mail, mail.send"):  # fmt: skip
        assert name in said
