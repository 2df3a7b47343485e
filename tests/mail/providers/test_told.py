"""Calls by HTTP: only what is authentic is kept, each event counts once, in any order, for the right e-mail alone."""

from __future__ import annotations

import gzip
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from extensions import db
from mail import outbox, tokens
from mail.compose import Draft
from mail.fold import Fact, fold
from mail.providers import PROVIDERS, accounts, certificates, hearing, ledger
from mail.providers.event import LARGEST, Call
from mail.providers.facts import said
from mail.tracking import record
from models import DeliveryEvent, Email, ProviderAccount, ProviderCall, ProviderEvent
from models.provider import CallState, Heard
from models.words import EventKind, Reason, Status
from tests.conftest import House
from tests.mail.providers import documented
from tests.mail.providers.signing import CERTIFICATE, TOPIC, WEBHOOKS, certificate, keys, signed, sns

NOW = datetime.now(UTC)
# Where a documented payload says the message was taken by the recipient's operator.
DELIVERED = {
    "brevo": 1, "mailjet": 0, "mailgun": 1, "postmark": 0, "amazon_ses": 1, "sendgrid": 0, "resend": 1,
    "mailersend": 1, "sparkpost": 0, "mandrill": 0, "postal": 0,
}  # fmt: skip


def post_email(house: House, address: str = documented.WHO, left: bool = True) -> Email:
    """An e-mail asked for, and taken by the next server unless `left` is False."""
    draft = Draft(address, "Léa Petit", None, None, "free", "Bonjour", "", "Bonjour")
    key = f"test {datetime.now(UTC).isoformat()}"
    (email,) = outbox.post([draft], organisation=house.organisation, sender=house.sender, by=None, request_key=key)
    db.session.commit()
    if left:
        record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", datetime.now(UTC))])
        db.session.commit()
    return email


def account(house: House, provider: str) -> ProviderAccount:
    """An account with the keys that signing.py signs with."""
    made = accounts.make(house.id, provider, provider)
    made.secret, made.signed = keys(provider).sealed(), True
    db.session.commit()
    certificates._known[CERTIFICATE] = (10.0**12, certificate())
    return made


def about(email: Email, payload: Any) -> Any:
    """A documented payload about that e-mail: our token where it comes back, our Message-ID, its recipient."""
    told = json.dumps(payload).replace("aaaa", tokens.token("mid", email.id))
    return json.loads(told.replace(documented.ID.strip("<>"), f"{tokens.token('mid', email.id)}@cassiopee.example"))


def call_of(made: ProviderAccount, payload: Any, now: datetime | None = None) -> Call:
    url = accounts.address(made)
    return signed(made.provider, payload, keys(made.provider), url, now or datetime.now(UTC))


def send(app: Flask, where: str, call: Call, **headers: str) -> TestResponse:
    given = dict(call.headers) | {name.replace("_", "-").lower(): value for name, value in headers.items()}
    path = where.removeprefix("http://localhost")
    with app.app_context():
        return app.test_client().post(path, data=call.body, headers=given)


def tell(app: Flask, made: ProviderAccount, payload: Any, now: datetime | None = None) -> TestResponse:
    return send(app, accounts.address(made), call_of(made, payload, now))


def status(email: Email) -> tuple[Status, Reason | None]:
    db.session.expire_all()
    return email.status, email.reason


def facts_of(email: Email) -> list[tuple[str, str]]:
    rows = db.session.execute(
        select(DeliveryEvent.kind, DeliveryEvent.source)
        .where(DeliveryEvent.email_id == email.id)
        .order_by(DeliveryEvent.id)
    )
    return [(row[0].value, row[1]) for row in rows]


def outcomes() -> list[Heard]:
    return list(db.session.scalars(select(ProviderEvent.outcome).order_by(ProviderEvent.id)))


@pytest.mark.parametrize("provider", WEBHOOKS)
def test_an_authentic_call_becomes_a_fact_about_the_right_email(app: Flask, cassiopee: House, provider: str) -> None:
    email, made = post_email(cassiopee), account(cassiopee, provider)
    payload = about(email, documented.PAYLOADS[provider][DELIVERED[provider]])
    answer = tell(app, made, payload)
    assert answer.status_code == 204 and not answer.data
    kept = db.session.scalars(select(ProviderCall)).one()
    assert kept.state is CallState.WAITING and b"authorization" not in json.dumps(kept.headers).encode()
    assert ledger.apply() == 1
    sources = {source for _, source in facts_of(email)}
    assert f"webhook:{provider}" in sources
    assert set(outcomes()) <= {Heard.APPLIED, Heard.IGNORED, Heard.ORPHAN}
    # their first batches tell of opens and bounces as well
    ends = {"mandrill": (Status.OPENED,), "sparkpost": (Status.FAILED, Status.UNDELIVERABLE)}
    assert status(email)[0] in ends.get(provider, (Status.DELIVERED,))


