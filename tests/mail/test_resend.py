"""mail.resend: a new e-mail with the very bytes of the first, the old one left as it was."""

from __future__ import annotations

import email as stdlib_email
import email.policy
import hashlib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

import mail
from documents import blobs
from errors import Permanent, UserMistake
from extensions import db
from mail import mime, outbox, resend
from mail.compose import Draft, File
from models import Address, Attachment, DeliveryEvent, Email, EmailContent
from models.words import EventKind, Mark, Status
from tests.conftest import House

HTML = "<html><body><p>Bonjour Léa, à bientôt = 50 %</p></body></html>"


def posted(house: House, *files: bytes, html: str = HTML, pixel: bool = True) -> Email:
    """An e-mail as a person asked for it, then failed."""
    house.organisation.track_opens = pixel
    stored = [(f"Pièce n° {n}.pdf", blobs.store(data, "a.pdf")) for n, data in enumerate(files, 1)]
    attached = tuple(File.of(name, blob) for name, blob in stored)
    draft = Draft("lea@exemple.example", "Léa Martin", None, None, "free", "Été n° 1", html, "Bonjour\n.\n", attached)
    (row,) = mail.post([draft], organisation=house.organisation, sender=house.sender, by=house.staff,
                       request_key=str(uuid4()))  # fmt: skip
    db.session.execute(text("UPDATE email SET status = 'failed', reason = 'user_unknown'"))
    db.session.commit()
    return row


def again(old: Email, house: House, to: str | None = None, key: str | None = None) -> Email:
    new = resend.resend(old, to, by=house.admin, request_key=key or str(uuid4()))
    db.session.commit()
    return new


def wire(row: Email) -> bytes:
    content = db.session.get_one(EmailContent, row.id)
    raw = mime.join(content.skeleton, content.cuts)
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (content.sha256, content.size)
    return raw


def parsed(row: Email) -> EmailMessage:
    return stdlib_email.message_from_bytes(wire(row), policy=email.policy.default)  # type: ignore[return-value]


def test_the_same_bytes_but_for_who_when_and_which(cassiopee: House) -> None:
    old = posted(cassiopee, b"%PDF-1.7 one", b"%PDF-1.7 two" * 500)
    new = again(old, cassiopee, "lea.martin@straße.de")
    assert (new.resend_of_id, new.status, new.subject, new.type) == (old.id, Status.REQUESTED, old.subject, old.type)
    assert new.requested_by_id == cassiopee.admin.id and new.attachment_count == 2 and new.open_measured
    first, second = parsed(old), parsed(new)
    assert second["To"].addresses[0].addr_spec == "lea.martin@xn--strae-oqa.de"
    assert second["To"].addresses[0].display_name == "Léa Martin"
    assert first["Message-ID"] != second["Message-ID"] == outbox.message_id(new.id, cassiopee.sender)
    for name in set(first.keys()) - {"To", "Message-ID", "Date"}:
        assert first[name] == second[name]
    assert [p.get_content() for p in first.iter_attachments()] == [p.get_content() for p in second.iter_attachments()]
    was, now = (mime.shown(db.session.get_one(EmailContent, row.id).skeleton) for row in (old, new))
    assert was.text == now.text
    assert was.html.replace(outbox.pixel_url(old.id), outbox.pixel_url(new.id)) == now.html
    rows = db.session.scalars(select(Attachment).where(Attachment.email_id == new.id).order_by(Attachment.position))
    assert [row.filename for row in rows] == ["Pièce n° 1.pdf", "Pièce n° 2.pdf"]
    assert db.session.get_one(Address, new.address_id).address == "lea.martin@straße.de"


def test_the_old_one_keeps_its_status_and_says_it_was_resent(cassiopee: House) -> None:
    old = posted(cassiopee)
    key = str(uuid4())
    new = again(old, cassiopee, key=key)
    assert again(old, cassiopee, key=key).id == new.id
    db.session.refresh(old)
    assert old.status is Status.FAILED and old.has(Mark.RESENT)
    (fact,) = db.session.scalars(
        select(DeliveryEvent).where(DeliveryEvent.email_id == old.id, DeliveryEvent.kind == EventKind.RESENT)
    )
    assert fact.data == {"by": cassiopee.admin.name, "email": new.public_id, "to": "lea@exemple.example"}
    assert len(list(db.session.scalars(select(Email)))) == 2


