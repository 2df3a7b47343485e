"""Configuration › Expéditeurs › Cadences: what is limited and slowed, seen and set by those who may."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from extensions import db
from mail import accounts
from mail.pace import Pace, situation
from mail.transport import Reply
from models import Address, AuditAction, AuditEntry, PaceState
from tests.mail.test_accounts import account
from tests.mail.test_pace import later, limit

THROTTLE = Reply(421, "4.7.28 too many messages to zoe@client.example, slow down")


@pytest.fixture
def own(cassiopee):
    row = account(cassiopee, name="Mailo", connections=6, per_minute=300)
    cassiopee.sender.account_id = row.id
    db.session.commit()
    return row


def write_to(house, domain: str) -> None:
    db.session.add(Address(organisation_id=house.id, address=f"zoe@{domain}", domain=domain))
    db.session.commit()


def test_an_admin_limits_a_domain_and_lifts_it(cassiopee, own, client):
    client.sign_in(cassiopee.admin)
    assert "Mailo" in client.get("/settings/pace").text
    form = {"account": own.public_id, "domain": " Zoé@Orange.fr ", "per_minute": "60", "lines": ""}
    client.post("/settings/pace/domains/new", data=form)
    shown = client.get("/settings/pace").text
    assert "orange.fr" in shown and ">60<" in shown.replace("\n", "")
    row = db.session.get(PaceState, (own.id, "orange.fr"))
    assert (row.per_minute, row.lines) == (60, None)
    client.post("/settings/pace/domains/new", data=form, status=422)
    path = f"/settings/pace/{own.public_id}/domains/orange.fr"
    client.post(path, data={"per_minute": "", "lines": "3"})
    db.session.expire_all()
    assert (row.per_minute, row.lines) == (None, 3)
    client.post(f"{path}/delete")
    assert "orange.fr" not in client.get("/settings/pace").text.partition("<table")[2]
    lines = db.session.query(AuditEntry).filter_by(action=AuditAction.PACE_CHANGED).all()
    assert [line.subject for line in lines] == ["orange.fr"] * 3


@pytest.mark.parametrize(
    "form", [{"domain": "orange"}, {"domain": ""}, {"per_minute": "0"}, {"per_minute": "", "lines": ""}, {"lines": "x"}]
)
def test_what_makes_no_limit_is_refused_with_a_word(cassiopee, own, client, form):
    client.sign_in(cassiopee.admin)
    values = {"account": own.public_id, "domain": "orange.fr", "per_minute": "60", "lines": "2"} | form
    client.post("/settings/pace/domains/new", data=values, status=422)
    assert db.session.scalar(text("SELECT count(*) FROM pace")) == 0


def test_the_shared_account_is_shown_and_not_set(cassiopee, boreale, client):
    limit("client.example", per_minute=30)
    write_to(boreale, "client.example")
    assert [row.domain for row in situation(cassiopee.id)] == [""]  # who others write to is theirs
    (shared, theirs) = situation(boreale.id)
    assert not shared.ours and not theirs.ours and theirs.rate_set == 30
    client.sign_in(boreale.admin)
    assert "client.example" in client.get("/settings/pace").text
    client.get("/settings/pace/domains/new", status=303)
    client.get("/settings/pace/house/domains/client.example", status=404)


def test_an_organisation_alone_in_the_house_sets_the_shared_account(cassiopee, client):
    client.sign_in(cassiopee.admin)
    client.post("/settings/pace/domains/new", data={"account": "house", "domain": "orange.fr", "per_minute": "60"})
    client.get("/settings/pace/house/domains/orange.fr", status=200)


def test_what_is_slowed_says_since_when_by_which_words_and_until_when(cassiopee, own, client):
    write_to(cassiopee, "client.example")
    value = accounts.of([own.id])[own.id]
    pace = Pace("w")
    for _ in range(80):
        pace.heard(value, "client.example", None, True)
    pace.heard(value, "client.example", THROTTLE, False)
    base, domain = situation(cassiopee.id)
    assert (base.lines_now, base.lines_set, base.rate_set) == (3, 6, 300)
    assert domain.slowed and domain.per_minute == 40 and domain.rate_set is None
    assert 299 < (domain.back_at - domain.slowed_since).total_seconds() < 301
    client.sign_in(cassiopee.admin)
    shown = client.get("/settings/pace").text
    assert "ralentis" in shown and "slow down" in shown and "zoe@" not in shown
    later(400)
    assert [row.slowed for row in situation(cassiopee.id)] == [False]
    assert "ralentis" not in client.get("/settings/pace").text
