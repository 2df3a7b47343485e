"""The algebra of a filter: query string ⇄ value, canonical, and deaf to nonsense."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history import HistoryFilter
from history.periods import DateField, Days, Period, days, midnight
from models.words import Status

KEYS = ["status", "recipient", "subject", "type", "date_field", "period", "from", "to", "attachment", "session",
        "contact", "learners", "segment", "sender", "by", "reason", "operator", "resent", "treated", "queue", "number",
        "event", "sort", "cursor", "limit", "unknown"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from([
        "error", "waiting", "sent_all", "failed", "sent", "requested", "convocation", "free", "invoice.paid", "updated",
        "sent", "month", "custom", "rolling_30", "2026-11-22", "22/11/2026", "2026-02-30", "0001-01-01", "9999-12-31",
        "yes", "no", "retry", "later", "G-abc", "user_unknown", "mailbox_full", "@Élan.example", "Orange.FR",
        "S-2041", "C-12", "E-12ab", "E-zz,E-12ab,,x", "date", "-date", "25", "200", "0", "-1", "999999", "٣", "",
    ]),
    st.text(max_size=30),
)  # fmt: skip
QUERIES = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=12)


@given(QUERIES)
def test_a_filter_comes_back_from_its_own_query(pairs: list[tuple[str, str]]) -> None:
    once = HistoryFilter.from_query(pairs)
    assert HistoryFilter.from_query(once.to_query()) == once
    assert HistoryFilter.from_query(once.to_query()).to_query() == once.to_query()


@given(QUERIES)
def test_its_address_says_the_same(pairs: list[tuple[str, str]]) -> None:
    once = HistoryFilter.from_query(pairs)
    address = once.address("/emails")
    assert HistoryFilter.from_query(parse_qsl(urlsplit(address).query)) == once
    assert all(value for _key, value in once.to_query())


@given(QUERIES)
def test_every_chip_removed_leaves_nothing(pairs: list[tuple[str, str]]) -> None:
    left = HistoryFilter.from_query(pairs)
    for field in ("period", "session", "contact", "learners", "recipient", "subject", "attachment", "segment",
                  "sender", "by", "operator", "resent", "treated", "queue", "number"):  # fmt: skip
        left = left.without(field)
    for field in ("type", "status", "reason"):
        for value in getattr(left, field):
            left = left.without(field, value)
    assert not left.narrowed
    assert not left.cursor


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("status=&recipient=&type=&limit=50&sort=-date&date_field=created", ""),
        ("status=failed&status=error", "status=error"),
        ("status=sent&status=failed&status=sent", "status=sent&status=failed"),
        ("status=nonsense&status=opened", "status=opened"),
        ("recipient=++petit++marie+", "recipient=petit+marie"),
        ("recipient=---", ""),
        ("recipient=a%00b", "recipient=a+b"),
        ("type=b&type=a&type=a&type=%3Cx%3E", "type=a&type=b"),
        ("from=2026-11-22&to=2026-11-01", "period=custom&from=2026-11-01&to=2026-11-22"),
        ("from=22/11/2026", "period=custom&from=2026-11-22"),
        ("period=month&from=2026-11-22", "period=month"),
        ("period=custom", ""),
        ("period=decade", ""),
        ("date_field=sent&period=day", "date_field=sent&period=day"),
        ("attachment=maybe", ""),
        ("limit=7", "limit=7"),
        ("limit=0", ""),
        ("limit=100000", "limit=200"),
        ("limit=" + "9" * 5000, ""),
        ("sort=subject", ""),
        ("unknown=1&sort=date", "sort=date"),
        ("learners=yes", "learners=yes"),
        ("segment=G-vip", "segment=G-vip"),
        ("segment=vip", ""),
        ("sender=Formation@Cassiopee.example", "sender=formation%40cassiopee.example"),
        ("by=STAFF@x.example", "by=staff%40x.example"),
        ("reason=user_unknown&reason=blocked&reason=zzz", "reason=user_unknown&reason=blocked"),
        ("operator=+Marie@Orange.FR.", "operator=orange.fr"),
        ("operator=Élan.example", "operator=xn--lan-9la.example"),
        ("operator=a..b", ""),
        ("resent=yes&treated=no", "resent=yes&treated=no"),
        ("resent=1&treated=maybe", ""),
        ("queue=retry&status=requested", "status=requested&queue=retry"),
        ("queue=uncertain", ""),
        ("number=E-b,E-a&number=E-b&number=x,E-%00", "number=E-a%2CE-b"),
        ("number=" + ",".join(f"E-{n:03}" for n in range(300)),
         "number=" + "%2C".join(f"E-{n:03}" for n in range(200))),
        ("event=card.expired&type=invoice&event=", "type=card.expired&type=invoice"),
    ],
)
def test_canonical(query: str, canonical: str) -> None:
    found = HistoryFilter.from_query(parse_qsl(query, keep_blank_values=True))
    assert found.address("") == (f"?{canonical}" if canonical else "")


def test_a_change_goes_back_to_the_first_page() -> None:
    there = HistoryFilter.from_query([("cursor", "abc"), ("status", "error")])
    assert there.with_(recipient="petit").cursor == ""
    assert there.without("status", "error").cursor == ""
    assert there.with_(cursor="def").cursor == "def"


def test_groups_open_into_statuses() -> None:
    found = HistoryFilter.from_query([("status", "waiting"), ("status", "opened")])
    assert found.statuses == (Status.REQUESTED, Status.UNCERTAIN, Status.OPENED)
    whole = HistoryFilter.from_query([("status", code) for code in ("waiting", "sent_all", "error")])
    assert whole.statuses == ()


@pytest.mark.parametrize(
    ("period", "now", "first", "last"),
    [
        (Period.DAY, datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 11, 22), date(2026, 11, 22)),
        # 23:30 in UTC is already the next day in Paris
        (Period.DAY, datetime(2026, 11, 22, 23, 30, tzinfo=UTC), date(2026, 11, 23), date(2026, 11, 23)),
        (Period.WEEK, datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 11, 16), date(2026, 11, 22)),
        (Period.WEEK, datetime(2026, 11, 22, 23, 30, tzinfo=UTC), date(2026, 11, 23), date(2026, 11, 29)),
        (Period.MONTH, datetime(2024, 2, 10, 9, tzinfo=UTC), date(2024, 2, 1), date(2024, 2, 29)),
        (Period.ROLLING_MONTH, datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 10, 22), date(2026, 11, 22)),
        (Period.ROLLING_MONTH, datetime(2026, 3, 31, 9, tzinfo=UTC), date(2026, 2, 28), date(2026, 3, 31)),
        (Period.ROLLING_MONTH, datetime(2026, 1, 5, 9, tzinfo=UTC), date(2025, 12, 5), date(2026, 1, 5)),
        (Period.ROLLING_30, datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 10, 24), date(2026, 11, 22)),
        (Period.YEAR, datetime(2026, 11, 22, 9, tzinfo=UTC), date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_periods(period: Period, now: datetime, first: date, last: date) -> None:
    assert days(period, now, "Europe/Paris") == Days(first, last)


def test_days_are_whole_when_the_clock_changes() -> None:
    start, end = Days(date(2026, 10, 25), date(2026, 10, 25)).moments("Europe/Paris")
    assert start and end and (end - start).total_seconds() == 25 * 3600
    assert midnight(date(2026, 3, 29), "Europe/Paris") == datetime(2026, 3, 28, 23, tzinfo=UTC)


def test_the_default_date_is_the_request() -> None:
    assert HistoryFilter().date_field is DateField.CREATED
