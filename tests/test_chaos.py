"""The small chaos run of every CI: 50 e-mails, 10 kills."""

from __future__ import annotations

from tests.chaos import trial


def test_fifty_emails_survive_ten_kills(app, cassiopee):
    verdict = trial(app, cassiopee, emails=50, kills=10, limit=120)
    assert verdict.kills == 10
    assert verdict.ok, verdict
