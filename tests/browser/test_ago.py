"""An open page goes on telling the time as the server would, in any zone; by a clock that is wrong it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, g

import i18n
from config import Config
from tests.browser.conftest import Visit

SHOW = """times => document.querySelector("main").innerHTML = times.join(" ")"""
TOLD = """() => [...document.querySelectorAll("main time")].map(time => time.textContent)"""
LOOK = """() => document.dispatchEvent(new Event("visibilitychange"))"""  # as when one comes back to the page
APART = [0, 20, 61, 179, 3599, 3600, 5399, 5400, 6 * 3600 - 1, 6 * 3600, 12 * 3600, 86400, 129600, 864000, 2592000, 5e6]


@pytest.mark.parametrize(
    ("language", "zone", "now"),
    [
        ("fr", "Europe/Paris", datetime(2026, 10, 25, 9, 15, tzinfo=UTC)),  # the hour was put back that night
        ("en", "Pacific/Auckland", datetime(2026, 9, 26, 20, 40, tzinfo=UTC)),  # and there forward
    ],
)
def test_script_and_server_say_the_same(visit: Callable[..., Visit], language: str, zone: str, now: datetime) -> None:
    words = Flask("ago")
    words.extensions["sillage"] = Config(env="test")
    i18n.setup(words)
    moments = [now + timedelta(seconds=sign * apart) for apart in APART for sign in (-1, 1)]
    with words.app_context():
        g.language, g.zone = language, zone
        expected = [i18n.ago(moment, now) for moment in moments]
        times = [str(i18n.ago_filter(moment)) for moment in moments]
    one = visit("staff", language=language)
    one.page.clock.set_fixed_time(now)
    one.goto("/account")
    one.page.evaluate(SHOW, times)
    one.page.evaluate(LOOK)
    assert one.page.evaluate(TOLD) == expected


def test_an_open_page_grows_old_unless_the_clock_is_wrong(visit: Callable[..., Visit]) -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    one, wrong = visit("admin"), visit("admin")
    wrong.page.clock.set_fixed_time(later)
    for each in (one, wrong):
        each.goto("/settings/users")
    one.page.clock.set_fixed_time(later)
    newest = "time[data-ago]:text-matches('instant|min')"
    assert wrong.page.locator(newest).count(), "somebody was just here"
    before = wrong.page.evaluate(TOLD)
    for each in (one, wrong):
        each.page.evaluate(LOOK)
    assert "il y a 3 jours" in one.page.evaluate(TOLD)
    assert wrong.page.evaluate(TOLD) == before
