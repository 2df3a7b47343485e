"""The billing webhook: only what is signed, and signed now, is taken in; its sources are made and revoked by admins."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from extensions import db
from models import BillingSource, BusinessEvent
from planning import billing
from tests.client import Browser
from tests.conftest import House
from webhooks import signing

EVENT = {
    "id": "evt_9", "type": "invoice.issued_to_pay", "occurred_at": "2026-11-20T08:30:00Z", "livemode": True,
    "customer": {"reference": "CUS-1", "email": "anne@client.example", "name": None, "vat": "FR12"},
    "data": {"invoice": {"number": "F-1"}}, "attachments": [],
}  # fmt: skip


@pytest.fixture
def secret() -> str:
    return signing.new_secret()


@pytest.fixture
def source(cassiopee: House, secret: str) -> BillingSource:
    made = billing.make(cassiopee.id, "Facturio", signing.seal(secret))
    db.session.commit()
    return made


def tell(
    app: Flask, source: BillingSource | str, secret: str, body: Any = EVENT, *, at: int | None = None, **headers: str
) -> TestResponse:
    """What a billing system sends; `headers` override."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = int(time.time()) if at is None else at
    given = {
        "webhook-id": "msg_1", "webhook-timestamp": str(stamp),
        "webhook-signature": signing.signature([secret], "msg_1", stamp, raw), "Content-Type": "application/json",
    } | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
    key = source if isinstance(source, str) else source.public_id
    with app.app_context():
        return app.test_client().post(f"/inbound/billing/{key}", data=raw, headers=given)


def events() -> list[BusinessEvent]:
    db.session.expire_all()
    return list(db.session.scalars(select(BusinessEvent)))


def test_a_signed_event_is_taken_in_once_with_what_we_know_of_it(app, source, secret):
    first = tell(app, source, secret)
    assert first.status_code == 202 and first.get_json()["known"] is False
    second = tell(app, source, secret)
    assert second.status_code == 202 and second.get_json() == first.get_json() | {"known": True}
    (event,) = events()
    assert (event.source, event.event_id, event.type) == (source.public_id, "evt_9", "invoice.issued_to_pay")
    assert event.payload["customer"] == {"reference": "CUS-1", "email": "anne@client.example", "segments": []}
    assert "livemode" not in event.payload
    assert db.session.get_one(BillingSource, source.id).last_event_at is not None


def test_one_of_several_signatures_is_enough(app, source, secret):
    stamp, raw = int(time.time()), json.dumps(EVENT).encode()
    right = signing.signature([secret], "msg_1", stamp, raw)
    assert tell(app, source, secret, at=stamp, webhook_signature=f"v1,AAAA v1a,BBBB {right}").status_code == 202


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": 0}, {"at": -301}, {"at": 360}, {"webhook_id": "msg_2"}, {"webhook_id": ""}, {"webhook_timestamp": "now"},
        {"webhook_timestamp": "9" * 400}, {"webhook_signature": ""}, {"webhook_signature": "v1,AAAA"},
        {"webhook_signature": "é" * 3}, {"webhook_signature": "v1," + "A" * 5000},
    ],
)  # fmt: skip
def test_what_is_not_signed_now_is_refused_and_changes_nothing(app, source, secret, wrong):
    given = dict(wrong)
    if given.get("at"):
        given["at"] += int(time.time())
    answer = tell(app, source, secret, **given)
    assert answer.status_code == 401 and answer.mimetype == "application/problem+json"
    assert secret not in answer.get_data(as_text=True) and events() == []


@pytest.mark.parametrize(("away", "genuine"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signature_holds_for_five_minutes_before_and_after(secret, away, genuine):
    def sign(message_id: str, moment: int) -> str:
        return signing.signature([secret], message_id, moment, b"{}")

    headers = {"webhook-id": "m", "webhook-timestamp": "1790000000", "webhook-signature": sign("m", 1_790_000_000)}
    assert billing.genuine(headers, sign, now=1_790_000_000 - away) is genuine


def test_a_changed_body_another_secret_and_an_unknown_address_look_the_same(app, source, secret):
    stamp, raw = int(time.time()), json.dumps(EVENT).encode()
    signed = signing.signature([secret], "msg_1", stamp, raw)
    changed = tell(app, source, secret, raw + b" ", at=stamp, webhook_signature=signed)
    other = tell(app, source, signing.new_secret())
    unknown = tell(app, "B-00000000000000000000", secret)
    billing.revoke(source)
    db.session.commit()
    revoked = tell(app, source, secret)
    assert {answer.status_code for answer in (changed, other, unknown, revoked)} == {401}
    assert len({answer.get_json()["detail"] for answer in (changed, other, unknown, revoked)}) == 1
    assert events() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b'"x"', 422), (EVENT | {"type": "No"}, 422), (EVENT | {"customer": 3}, 422),
     (EVENT | {"attachments": ["x"]}, 422),
     (EVENT | {"attachments": [{"filename": "a.pdf", "content": "!!!!"}]}, 422)],
)  # fmt: skip
def test_what_is_signed_but_no_event_is_said(app, source, secret, body, status):
    answer = tell(app, source, secret, body)
    assert answer.status_code == status and answer.mimetype == "application/problem+json"
    assert events() == []


def test_an_admin_makes_one_sees_the_secret_once_and_revokes_it(app, cassiopee, boreale, client: Browser):
    admin = client.sign_in(cassiopee.admin)
    admin.post("/settings/billing/new", {"name": ""}, status=422)
    admin.post("/settings/billing/new", {"name": "Facturio"}, status=200)
    (shown,) = admin.html.xpath("//code[@id='secret']/text()")
    made = db.session.scalars(select(BillingSource)).one()
    assert shown.startswith("whsec_") and shown not in made.secret
    (address,) = admin.html.xpath("//code[@id='address']/text()")
    assert address == f"http://localhost/inbound/billing/{made.public_id}"
    assert tell(app, made, shown).status_code == 202
    admin.get("/settings/billing")
    assert shown not in admin.text() and "Facturio" in admin.text()
    admin.get("/events")
    assert "Facturio" in admin.text()
    Browser(app).sign_in(boreale.admin).post(f"/settings/billing/{made.public_id}/revoke", status=404)
    admin.post(f"/settings/billing/{made.public_id}/revoke")
    assert tell(app, made, shown).status_code == 401
    assert db.session.scalar(select(func.count()).select_from(BusinessEvent)) == 1
