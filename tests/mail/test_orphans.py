"""What matched nothing or could not be read: whose it is, reading it again, attaching it by hand, forgetting it."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from errors import UserMistake
from extensions import db
from mail import inbound, mailbox, operator, quarantine, tokens
from mail.drain import drain
from models import DeliveryEvent, Email, InboundMessage
from models.words import EventKind, Mark, Reason, Status
from tests.mail.test_inbound import drop, empty_maildir, report, sent  # noqa: F401 (fixtures)
from tests.mail.test_sending import ask, server, state  # noqa: F401 (server is a fixture)

STRANGER = (
    b"Received: from x by y\r\nFrom: x@y.example\r\nSubject: Poison\r\nTo: retours@elsewhere.example\r\n\r\n"
    + b"x" * 500
)


def only() -> InboundMessage:
    db.session.rollback()
    return db.session.scalars(select(InboundMessage)).one()


def orphan(raw: bytes) -> InboundMessage:
    drop(raw)
    mailbox.poll()
    found = only()
    assert found.outcome == "orphan"
    return found


@pytest.fixture
def poison(monkeypatch):
    """The reader's time is over before it begins."""

    def put(raw: bytes) -> InboundMessage:
        with monkeypatch.context() as patch:
            patch.setattr("mail.reports.fence.SECONDS", 0.0005)
            patch.setattr(inbound.Fence.__init__, "__defaults__", (0.0005, 256 * 2**20))
            drop(raw)
            mailbox.poll()
        found = only()
        assert found.outcome == "poison"
        return found

    return put


def test_whose_it_is_is_said_by_its_token_whatever_its_age(sent):  # noqa: F811
    db.session.execute(text("UPDATE delivery_event SET occurred_at = occurred_at - interval '15 days'"))
    db.session.commit()
    assert orphan(report(sent, verp=True)).organisation_id == sent.organisation_id


def test_whose_it_is_is_said_by_the_address_only_one_organisation_has(sent, boreale):  # noqa: F811
    raw = report(None).replace(b"formation@cassiopee.example", b"nobody@elsewhere.example")
    assert orphan(raw.replace(b"retours@cassiopee.example", b"retours@elsewhere.example")).organisation_id is None


def test_the_returned_messages_sender_says_whose_it_is(sent, cassiopee):  # noqa: F811
    raw = report(None).replace(b"retours@cassiopee.example", b"retours@elsewhere.example")
    address = cassiopee.sender.address.encode()
    found = orphan(raw.replace(b"formation@cassiopee.example", address))
    assert found.organisation_id == cassiopee.id
    assert found.summary["recipients"] == [["zoe@client.example", "failed", "user_unknown"]]
    assert found.summary["subject"] == "Undelivered Mail Returned to Sender"


def test_an_address_that_two_have_says_nothing(sent, cassiopee, boreale):  # noqa: F811
    boreale.sender.address = cassiopee.sender.address
    db.session.commit()
    raw = report(None).replace(b"retours@cassiopee.example", b"retours@elsewhere.example")
    assert (
        orphan(raw.replace(b"formation@cassiopee.example", cassiopee.sender.address.encode())).organisation_id is None
    )


def test_attached_by_hand_it_is_a_fact_with_its_evidence(sent, cassiopee):  # noqa: F811
    found = orphan(report(None))
    inbound.attach(found, sent, by=cassiopee.admin, note="Vu avec Zoé au téléphone")
    db.session.commit()
    assert state(sent) == (Status.FAILED, Reason.USER_UNKNOWN)
    fact = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "bounced")).one()
    assert fact.inbound_message_id == found.id and "User unknown" in fact.diagnostic
    assert (fact.data["by"], fact.data["note"]) == (cassiopee.admin.name, "Vu avec Zoé au téléphone")
    assert quarantine.quarantined(cassiopee.id, ["zoe@client.example"]) == set()
    assert (only().outcome, only().handled_by_id) == ("applied", cassiopee.admin.id)


def test_a_forwarded_address_stands_for_ours_when_a_person_says_so(sent, cassiopee):  # noqa: F811
    inbound.attach(
        orphan(report(None, final="zoe@ailleurs.example")), sent, by=cassiopee.admin, note="Son autre adresse"
    )
    db.session.commit()
    assert state(sent)[0] is Status.FAILED and not sent.has(Mark.COPY_FAILED)


@pytest.mark.parametrize("note, meaning, field", [("", None, "note"), ("x", EventKind.OPENED, "meaning")])
def test_what_a_person_must_say(sent, cassiopee, note, meaning, field):  # noqa: F811
    with pytest.raises(UserMistake) as mistake:
        inbound.attach(orphan(report(None)), sent, by=cassiopee.admin, note=note, meaning=meaning)
    assert mistake.value.field == field