def refusals(made: ProviderAccount, payload: Any) -> list[tuple[str, str, Call]]:
    """(what is wrong, address, call) of calls that must change nothing."""
    where, good = accounts.address(made), call_of(made, payload)
    proofs = [name for name in good.headers if name not in ("content-type", "svix-id", "svix-timestamp")]
    found = [
        ("changed body", where, replace(good, body=good.body.replace(b"convocation", b"conv0cation") + b" ")),
        ("unknown address", where[:-6] + "xxxxxx", good),
        ("unknown provider", where.replace(f"/{made.provider}/", "/nobody/"), good),
        ("too large", where, replace(good, body=good.body + b" " * (LARGEST + 1))),
        ("gzip", where, Call({**good.headers, "content-encoding": "gzip"}, gzip.compress(good.body))),
        ("content type", where, Call({**good.headers, "content-type": "application/xml"}, good.body)),
        ("no content type", where, Call({k: v for k, v in good.headers.items() if k != "content-type"}, good.body)),
    ]
    if proofs:
        found.append(("no proof", where, Call({k: v for k, v in good.headers.items() if k not in proofs}, good.body)))
        found.append(
            (
                "forged",
                where,
                Call({k: (v[:-5] + "AAAA=" if k in proofs else v) for k, v in good.headers.items()}, good.body),
            )
        )
    other = replace(keys(made.provider), signing="whsec_AAAAAAAAAAAAAAAAAAAAAAAA", password="wrong")
    if made.provider in ("mailgun", "mailersend", "mandrill", "resend", "brevo", "mailjet", "postmark", "sparkpost"):
        found.append(("wrong secret", where, signed(made.provider, payload, other, where, datetime.now(UTC))))
    if made.provider in ("mailgun", "resend", "sendgrid", "postal", "mailersend", "mandrill", "amazon_ses"):
        for age in (timedelta(days=2), timedelta(minutes=-10)):
            found.append((f"{age} old", where, call_of(made, payload, datetime.now(UTC) - age)))
    return found


@pytest.mark.parametrize("provider", WEBHOOKS)
def test_what_proves_nothing_changes_nothing(app: Flask, cassiopee: House, caplog: Any, provider: str) -> None:
    made, payload = account(cassiopee, provider), documented.PAYLOADS[provider][0]
    unsigned = provider in ("brevo", "mailjet", "postmark", "sparkpost")
    said_by = {}
    for what, where, call in refusals(made, payload):
        if what == "changed body" and (unsigned or provider == "mailgun"):
            continue  # what proves these calls is not the body
        answer = send(app, where, call)
        assert 400 <= answer.status_code < 500, (what, answer.status_code)
        said_by[what] = (answer.status_code, answer.json["detail"])
    assert db.session.scalar(select(func.count()).select_from(ProviderCall)) == 0
    assert db.session.scalar(select(func.count()).select_from(ProviderEvent)) == 0
    assert (
        len({said_by[what] for what in said_by if what in ("unknown address", "forged", "wrong secret", "no proof")})
        == 1
    )
    for secret in (keys(provider).signing, keys(provider).password, made.token):
        assert not secret or secret not in caplog.text


@pytest.mark.parametrize("provider", WEBHOOKS)
def test_four_minutes_of_skew_are_fine_and_a_replay_is_refused(app: Flask, cassiopee: House, provider: str) -> None:
    made, payloads = account(cassiopee, provider), documented.PAYLOADS[provider]
    for n, skew in enumerate((timedelta(minutes=4), timedelta(minutes=-4))):
        call = call_of(made, payloads[n % len(payloads)], datetime.now(UTC) + skew)
        assert send(app, accounts.address(made), call).status_code == 204
        again = send(app, accounts.address(made), call).status_code
        assert again == (204 if provider in ("brevo", "mailjet", "postmark", "sparkpost") else 409)


def test_a_mailgun_signature_proves_one_event_only(app: Flask, cassiopee: House) -> None:
    made, (first, second, *_) = account(cassiopee, "mailgun"), documented.PAYLOADS["mailgun"]
    good = json.loads(call_of(made, first).body)
    assert send(app, accounts.address(made), documented.call("mailgun", good)).status_code == 204
    swapped = second | {"signature": good["signature"]}
    assert send(app, accounts.address(made), documented.call("mailgun", swapped)).status_code == 409


