"""The pace that workers share: lines given out, what is slowed and grows back, slots of the claiming statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from extensions import db
from mail import accounts, claims, slowing
from mail.manners import DOUBLING, MOMENT, SLOWEST, grown
from mail.pace import ALIVE, Pace, situation
from mail.transport import Reply
from models import Address, PaceState
from seeds import paces
from tests.mail.test_accounts import account as made
from tests.mail.test_sending import ask

THROTTLE = Reply(421, "4.7.28 too many messages to zoe@client.example, slow down")
BUSY = Reply(421, "4.7.0 too many connections")


def state(domain: str = "", account: int = 0) -> PaceState | None:
    db.session.expire_all()
    return db.session.get(PaceState, (account, domain))


def later(seconds: float) -> None:
    """Let time pass for what is kept in the database."""
    db.session.execute(
        text("UPDATE pace SET slowed_at = slowed_at - :d, slowed_since = slowed_since - :d, next_at = next_at - :d"),
        {"d": timedelta(seconds=seconds)},
    )
    db.session.execute(text("UPDATE drain SET seen_at = seen_at - :d"), {"d": timedelta(seconds=seconds)})
    db.session.commit()


def limit(domain: str, **values) -> None:
    db.session.merge(PaceState(account_id=0, domain=domain, **values))
    db.session.commit()


@pytest.fixture
def house(app):
    return accounts.house()


def test_the_lines_of_an_account_are_shared_by_all_workers(house):
    one, two = Pace("a"), Pace("b")
    assert one.lines(house) == house.connections == 8
    one.beat({None: 8})
    assert two.lines(house) == 0  # nothing is given before another has let go of it
    one.beat({None: 8})
    assert one.lines(house) == 4
    one.beat({None: 4})
    two.lines(house)
    two.beat({})
    assert two.lines(house) == 4
    two.beat({None: 4})
    two.end()
    one.lines(house)
    one.beat({None: 4})
    assert one.lines(house) == 8


def test_a_worker_that_died_leaves_its_lines(house):
    dead, living = Pace("a"), Pace("b")
    dead.lines(house)
    dead.beat({None: 8})
    later(ALIVE + 1)
    assert living.lines(house) == 8


def test_a_greeting_that_refuses_halves_the_lines_of_all_once_a_moment(house):
    one, two = Pace("a"), Pace("b")
    one.lines(house)
    for pace in (one, two, one):
        pace.heard(house, "", BUSY, False)
    one.beat({None: 8})
    assert one.lines(house) == 4
    assert state().slowed_rate is None and "too many connections" in state().words
    later(MOMENT + 1)
    two.heard(house, "", BUSY, False)  # its own moment is not over, yet all know of the first
    Pace("c").heard(house, "", BUSY, False)
    one.lines(house)
    one.beat({None: 4})
    assert one.lines(house) == 2
    later(DOUBLING)
    one.lines(house)
    one.beat({None: 2})
    assert one.lines(house) == 4
    later(2 * DOUBLING)
    one.lines(house)
    one.beat({None: 4})
    assert one.lines(house) == 8
    slowing.tidy()
    assert state().slowed_at is None and state().words == ""


def test_no_more_lines_are_left_than_were_open_when_one_was_refused(house):
    one, two = Pace("a"), Pace("b")
    one.lines(house)
    one.beat({None: 1})
    db.session.execute(text("UPDATE drain SET lines = 1"))
    db.session.commit()
    two.lines(house)
    two.heard(house, "", BUSY, False, 1)
    assert state().slowed_lines == 2  # the other's line and its own


def test_a_throttled_domain_is_halved_and_rests_for_a_moment(house, cassiopee):
    pace = Pace("a")
    for _ in range(200):
        pace.heard(house, "client.example", None, True)
    ask(cassiopee, "zoe@client.example", "abel@other.example")
    jobs = {job.domain: job for job in claims.claim("a", 10)}
    assert pace.wait(jobs["client.example"]) == 0
    pace.heard(house, "client.example", THROTTLE, False)
    slowed = state("client.example")
    assert slowed.slowed_rate == pytest.approx(100) and slowed.whole_rate == pytest.approx(200)
    assert slowed.slowed_lines == 4 and state().slowed_lines == 4 and state().slowed_rate is None
    assert "zoe@" not in slowed.words and "too many messages" in slowed.words
    assert 0 < pace.wait(jobs["client.example"]) <= MOMENT
    assert pace.wait(jobs["other.example"]) == 0


def test_two_throttled_domains_slow_the_account(house):
    pace = Pace("a")
    for n in range(100):
        pace.heard(house, f"client{n % 2}.example", None, True)
    pace.heard(house, "client0.example", THROTTLE, False)
    assert state().slowed_rate is None
    later(MOMENT + 1)
    pace.heard(house, "client1.example", THROTTLE, False)
    assert state().slowed_rate == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize(
    "reply", [Reply(452, "4.2.2 mailbox full"), Reply(450, "4.7.1 greylisted, try again"), Reply(550, "5.1.1 no"), None]
)
def test_a_full_box_greylisting_and_broken_lines_slow_nothing(house, reply):
    Pace("a").heard(house, "client.example", reply, False)
    assert state("client.example") is None


def test_the_database_grows_a_pace_as_the_algebra_does(house):
    Pace("a").heard(house, "client.example", THROTTLE, False)
    for age in (0.0, 20.0, 100.0, 290.0, 500.0):
        row = db.session.execute(
            text(
                f"SELECT slowed_rate, whole_rate, {claims.grown_sql('slowed_rate', 'whole_rate')} AS now, "
                "extract(epoch FROM now() - slowed_at)::float AS age FROM pace WHERE domain <> ''"
            )
        ).one()
        told = grown(row.slowed_rate, row.age, row.whole_rate)
        assert row.now is None if told == row.whole_rate else row.now == pytest.approx(told)
        later(age)


def test_a_pace_set_by_hand_bounds_what_is_claimed(cassiopee):
    ask(cassiopee, *[f"p{n}@slow.example" for n in range(30)], "quick@other.example")
    limit("slow.example", per_minute=60)
    first = claims.claim("w", 20)
    assert sorted(job.domain for job in first) == ["other.example", "slow.example"]
    assert claims.claim("w", 20) == []
    later(1)
    assert 1 <= len(claims.claim("w", 20)) <= 2
    later(3600)
    assert len(claims.claim("w", 20)) == 2  # hours of rest are no leave to burst


def test_nothing_leaves_in_the_moment_after_a_throttle_and_no_burst_follows(cassiopee, house):
    ask(cassiopee, *[f"p{n}@client.example" for n in range(30)])
    pace = Pace("a")
    for _ in range(240):
        pace.heard(house, "client.example", None, True)
    pace.heard(house, "client.example", THROTTLE, False)
    assert claims.claim("w", 20) == []
    later(MOMENT)
    assert len(claims.claim("w", 20)) == 1
    later(1)  # 120 a minute by now
    assert len(claims.claim("w", 20)) in (2, 3)


def test_lines_to_a_domain_bound_what_is_on_the_way(cassiopee):
    ask(cassiopee, *[f"p{n}@slow.example" for n in range(9)])
    limit("slow.example", lines=2)
    first = claims.claim("w", 20)
    assert len(first) == 2
    assert claims.claim("other", 20) == []
    db.session.execute(text("DELETE FROM outbox_entry WHERE email_id = :id"), {"id": first[0].email_id})
    db.session.commit()
    assert len(claims.claim("other", 20)) == 1


def test_an_account_has_its_messages_a_minute(cassiopee, boreale, app, house):
    account = made(cassiopee, per_minute=120).id
    cassiopee.sender.account_id = account
    ask(cassiopee, *[f"p{n}@client{n}.example" for n in range(20)])
    ask(boreale, "q@client.example")
    Pace("w").beat({})  # a worker's first word
    assert [job.account_id for job in claims.claim("w", 10)].count(account) == 1
    later(0.5)
    assert len(claims.claim("w", 10)) == 1
    later(60)
    assert len(claims.claim("w", 10)) == 3
    assert claims.claim("w", 10, full=[account]) == []


def test_what_nobody_limits_any_more_flows_and_is_forgotten(cassiopee):
    ask(cassiopee, *[f"p{n}@slow.example" for n in range(9)])
    limit("slow.example", per_minute=6)
    assert len(claims.claim("w", 20)) == 1
    limit("slow.example", per_minute=None)
    slowing.tidy()
    assert state("slow.example") is None
    assert len(claims.claim("w", 20)) == 8


def test_nothing_is_halved_below_the_slowest(house):
    pace = Pace("a")
    for n in range(8):
        Pace(f"{n}").heard(house, "client.example", THROTTLE, False)
        later(MOMENT + 1)
    assert state("client.example").slowed_rate >= SLOWEST
    assert state().slowed_lines >= 1
    assert pace.lines(house) >= 1


def test_the_demo_shows_what_is_limited_and_slowed(cassiopee):
    for domain in (paces.LIMITED, paces.SLOWED):
        db.session.add(Address(organisation_id=cassiopee.id, address=f"contact@{domain}", domain=domain))
    paces.keep(cassiopee.organisation)
    db.session.commit()
    shown = {row.domain: row for row in situation(cassiopee.id)}
    assert shown[paces.LIMITED].rate_set == 30 and not shown[paces.LIMITED].slowed
    assert shown[paces.SLOWED].slowed and shown[paces.SLOWED].per_minute == 7
