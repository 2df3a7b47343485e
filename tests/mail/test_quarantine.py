"""Quarantine: what enters an address, what does not, what is refused for it, and that order cannot matter."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, current_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text

from extensions import db
from mail import post, quarantine, record, resend, scheduled
from mail.compose import Draft
from mail.fold import Fact
from models import DeliveryEvent, Email, OutboxEntry, Suppression, WebhookDelivery
from models.suppression import Grounds
from models.words import EventKind, Reason, Status
from tests.conftest import House
from webhooks import endpoints

_keys = (f"key {n}" for n in itertools.count())
_names = (f"fact {n}" for n in itertools.count())
K, R = EventKind, Reason
DEAD = [R.USER_UNKNOWN, R.DOMAIN_UNKNOWN, R.MOVED]


def ask(house: House, *recipients: str, name: str = "") -> list[Email]:
    drafts = [Draft(one, name, None, None, "free", "Bonjour", "", "Bonjour\n") for one in recipients]
    emails = post(drafts, organisation=house.organisation, sender=house.sender, by=house.staff,
                  request_key=next(_keys))  # fmt: skip
    db.session.commit()
    return emails


def said(
    email: Email, kind: EventKind, reason: Reason | None = None, source: str = "smtp", at: datetime | None = None,
    code: int | None = None, enhanced: str | None = None, data: dict | None = None,
) -> Fact:  # fmt: skip
    return Fact(email.id, kind, source, next(_names), at or datetime.now(UTC), reason, smtp_code=code,
                enhanced_code=enhanced, data=data)  # fmt: skip


def news(*facts: Fact) -> None:
    record(facts)
    db.session.commit()


def held(house: House) -> list[str]:
    query = select(Suppression.address).where(Suppression.organisation_id == house.id, Suppression.lifted_at.is_(None))
    return sorted(db.session.scalars(query))


def lift(house: House, address: str, note: str = "") -> bool:
    one = quarantine.spell(house.id, address)
    assert one is not None
    done = quarantine.lift(one, by=house.admin, note=note)
    db.session.commit()
    return done


@pytest.mark.parametrize(
    ("kind", "reason", "more", "enters"),
    [
        *((K.REFUSED, reason, {"code": 550}, True) for reason in DEAD),
        *((K.BOUNCED, reason, {"source": "dsn", "enhanced": "5.1.1"}, True) for reason in DEAD),
        *((K.NOT_SENT, reason, {}, True) for reason in DEAD),
        (K.BOUNCED, R.USER_UNKNOWN, {"source": "dsn", "data": {"address_dead": True}}, True),
        (K.BOUNCED, R.USER_UNKNOWN, {"source": "dsn", "data": {"address_dead": None}}, False),
        (K.BOUNCED, R.USER_UNKNOWN, {"source": "dsn", "data": {"address_dead": False}}, False),
        (K.COMPLAINED, None, {"source": "dsn"}, True),
        (K.DEFERRED, R.USER_UNKNOWN, {"code": 450}, False),  # a 4xx never condemns
        (K.NOT_SENT, R.USER_UNKNOWN, {"code": 450}, False),  # nor two days of them
        (K.BOUNCED, R.DOMAIN_UNKNOWN, {"source": "dsn", "enhanced": "4.4.4"}, False),
        (K.DELAYED, R.USER_UNKNOWN, {"source": "dsn"}, False),
        (K.COPY_FAILED, R.USER_UNKNOWN, {"source": "dsn"}, False),  # somebody else's address
        *((K.REFUSED, reason, {"code": 550}, False) for reason in Reason if not reason.address_dead),
        (K.ACCEPTED, None, {"code": 250}, False),
    ],
)
def test_only_a_verdict_on_the_address_enters_it(
    cassiopee: House, kind: EventKind, reason: Reason | None, more: dict, enters: bool
) -> None:
    (email,) = ask(cassiopee, "Zoé.Martin@Client.example")
    news(said(email, kind, reason, **more))
    assert held(cassiopee) == (["zoé.martin@client.example"] if enters else [])
    if enters:
        (row,) = db.session.scalars(select(Suppression))
        assert row.reason == (Grounds.COMPLAINT if kind is K.COMPLAINED else Grounds(reason.value))
        assert row.email_id == email.id and row.public_id.startswith("Q-") and len(row.public_id) == 14


def test_every_word_of_a_reason_that_condemns_is_a_ground() -> None:
    assert {ground.value for ground in Grounds} == {r.value for r in Reason if r.address_dead} | {"complaint"}


def test_what_is_asked_for_exists_fails_at_once_and_is_never_queued(cassiopee: House) -> None:
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    other, lost, same = ask(cassiopee, "a@client.example", "PERDU@Client.Example", "perdu@client.example")
    assert (other.status, other.reason) == (Status.REQUESTED, None)
    for email in (lost, same):
        assert (email.status, email.reason) == (Status.FAILED, R.SUPPRESSED)
        assert db.session.get(OutboxEntry, email.id) is None
        asked, fact = db.session.scalars(
            select(DeliveryEvent).where(DeliveryEvent.email_id == email.id).order_by(DeliveryEvent.id)
        )
        assert (asked.kind, fact.kind, fact.reason) == (K.REQUESTED, K.NOT_SENT, R.SUPPRESSED)
        assert fact.source == "quarantine"
        assert (fact.data["because"], fact.data["shown_by"]) == ("user_unknown", first.public_id)
        assert datetime.fromisoformat(fact.data["since"]) >= first.created_at
    assert db.session.get(OutboxEntry, other.id) is not None
    assert held(cassiopee) == ["perdu@client.example"]  # being refused by ourselves is no verdict


def test_an_international_domain_is_one_address(cassiopee: House) -> None:
    (first,) = ask(cassiopee, "léa@straße.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    assert held(cassiopee) == ["léa@xn--strae-oqa.example"]
    (again,) = ask(cassiopee, "LÉA@xn--strae-oqa.example")
    assert again.reason is R.SUPPRESSED
    asked = ["léa@STRASSE.example", "Léa@straße.example", "no address", "a@b.example"]
    assert quarantine.quarantined(cassiopee.id, asked) == {"Léa@straße.example"}


def test_another_house_and_another_address_are_not_concerned(cassiopee: House, boreale: House) -> None:
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    (theirs,) = ask(boreale, "perdu@client.example")
    (corrected,) = ask(cassiopee, "perdue@client.example")
    assert (theirs.status, corrected.status) == (Status.REQUESTED, Status.REQUESTED)
    assert quarantine.quarantined(boreale.id, ["perdu@client.example"]) == set()
    assert quarantine.spell(boreale.id, "perdu@client.example") is None
    one = quarantine.spell(cassiopee.id, "perdu@client.example")
    assert one is not None and not quarantine.lift(one, by=boreale.admin)


def test_lifted_it_is_written_to_until_another_verdict(cassiopee: House) -> None:
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    one = quarantine.spell(cassiopee.id, "perdu@client.example")
    assert lift(cassiopee, "perdu@client.example", "  appelé,\n boîte  rouverte ")
    db.session.refresh(one)
    assert (one.lifted_by_id, one.lifted_note) == (cassiopee.admin.id, "appelé, boîte rouverte")
    assert not quarantine.lift(one, by=cassiopee.admin)  # twice is once
    (second,) = ask(cassiopee, "perdu@client.example")
    assert second.status is Status.REQUESTED
    news(said(first, K.BOUNCED, R.USER_UNKNOWN, "dsn", at=one.shown_at))  # old news
    assert held(cassiopee) == []
    news(said(second, K.REFUSED, R.USER_UNKNOWN, at=datetime.now(UTC) - timedelta(days=1)))  # a clock that is late
    assert held(cassiopee) == ["perdu@client.example"]
    spells = db.session.scalars(select(Suppression).order_by(Suppression.id)).all()
    assert [(s.email_id, s.lifted_at is None) for s in spells] == [(first.id, False), (second.id, True)]


def test_a_clock_ahead_cannot_outlive_a_lift(cassiopee: House) -> None:
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, at=datetime.now(UTC) + timedelta(days=400)))
    assert lift(cassiopee, "perdu@client.example") and held(cassiopee) == []


def test_a_lift_and_a_resend_in_one_transaction(cassiopee: House) -> None:
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    blocked = resend.resend(first, by=cassiopee.admin, request_key=next(_keys))
    db.session.commit()
    assert (blocked.status, blocked.reason, blocked.resend_of_id) == (Status.FAILED, R.SUPPRESSED, first.id)
    one = quarantine.spell(cassiopee.id, "perdu@client.example")
    assert quarantine.lift(one, by=cassiopee.admin)
    again = resend.resend(blocked, by=cassiopee.admin, request_key=next(_keys))
    db.session.commit()
    assert again.status is Status.REQUESTED and db.session.get(OutboxEntry, again.id) is not None
    news(said(again, K.REFUSED, R.USER_UNKNOWN, at=datetime.now(UTC) - timedelta(days=1)))
    assert held(cassiopee) == ["perdu@client.example"]


def test_webhooks_hear_of_both(cassiopee: House) -> None:
    endpoints.create(cassiopee.admin, "https://a.example/", "", ["email.requested", "email.failed"])
    db.session.commit()
    (first,) = ask(cassiopee, "perdu@client.example")
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    (email,) = ask(cassiopee, "perdu@client.example")
    told = db.session.scalars(
        select(WebhookDelivery).where(WebhookDelivery.email_id == email.id).order_by(WebhookDelivery.id)
    ).all()
    assert [(one.type, one.reason) for one in told] == [
        ("email.requested", None), ("email.failed", "suppressed"),
    ]  # fmt: skip


def statements(run: object) -> list[str]:
    ran: list[str] = []

    def keep(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        ran.append(statement)

    event.listen(db.engine, "before_cursor_execute", keep)
    try:
        run()  # type: ignore[operator]
    finally:
        event.remove(db.engine, "before_cursor_execute", keep)
    return ran


def test_a_whole_mailing_and_a_whole_batch_take_one_statement_more_or_none(cassiopee: House) -> None:
    def mailing(*recipients: str) -> list[str]:
        drafts = [Draft(one, "", None, None, "free", "Bonjour", "", "Bonjour\n") for one in recipients]
        assert cassiopee.organisation.name and cassiopee.sender.name  # read again after a commit
        return statements(lambda: post(drafts, organisation=cassiopee.organisation, sender=cassiopee.sender, by=None,
                                       request_key=next(_keys)))  # fmt: skip

    emails = ask(cassiopee, *(f"p{n}@client.example" for n in range(60)))
    before = mailing(*(f"p{n}@client.example" for n in range(60)))
    facts = [said(email, K.REFUSED, R.USER_UNKNOWN, code=550) for email in emails]
    assert len(statements(lambda: record(facts))) == 1
    db.session.commit()
    assert len(held(cassiopee)) == 60
    after = mailing(*(f"p{n}@client.example" for n in range(60)))
    assert len(after) == len(before) + 1
    assert len(mailing("other@client.example")) == len(before)
    found = statements(lambda: quarantine.quarantined(cassiopee.id, (f"P{n}@client.example" for n in range(99))))
    assert len(found) == 1


def test_two_reports_at_once_make_one_spell(cassiopee: House, app: Flask) -> None:
    emails = ask(cassiopee, "perdu@client.example", "perdu@client.example")
    facts = [said(email, K.BOUNCED, R.USER_UNKNOWN, "dsn") for email in emails]
    both = threading.Barrier(2)

    def report(fact: Fact, app: Flask = current_app._get_current_object()) -> None:  # type: ignore[attr-defined]
        with app.app_context(), db.engine.begin() as connection:
            both.wait()
            record([fact], connection)

    threads = [threading.Thread(target=report, args=(fact,)) for fact in facts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.session.scalar(select(func.count()).select_from(Suppression)) == 1


# A walk: each verdict tells of one moment of it (between which lifts it fell) and is heard then or later.
_verdicts = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 3),
        st.sampled_from([K.REFUSED, K.BOUNCED, K.COMPLAINED, K.DEFERRED, K.ACCEPTED]),
        st.sampled_from([R.USER_UNKNOWN, R.MOVED, R.MAILBOX_FULL, R.SPAM]),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verdicts=_verdicts, lifts=st.integers(0, 3), order=st.randoms(use_true_random=False))
def test_quarantined_if_and_only_if_a_verdict_fell_and_nobody_lifted_it_since(
    cassiopee: House, verdicts: list[tuple[int, int, EventKind, Reason]], lifts: int, order
) -> None:
    address = f"{next(_names).replace(' ', '')}@client.example"
    emails = ask(cassiopee, *[address] * (len(verdicts) or 1))
    moments = [datetime.now(UTC)]
    lifted_at = -1  # the last walk's step at whose end somebody lifted something
    condemned = [kind is K.COMPLAINED or (kind in (K.REFUSED, K.BOUNCED) and reason in DEAD)
                 for _fell, _heard, kind, reason in verdicts]  # fmt: skip
    known: set[int] = set()
    for step in range(4):
        moments.append(datetime.now(UTC))
        due = [n for n, (fell, heard, *_rest) in enumerate(verdicts) if max(fell, heard) == step]
        order.shuffle(due)
        batch = [
            said(emails[n], verdicts[n][2], verdicts[n][3], at=moments[verdicts[n][0] + 1]) for n in due
        ]  # fmt: skip
        cut = order.randint(0, len(batch))
        for facts in (batch[:cut], batch[cut:], batch):
            record(facts)
            db.session.commit()
        known |= set(due)
        expected = any(condemned[n] and verdicts[n][0] > lifted_at for n in known)
        assert quarantine.quarantined(cassiopee.id, [address.upper()]) == ({address.upper()} if expected else set())
        if expected and step < lifts:
            assert lift(cassiopee, address)
            lifted_at = step
    (last,) = ask(cassiopee, address)
    final = any(condemned[n] and verdicts[n][0] > lifted_at for n in known)
    assert (last.reason is R.SUPPRESSED) == final
    spells = db.session.scalars(select(Suppression).where(Suppression.address == address)).all()
    assert sum(one.lifted_at is None for one in spells) == final


def test_recording_is_one_statement_still(cassiopee: House) -> None:
    (email,) = ask(cassiopee, "a@client.example")
    fact = said(email, K.ACCEPTED)
    ran = statements(lambda: record([fact]))
    assert len(ran) == 1 and "suppression" in ran[0]
    assert db.session.execute(text("SELECT count(*) FROM suppression")).scalar_one() == 0


def test_what_waits_for_an_address_that_goes_into_quarantine_is_called_off(cassiopee: House, boreale: House) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    def later(house: House, recipient: str) -> Email:
        drafts = [Draft(recipient, "", None, None, "free", "Bonjour", "", "Bonjour\n")]
        (email,) = post(drafts, organisation=house.organisation, sender=house.sender, by=house.staff,
                        request_key=next(_keys), send_at=tomorrow)  # fmt: skip
        db.session.commit()
        return email

    mine, other, theirs = (later(cassiopee, "Perdu@client.example"), later(cassiopee, "autre@client.example"),
                           later(boreale, "perdu@client.example"))  # fmt: skip
    (first,) = ask(cassiopee, "perdu@client.example")
    db.session.execute(text("DELETE FROM outbox_entry WHERE email_id = :id"), {"id": first.id})
    assert scheduled.call_off_held() == 0
    news(said(first, K.REFUSED, R.USER_UNKNOWN, code=550))
    assert len(statements(scheduled.call_off_held)) == 2
    db.session.commit()
    assert (mine.status, mine.reason) == (Status.FAILED, R.SUPPRESSED)
    (fact,) = db.session.scalars(
        select(DeliveryEvent).where(DeliveryEvent.email_id == mine.id, DeliveryEvent.kind == K.NOT_SENT)
    )
    assert fact.source == "quarantine" and fact.data["shown_by"] == first.public_id
    assert [db.session.get(OutboxEntry, one.id) is None for one in (mine, other, theirs)] == [True, False, False]
    assert scheduled.call_off_held() == 0
