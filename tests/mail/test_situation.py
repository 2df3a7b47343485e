"""What an organisation's outbox is doing: each e-mail counted once where it stands, nobody else's, at a flat price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, text, update

from extensions import db
from mail import outbox, situation
from models import Email, OutboxEntry
from models.standing import KEPT_TRYING, Standing
from models.words import QueueState, Status
from tests.conftest import House
from tests.history.making import make_email

NOW = datetime.now(UTC).replace(microsecond=0)
ORDER = ("ready", "sending", "retry", "later", "uncertain")


def waiting(house: House, address: str, *, first: timedelta = timedelta(), tries: int = 0,
            next_try: timedelta | None = None, state: QueueState = QueueState.WAITING) -> Email:  # fmt: skip
    """An e-mail in the outbox that was to leave `first` from now."""
    email = make_email(
        house, address, status=Status.REQUESTED, queue=state, attempts=tries, at=NOW + min(first, timedelta()),
        next_attempt_at=NOW + (first if next_try is None else next_try),
    )  # fmt: skip
    give_up = NOW + first + outbox.GIVE_UP_AFTER
    db.session.execute(update(OutboxEntry).where(OutboxEntry.email_id == email.id).values(give_up_at=give_up))
    db.session.commit()
    return email


def numbers(counts: situation.Counts) -> tuple[int, ...]:
    return tuple(counts.of(Standing(name)) for name in ORDER)


def test_each_where_it_stands(cassiopee: House, boreale: House) -> None:
    waiting(cassiopee, "ada@one.example", first=timedelta(minutes=-7))
    # freed by a calm pace: not tried, not planned; still the one that waits the longest
    waiting(cassiopee, "bea@ONE.example", first=timedelta(hours=-3), next_try=timedelta(seconds=30))
    waiting(cassiopee, "cyd@two.example", state=QueueState.CLAIMED)
    waiting(cassiopee, "dan@two.example", state=QueueState.DATA_BEGUN)
    waiting(cassiopee, "eva@one.example", first=timedelta(minutes=-1), tries=2, next_try=timedelta(minutes=14))
    waiting(cassiopee, "flo@one.example", first=timedelta(days=2))
    make_email(cassiopee, "gus@three.example", status=Status.UNCERTAIN)
    make_email(cassiopee, "hal@one.example", status=Status.SENT)
    waiting(boreale, "zoe@one.example")
    found = situation.read(cassiopee.id)
    assert numbers(found.all) == (2, 2, 1, 1, 1)
    assert found.all.oldest == NOW - timedelta(hours=3)
    assert found.all.next_try == NOW + timedelta(minutes=14)
    assert found.all.next_later == NOW + timedelta(days=2)
    assert [(name, numbers(counts)) for name, counts in found.domains] == [
        ("one.example", (2, 0, 1, 1, 0)), ("two.example", (0, 2, 0, 0, 0)), ("three.example", (0, 0, 0, 0, 1)),
    ]  # fmt: skip
    (sender,) = found.senders
    assert (sender.address, numbers(sender.counts)) == ("formation@cassiopee.example", (2, 2, 1, 1, 1))
    assert found.moving and not found.quiet and found.whole
    assert numbers(situation.read(boreale.id).all) == (1, 0, 0, 0, 0)


def test_the_time_an_entry_is_given_up_tells_when_it_was_due(cassiopee: House) -> None:
    seconds = db.session.scalar(text(f"SELECT extract(epoch FROM {KEPT_TRYING})"))
    assert float(seconds or 0) == outbox.GIVE_UP_AFTER.total_seconds()


def test_quiet_and_paused(cassiopee: House) -> None:
    found = situation.read(cassiopee.id)
    assert found.quiet and not found.moving and found.hour.total == 0
    waiting(cassiopee, "ada@one.example")
    cassiopee.sender.paused_at = NOW
    db.session.commit()
    found = situation.read(cassiopee.id)
    assert not found.quiet and not found.moving, "what a paused sender holds does not move by itself"
    assert [sender.address for sender in found.paused] == [cassiopee.sender.address]


def test_the_last_hour_by_minutes(cassiopee: House, boreale: House) -> None:
    minute = db.session.scalar(text("SELECT date_trunc('minute', now())"))
    for ago, number in ((0, 2), (1, 1), (59, 3), (60, 4), (600, 1)):
        for _n in range(number):
            make_email(cassiopee, sent_at=minute - timedelta(minutes=ago) + timedelta(microseconds=1))
    make_email(boreale, sent_at=minute)
    hour = situation.hour(cassiopee.id, db.session.scalar(text("SELECT now()")))
    shown = [number for _minute, number in hour.minutes]
    assert len(shown) == situation.MINUTES
    # the clock may have gone on by a minute meanwhile
    assert (shown[-1], shown[-2], shown[0], hour.total) in ((2, 1, 3, 6), (0, 2, 0, 3))
    assert hour.whole and hour.peak <= 3


def test_it_reads_the_same_statements_for_one_and_for_many(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(situation, "DOMAINS", 3)
    counts, house_id = [], cassiopee.id
    for number in (1, 30):
        for n in range(number):
            waiting(cassiopee, f"p{n}@d{n}.example")
        seen: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        found = situation.read(house_id)
        event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts == [3, 3]
    assert (len(found.domains), found.domain_count, found.all.ready) == (3, 30, 31)


def test_a_full_outbox_is_read_up_to_a_point(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(situation, "MOST", 5)
    for n in range(7):
        waiting(cassiopee, f"p{n}@one.example")
    found = situation.read(cassiopee.id)
    assert found.all.ready == 5 and not found.whole


def test_the_hour_is_read_along_one_index_alone(cassiopee: House) -> None:
    make_email(cassiopee)
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    db.session.execute(text("SET LOCAL enable_bitmapscan = off"))
    values = {"o": cassiopee.id, "since": NOW, "most": 10}
    plan = "\n".join(db.session.scalars(text(f"EXPLAIN {situation._HOUR}"), values))
    read = plan.partition("Limit")[2]
    assert "Index Only Scan using ix_email_sent" in read and "Sort" not in read, plan
