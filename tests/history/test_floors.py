"""Counts that rest on floors are never more than the truth, whatever changes between two pages, and spare looking."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import psycopg
import pytest
from flask import current_app
from sqlalchemy import text

from extensions import db
from history import HistoryFilter, Scope, around, floors, pages, prepared, query
from history.rows import Count
from models.words import Status, StatusGroup
from tests.conftest import House
from tests.history.many import fill

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUESTIONS = (
    "", "status=error", "status=opened", "type=free", "type=free&attachment=no", "date_field=sent&period=year",
    "date_field=updated&sort=date", "reason=mailbox_full", "period=year&type=convocation&status=waiting",
    "subject=carte", "by=staff@cassiopee.example",
)  # fmt: skip
ROWS = 140


@pytest.fixture
def many(cassiopee: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """ROWS e-mails that changed long ago, more than are counted, where a few may change before all is counted anew."""
    for module in (query, pages, around):
        monkeypatch.setattr(module, "COUNTED", 20)
    monkeypatch.setattr(floors, "SLACK", 12)
    prepared._kept.cache_clear()
    fill(cassiopee, ROWS)
    settle()
    yield cassiopee
    prepared._kept.cache_clear()


def settle() -> None:
    """Let an hour pass."""
    db.session.execute(text("UPDATE email SET updated_at = updated_at - interval '1 hour'"))
    db.session.commit()
    current_app.extensions.pop("floors", None)


def read(house: House, string: str) -> tuple[dict[str, Count | None], Count | None]:
    """(tabs, the list's own count) as a page of the organisation's list has them."""
    filter_ = HistoryFilter.from_query(parse_qsl(string))
    question = prepared.question(Scope(house.id), filter_, NOW)
    found = around.read(question, house.admin, tabs=True, count=True)
    return found.tabs, found.count


def truth(house: House, string: str) -> dict[str, int]:
    """How many there are under each tab, and in the list itself (the empty name), by testing every e-mail."""
    filter_ = HistoryFilter.from_query(parse_qsl(string))
    numbers = {}
    for name in ("", around.ALL, *(group.value for group in StatusGroup)):
        asked = filter_ if not name else filter_.with_(status=around.status_of_tab(name))
        every = query.Question(Scope(house.id), asked, NOW).all_ids()
        numbers[name] = len(db.session.scalars(every).all())
    return numbers


def is_true(said: Count | None, number: int) -> bool:
    if said is None:
        return True
    return said.value == number if said.exact else said.value <= number


def change(house: House, chance: random.Random, how_many: int, status: Status) -> None:
    """What mail.tracking does to e-mails of which something is heard: another status, and when that was written."""
    reason = "'mailbox_full'" if status in (Status.FAILED, Status.UNDELIVERABLE) else "NULL"
    db.session.execute(
        text(f"""UPDATE email SET status = :status, reason = {reason}, updated_at = clock_timestamp() WHERE id = ANY (
            ARRAY(SELECT id FROM email WHERE organisation_id = :house AND status <> :status
            ORDER BY hashint8extended(id, :salt) LIMIT :few))"""),
        {"status": status.value, "house": house.id, "salt": chance.randrange(10**6), "few": how_many},
    )
    db.session.commit()


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_true_whatever_changes(many: House, seed: int) -> None:
    chance = random.Random(seed)
    goals = chance.sample(tuple(StatusGroup), 2)  # where they all go, so that other groups empty
    for step in range(12):
        for string in chance.sample(QUESTIONS, 4):
            for _again in range(2):
                (tabs, count), numbers = read(many, string), truth(many, string)
                for name, said in tabs.items():
                    assert is_true(said, numbers[name]), (step, string, name, said, numbers)
                assert is_true(count, numbers[""]), (step, string, count, numbers)
        change(many, chance, chance.choice((1, 3, 9, 40)), chance.choice(goals[step // 6].statuses))
        if step == 6:
            settle()


def test_what_is_known_is_not_counted_again(many: House) -> None:
    """A change that leaves no trace shows that nothing was looked at; one that leaves it is seen at once."""
    for string, tab in (("", "sent_all"), ("date_field=sent&period=year", "all"), ("reason=mailbox_full", "all")):
        before = read(many, string)
        assert before[0][tab] == Count(20, exact=False), string
        db.session.execute(text("UPDATE email SET status = 'requested', reason = NULL, sent_at = NULL"))
        assert read(many, string)[0][tab] == Count(20, exact=False), string
        db.session.execute(text("UPDATE email SET updated_at = clock_timestamp()"))
        assert read(many, string)[0][tab] != Count(20, exact=False) or tab == "all", string
        db.session.rollback()


def test_a_group_is_counted_anew_when_too_much_has_changed(many: House) -> None:
    """Up to SLACK changes anywhere are put up with; then the group is met again, and known again."""
    read(many, "")
    change(many, random.Random(1), 5, Status.FAILED)
    question = prepared.question(Scope(many.id), HistoryFilter(), NOW)
    known = floors.of(question)
    assert known.holds("sent_all_asked", 5)
    read(many, "")
    assert floors.of(question) is known
    db.session.execute(text("UPDATE email SET updated_at = clock_timestamp(), status = 'failed' WHERE status = 'sent'"))
    assert is_true(read(many, "")[0]["sent_all"], truth(many, "")["sent_all"])
    assert floors.of(question) is not known


def test_what_is_being_written_counts_as_changed(many: House) -> None:
    """An e-mail that another transaction has changed is met as it was: its change must be counted later on."""
    address = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        began = other.execute("SELECT now()").fetchone()
        other.execute("UPDATE email SET updated_at = clock_timestamp() WHERE public_id = 'E-00000001'")
        safe = db.session.scalar(text(f"SELECT ({floors.SAFE.format(margin='0 seconds')})::timestamptz"))
        assert began is not None and safe is not None and safe <= began[0]
        other.rollback()
        db.session.rollback()  # within a transaction others are as they were first seen
        later = db.session.scalar(text(f"SELECT ({floors.SAFE.format(margin='0 seconds')})::timestamptz"))
        assert later is not None and later > began[0]
