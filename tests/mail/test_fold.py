"""The fold: order and repetition cannot matter, and the SQL says the same as the pure function."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from extensions import db
from mail.fold import Fact, fold
from mail.tracking import record
from models.words import EventKind, Mark, Reason, Status

MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
K, R, S = EventKind, Reason, Status


def facts_of(email_id: int = 1) -> st.SearchStrategy[Fact]:
    return st.builds(
        Fact,
        st.just(email_id),
        st.sampled_from([k for k in EventKind if k is not EventKind.CORRECTED]),
        st.sampled_from(["smtp", "dsn", "pixel", "webhook:brevo", "é"]),
        st.sampled_from(["a", "b", "B", "é", "z"]),
        st.integers(0, 3).map(lambda n: MOMENT + timedelta(minutes=n)),
        st.sampled_from([None, R.USER_UNKNOWN, R.SPAM, R.MAILBOX_FULL]),
    ) | st.builds(
        Fact,
        st.just(email_id),
        st.just(EventKind.CORRECTED),
        st.just("user"),
        st.sampled_from(["1", "2"]),
        st.integers(0, 3).map(lambda n: MOMENT + timedelta(minutes=n)),
        data=st.sampled_from([{"status": "delivered"}, {"status": "failed"}]),
    )


def fact(kind: EventKind, minute: int = 0, reason: Reason | None = None, **kwargs: object) -> Fact:
    return Fact(1, kind, "smtp", f"{kind.value}{minute}", MOMENT + timedelta(minutes=minute), reason, **kwargs)


@pytest.mark.parametrize(
    ("facts", "status", "reason"),
    [
        ([], S.REQUESTED, None),
        ([fact(K.REQUESTED), fact(K.DEFERRED, 1, R.GREYLISTED)], S.REQUESTED, R.GREYLISTED),
        ([fact(K.OUTCOME_UNKNOWN)], S.UNCERTAIN, None),
        ([fact(K.OUTCOME_UNKNOWN), fact(K.DELIVERED)], S.DELIVERED, None),
        ([fact(K.REFUSED, 1, R.USER_UNKNOWN)], S.FAILED, R.USER_UNKNOWN),
        ([fact(K.REFUSED, 1, R.SPAM)], S.UNDELIVERABLE, R.SPAM),
        ([fact(K.ACCEPTED), fact(K.DELAYED, 5, R.UNREACHABLE)], S.SENT, R.UNREACHABLE),
        ([fact(K.ACCEPTED), fact(K.BOUNCED, 1, R.USER_UNKNOWN)], S.FAILED, R.USER_UNKNOWN),
        ([fact(K.DELIVERED), fact(K.BOUNCED, 1, R.MAILBOX_FULL)], S.UNDELIVERABLE, R.MAILBOX_FULL),
        ([fact(K.OPENED, 9), fact(K.BOUNCED, 10, R.USER_UNKNOWN)], S.OPENED, None),
        ([fact(K.MACHINE_OPENED)], S.DELIVERED, None),
        ([fact(K.COMPLAINED, 3), fact(K.ACCEPTED)], S.SENT, None),
        ([fact(K.OPENED), fact(K.CORRECTED, 1, None, data={"status": "failed"})], S.FAILED, None),
        ([fact(K.NOT_SENT, 1, R.CANCELLED)], S.FAILED, R.CANCELLED),
    ],
)
def test_each_row_of_the_table(facts: list[Fact], status: Status, reason: Reason | None) -> None:
    for order in permutations(facts):
        folded = fold([*order, *order[:1]])
        assert (folded.status, folded.reason) == (status, reason)


def test_two_kinds_of_news_with_one_id_of_their_source_have_no_order_either(cassiopee) -> None:
    facts = [
        Fact(0, kind, "smtp", "b", MOMENT, reason)
        for kind, reason in ((K.REFUSED, R.USER_UNKNOWN), (K.NOT_SENT, R.SPAM), (K.NOT_SENT, R.USER_UNKNOWN))
    ]
    for order in permutations(facts[:2] + facts[:1]):
        email_id = new_email(cassiopee)
        for fact in order:
            record([replace(fact, email_id=email_id)])
        row = db.session.execute(text("SELECT status, reason FROM email WHERE id = :id"), {"id": email_id}).one()
        assert tuple(row) == ("undeliverable", "spam")
    assert fold(facts) == fold(facts[::-1])
    db.session.rollback()


def test_marks_are_kept_beside_the_status() -> None:
    folded = fold([fact(K.ACCEPTED), fact(K.DELAYED), fact(K.AUTO_REPLIED), fact(K.COMPLAINED)])
    assert folded.marks == Mark.DELAYED | Mark.AUTO_REPLIED | Mark.COMPLAINED
    assert folded.status is Status.DELIVERED


@settings(max_examples=2000, deadline=None)
@given(st.lists(facts_of(), max_size=8), st.randoms(use_true_random=False))
def test_order_and_repetition_cannot_matter(facts: list[Fact], random) -> None:
    # a source's own id names one fact: what shares it is the same
    facts = list({(f.source, f.source_event_id, f.kind): f for f in facts}.values())
    shuffled = [*facts, *facts[:3]]
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(facts)


def new_email(house) -> int:
    """A bare e-mail row, as post makes it."""
    return db.session.execute(
        text(
            "WITH a AS (INSERT INTO address (organisation_id, address, name, domain) VALUES (:o, 'a@b.example', "
            "gen_random_uuid()::text, 'b.example') RETURNING id) "
            "INSERT INTO email (organisation_id, public_id, address_id, sender_id, type, subject, status, "
            "status_occurred_at, status_source, status_event_id) SELECT :o, gen_random_uuid()::text, id, :s, 'free', "
            "'x', 'requested', '2000-01-01', '', '' FROM a RETURNING id"
        ),
        {"o": house.id, "s": house.sender.id},
    ).scalar_one()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(facts_of(0), min_size=1, max_size=8), cut=st.integers(0, 8))
def test_the_sql_says_the_same_as_the_fold(cassiopee, facts: list[Fact], cut: int) -> None:
    email_id = new_email(cassiopee)
    facts = [replace(f, email_id=email_id) for f in facts]
    known = list({(f.source, f.source_event_id, f.kind): f for f in reversed(facts)}.values())
    facts = [f for f in facts if f in known]
    record(facts[:cut])
    record(facts[cut:])
    record(facts)
    row = db.session.execute(
        text("SELECT status, reason, marks, sent_at FROM email WHERE id = :id"), {"id": email_id}
    ).one()
    folded = fold(facts)
    assert (row.status, row.reason, row.marks, row.sent_at) == (
        folded.status.value, folded.reason.value if folded.reason else None, int(folded.marks), folded.sent_at,
    )  # fmt: skip
    db.session.rollback()


def test_events_of_one_instant_are_told_in_the_order_they_were_given(cassiopee) -> None:
    """However PostgreSQL joins: they came in any order where it hashed what came in."""
    emails = [new_email(cassiopee) for _ in range(200)][:10]  # what came in is the smaller, so it is hashed
    given = [replace(fact(kind), email_id=email) for kind in (K.ACCEPTED, K.DELAYED, K.BOUNCED) for email in emails]
    for join in ("nestloop", "mergejoin"):
        db.session.execute(text(f"SET LOCAL enable_{join} = off"))
    record(given)
    told = db.session.execute(text("SELECT kind, email_id FROM delivery_event ORDER BY id")).all()
    assert [tuple(one) for one in told] == [(one.kind.value, one.email_id) for one in given]
    db.session.rollback()