def test_nothing_comes_back_from_what_never_left(cassiopee, server):  # noqa: F811
    (email,) = ask(cassiopee, "zoe@client.example")
    with pytest.raises(UserMistake) as mistake:
        inbound.attach(orphan(report(None)), email, by=cassiopee.admin, note="x")
    assert mistake.value.field == "email"


def test_it_is_dealt_with_once(sent, cassiopee):  # noqa: F811
    found = orphan(report(None))
    inbound.dismiss(found, by=cassiopee.admin, note="Faux")
    db.session.commit()
    for act in (
        lambda: inbound.attach(found, sent, by=cassiopee.admin, note="x"),
        lambda: inbound.look_again(found),
        lambda: inbound.dismiss(found, by=cassiopee.admin),
    ):
        with pytest.raises(UserMistake):
            act()
        db.session.rollback()
    drop(report(None))
    assert mailbox.poll() == 0 and state(sent)[0] is Status.SENT


def test_read_again_it_may_find_its_email(sent):  # noqa: F811
    raw = report(sent, verp=True)
    db.session.execute(text("UPDATE delivery_event SET occurred_at = occurred_at - interval '15 days'"))
    db.session.commit()
    found = orphan(raw)
    db.session.execute(text("UPDATE delivery_event SET occurred_at = occurred_at + interval '15 days'"))
    assert inbound.look_again(found) == "applied"
    db.session.commit()
    assert state(sent)[0] is Status.FAILED


def test_poison_says_whose_it_is_by_a_token_in_its_beginning(sent, poison):  # noqa: F811
    found = poison(report(sent, verp=True))
    assert found.organisation_id == sent.organisation_id and found.summary == {
        "from": "MAILER-DAEMON@mx.client.example", "subject": "Undelivered Mail Returned to Sender",
    }  # fmt: skip
    assert inbound.look_again(found) == "applied"
    db.session.commit()
    assert state(sent)[0] is Status.FAILED


def test_poison_of_nobody_is_the_operators(sent, poison):  # noqa: F811
    found = poison(STRANGER)
    assert found.organisation_id is None
    (line,) = operator.waiting(10)
    assert (line["id"], line["state"], line["organisation"], line["subject"]) == (
        found.public_id,
        "poison",
        None,
        "Poison",
    )
    assert operator.one(found.public_id).raw == STRANGER
    assert list(operator.again([])) == [{"id": found.public_id, "outcome": "ignored"}]
    assert list(operator.waiting(10)) == []


def test_what_a_person_says_of_an_unreadable_one(sent, cassiopee, poison):  # noqa: F811
    found = poison(STRANGER)
    with pytest.raises(UserMistake) as mistake:
        inbound.attach(found, sent, by=cassiopee.admin, note="x")
    assert mistake.value.field == "meaning"
    db.session.rollback()
    inbound.attach(
        found, sent, by=cassiopee.admin, note="Lu à l'œil", meaning=EventKind.BOUNCED, reason=Reason.MAILBOX_FULL
    )
    db.session.commit()
    assert state(sent) == (Status.UNDELIVERABLE, Reason.MAILBOX_FULL)


def test_what_changed_nothing_is_forgotten_after_thirty_days(sent):  # noqa: F811
    drop(report(sent, verp=True))
    drop(report(None))
    drop(b"Subject: hello\r\n\r\nhello\r\n")
    mailbox.poll()
    assert inbound.forget() == 0
    db.session.execute(text("UPDATE inbound_message SET received_at = received_at - interval '31 days'"))
    db.session.commit()
    assert inbound.forget() == 2
    assert only().outcome == "applied"


def test_a_token_in_a_foreign_organisations_report_gives_it_to_the_tokens_owner(sent, boreale):  # noqa: F811
    raw = report(sent, message_id=True, final="else@where.example").replace(
        b"formation@cassiopee.example", boreale.sender.address.encode()
    )
    assert tokens.token("mid", sent.id).encode() in raw
    assert orphan(raw).organisation_id == sent.organisation_id


def test_loops_change_nothing_and_are_answered_by_nobody(sent):  # noqa: F811
    """A report about a report of ours, an answer to an automatic answer: filed, never applied twice, never answered."""
    before = db.session.query(Email).count()
    absence = (
        b"From: retours@cassiopee.example\r\nTo: retours@cassiopee.example\r\nSubject: Absence\r\nReturn-Path: <>\r\n"
    )
    for raw in (
        report(None, final="retours@cassiopee.example"),
        absence + b"Auto-Submitted: auto-replied\r\n\r\nAbsent.\r\n",
    ):
        drop(raw)
    mailbox.poll()
    drain()
    assert db.session.query(Email).count() == before and state(sent)[0] is Status.SENT