@pytest.mark.parametrize(
    "wrong", ["lea", "lea@", "a@b.fr, c@d.fr", "a@b.fr\r\nBcc: x@y.fr", "a b@c.fr", "@", "x" * 400]
)
def test_a_wrong_address_is_refused(cassiopee: House, wrong: str) -> None:
    old = posted(cassiopee)
    with pytest.raises(UserMistake) as caught:
        resend.resend(old, wrong, by=cassiopee.admin, request_key="k")
    assert caught.value.field == "to"


def test_only_what_is_settled_is_sent_again(cassiopee: House) -> None:
    now = datetime.now(UTC)
    cases = [(Status.REQUESTED, 99, False), (Status.UNCERTAIN, 99, False), (Status.SENT, 71, False),
             (Status.SENT, 73, True), (Status.DELIVERED, 71, False), (Status.DELIVERED, 73, True),
             (Status.OPENED, 0, True), (Status.UNDELIVERABLE, 0, True), (Status.FAILED, 0, True)]  # fmt: skip
    for status, hours, expected in cases:
        assert resend.resendable(Email(status=status, sent_at=now - timedelta(hours=hours)), now) is expected
    old = posted(cassiopee)
    db.session.execute(text("UPDATE email SET status = 'requested'"))
    db.session.commit()
    with pytest.raises(UserMistake, match="en route"):
        resend.resend(old, by=cassiopee.admin, request_key="k")


def test_tracking_follows_the_first_letter_and_todays_switch(cassiopee: House) -> None:
    plain = posted(cassiopee, pixel=False)
    cassiopee.organisation.track_opens = True
    new = again(plain, cassiopee)
    assert not new.open_measured and b"/t/o/" not in wire(new)
    tracked = posted(cassiopee, pixel=True)
    cassiopee.organisation.track_opens = False
    new = again(tracked, cassiopee)
    assert not new.open_measured and b"gif" not in wire(new)
    assert mime.shown(db.session.get_one(EmailContent, new.id).skeleton).html.strip() == HTML


def test_a_key_used_for_another_email_is_refused_and_lost_bytes_are_said(cassiopee: House) -> None:
    first, second = posted(cassiopee), posted(cassiopee)
    again(first, cassiopee, key="k")
    with pytest.raises(UserMistake, match="déjà servi"):
        resend.resend(second, by=cassiopee.admin, request_key="k")
    db.session.execute(text("DELETE FROM email_content"))
    with pytest.raises(Permanent):
        resend.resend(second, by=cassiopee.admin, request_key="l")


_words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=90)
_data = st.lists(st.binary(min_size=1, max_size=99), max_size=2)
WHEN = datetime(2026, 11, 22, 9, 14, tzinfo=UTC)


@settings(max_examples=80, deadline=None)
@given(subject=_words, name=_words, html=_words, text=_words, data=_data)
def test_a_copy_equals_what_would_have_been_frozen(
    subject: str, name: str, html: str, text: str, data: list[bytes]
) -> None:
    store = {hashlib.sha256(d).hexdigest(): d for d in data}
    files = tuple(File("a.pdf", sha, len(d), "application/pdf") for sha, d in store.items())
    sender = type("S", (), {"name": "Atelier", "address": "a@example.org", "reply_to": ""})()
    urls = ["https://x.example/t/o/" + letter * 40 + ".gif" for letter in "ab"]
    draft = Draft("a@b.example", name, None, None, "free", subject, f"<p>{html}</p>", text, files)
    one = mime.freeze(draft, sender, message_id="1@x", pixel_url=urls[0], date=WHEN, read_blob=store.__getitem__)
    changed = Draft("é@d.example", name, None, None, "free", subject, f"<p>{html}</p>", text, files)
    later = WHEN + timedelta(days=1)
    two = mime.freeze(changed, sender, message_id="2@x", pixel_url=urls[1], date=later, read_blob=store.__getitem__)
    copy = resend.copied(one.skeleton, one.cuts, changed, message_id="2@x", pixel_url=urls[1], date=later,
                         read_blob=store.__getitem__)  # fmt: skip
    assert copy == two
