"""Business events: kept once, led to one e-mail or to a reason, their customers found or made."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from documents import blobs
from extensions import db
from mail import mime, templates
from mail.compose import File
from models import (
    Attachment,
    BusinessEvent,
    Contact,
    Email,
    EmailContent,
    EventOutcome,
    Segment,
    SegmentMember,
    Template,
)
from models.words import ContactKind
from planning import events

PDF = b"%PDF-1.4\nan invoice\n%%EOF\n"
ANNE = {"reference": "CUS-1", "name": "Anne Roche", "email": "anne@client.example", "language": "fr"}


@pytest.fixture(autouse=True)
def _templates(cassiopee):
    templates.ensure_defaults(cassiopee.organisation)
    db.session.commit()


def switch(house, type: str, enabled: bool = True) -> None:
    template = db.session.scalars(
        select(Template).where(Template.organisation_id == house.id, Template.type == type)
    ).one()
    template.enabled = enabled
    db.session.commit()


def tell(house, event_id: str = "evt_1", type: str = "card.expired", files=(), source: str = "api", **customer):
    payload = {
        "id": event_id, "type": type, "occurred_at": datetime(2026, 11, 20, 8, tzinfo=UTC),
        "customer": customer or ANNE, "data": {"card": {"last4": "4242", "expires": "2026-10"}},
    }  # fmt: skip
    event = events.take(house.organisation, source, payload, files)
    db.session.commit()
    return event


def outcome(event: BusinessEvent) -> EventOutcome:
    db.session.expire_all()
    return event.outcome


def emails() -> list[Email]:
    return list(db.session.scalars(select(Email).order_by(Email.id)))


def test_an_event_becomes_an_email_to_its_customer(cassiopee):
    switch(cassiopee, "card.expired")
    event = tell(cassiopee)
    assert outcome(event) is EventOutcome.RECEIVED
    assert events.apply_waiting() == 1 and events.apply_waiting() == 0
    assert outcome(event) is EventOutcome.SENT
    (email,) = emails()
    assert (email.id, email.type, email.requested_by_id) == (event.email_id, "card.expired", None)
    contact = db.session.get_one(Contact, email.contact_id)
    assert (contact.kind, contact.reference, contact.name, contact.email) == (
        ContactKind.CUSTOMER, "CUS-1", "Anne Roche", "anne@client.example",
    )  # fmt: skip
    assert event.contact_id == contact.id and event.applied_at is not None


def test_the_same_id_twice_is_one_event(cassiopee):
    switch(cassiopee, "card.expired")
    first, second = tell(cassiopee), tell(cassiopee, type="invoice.paid")
    assert first.id == second.id and second.type == "card.expired"
    events.apply_waiting()
    tell(cassiopee)
    assert events.apply_waiting() == 0 and len(emails()) == 1
    assert tell(cassiopee, source="stripe").id != first.id


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("type", [type.value for type in events.TYPES])
def test_each_of_the_sixteen_types_is_written_with_its_file(cassiopee, type, language):
    assert len(events.TYPES) == 16
    switch(cassiopee, type)
    file = File.of("facture.pdf", blobs.store(PDF, "facture.pdf"))
    event = tell(cassiopee, type=type, files=[file], **(ANNE | {"language": language}))
    events.apply_waiting()
    assert outcome(event) is EventOutcome.SENT, event.why
    (email,) = emails()
    content = db.session.get_one(EmailContent, email.id)
    said = mime.shown(content.skeleton)
    assert ("Bonjour" in (said.text or "")) == (language == "fr")
    assert "{{" not in (said.text or "") and "{{" not in email.subject
    (attached,) = db.session.scalars(select(Attachment))
    assert (attached.filename, attached.sha256) == ("facture.pdf", file.sha256)


@pytest.mark.parametrize(
    ("type", "customer", "on", "expected"),
    [
        ("card.expired", ANNE, False, EventOutcome.SWITCHED_OFF),
        ("card.exploded", ANNE, True, EventOutcome.UNKNOWN_TYPE),
        ("convocation", ANNE, True, EventOutcome.UNKNOWN_TYPE),
        ("card.expired", {"reference": "CUS-2", "name": "Sans adresse"}, True, EventOutcome.NO_ADDRESS),
        ("card.expired", {"reference": "CUS-3", "email": "pas une adresse"}, True, EventOutcome.NO_ADDRESS),
        ("card.expired", {"name": "Personne"}, True, EventOutcome.NO_ADDRESS),
    ],
)
def test_what_leads_to_nothing_says_why(cassiopee, type, customer, on, expected):
    switch(cassiopee, "card.expired", on)
    event = tell(cassiopee, type=type, **customer)
    events.apply_waiting()
    assert outcome(event) is expected
    assert emails() == []


def test_what_led_to_nothing_may_be_looked_at_again(cassiopee):
    event = tell(cassiopee)
    assert not events.again(event)  # still to be looked at by the job
    events.apply_waiting()
    assert outcome(event) is EventOutcome.SWITCHED_OFF
    switch(cassiopee, "card.expired")
    assert events.again(event)
    db.session.commit()
    assert outcome(event) is EventOutcome.SENT
    assert not events.again(event) and len(emails()) == 1


def test_a_customer_is_found_by_reference_then_by_address(cassiopee, boreale):
    def contact(event_id: str, **said) -> int:
        event = tell(cassiopee, event_id, **said)
        events.apply_waiting()
        outcome(event)
        return event.contact_id

    theirs = Contact(organisation_id=boreale.id, kind=ContactKind.CUSTOMER, name="X", reference="CUS-1",
                     email="anne@client.example")  # fmt: skip
    db.session.add(theirs)
    db.session.commit()
    first = contact("1", **ANNE)
    assert first != theirs.id
    assert contact("2", reference="CUS-1") == first
    assert contact("3", email="ANNE@client.example") == first
    assert contact("4", reference="CUS-9", email="anne@client.example") != first
    nameless = contact("5", email="bob@client.example")
    assert contact("6", reference="CUS-5", email="bob@client.example") == nameless
    assert db.session.get_one(Contact, nameless).reference == "CUS-5"


def test_what_a_person_corrected_stays_until_the_program_says_something_new(cassiopee):
    def told(event_id: str, address: str) -> str:
        event = tell(cassiopee, event_id, **(ANNE | {"email": address}))
        events.apply_waiting()
        outcome(event)
        assert event.contact is not None
        return event.contact.email

    assert told("1", "anne@client.exmaple") == "anne@client.exmaple"
    contact = db.session.scalars(select(Contact)).one()
    contact.email = "anne@client.example"
    db.session.commit()
    assert told("2", "anne@client.exmaple") == "anne@client.example"
    assert told("3", "anne@other.example") == "anne@other.example"


def test_segments_are_joined_by_name_and_made_where_missing(cassiopee):
    ruled = Segment(organisation_id=cassiopee.id, name="Par règle", rule={"kind": ["customer"]})
    db.session.add_all([ruled, Segment(organisation_id=cassiopee.id, name="Premium")])
    db.session.commit()
    for event_id in ("1", "2"):
        tell(cassiopee, event_id, **ANNE, segments=["Premium", " Nouveaux   venus ", "Par règle", ""])
        events.apply_waiting()
    query = select(Segment.name).join(SegmentMember, SegmentMember.segment_id == Segment.id).order_by(Segment.name)
    assert list(db.session.scalars(query)) == ["Nouveaux venus", "Premium"]


def test_a_new_customer_of_two_events_at_once_is_one(cassiopee, app):
    switch(cassiopee, "card.expired")
    for number in range(8):
        tell(cassiopee, f"evt_{number}")

    def work() -> None:
        with app.app_context():
            events.apply_waiting()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.apply_waiting()
    assert db.session.scalar(select(func.count()).select_from(Contact)) == 1
    assert len(emails()) == 8


def test_a_template_that_cannot_be_read_is_said_and_the_next_event_goes_on(cassiopee):
    switch(cassiopee, "card.expired")
    switch(cassiopee, "invoice.paid")
    template = db.session.scalars(select(Template).where(Template.type == "card.expired")).one()
    templates.newest(template).subject_fr = "{{ nonsense"
    db.session.commit()
    broken, fine = tell(cassiopee), tell(cassiopee, "evt_2", "invoice.paid")
    events.apply_waiting()
    assert (outcome(broken), outcome(fine)) == (EventOutcome.NOT_PREPARED, EventOutcome.SENT)
    assert broken.contact_id == fine.contact_id and broken.why and len(emails()) == 1
