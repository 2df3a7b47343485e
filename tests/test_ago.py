"""How long ago: the words, on both sides of midnight and of a change of the hour, and where they may not stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, g
from hypothesis import given
from hypothesis import strategies as st

import i18n
from blueprints.keeping import environment_of
from tests.wording import words_alone

NOON = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)  # 12:00 in Paris


@pytest.fixture(scope="module")
def words() -> Iterator[Flask]:
    yield from words_alone()


def _said(app: Flask, moment: datetime, now: datetime, language: str = "fr", zone: str = "Europe/Paris") -> str:
    with app.app_context():
        g.language, g.zone = language, zone
        return i18n.ago(moment, now)


@pytest.mark.parametrize(
    ("later", "french", "english"),
    [
        (timedelta(0), "à l’instant", "just now"),
        (timedelta(seconds=59), "à l’instant", "just now"),
        (timedelta(seconds=-29), "à l’instant", "just now"),  # two clocks that do not quite agree
        (timedelta(seconds=60), "il y a 1 min", "1 min ago"),
        (timedelta(seconds=-30), "dans 1 min", "in 1 min"),
        (timedelta(minutes=3, seconds=59), "il y a 3 min", "3 min ago"),
        (timedelta(minutes=-3, seconds=-1), "dans 4 min", "in 4 min"),
        (timedelta(minutes=59, seconds=59), "il y a 59 min", "59 min ago"),
        (timedelta(minutes=-59, seconds=-1), "dans 1 h", "in 1 h"),
        (timedelta(hours=1, minutes=29), "il y a 1 h", "1 h ago"),
        (timedelta(hours=-1, minutes=-50), "dans 2 h", "in 2 h"),
        (timedelta(hours=7), "aujourd’hui à 05:00", "today at 05:00"),
        (timedelta(hours=-8), "aujourd’hui à 20:00", "today at 20:00"),
        (timedelta(hours=13), "hier à 23:00", "yesterday at 23:00"),
        (timedelta(hours=-13), "demain à 01:00", "tomorrow at 01:00"),
        (timedelta(hours=37), "il y a 2 jours", "2 days ago"),
        (timedelta(days=-30), "dans 30 jours", "in 30 days"),
        (timedelta(days=31), "le 22/10/2026", "on 22/10/2026"),  # the hour was put back meanwhile
        (timedelta(days=-400), "le 27/12/2027", "on 27/12/2027"),
    ],
)
def test_how_far_a_moment_is(words: Flask, later: timedelta, french: str, english: str) -> None:
    assert (_said(words, NOON - later, NOON), _said(words, NOON - later, NOON, "en")) == (french, english)


@pytest.mark.parametrize(
    ("zone", "moment", "now", "said"),
    [
        # In Paris 02:30 came twice on 25 October 2026, and never on 29 March.
        ("Europe/Paris", "2026-10-25T00:30", "2026-10-25T01:30", "il y a 1 h"),
        ("Europe/Paris", "2026-10-24T22:30", "2026-10-25T22:30", "aujourd’hui à 00:30"),  # 24 hours, one day
        ("Europe/Paris", "2026-10-24T21:30", "2026-10-25T22:30", "hier à 23:30"),  # 25 hours
        ("Europe/Paris", "2026-03-29T21:30", "2026-03-28T23:30", "aujourd’hui à 23:30"),  # a day of 23
        ("Europe/Paris", "2026-03-29T22:00", "2026-03-28T23:00", "demain à 00:00"),
        ("Pacific/Auckland", "2026-11-22T10:30", "2026-11-22T12:00", "hier à 23:30"),  # there the day ends at 11:00 UTC
        ("America/Martinique", "2026-11-22T03:30", "2026-11-22T05:00", "hier à 23:30"),
        ("Asia/Kolkata", "2026-11-22T10:30", "2026-11-22T12:00", "il y a 2 h"),
    ],
)
def test_days_are_those_of_the_zone(words: Flask, zone: str, moment: str, now: str, said: str) -> None:
    then, at = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (moment, now))
    assert _said(words, then, at, zone=zone) == said


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    apart=st.integers(-40 * 86400, 40 * 86400),
    zone=st.sampled_from(["Europe/Paris", "Pacific/Auckland", "America/St_Johns", "UTC"]),
)
def test_what_is_said_is_true(words: Flask, now: datetime, apart: int, zone: str) -> None:
    """Whatever the moment and the zone: past is past, days are days of the calendar there, numbers are never 0."""
    now = now.replace(tzinfo=UTC, microsecond=0)
    moment = now - timedelta(seconds=apart)
    there = ZoneInfo(zone)
    days = (now.astimezone(there).date() - moment.astimezone(there).date()).days
    said = _said(words, moment, now, zone=zone)
    number = int((re.search(r"\d+", said) or ["0"])[0])
    if said.startswith(("il y a", "hier")):
        assert apart > 0
    if said.startswith(("dans", "demain")):
        assert apart < 0
    if said.startswith(("hier", "demain", "aujourd")):
        assert days == {"h": 1, "d": -1, "a": 0}[said[0]]
        assert said.endswith(f"{moment.astimezone(there):%H:%M}")
    elif said.endswith("jours"):
        assert number == abs(days) >= 2
    elif said.endswith("min"):
        assert 0 < number < 60 and abs(abs(apart) - 60 * number) < 60
    elif said.endswith(" h"):
        assert 0 < number <= 6 and abs(abs(apart) - 3600 * number) <= 1800
    elif said.startswith("le "):
        assert abs(days) > 30
    else:
        assert -30 < apart < 60


def test_the_exact_date_stays_within_reach(words: Flask) -> None:
    """The machine's date and the full one in the title are those of |datetime; nothing, where there is no date."""
    with words.app_context():
        g.language = "fr"
        template = words.jinja_env.from_string("{{ moment|ago }}")
        shown, exact = template.render(moment=NOON), i18n.datetime_filter(NOON)
        assert re.sub(r">.*<", "><", shown).replace(" data-ago", "") == re.sub(r">.*<", "><", str(exact))
        assert " data-ago>" in shown and template.render(moment=None) == ""


def test_nothing_that_is_kept_tells_an_age(words: Flask) -> None:
    """A piece rendered once and shown for days would go on saying "just now"."""
    with words.app_context():
        shown = words.jinja_env.from_string("{{ moment|ago }}")
        assert "data-ago" in shown.render(moment=NOON)
    with pytest.raises(TypeError, match="how long ago"):
        environment_of(words).from_string("{{ moment|ago }}").render(moment=NOON)
