"""The figures of charts: kept, counted now, or by hand in Python, they are the same."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select, text

from extensions import db
from history import HistoryFilter, Scope, figures, tallies
from history.periods import Period
from models import Address, Email, Segment, SegmentMember
from models.figure import Facet, FigureState, Outcome
from models.words import Reason, Status, StatusGroup
from tests.conftest import House
from tests.history.making import make_contact, make_email

NOW = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)
ZONE = "Europe/Paris"
TYPES = ("convocation", "free", "invoice.paid")
DOMAINS = ("orange.example", "free.example", "gmail.example")
REASONS = (None, Reason.USER_UNKNOWN, Reason.MAILBOX_FULL, Reason.CANCELLED, Reason.TOO_LATE)


def outcome_of(email: Email) -> Outcome:
    if email.status in StatusGroup.ERROR.statuses:
        return Outcome.CANCELLED if email.reason and email.reason.silent else Outcome.ERROR
    return Outcome.WAITING if email.status in StatusGroup.WAITING.statuses else Outcome(email.status.value)


def truth(house: House, asked: HistoryFilter, whose: set[int] | None = None) -> dict[Any, Counter[Outcome]]:
    """The figures counted one e-mail after the other: by '' and (facet, key), and by day."""
    days = asked.days(NOW, ZONE)
    told: dict[Any, Counter[Outcome]] = {}
    query = select(Email, Address.domain).join(Address, Address.id == Email.address_id)
    for email, domain in db.session.execute(query.where(Email.organisation_id == house.id)):
        day = email.created_at.astimezone(ZoneInfo(ZONE)).date()
        assert days.first and days.last
        if not days.first <= day <= days.last or (whose is not None and email.contact_id not in whose):
            continue
        outcome = outcome_of(email)
        keys: list[Any] = ["", day, (Facet.TYPE, email.type), (Facet.SENDER, str(email.sender_id))]
        keys.append((Facet.OPERATOR, domain))
        if outcome is Outcome.ERROR:
            keys.append((Facet.REASON, email.reason.value if email.reason else "unknown"))
        for key in keys:
            told.setdefault(key, Counter())[outcome] += 1
    return told


def agree(found: figures.Figures, told: dict[Any, Counter[Outcome]]) -> None:
    assert found.totals == dict(told.get("", {}))
    by_day: Counter[tuple[int, Outcome]] = Counter()
    for key, counts in told.items():
        if isinstance(key, date):
            place = next(n for n, step in enumerate(found.steps) if step.first <= key <= step.last)
            for outcome, number in counts.items():
                by_day[place, outcome] += number
    shown = {(n, o): number for n, step in enumerate(found.steps) for o, number in step.counts.items()}
    assert shown == dict(by_day)
    for facet in Facet:
        keys = {key[1]: dict(counts) for key, counts in told.items() if isinstance(key, tuple) and key[0] is facet}
        if facet is Facet.OPERATOR:  # those that refused something
            keys = {key: counts for key, counts in keys.items() if Outcome.ERROR in counts}
        lines = {line.key: line.counts for line in found.lines.get(facet, [])}
        assert lines == keys, facet
        assert found.keys.get(facet, 0) == len(keys)


def make_many(house: House, random: Random, number: int, contacts: list[Any] = []) -> None:  # noqa: B006
    for _ in range(number):
        # hours around midnight too: a day is the organisation's, not UTC's
        at = NOW - timedelta(days=random.randrange(75), hours=random.randrange(24), minutes=random.randrange(60))
        status = random.choice(list(Status))
        failed = status in StatusGroup.ERROR.statuses
        make_email(
            house, f"{random.randrange(9)}@{random.choice(DOMAINS)}", "", at=at, status=status,
            type=random.choice(TYPES), reason=random.choice(REASONS) if failed else None,
            contact_id=random.choice(contacts).id if contacts else None,
        )  # fmt: skip


def asked(query: str = "", **values: str) -> HistoryFilter:
    return figures.period_of(HistoryFilter.from_query(list(values.items())), NOW, ZONE)


ASKED = (
    asked(), asked(period="day"), asked(period="week"), asked(period="year"), asked(period="rolling_month"),
    asked(period="custom", **{"from": "2026-09-29", "to": "2026-11-03"}),
    asked(period="custom", **{"from": "2026-10-01", "to": "2026-10-31"}),
    asked(period="custom", to="2026-11-20"), asked(period="custom", **{"from": "2026-10-10"}),
    asked(period="custom", **{"from": "1999-01-01"}),
)  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_kept_counted_now_and_by_hand(cassiopee: House, boreale: House, seed: int) -> None:
    random = Random(seed)
    make_many(cassiopee, random, 60)
    make_many(boreale, random, 10)
    scope = Scope(cassiopee.id, zone=ZONE)
    for one in ASKED:  # nothing is kept yet
        found = figures.read(scope, one, NOW)
        assert found.as_of is None and found.since is None
        agree(found, truth(cassiopee, one))
    tallies.keep(cassiopee.organisation)
    assert db.session.get(FigureState, cassiopee.id).kept_from == tallies.WHOLE
    for one in ASKED:
        found = figures.read(scope, one, NOW)
        assert found.as_of is not None
        agree(found, truth(cassiopee, one))
    assert figures.read(Scope(boreale.id, zone=ZONE), asked(period="year"), NOW).as_of is None


def test_what_changes_is_counted_anew(cassiopee: House) -> None:
    random, scope, year = Random(3), Scope(cassiopee.id, zone=ZONE), asked(period="year")
    make_many(cassiopee, random, 40)
    tallies.keep(cassiopee.organisation)
    for _ in range(4):
        for email in random.sample(list(db.session.scalars(select(Email))), 6):
            email.status, email.reason = random.choice(list(Status)), None
            email.updated_at = datetime.now(UTC)
        make_email(cassiopee, "new@free.example", at=NOW, updated_at=datetime.now(UTC), type="quote")
        db.session.commit()
        tallies.keep(cassiopee.organisation, rested=False)
        tallies.keep(cassiopee.organisation, rested=False)  # twice changes nothing
        agree(figures.read(scope, year, NOW), truth(cassiopee, year))


def test_a_change_that_is_committed_late_is_not_missed(cassiopee: House) -> None:
    email = make_email(cassiopee, status=Status.SENT)
    tallies.keep(cassiopee.organisation)
    with db.engine.connect() as other:
        changed = "UPDATE email SET status = 'opened', updated_at = clock_timestamp() WHERE id = :id"
        other.execute(text(changed), {"id": email.id})
        # meanwhile time goes by and figures are read: as if the last change were long ago
        tallies.keep(cassiopee.organisation, rested=False)
        state = db.session.get(FigureState, cassiopee.id)
        began = db.session.scalar(text("SELECT min(xact_start) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
        assert state is not None and state.read_at < began
        other.commit()
    tallies.keep(cassiopee.organisation, rested=False)
    assert figures.read(Scope(cassiopee.id, zone=ZONE), asked(), NOW).totals == {Outcome.OPENED: 1}


def test_a_dear_reading_is_not_made_soon_again(cassiopee: House) -> None:
    make_email(cassiopee)
    tallies.keep(cassiopee.organisation)
    state = db.session.get(FigureState, cassiopee.id)
    assert state is not None
    state.cost = 1_000.0
    before = state.run_at
    db.session.commit()
    tallies.keep_all()
    assert state.run_at == before
    state.cost = 0.0
    db.session.commit()
    tallies.keep_all()
    assert state.run_at > before


def test_another_zone_is_counted_from_the_beginning(cassiopee: House) -> None:
    make_email(cassiopee, at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))  # the 21st in Paris
    tallies.keep(cassiopee.organisation)
    one = asked(period="custom", **{"from": "2026-11-21", "to": "2026-11-21"})
    assert figures.read(Scope(cassiopee.id, zone=ZONE), one, NOW).asked == 1
    cassiopee.organisation.timezone = "America/Cayenne"
    db.session.commit()
    there = Scope(cassiopee.id, zone="America/Cayenne")
    assert figures.read(there, one, NOW).asked == 0  # not the other zone's days
    tallies.keep(cassiopee.organisation, rested=False)
    found = figures.read(there, one, NOW)
    assert (found.asked, found.as_of is None) == (0, False)


def test_months_are_counted_over_several_runs(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_BUDGET", -1.0)
    make_many(cassiopee, Random(4), 30)
    year, scope = asked(period="year"), Scope(cassiopee.id, zone=ZONE)
    for _ in range(20):
        tallies.keep(cassiopee.organisation, rested=False)
        agree(figures.read(scope, year, NOW), truth(cassiopee, year))
        state = db.session.get(FigureState, cassiopee.id)
        assert state is not None
        if state.kept_from == tallies.WHOLE:
            break
        monkeypatch.setattr(tallies, "_BUDGET", 0.05)
    assert state.kept_from == tallies.WHOLE


def test_months_are_counted_in_whatever_order_they_are_named(cassiopee: House) -> None:
    make_email(cassiopee, at=NOW)
    make_email(cassiopee, at=NOW + timedelta(days=62))  # a clock that was wrong
    tallies.keep(cassiopee.organisation)
    tallies._count_months(cassiopee.id, [date(2027, 1, 1), date(2026, 11, 1)])
    kept = "SELECT day, number FROM email_figure WHERE grain = 'month' AND facet = 'type' ORDER BY day"
    assert list(db.session.execute(text(kept))) == [(date(2026, 11, 1), 1), (date(2027, 1, 1), 1)]


def segment_of(house: House, contacts: list[Any]) -> Segment:
    segment = Segment(organisation_id=house.id, name="Choisis", rule=None)
    db.session.add(segment)
    db.session.flush()
    db.session.add_all(SegmentMember(segment_id=segment.id, contact_id=contact.id) for contact in contacts)
    db.session.commit()
    return segment


def test_a_segment_is_counted_now(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    contacts = [make_contact(cassiopee, f"Ada N{n}") for n in range(6)]
    make_many(cassiopee, Random(5), 50, contacts)
    tallies.keep(cassiopee.organisation)
    segment = segment_of(cassiopee, contacts[:2])
    scope, whose = Scope(cassiopee.id, zone=ZONE), {contact.id for contact in contacts[:2]}
    for most in (2_000, 1):  # by each member's e-mails, and along all of them
        monkeypatch.setattr(figures, "_MOST_OWNERS", most)
        for period in ("rolling_30", "year"):
            one = asked(period=period, segment=segment.public_id)
            found = figures.read(scope, one, NOW)
            assert found.as_of is None and found.since is None
            agree(found, truth(cassiopee, one, whose))
    nobody = asked(segment="G-00000000")
    assert figures.read(scope, nobody, NOW).asked == 0


def test_what_is_too_much_to_look_at_is_said(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "WALKED", 3)
    contacts = [make_contact(cassiopee, "Ada Adam"), make_contact(cassiopee, "Bob Bril")]
    for n in range(6):
        make_email(cassiopee, at=NOW - timedelta(days=n), contact_id=contacts[n % 2].id)
    scope = Scope(cassiopee.id, zone=ZONE)
    found = figures.read(scope, asked(), NOW)
    assert (found.asked, found.since) == (3, date(2026, 11, 20))
    segment = segment_of(cassiopee, contacts[:1])
    found = figures.read(scope, asked(segment=segment.public_id), NOW)
    assert (found.asked, found.since) == (3, None)
    monkeypatch.setattr(figures, "_MOST_OWNERS", 0)
    found = figures.read(scope, asked(segment=segment.public_id), NOW)
    assert (found.asked, found.since) == (2, date(2026, 11, 20))


def test_only_the_first_of_each_facet_are_told(cassiopee: House) -> None:
    for n in range(11):
        for place in range(n % 3 + 2):
            failed = {"status": Status.FAILED, "reason": Reason.USER_UNKNOWN} if place else {"status": Status.SENT}
            make_email(cassiopee, f"a@d{n:02}.example", at=NOW, **failed)
    for _ in range(9):
        make_email(cassiopee, "a@none.example", at=NOW)
    for kept in (False, True):
        if kept:
            tallies.keep(cassiopee.organisation)
        found = figures.read(Scope(cassiopee.id, zone=ZONE), asked(), NOW)
        lines = found.lines[Facet.OPERATOR]
        assert [line.key for line in lines] == [f"d{n:02}.example" for n in (2, 5, 8, 1, 4, 7, 10, 0)]
        assert lines[0].counts == {Outcome.SENT: 1, Outcome.ERROR: 3}
        assert len(lines) == figures.MOST_LINES and found.keys[Facet.OPERATOR] == 11


def test_statements_are_few_whatever_the_period(cassiopee: House) -> None:
    make_many(cassiopee, Random(6), 10)
    tallies.keep(cassiopee.organisation)
    contacts = [make_contact(cassiopee, "Ada Adam")]
    segment, scope = segment_of(cassiopee, contacts), Scope(cassiopee.id, zone=ZONE)
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        counts = []
        for one in (*ASKED, asked(period="year", segment=segment.public_id)):
            seen.clear()
            figures.read(scope, one, NOW)
            counts.append(len(seen))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert counts == [1] * len(ASKED) + [4]


def test_other_conditions_are_dropped() -> None:
    one = figures.period_of(HistoryFilter.from_query([("status", "error"), ("recipient", "petit")]), NOW, ZONE)
    assert one == HistoryFilter(period=Period.ROLLING_30)