def test_sns_is_believed_for_our_topic_by_amazons_certificate_only(app: Flask, cassiopee: House) -> None:
    made = account(cassiopee, "amazon_ses")
    base = documented.PAYLOADS["amazon_ses"][0] | {"Timestamp": datetime.now(UTC).isoformat()}
    good = sns(base)
    for change in (
        {"TopicArn": TOPIC + "2"}, {"SigningCertURL": CERTIFICATE.replace(".com", ".com.evil.example")},
        {"SigningCertURL": CERTIFICATE.replace("https", "http")},
        {"SigningCertURL": CERTIFICATE.replace("/Simple", "/../Simple")},
        {"SigningCertURL": "http://169.254.169.254/latest/meta-data"}, {"SigningCertURL": None}, {"Message": "{}"},
        {"Type": "SubscriptionConfirmation"}, {"Signature": "AAAA"},
    ):  # fmt: skip
        call = documented.call("amazon_ses", good | change)
        assert send(app, accounts.address(made), call).status_code == 401, change
    assert send(app, accounts.address(made), documented.call("amazon_ses", good)).status_code == 204


def test_a_subscription_is_confirmed_at_amazons_own_host_whatever_the_message_says() -> None:
    ses = PROVIDERS["amazon_ses"]
    asked = {
        "Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "Token": "abc123", "MessageId": "1", "Message": "You…",
        "SubscribeURL": "http://169.254.169.254/latest/", "Timestamp": "2026-11-22T10:00:00Z",
    }  # fmt: skip
    host, path = ses.confirmation(documented.call("amazon_ses", asked))
    assert host == "sns.eu-west-3.amazonaws.com" and path.startswith("/?Action=ConfirmSubscription&TopicArn=arn%3Aaws")
    assert (
        ses.confirmation(documented.call("amazon_ses", asked | {"TopicArn": "arn:aws:sns:evil.example/x:1:y"})) is None
    )
    assert ses.confirmation(documented.call("amazon_ses", asked | {"Type": "Notification"})) is None


def test_who_is_switched_off_is_not_heard(app: Flask, cassiopee: House) -> None:
    made = account(cassiopee, "brevo")
    made.active = False
    db.session.commit()
    assert tell(app, made, documented.PAYLOADS["brevo"][0]).status_code == 401


def test_an_event_before_our_own_record_waits_for_it(app: Flask, cassiopee: House) -> None:
    email, made = post_email(cassiopee, left=False), account(cassiopee, "brevo")
    tell(app, made, about(email, documented.PAYLOADS["brevo"][1]))
    ledger.apply()
    assert outcomes() == [Heard.WAITING] and status(email)[0] is Status.REQUESTED
    record([Fact(email.id, EventKind.ACCEPTED, "smtp", "1", datetime.now(UTC))])
    db.session.execute(text("UPDATE provider_event SET next_try_at = now() - interval '1 second'"))
    db.session.commit()
    assert ledger.due() and hearing.retry() == 1
    assert outcomes() == [Heard.APPLIED] and status(email)[0] is Status.DELIVERED
    assert sum(hearing.RETRIES[:5]) <= 60 + hearing.RETRIES[4]


def test_what_never_finds_its_email_is_an_orphan_in_the_end(app: Flask, cassiopee: House) -> None:
    email, made = post_email(cassiopee, left=False), account(cassiopee, "brevo")
    tell(app, made, about(email, documented.PAYLOADS["brevo"][1]))
    ledger.apply()
    for _ in hearing.RETRIES:
        db.session.execute(text("UPDATE provider_event SET next_try_at = now() - interval '1 second'"))
        db.session.commit()
        hearing.retry()
    assert outcomes() == [Heard.ORPHAN] and not ledger.due()


def test_only_an_email_of_the_accounts_own_organisation_is_touched(
    app: Flask, cassiopee: House, boreale: House
) -> None:
    email, made = post_email(cassiopee), account(boreale, "brevo")
    assert tell(app, made, about(email, documented.PAYLOADS["brevo"][11 + 1])).status_code == 204
    ledger.apply()
    assert outcomes() == [Heard.ORPHAN] and status(email)[0] is Status.SENT


