"""Many calls in one transaction, a repeated body, who unsubscribes at the provider, orphans dealt with by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from errors import UserMistake
from extensions import db
from mail import leaving, quarantine, tokens
from mail.fold import Fact
from mail.providers import PROVIDERS, brevo, hearing, ledger
from mail.providers.event import EventType
from mail.providers.event import ProviderEvent as Spoken
from mail.tracking import record
from models import DeliveryEvent, Email, LeftBy, OptOut, ProviderAccount, ProviderCall
from models import ProviderEvent as Event
from models.provider import CallState, Heard, Via
from models.words import EventKind, Reason, Status
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.test_told import about, account, facts_of, outcomes, post_email, status, tell
from tests.mail.test_leaving import sent

UNSIGNED = ("brevo", "mailjet", "postmark", "sparkpost")
DELIVERED = documented.PAYLOADS["brevo"][1]


def calls() -> list[CallState]:
    return list(db.session.scalars(select(ProviderCall.state).order_by(ProviderCall.id)))


def test_a_hundred_calls_are_read_in_one_transaction(app: Flask, cassiopee: House) -> None:
    made = account(cassiopee, "brevo")
    emails = [post_email(cassiopee) for _ in range(5)]
    for number in range(100):
        payload = about(emails[number % 5], DELIVERED) | {"ts_epoch": 1_790_000_000_000 + number}
        assert tell(app, made, payload).status_code == 204
    statements: list[str] = []

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", executed)
    try:
        assert ledger.apply() == 100
    finally:
        event.remove(db.engine, "before_cursor_execute", executed)
    assert len(statements) <= 14, "\n".join(statements)  # the batch, an empty look, what waits
    assert set(calls()) == {CallState.APPLIED} and len(outcomes()) == 5
    assert [status(email)[0] for email in emails] == [Status.DELIVERED] * 5


def test_what_cannot_be_read_does_not_stop_the_calls_beside_it(app: Flask, cassiopee: House, monkeypatch: Any) -> None:
    """Neither a body that is none nor a text that nobody foresaw, wherever it breaks."""
    made, email = account(cassiopee, "brevo"), post_email(cassiopee)
    tell(app, made, about(email, DELIVERED))
    tell(app, made, about(email, documented.PAYLOADS["brevo"][0]) | {"email": "nobody@foresaw.example"})
    tell(app, made, about(email, documented.PAYLOADS["brevo"][12]))
    read = hearing.facts.said

    def breaks(told: Spoken, source: str, now: datetime) -> Any:
        if told.recipient == "nobody@foresaw.example":
            raise ZeroDivisionError
        return read(told, source, now)

    monkeypatch.setattr(hearing.facts, "said", breaks)
    assert ledger.apply() == 3
    assert calls() == [CallState.APPLIED, CallState.UNREADABLE, CallState.APPLIED]
    assert len(outcomes()) == 2


HARSH = ["six letters: \\u0000x", "a \x00 NUL", "half a pair: \ud800"]


@pytest.mark.parametrize("words", HARSH)
def test_no_words_of_a_stranger_lose_an_event(app: Flask, cassiopee: House, words: str) -> None:
    made, email = account(cassiopee, "brevo"), post_email(cassiopee)
    hard = next(one for one in documented.PAYLOADS["brevo"] if one.get("event") == "hard_bounce")
    click = next(one for one in documented.PAYLOADS["brevo"] if one.get("event") == "click")
    tell(app, made, about(email, hard) | {"reason": f"550 5.1.1 no such user {words}"})
    tell(app, made, about(email, click) | {"link": f"https://a.example/{words}"})
    tell(app, made, about(email, hard) | {"email": f"x{words}@y.example"})
    ledger.apply()
    assert calls() == [CallState.APPLIED] * 3 and len(outcomes()) == 3
    assert status(email)[0] is Status.OPENED  # whoever clicks has read
    told = db.session.scalars(select(DeliveryEvent.diagnostic).where(DeliveryEvent.kind == EventKind.BOUNCED)).first()
    assert told is not None and ("six" not in words or words in told)


def test_a_batch_is_bounded_in_bytes(app: Flask, cassiopee: House, monkeypatch: Any) -> None:
    made, email = account(cassiopee, "brevo"), post_email(cassiopee)
    for number in range(3):
        tell(app, made, about(email, DELIVERED) | {"ts_epoch": 1_790_000_000_000 + number * 1000, "x": "x" * 1000})
    monkeypatch.setattr(ledger, "_BYTES", 1500)
    assert ledger._apply_some() == 2 and ledger._apply_some() == 1 and ledger._apply_some() == 0


@pytest.mark.parametrize("provider", UNSIGNED)
def test_the_same_body_again_is_taken_and_changes_no_row(app: Flask, cassiopee: House, provider: str) -> None:
    made, payload = account(cassiopee, provider), documented.PAYLOADS[provider][0]
    assert [tell(app, made, payload).status_code for _ in range(3)] == [204, 204, 204]
    assert len(calls()) == 1
    ledger.apply()
    before = outcomes()
    assert tell(app, made, payload).status_code == 204 and not ledger.due() and outcomes() == before


# --- who unsubscribes there ---


@pytest.fixture
def newsletters(cassiopee: House) -> House:
    cassiopee.organisation.optional_types = ["newsletter"]
    db.session.commit()
    return cassiopee


def spoken(email: Email, kind: EventType = EventType.UNSUBSCRIBED, at: datetime | None = None) -> hearing.Told:
    moment, token = at or datetime.now(UTC), tokens.token("mid", email.id)
    return hearing.Told(Spoken(kind, timestamp=moment, event_id=f"{email.id} {kind} {at}", marks=(token,)))


def heard(made: ProviderAccount, *told: hearing.Told) -> None:
    hearing.hear(made.organisation_id, made.id, made.provider, told, Via.WEBHOOK)
    db.session.commit()


def left(email: Email) -> None:
    record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", email.created_at)])
    db.session.commit()


def test_who_unsubscribes_at_the_provider_left_that_type(newsletters: House) -> None:
    made, first, waiting = account(newsletters, "brevo"), sent(newsletters), sent(newsletters)
    left(first)
    heard(made, spoken(first))
    held = db.session.scalars(select(OptOut)).one()
    assert (held.address, held.type, held.left_by) == ("lea@client.example", "newsletter", LeftBy.PROVIDER)
    assert ("unsubscribed", "webhook:brevo") in facts_of(first) and status(first)[0] is Status.SENT
    assert status(waiting) == (Status.FAILED, Reason.CANCELLED)
    assert status(sent(newsletters)) == (Status.FAILED, Reason.CANCELLED)
    heard(made, spoken(first))
    assert db.session.scalar(select(func.count()).select_from(OptOut)) == 1


def test_of_a_type_that_cannot_be_left_only_the_story_says_so(newsletters: House) -> None:
    made, one = account(newsletters, "brevo"), sent(newsletters, "convocation")
    left(one)
    heard(made, spoken(one))
    assert ("unsubscribed", "webhook:brevo") in facts_of(one)
    assert db.session.scalars(select(OptOut)).all() == []
    assert status(sent(newsletters, "convocation"))[0] is Status.REQUESTED


def test_news_from_before_somebody_came_back_puts_nobody_out(newsletters: House) -> None:
    """The moments decide, not the order in which news comes."""
    made, one = account(newsletters, "brevo"), sent(newsletters)
    left(one)
    leaving.leave(one, LeftBy.PAGE)
    held = leaving.lasting(one)
    assert held and leaving.back(held)
    db.session.commit()
    heard(made, spoken(one, at=datetime.now(UTC) - timedelta(hours=1)))
    assert leaving.lasting(one) is None
    heard(made, spoken(one))
    assert leaving.lasting(one) is not None


def test_whoever_leaves_by_our_own_page_shows_in_the_story_once(newsletters: House) -> None:
    one = sent(newsletters)
    left(one)
    for _ in range(2):
        leaving.leave(one, LeftBy.ONE_CLICK)
        db.session.commit()
    assert [kind for kind, source in facts_of(one) if source == "recipient"] == ["unsubscribed"]
    assert status(one)[0] is Status.SENT


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("brevo", {"event": "unsubscribed"}), ("mailjet", {"event": "unsub"}),
        ("postmark", {"RecordType": "SubscriptionChange", "SuppressSending": True}),
        ("sendgrid", {"event": "group_unsubscribe"}), ("mailgun", {"event-data": {"event": "unsubscribed"}}),
        ("sparkpost", {"msys": {"unsubscribe_event": {"type": "list_unsubscribe"}}}),
        ("mailersend", {"type": "activity.unsubscribed", "data": {"type": "unsubscribed"}}),
    ],
)  # fmt: skip
def test_each_provider_s_word_for_it_is_understood(provider: str, said: dict[str, Any]) -> None:
    (one,) = PROVIDERS[provider].parse(documented.call(provider, said))
    assert one.event_type is EventType.UNSUBSCRIBED
    found = hearing.facts.said(one, f"webhook:{provider}", datetime.now(UTC))
    assert found is not None and found.kind is EventKind.UNSUBSCRIBED


# --- orphans ---


def orphan(house: House, made: ProviderAccount, name: str = "hard_bounce") -> Event:
    (payload,) = [one for one in documented.PAYLOADS["brevo"] if one["event"] == name][:1]
    told = brevo.parse(documented.call("brevo", payload | {"X-Mailin-custom": "", "email": documented.WHO}))
    heard(made, *(hearing.Told(replace(one, message_id="<x@elsewhere.example>", header_id=None)) for one in told))
    return db.session.scalars(select(Event).where(Event.outcome == Heard.ORPHAN)).one()


def test_attached_by_hand_it_is_a_fact_with_name_and_note(cassiopee: House) -> None:
    email, found = post_email(cassiopee), orphan(cassiopee, account(cassiopee, "brevo"))
    with pytest.raises(UserMistake) as mistake:
        hearing.attach(found, email, by=cassiopee.admin, note="  ")
    assert mistake.value.field == "note"
    hearing.attach(found, email, by=cassiopee.admin, note="Vu chez Brevo")
    db.session.commit()
    assert status(email)[0] is Status.FAILED
    fact = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "bounced")).one()
    assert (fact.data["by"], fact.data["note"], fact.data["key"]) == (cassiopee.admin.name, "Vu chez Brevo", "by-hand")
    assert quarantine.quarantined(cassiopee.id, [documented.WHO]) == set()  # a person's word closes no address
    assert (found.outcome, found.email_id, found.handled_by_id) == (Heard.APPLIED, email.id, cassiopee.admin.id)
    for again in (
        lambda: hearing.attach(found, email, by=cassiopee.admin, note="x"),
        lambda: hearing.dismiss(found, by=cassiopee.admin),
    ):
        with pytest.raises(UserMistake):
            again()
        db.session.rollback()


def test_a_complaint_attached_by_hand_closes_the_address(cassiopee: House) -> None:
    email, found = post_email(cassiopee), orphan(cassiopee, account(cassiopee, "brevo"), "spam")
    hearing.attach(found, email, by=cassiopee.admin, note="x")
    db.session.commit()
    assert quarantine.quarantined(cassiopee.id, [documented.WHO]) == {documented.WHO}


def test_nothing_is_attached_to_what_never_left(cassiopee: House) -> None:
    found = orphan(cassiopee, account(cassiopee, "brevo"))
    with pytest.raises(UserMistake) as mistake:
        hearing.attach(found, post_email(cassiopee, left=False), by=cassiopee.admin, note="x")
    assert mistake.value.field == "email"


def test_put_aside_it_changes_nothing_and_waits_no_more(cassiopee: House, boreale: House) -> None:
    found, other = orphan(cassiopee, account(cassiopee, "brevo")), account(boreale, "brevo")
    assert hearing.dismiss_until(boreale.id, 10**9, by=boreale.admin) == 0
    assert hearing.dismiss_until(cassiopee.id, found.id - 1, by=cassiopee.admin) == 0
    assert hearing.dismiss_until(cassiopee.id, found.id, by=cassiopee.admin) == 1
    db.session.commit()
    assert outcomes() == [Heard.DISMISSED] and other.id


def test_any_order_of_leaving_and_coming_back_ends_the_same(newsletters: House) -> None:
    """What is told of the same moments, in every order, leaves the same opt-outs."""
    made, start = account(newsletters, "brevo"), datetime.now(UTC)
    ends = set()
    for number, order in enumerate(itertools.permutations(range(3))):
        one = sent(newsletters, to=f"p{number}@client.example")
        left(one)
        told = [spoken(one, kind, start + timedelta(seconds=n)) for n, kind in enumerate(
            (EventType.DELIVERED, EventType.UNSUBSCRIBED, EventType.OPENED))]  # fmt: skip
        for n in order:
            heard(made, told[n])
        ends.add((status(one), leaving.lasting(one) is not None, one.marks))
    assert ends == {((Status.OPENED, None), True, next(iter(ends))[2])}
