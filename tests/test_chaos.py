"""The small chaos run of every CI: 200 e-mails, 20 kills, a lease of 3 s; one line a worker, then two."""

from __future__ import annotations

import pytest

from tests.chaos import trial


@pytest.mark.parametrize(("emails", "kills", "lines"), [(200, 20, 1), (60, 6, 2)])
def test_d1_to_d4_two_hundred_emails_survive_twenty_kills(app, cassiopee, nursery, emails, kills, lines):
    verdict = trial(app, cassiopee, nursery, emails, kills, lines=lines, limit=240)
    assert verdict.kills == kills
    assert verdict.ok, verdict
