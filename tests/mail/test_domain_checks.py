"""mail.domain_checks: what is kept of each look, who is told when a domain breaks, and what was known at a moment."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from extensions import db
from local.postoffice.zones import Record
from mail import domain_checks
from models import Email, Sender
from models.domain_check import DomainCheck, SendingDomain
from models.domain_words import DomainState, Flaw
from models.words import EmailType, ReturnPath
from tests.practice_names import BROKEN, WHOLE, served


@pytest.fixture
def zones(app):
    with served(app) as names:
        yield names


def moment(hours=0):
    return datetime(2026, 11, 20, 9, tzinfo=UTC) + timedelta(hours=hours)


def checked(house, hours=0, domain="cassiopee.example"):
    """The domain after a look at that moment."""
    row = domain_checks.follow(house.id)[domain]
    found, _now = domain_checks.look(row)
    kept = domain_checks.keep(row, found, moment(hours))
    db.session.commit()
    return row, kept


def alerts():
    return db.session.scalars(select(Email).where(Email.type == EmailType.ALERT.value).order_by(Email.id)).all()


def test_what_is_found_again_prolongs_the_check(zones, cassiopee):
    row, first = checked(cassiopee)
    assert (row.state, first.state) == (DomainState.GOOD, DomainState.GOOD)
    _row, again = checked(cassiopee, 6)
    assert (again.id, again.checked_at, again.confirmed_at) == (first.id, moment(), moment(6))
    assert row.next_check_at == moment(12)
    checked(cassiopee, 3)  # a slow look that ends after a later one
    assert db.session.scalar(select(func.max(DomainCheck.confirmed_at))) == moment(6)
    zones.replace(WHOLE, BROKEN)
    checked(cassiopee, 12)
    assert [one.state for one in domain_checks.history(row)] == [DomainState.BAD, DomainState.GOOD]


def test_a_break_is_told_once_and_healing_ends_it(zones, cassiopee, boreale):
    checked(cassiopee)
    zones.replace(WHOLE, BROKEN)
    row, kept = checked(cassiopee, 6)
    assert (row.broken_at, row.warned_at) == (moment(6), moment(6))
    assert {flaw for one in domain_checks.findings(kept) for flaw in one.flaws} == {Flaw.SPF_NOT_US, Flaw.DMARC_REFUSED}
    assert [one.domain for one in domain_checks.broken(cassiopee.id)] == ["cassiopee.example"]
    assert domain_checks.broken(boreale.id) == []
    checked(cassiopee, 12)
    (told,) = alerts()
    assert (told.organisation_id, "cassiopee.example" in told.subject) == (cassiopee.id, True)
    zones.replace(BROKEN, WHOLE)
    row, _kept = checked(cassiopee, 18)
    assert (row.state, row.broken_at) == (DomainState.GOOD, None)
    zones.replace(WHOLE, BROKEN)
    checked(cassiopee, 24)
    assert len(alerts()) == 2


def test_the_warning_leaves_from_a_domain_in_order(zones, cassiopee):
    other = Sender(
        organisation_id=cassiopee.id, name="Lettres", address="bonjour@boreale.example", return_path=ReturnPath.OWN
    )
    db.session.add(other)
    checked(cassiopee, domain="boreale.example")
    checked(cassiopee)
    zones.replace(WHOLE, BROKEN)
    checked(cassiopee, 6)
    assert [one.sender_id for one in alerts()] == [other.id]


def test_what_was_never_whole_is_no_break(zones, cassiopee):
    zones.replace(WHOLE, BROKEN)
    row, _kept = checked(cassiopee)
    assert (row.state, row.broken_at, alerts()) == (DomainState.BAD, None, [])


def test_no_answer_leaves_the_state_and_is_asked_again_soon(zones, cassiopee):
    checked(cassiopee)
    silence = Record("cassiopee.example", "FAIL", "")
    zones.add(silence)
    row, kept = checked(cassiopee, 6)
    assert (row.state, kept.state, row.broken_at) == (DomainState.GOOD, DomainState.UNKNOWN, None)
    assert row.next_check_at == moment(6.5)
    zones.remove(silence)
    zones.replace(WHOLE, BROKEN)
    row, _kept = checked(cassiopee, 7)  # broken meanwhile: told though the last look knew nothing
    assert row.broken_at == moment(7) and len(alerts()) == 1


def test_what_was_known_at_a_moment(zones, cassiopee, boreale):
    checked(cassiopee)
    zones.replace(WHOLE, BROKEN)
    checked(cassiopee, 48)

    def known(hours, house=cassiopee):
        seen = domain_checks.about(house.id, "cassiopee.example", moment(hours))
        return seen and (seen.check.state.value, seen.before)

    assert [known(hours) for hours in (-1, 0, 47, 48, 99)] == [
        ("good", False), ("good", True), ("good", True), ("bad", True), ("bad", True),
    ]  # fmt: skip
    assert known(1, boreale) is None


def test_the_job_checks_what_is_due(zones, cassiopee, boreale):
    unused = SendingDomain(organisation_id=cassiopee.id, domain="gmail.com")
    db.session.add(unused)
    db.session.commit()
    now = datetime.now(UTC) + timedelta(seconds=5)
    assert domain_checks.check_due(now=now) == 2
    assert domain_checks.check_due(now=now + timedelta(hours=5)) == 0
    assert domain_checks.check_due(lambda: True, now + timedelta(hours=7)) == 0
    assert domain_checks.check_due(now=now + timedelta(hours=13)) == 2
    states = dict(db.session.execute(select(SendingDomain.domain, SendingDomain.state)).all())
    assert {name: state.value for name, state in states.items()} == {
        "boreale.example": "good", "cassiopee.example": "good", "gmail.com": "none",
    }  # fmt: skip


def test_where_reports_come_back(cassiopee):
    assert domain_checks.envelopes([cassiopee.sender]) == {"cassiopee.example"}
    cassiopee.sender.bounce_address = "retours@Ailleurs.example"
    assert domain_checks.envelopes([cassiopee.sender]) == {"ailleurs.example"}
    cassiopee.sender.return_path = ReturnPath.OWN
    assert domain_checks.envelopes([cassiopee.sender]) == {"cassiopee.example"}
    assert domain_checks.domain_of("a@Été.example") == "xn--t-9fab.example" and domain_checks.domain_of("sans") == ""
