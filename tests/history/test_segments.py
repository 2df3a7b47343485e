"""What a rule means: its parts ANDed, its values ORed, last sessions by the organisation's own day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions import db
from history import segments
from history.segments import Last, Rule
from models import Contact, Enrolment, Segment
from models.words import ContactKind, SessionState
from tests.history.making import make_contact, make_session

WORDS = st.lists(
    st.one_of(st.text(max_size=9), st.sampled_from(["learner", "C-1", "FR", "within", "7", "S-1"])), max_size=4
)
VALUES = st.dictionaries(
    st.sampled_from(["kind", "company", "tag", "country", "offer", "last", "days", "session", "other"]), WORDS
)


@given(VALUES)
def test_a_rule_comes_back_from_what_is_kept(values: dict[str, list[str]]) -> None:
    once = Rule.of(values)
    assert Rule.read(once.write()) == once
    assert once.empty == (once == Rule())


def test_nonsense_is_no_rule() -> None:
    assert Rule.of(
        {"kind": ["robot"], "company": ["S-1"], "country": ["France"], "last": ["within"], "days": ["-3"]}
    ).empty
    assert Rule.read({"company": "C-1", "last_session": {"more": 90}}) == Rule(
        company=("C-1",), last=Last.MORE, days=90
    )


@pytest.fixture
def people(cassiopee: Any, boreale: Any) -> Any:
    """Contacts by first name: what they are and when their last session was (days ago; negative: to come)."""
    today = datetime.now(UTC).date()
    acme = make_contact(cassiopee, "Acme", ContactKind.COMPANY, public_id="C-acme")
    made = {
        "Ada": make_contact(cassiopee, "Ada", tags=["vip", "presse"], country="BE", company_id=acme.id),
        "Bob": make_contact(cassiopee, "Bob", tags=["vip"], offer="Or"),
        "Cyd": make_contact(cassiopee, "Cyd", ContactKind.CUSTOMER, country="CH", offer="Argent"),
        "Dan": make_contact(cassiopee, "Dan", ContactKind.CUSTOMER),
    }
    make_contact(boreale, "Eve", tags=["vip"], country="BE")
    for name, ago, state, public_id in (
        ("Ada", 10, SessionState.FINISHED, "S-ten"), ("Ada", 400, SessionState.FINISHED, "S-old"),
        ("Bob", 200, SessionState.PLANNED, "S-far"), ("Cyd", -5, SessionState.PLANNED, "S-soon"),
        ("Dan", 20, SessionState.CANCELLED, "S-gone"),
    ):  # fmt: skip
        day = today - timedelta(days=ago)
        session = make_session(cassiopee, public_id, public_id=public_id, state=state, starts_on=day, ends_on=day)
        db.session.add(
            Enrolment(organisation_id=cassiopee.id, training_session_id=session.id, contact_id=made[name].id)
        )
    db.session.commit()
    return cassiopee


RULES = [
    ({}, ""),
    ({"kind": ["customer"]}, "Cyd Dan"),
    ({"kind": ["customer", "company"]}, "Acme Cyd Dan"),
    ({"company": ["C-acme"]}, "Acme Ada"),
    ({"company": ["C-nowhere"]}, ""),
    ({"tag": ["presse", "other"]}, "Ada"),
    ({"tag": ["vip"]}, "Ada Bob"),
    ({"tag": ["vip"], "country": ["BE"]}, "Ada"),
    ({"country": ["ch", "BE"]}, "Ada Cyd"),
    ({"offer": ["Or", "Argent"]}, "Bob Cyd"),
    ({"last": ["within"], "days": ["30"]}, "Ada"),
    ({"last": ["more"], "days": ["30"]}, "Bob"),
    ({"last": ["more"], "days": ["300"]}, ""),
    ({"last": ["none"]}, "Acme Cyd Dan"),
    ({"last": ["session"], "session": ["S-soon"]}, "Cyd"),
    ({"last": ["none"], "kind": ["customer"], "country": ["CH"]}, "Cyd"),
]


@pytest.mark.parametrize(("values", "names"), RULES, ids=[str(values) for values, _names in RULES])
def test_whom_a_rule_fits(people: Any, values: dict[str, list[str]], names: str) -> None:
    rule = Rule.of(values)
    shown = segments.preview(segments.fitting(people.id, rule))
    assert [contact.name for contact in shown.first] == names.split()
    assert shown.count == len(names.split())
    kept = Segment(organisation_id=people.id, name="x", rule=rule.write())
    assert {row.id for row in db.session.execute(segments.contact_ids(kept))} == {c.id for c in shown.first}


def test_counts_of_all_segments_are_two_statements(people: Any, boreale: Any) -> None:
    for name, rule in (("Règle", {"tag": ["vip"]}), ("Membres", None)):
        db.session.add(Segment(organisation_id=people.id, name=name, rule=rule))
    db.session.commit()
    ada = db.session.query(Contact).filter_by(name="Ada").one()
    eve = db.session.query(Contact).filter_by(name="Eve").one()
    members = db.session.query(Segment).filter_by(name="Membres").one()
    segments.add(members, [ada, ada, eve])  # another organisation's is left out
    db.session.commit()
    assert [(one.segment.name, one.count) for one in segments.listed(people.id)] == [("Membres", 1), ("Règle", 2)]
    assert segments.listed(boreale.id) == []
    assert [(one.name, member) for one, member in segments.memberships(ada)] == [("Membres", True)]