def test_a_message_id_counts_with_our_recipient_only(app: Flask, cassiopee: House) -> None:
    email, made = post_email(cassiopee), account(cassiopee, "brevo")
    payload = about(email, documented.PAYLOADS["brevo"][1]) | {"X-Mailin-custom": ""}
    tell(app, made, payload | {"email": "somebody.else@example.net"})
    ledger.apply()
    assert outcomes() == [Heard.ORPHAN]
    tell(app, made, payload | {"email": documented.WHO.upper()})
    ledger.apply()
    assert outcomes() == [Heard.ORPHAN, Heard.APPLIED] and status(email)[0] is Status.DELIVERED


def test_a_failure_at_another_address_is_a_lost_copy(app: Flask, cassiopee: House) -> None:
    email, made = post_email(cassiopee), account(cassiopee, "brevo")
    bounced = next(one for one in documented.PAYLOADS["brevo"] if one["event"] == "hard_bounce")
    tell(app, made, about(email, bounced) | {"email": "forwarded@example.org"})
    ledger.apply()
    assert status(email)[0] is Status.SENT and ("copy_failed", "webhook:brevo") in facts_of(email)


@pytest.mark.parametrize("provider", ("brevo", "mailgun", "amazon_ses", "sendgrid"))
def test_repeated_and_shuffled_events_give_the_same_status(app: Flask, cassiopee: House, provider: str) -> None:
    """W1: what is told in any order, twice, by HTTP, comes to what fold says of the set."""
    made = account(cassiopee, provider)
    payloads = documented.PAYLOADS[provider]
    chosen = [payloads[n % len(payloads)] for n in (0, 1, 2)]
    seen = set()
    for order in itertools.permutations(range(3)):
        email = post_email(cassiopee)
        for n in (*order, order[0]):
            assert tell(app, made, about(email, chosen[n])).status_code in (204, 409)
            ledger.apply()  # one by one: a batch would put them in order
        seen.add(status(email))
        stored = [
            Fact(e.email_id, e.kind, e.source, e.source_event_id, e.occurred_at, e.reason)
            for e in db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.email_id == email.id))
        ]  # fmt: skip
        assert fold(stored).status is email.status and fold(stored).reason is email.reason
        db.session.execute(text("TRUNCATE provider_event, provider_call CASCADE"))
        db.session.commit()
    assert len(seen) == 1


EVENTS = [
    event
    for provider, payloads in documented.PAYLOADS.items()
    for payload in payloads
    for event in PROVIDERS[provider].parse(documented.call(provider, payload))
]


# a busy machine draws slowly; nothing here takes long
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, len(EVENTS) - 1), max_size=8).flatmap(lambda n: st.tuples(st.just(n), st.permutations(n)))
)
def test_the_fold_does_not_heed_the_order_of_provider_events(orders: tuple[list[int], list[int]]) -> None:
    told = [said(event, "webhook:x", NOW) for event in EVENTS]
    one, other = ([told[n].about(1, "token") for n in order if told[n]] for order in orders)  # type: ignore[union-attr]
    assert fold(one) == fold(other) == fold(other + other[:2])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(documented.WHO),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from((
            "event", "Type", "Message", "mail", "msys", "payload", "message", "event-data", "signature", "timestamp",
            "email", "data", "type", "msg", "headers", "to", "RecordType", "bounce", "tags", "metadata", "ts", "time",
            "message-id", "event_id", "id", "recipient", "destination", "eventType", "ts_epoch", "X-Mailin-custom",
        )), inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(payload=JSON, provider=st.sampled_from(WEBHOOKS))
def test_no_authentic_nonsense_breaks_the_reader(app: Flask, payload: Any, provider: str) -> None:
    house = getattr(app, "_house", None)
    if house is None or db.session.get(ProviderAccount, house[provider].id) is None:
        from tests.conftest import make_house

        made = make_house("Atelier", f"a{NOW.timestamp()}.example")
        house = app._house = {name: account(made, name) for name in WEBHOOKS}  # type: ignore[attr-defined]
    made = house[provider]
    if provider == "mandrill":
        payload = [one for one in payload if isinstance(one, dict)] if isinstance(payload, list) else [{"x": 1}]
    if provider in ("mailgun", "postal", "mailersend", "amazon_ses") and not isinstance(payload, dict):
        payload = {"event-data": payload, "payload": payload, "data": payload}
    if provider == "amazon_ses":
        payload = {"Type": "Notification", "MessageId": str(hash(str(payload))), "Message": json.dumps(payload)}
    answer = tell(app, made, payload)
    assert answer.status_code in (204, 409), answer.data
    ledger.apply()
    waiting = select(func.count()).select_from(ProviderCall).where(ProviderCall.state == CallState.WAITING)
    assert db.session.scalar(waiting) == 0
