"""What comes back by mail: matched by one of three keys or nothing, once, whoever reads it."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from extensions import db, settings
from mail import inbound, mailbox, outbox, quarantine, tokens
from mail.drain import drain
from models import DeliveryEvent, Email, InboundMessage
from models.words import EventKind, Mark, Reason, Status
from tests.mail.test_sending import ask, server, state  # noqa: F401 (server is a fixture)


def report(
    email: Email | None, *, verp: bool = False, envid: bool = False, message_id: bool = False, action: str = "failed",
    status: str = "5.1.1", final: str = "zoe@client.example", original: str | None = None, extra: str = "",
) -> bytes:  # fmt: skip
    """An RFC 3464 report about `email` that carries only the keys asked for."""
    to = "retours@cassiopee.example"
    if verp:
        to = f"retours+{tokens.token('verp', email.id)}@cassiopee.example"
    per_message = "Reporting-MTA: dns; mx.client.example\r\n"
    if envid:
        per_message += f"Original-Envelope-Id: {tokens.token('envid', email.id).upper()}\r\n"
    per_recipient = f"Final-Recipient: rfc822; {final}\r\nAction: {action}\r\nStatus: {status}\r\n"
    if original:
        per_recipient = f"Original-Recipient: rfc822;{original}\r\n" + per_recipient
    if action == "failed":
        words = "User unknown" if status == "5.1.1" else "mailbox is full"
        per_recipient += f"Diagnostic-Code: smtp; 550 {status} <{final}> {words}\r\n"
    returned = "From: formation@cassiopee.example\r\nSubject: Bonjour\r\n"
    if message_id:
        returned += f"Message-ID: <{tokens.token('mid', email.id)}@cassiopee.example>\r\n"
    return (
        f"Return-Path: <>\r\nX-Original-To: {to}\r\nFrom: MAILER-DAEMON@mx.client.example\r\nTo: {to}\r\n{extra}"
        "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-replied\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system.\r\n\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{per_message}\r\n{per_recipient}\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--b--\r\n"
    ).encode()


def drop(raw: bytes) -> Path:
    """Put a message into the bounce Maildir."""
    folder = settings().bounce_maildir
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    path = folder / "new" / hashlib.sha256(raw + str(datetime.now(UTC)).encode()).hexdigest()
    path.write_bytes(raw)
    return path


@pytest.fixture(autouse=True)
def empty_maildir(app):
    folder = settings().bounce_maildir
    for path in folder.glob("*/*"):
        path.unlink()


@pytest.fixture
def sent(cassiopee, server):  # noqa: F811
    """An e-mail accepted by the server a moment ago."""
    (email,) = ask(cassiopee, "zoe@client.example")
    drain()
    assert state(email)[0] is Status.SENT
    return email


def outcomes() -> list[str]:
    return list(db.session.scalars(select(InboundMessage.outcome).order_by(InboundMessage.id)))


@pytest.mark.parametrize("key", ["verp", "envid", "message_id"])
def test_each_key_alone_is_enough(sent, key):
    path = drop(report(sent, **{key: True}))
    assert mailbox.poll() == 1
    assert state(sent) == (Status.FAILED, Reason.USER_UNKNOWN)
    event = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "bounced")).one()
    assert event.data["key"] == key.replace("_", "-") and event.enhanced_code == "5.1.1"
    assert "User unknown" in event.diagnostic
    assert not path.exists()
    assert mailbox.poll() == 0


def test_a_report_condemns_the_address_only_where_its_reader_is_sure(sent):
    vague = report(sent, verp=True, status="5.0.0").replace(b"User unknown", b"mailbox unavailable")
    drop(vague.replace(b"mailbox is full", b"User unknown"))
    mailbox.poll()
    assert state(sent) == (Status.FAILED, Reason.USER_UNKNOWN)
    event = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "bounced")).one()
    assert event.data["address_dead"] is None
    assert quarantine.quarantined(sent.organisation_id, ["zoe@client.example"]) == set()
    drop(report(sent, verp=True))
    mailbox.poll()
    assert quarantine.quarantined(sent.organisation_id, ["zoe@client.example"]) == {"zoe@client.example"}


def test_a_report_of_the_same_second_comes_after_what_it_reports(sent):
    accepted = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "accepted")).one()
    stamp = accepted.occurred_at.strftime("%a, %d %b %Y %H:%M:%S +0000")
    drop(report(sent, verp=True, extra=f"Date: {stamp}\r\n"))
    mailbox.poll()
    bounced = db.session.scalars(select(DeliveryEvent).where(DeliveryEvent.kind == "bounced")).one()
    assert bounced.occurred_at > accepted.occurred_at


def test_delivered_then_bounced_then_the_same_again(sent):
    drop(report(sent, verp=True, action="delivered", status="2.0.0"))
    mailbox.poll()
    assert state(sent)[0] is Status.DELIVERED
    raw = report(sent, envid=True, action="failed", status="5.2.2")
    for _ in range(3):
        drop(raw)
    assert mailbox.poll() == 1
    assert state(sent)[0] is Status.UNDELIVERABLE
    assert len(outcomes()) == 2


def test_a_delay_stays_sent_with_a_mark(sent):
    drop(report(sent, verp=True, action="delayed", status="4.4.1"))
    mailbox.poll()
    assert state(sent)[0] is Status.SENT
    assert sent.has(Mark.DELAYED)


def test_what_matches_nothing_changes_nothing(sent):
    drop(report(sent, final="zoe@client.example"))
    forged = report(sent, verp=True).replace(tokens.token("verp", sent.id).encode(), b"a" * tokens.LENGTH)
    drop(forged)
    mailbox.poll()
    assert outcomes() == ["orphan", "orphan"]
    assert state(sent)[0] is Status.SENT


def test_a_message_id_with_another_recipient_is_no_key(sent):
    drop(report(sent, message_id=True, final="else@where.example"))
    mailbox.poll()
    assert outcomes() == ["orphan"] and state(sent)[0] is Status.SENT


def test_a_token_of_another_kind_is_no_key(sent):
    drop(report(sent, verp=True).replace(
        tokens.token("verp", sent.id).encode(), tokens.token("pixel", sent.id).encode()
    ))  # fmt: skip
    mailbox.poll()
    assert outcomes() == ["orphan"]


def test_a_forwarded_copy_is_a_mark_only(sent):
    drop(report(sent, verp=True, final="copy@forward.example"))
    mailbox.poll()
    assert state(sent)[0] is Status.SENT
    assert sent.has(Mark.COPY_FAILED)


def test_a_forwarded_address_with_its_original_is_ours(sent):
    drop(report(sent, verp=True, final="copy@forward.example", original="zoe@client.example"))
    mailbox.poll()
    assert state(sent)[0] is Status.FAILED


def test_only_attempts_really_made_and_not_too_old(cassiopee, app):
    (email,) = ask(cassiopee, "zoe@client.example")
    drop(report(email, verp=True))
    mailbox.poll()
    assert outcomes() == ["orphan"] and state(email)[0] is Status.REQUESTED
    outbox.claim("w", 1)
    outbox.settle("w", outbox.Settlement(begun=[email.id]))
    drop(report(email, verp=True, extra="X: 1\r\n"))
    mailbox.poll()
    assert outcomes() == ["orphan", "applied"]


def test_a_report_after_fourteen_days_is_an_orphan(sent):
    db.session.execute(text("UPDATE delivery_event SET occurred_at = occurred_at - interval '15 days'"))
    db.session.commit()
    drop(report(sent, verp=True))
    mailbox.poll()
    assert outcomes() == ["orphan"]


def test_uncertain_is_resolved_by_evidence(cassiopee, server):  # noqa: F811
    (email,) = ask(cassiopee, "drop-dot@client.example")
    drain()
    assert state(email)[0] is Status.UNCERTAIN
    drop(report(email, envid=True, action="delivered", status="2.1.5", final="drop-dot@client.example"))
    mailbox.poll()
    assert state(email)[0] is Status.DELIVERED


def test_two_pollers_at_once_do_no_harm(sent, app):
    for n in range(20):
        drop(report(sent, verp=True, action="delayed", extra=f"X-N: {n}\r\n"))
    db.session.rollback()

    def poll():
        with app.app_context():
            mailbox.poll()

    pollers = [threading.Thread(target=poll) for _ in range(2)]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join()
    assert len(outcomes()) == 20
    assert db.session.query(DeliveryEvent).filter_by(kind=EventKind.DELAYED).count() == 20


def test_a_crash_between_effect_and_flag_repeats_nothing(sent):
    raw = report(sent, verp=True)
    drop(raw)

    def crash():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mailbox.take(iter([mailbox.Arrival("m", raw, crash)]))
    assert state(sent)[0] is Status.FAILED
    assert mailbox.poll() == 0
    assert db.session.query(DeliveryEvent).filter_by(kind=EventKind.BOUNCED).count() == 1


def test_an_absence_message_is_a_mark_and_a_sign_of_life(sent):
    reply = EmailMessage()
    reply["From"] = "Zoé <zoe@client.example>"
    reply["To"] = f"retours+{tokens.token('verp', sent.id)}@cassiopee.example"
    reply["Subject"] = "Absence du bureau : Bonjour"
    reply["Auto-Submitted"] = "auto-replied"
    reply["In-Reply-To"] = f"<{tokens.token('mid', sent.id)}@cassiopee.example>"
    reply.set_content("Je suis absente jusqu'au 30 novembre.")
    drop(reply.as_bytes())
    mailbox.poll()
    assert state(sent)[0] is Status.DELIVERED
    assert sent.has(Mark.AUTO_REPLIED)


def by_machine(email: Email, report_type: str, fields: str) -> bytes:
    """A complaint or a receipt about `email` that comes to an address of ours without any token."""
    token = tokens.token("verp", email.id)
    return (
        "From: robot@client.example\r\nTo: plaintes@cassiopee.example\r\nSubject: Rapport\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={report_type}; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\nRapport.\r\n\r\n--b\r\nContent-Type: message/{report_type}\r\n\r\n"
        f"{fields.format(verp=token, mid=tokens.token('mid', email.id))}\r\n--b--\r\n"
    ).encode()


ARF = "Feedback-Type: {{kind}}\r\nVersion: 1\r\nOriginal-Mail-From: <retours+{verp}@cassiopee.example>\r\n"
MDN = (
    "Final-Recipient: rfc822;zoe@client.example\r\nOriginal-Message-ID: <{mid}@cassiopee.example>\r\n"
    "Disposition: automatic-action/MDN-sent-automatically; {{kind}}\r\n"
)


@pytest.mark.parametrize("kind, held", [("abuse", True), ("fraud", True), ("not-spam", False), ("auth-failure", False)])
def test_only_a_persons_complaint_closes_the_address(sent, kind, held):
    drop(by_machine(sent, "feedback-report", ARF).replace(b"{kind}", kind.encode()))
    mailbox.poll()
    state(sent)
    assert sent.has(Mark.COMPLAINED) is held
    assert quarantine.quarantined(sent.organisation_id, ["zoe@client.example"]) == (
        {"zoe@client.example"} if held else set()
    )
    assert outcomes() == ["applied" if held else "ignored"]


@pytest.mark.parametrize("kind, status", [("displayed", Status.OPENED), ("deleted", Status.DELIVERED)])
def test_a_receipt_opens_only_what_was_displayed(sent, kind, status):
    drop(by_machine(sent, "disposition-notification", MDN).replace(b"{kind}", kind.encode()))
    mailbox.poll()
    assert state(sent)[0] is status


def test_an_original_recipient_in_xtext_is_ours(cassiopee, server):  # noqa: F811
    (email,) = ask(cassiopee, "zoe+cours@client.example")
    drain()
    drop(report(email, verp=True, final="copy@forward.example", original="zoe+2Bcours@client.example"))
    mailbox.poll()
    assert state(email)[0] is Status.FAILED


def test_garbage_is_filed_and_the_next_goes_on(sent):
    drop(b"")
    drop(b"\x00\xff" * 5000)
    drop(b"Subject: hello\r\n\r\nA person writes.\r\n")
    drop(report(sent, verp=True))
    mailbox.poll()
    assert sorted(outcomes()) == ["applied", "ignored", "ignored", "ignored"]
    assert state(sent)[0] is Status.FAILED


@pytest.mark.parametrize("words", [b"six letters: \\u0000x", b"\\ud800", b"a \x00 NUL", b"=?utf-8?q?=00=ED=A0=80?="])
@pytest.mark.parametrize("place", [b"Subject: %s", b"From: \"%s\" <x@y.example>", b"X-A: b\r\n\r\n%s"])
def test_no_words_of_a_stranger_stand_before_what_comes_behind_them(sent, words, place):
    drop(place % words + b"\r\n\r\nbody\r\n").rename(settings().bounce_maildir / "new" / "0-first")
    drop(report(sent, verp=True))
    mailbox.poll()
    assert sorted(outcomes()) == ["applied", "ignored"] and state(sent)[0] is Status.FAILED
    (other,) = db.session.scalars(select(InboundMessage.summary).where(InboundMessage.outcome == "ignored"))
    told = " ".join([other["subject"], other["from"], other["excerpt"]])
    assert b"six" not in words or r"six letters: \u0000x" in told


def test_what_nobody_foresaw_is_poison_and_the_next_goes_on(sent, monkeypatch):
    real = inbound.matching.match

    def breaks(told):
        if told.recipients[0].address == "unforeseen@client.example":
            raise ZeroDivisionError
        return real(told)

    monkeypatch.setattr(inbound.matching, "match", breaks)
    drop(report(sent, final="unforeseen@client.example")).rename(settings().bounce_maildir / "new" / "0-first")
    drop(report(sent, verp=True))
    mailbox.poll()
    assert sorted(outcomes()) == ["applied", "poison"] and state(sent)[0] is Status.FAILED
    assert not list((settings().bounce_maildir / "new").iterdir())


def test_while_the_database_is_away_a_message_stays_where_it_is(sent, monkeypatch):
    def away(*_, **__):
        raise OperationalError("SELECT 1", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patched:
        patched.setattr(inbound, "record", away)
        drop(report(sent, verp=True))
        with pytest.raises(OperationalError):
            mailbox.poll()
        db.session.rollback()
    assert outcomes() == []
    mailbox.poll()
    assert outcomes() == ["applied"]
